//! `recvmsg()`: a datagram a call, and a header copied in with each.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use anyhow::Result;

use crate::array::Array;
use crate::feed::Message;
use crate::measure::Bench;
use crate::receiver::{self, count};
use crate::round::Round;

struct Receiver {
    socket: UdpSocket,
    array: Array,
    flags: i32,
}

/// Measures it.
pub fn measure(bench: Bench) -> Result<Vec<Round>> {
    bench.measure(|bench| {
        let array = Array::new(1, bench.buffer_len(), bench.name(), None)?;
        Ok(Receiver { socket: bench.socket()?, array, flags: bench.flags() })
    })
}

impl receiver::Receiver for Receiver {
    #[inline]
    fn receive(&mut self) -> io::Result<usize> {
        let message = self.array.headers();
        // SAFETY: a message whose pointers and lengths are true.
        unsafe {
            let header = &raw mut (*message).msg_hdr;
            let received = count(libc::recvmsg(self.socket.as_raw_fd(), header, self.flags))?;
            // What recvmmsg() would have written.
            #[expect(clippy::cast_possible_truncation, reason = "a datagram has less than 64 KiB")]
            (&raw mut (*message).msg_len).write(received as u32);
        }
        Ok(1)
    }

    fn inspect(&mut self, count: usize, check: &mut dyn FnMut(Message<'_>) -> Result<()>) -> Result<()> {
        check(self.array.message(0)?)?;
        self.array.reset(count)
    }
}
