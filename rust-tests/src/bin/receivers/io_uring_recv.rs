//! `io_uring`'s multishot `recv`: no word of who sent a datagram.

use std::io;

use anyhow::Result;
use io_uring::opcode;

use crate::feed::Message;
use crate::measure::Bench;
use crate::receiver;
use crate::ring::{GROUP, Ring};
use crate::round::Round;

struct Receiver(Ring);

/// Measures it.
pub fn measure(bench: Bench) -> Result<Vec<Round>> {
    bench.measure(|bench| {
        let mut ring = Ring::new(bench.messages(), bench.buffer_len(), bench.wanted())?;
        ring.arm(bench.socket()?, |socket| opcode::RecvMulti::new(socket, GROUP).build())?;
        Ok(Receiver(ring))
    })
}

impl receiver::Receiver for Receiver {
    const TAKES_ALL: bool = true;

    #[inline]
    fn receive(&mut self) -> io::Result<usize> {
        self.0.receive()
    }

    fn inspect(&mut self, count: usize, check: &mut dyn FnMut(Message<'_>) -> Result<()>) -> Result<()> {
        self.0.inspect(count, |payload| check(Message { payload, name: None, train: None }))
    }
}
