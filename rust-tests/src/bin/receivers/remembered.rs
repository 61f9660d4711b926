//! `recvmmsg()` into an array that the kernel remembers. Capacities are remembered with it, so nothing is reset
//! between calls.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use anyhow::{Context, Result};
use rust_tests::sys::remember_mmsghdr;

use crate::array::Array;
use crate::feed::Message;
use crate::measure::Bench;
use crate::receiver;
use crate::recvmmsg;
use crate::round::Round;

struct Receiver(recvmmsg::Receiver);

/// Measures it.
pub fn measure(bench: Bench) -> Result<Vec<Round>> {
    bench.measure(|bench| {
        let mut receiver = recvmmsg::Receiver::new(bench, None)?;
        remember(&bench.socket()?, &mut receiver.array)?;
        Ok(Receiver(receiver))
    })
}

/// Has the kernel remember all of `array`.
pub fn remember(socket: &UdpSocket, array: &mut Array) -> Result<()> {
    let vlen = array.len().try_into().context("messages a call")?;
    remember_mmsghdr(socket.as_raw_fd(), array.headers().expose_provenance(), vlen, 0)
        .context("remember_mmsghdr")
}

impl receiver::Receiver for Receiver {
    #[inline]
    fn receive(&mut self) -> io::Result<usize> {
        self.0.receive()
    }

    fn inspect(&mut self, count: usize, check: &mut dyn FnMut(Message<'_>) -> Result<()>) -> Result<()> {
        (0..count).try_for_each(|i| check(self.0.array.message(i)?))
    }
}
