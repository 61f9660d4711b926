//! `recvmmsg()`: an array of messages a call.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use anyhow::{Context, Result};

use crate::array::Array;
use crate::feed::Message;
use crate::measure::Bench;
use crate::receiver::{self, count};
use crate::round::Round;

/// One call's array.
pub struct Receiver {
    socket: UdpSocket,
    /// What the call fills.
    pub array: Array,
    vlen: u32,
    flags: i32,
}

/// Measures it.
pub fn measure(bench: Bench) -> Result<Vec<Round>> {
    bench.measure(|bench| Receiver::new(bench, None))
}

impl Receiver {
    /// Receives into an array that has room for `control` messages of so many bytes, if any.
    pub fn new(bench: &Bench, control: Option<usize>) -> Result<Self> {
        let array = Array::new(bench.messages(), bench.buffer_len(), bench.name(), control)?;
        let vlen = array.len().try_into().context("messages a call")?;
        Ok(Self { socket: bench.socket()?, array, vlen, flags: bench.flags() })
    }
}

impl receiver::Receiver for Receiver {
    #[inline]
    fn receive(&mut self) -> io::Result<usize> {
        // SAFETY: an array of that many messages, whose pointers and lengths are true.
        let received = unsafe {
            let (fd, headers) = (self.socket.as_raw_fd(), self.array.headers());
            libc::recvmmsg(fd, headers, self.vlen, self.flags, std::ptr::null_mut())
        };
        count(received as isize)
    }

    fn inspect(&mut self, count: usize, check: &mut dyn FnMut(Message<'_>) -> Result<()>) -> Result<()> {
        for i in 0..count {
            check(self.array.message(i)?)?;
        }
        self.array.reset(count)
    }
}
