//! `recv()`: a datagram a call, and no word of who sent it.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use anyhow::Result;

use crate::array::Buffers;
use crate::feed::Message;
use crate::measure::Bench;
use crate::receiver::{self, count};
use crate::round::Round;

struct Receiver {
    socket: UdpSocket,
    buffer: Buffers,
    flags: i32,
    received: usize,
}

/// Measures it.
pub fn measure(bench: Bench) -> Result<Vec<Round>> {
    bench.measure(|bench| {
        let buffer = Buffers::new(1, bench.buffer_len());
        Ok(Receiver { socket: bench.socket()?, buffer, flags: bench.flags(), received: 0 })
    })
}

impl receiver::Receiver for Receiver {
    #[inline]
    fn receive(&mut self) -> io::Result<usize> {
        // SAFETY: a buffer of that length.
        self.received = count(unsafe {
            let (buffer, len) = (self.buffer.at(0).cast(), self.buffer.len());
            libc::recv(self.socket.as_raw_fd(), buffer, len, self.flags)
        })?;
        Ok(1)
    }

    fn inspect(&mut self, _: usize, check: &mut dyn FnMut(Message<'_>) -> Result<()>) -> Result<()> {
        check(Message { payload: self.buffer.bytes(0, self.received)?, name: None, train: None })
    }
}
