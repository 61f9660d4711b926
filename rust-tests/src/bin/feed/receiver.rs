//! The ways to receive that are compared.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::ptr;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Error, Result, bail, ensure};
use rust_tests::array::{Array, Message};
use rust_tests::skip;
use rust_tests::sys::{has_remember, remember_mmsghdr};

/// A way to receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Recvmsg,
    Recvmmsg,
    Remembered,
}

impl FromStr for Way {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "recvmsg" => Ok(Self::Recvmsg),
            "recvmmsg" => Ok(Self::Recvmmsg),
            "remembered" => Ok(Self::Remembered),
            _ => bail!("no receiver is called {text}"),
        }
    }
}

/// So many messages `recvmmsg()` is given room for; it takes what there is.
const MESSAGES: usize = 64;
/// Room for one time stamp, and its header of a length, a level and a type.
const CONTROL: usize = 16 + size_of::<libc::timespec>();

/// A socket with room for what it receives.
pub struct Receiver {
    socket: UdpSocket,
    way: Way,
    array: Array,
    vlen: u32,
}

impl Receiver {
    /// For datagrams of up to `largest` bytes, each with its stamp or without.
    pub fn new(socket: UdpSocket, way: Way, largest: usize, stamped: bool) -> Result<Self> {
        let messages = if way == Way::Recvmsg { 1 } else { MESSAGES };
        let vlen = u32::try_from(messages)?;
        // Each buffer begins a cache line, as an application's would.
        let len = largest.next_multiple_of(64);
        let mut array = Array::new(messages, len, false, stamped.then_some(CONTROL))?;
        if way == Way::Remembered {
            if !has_remember() {
                skip!("this kernel has no remember_mmsghdr()");
            }
            let address = array.headers().expose_provenance();
            remember_mmsghdr(socket.as_raw_fd(), address, vlen, 0).context("remember_mmsghdr")?;
        }
        Ok(Self { socket, way, array, vlen })
    }

    /// Waits until there is something to receive, and tells whether there is.
    pub fn wait(&self, timeout: Duration) -> Result<bool> {
        let mut poll = libc::pollfd { fd: self.socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        let timeout = timeout.as_millis().try_into().context("a timeout")?;
        // SAFETY: one pollfd to read and write.
        match unsafe { libc::poll(&raw mut poll, 1, timeout) } {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(io::Error::last_os_error()).context("poll"),
        }
    }

    /// Receives what there is, without waiting: this, and nothing else, is timed. Returns how many messages came.
    #[inline]
    pub fn receive(&mut self) -> io::Result<usize> {
        let (fd, headers) = (self.socket.as_raw_fd(), self.array.headers());
        if self.way == Way::Recvmsg {
            // SAFETY: a message whose pointers and lengths are true; its length is written where recvmmsg() would.
            unsafe {
                let received = libc::recvmsg(fd, &raw mut (*headers).msg_hdr, libc::MSG_DONTWAIT);
                #[expect(clippy::cast_possible_truncation, reason = "a datagram has less than 64 KiB")]
                (&raw mut (*headers).msg_len).write(count(received)? as u32);
            }
            return Ok(1);
        }
        // SAFETY: an array of that many messages, whose pointers and lengths are true.
        let received = unsafe { libc::recvmmsg(fd, headers, self.vlen, libc::MSG_DONTWAIT, ptr::null_mut()) };
        count(received as isize)
    }

    /// Message `i` of the last call, and when the kernel stamped it, since 1970.
    pub fn message(&self, i: usize) -> Result<(Message<'_>, Option<Duration>)> {
        let control = self.array.control(i)?;
        let stamp = (!control.is_empty()).then(|| stamp(control)).transpose()?;
        Ok((self.array.message(i)?, stamp))
    }

    /// Makes ready for the next call. What is remembered needs nothing.
    pub fn reset(&mut self, count: usize) -> Result<()> {
        if self.way == Way::Remembered { Ok(()) } else { self.array.reset(count) }
    }
}

fn count(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// Reads a control message that is an `SCM_TIMESTAMPNS`.
fn stamp(control: &[u8]) -> Result<Duration> {
    let odd = || format!("a control message came that is no time stamp: {control:x?}");
    let control: &[u8; CONTROL] = control.try_into().with_context(odd)?;
    let (words, _) = control.as_chunks::<4>();
    let kind = [2, 3].map(|i| i32::from_ne_bytes(words[i]));
    ensure!(kind == [libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS], odd());
    let (numbers, _) = control.as_chunks::<8>();
    let [seconds, nanoseconds] = [2, 3].map(|i| u64::from_ne_bytes(numbers[i]));
    Ok(Duration::new(seconds, u32::try_from(nanoseconds).with_context(odd)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_and_nothing_else_is() {
        let control = |len: u64, kind: [i32; 2], time: [u64; 2]| {
            let kind = kind.map(i32::to_ne_bytes).concat();
            [&len.to_ne_bytes()[..], &kind, &time.map(u64::to_ne_bytes).concat()].concat()
        };
        let kind = [libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS];
        let good = control(32, kind, [7, 8]);
        assert_eq!(stamp(&good).unwrap(), Duration::new(7, 8));
        for bad in [&good[..31], &control(32, [libc::SOL_SOCKET, libc::SCM_TIMESTAMP], [7, 8])] {
            assert!(stamp(bad).unwrap_err().to_string().contains("no time stamp"));
        }
    }

    /// Every way brings the same, stamped and not.
    #[test]
    fn ways_differ_in_nothing_but_the_call() {
        for (way, stamped) in [(Way::Recvmsg, false), (Way::Recvmsg, true), (Way::Recvmmsg, true)] {
            let (socket, sender) = rust_tests::sys::net::udp4();
            if stamped {
                rust_tests::sys::net::set_option(&socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1_i32)
                    .unwrap();
            }
            let mut receiver = Receiver::new(socket, way, 76, stamped).unwrap();
            assert!(!receiver.wait(Duration::ZERO).unwrap());
            for round in [b"abc", b"def"] {
                sender.send(round).unwrap();
                assert!(receiver.wait(Duration::from_secs(5)).unwrap());
                assert_eq!(receiver.receive().unwrap(), 1);
                let (message, stamp) = receiver.message(0).unwrap();
                assert_eq!((message.payload, stamp.is_some()), (&round[..], stamped));
                receiver.reset(1).unwrap();
            }
            assert_eq!(receiver.receive().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        }
    }
}
