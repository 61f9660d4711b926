//! `recvmmsg()` on a socket with `UDP_GRO`: datagrams of one size that were sent as a train come as one message. Of
//! mixed sizes there are no trains, so each comes alone. "Messages a call" counts messages, the figures are a datagram.

use std::io;
use std::os::fd::AsRawFd;

use anyhow::Result;
use rust_tests::sys::net::{controls, set_option};

use crate::feed::Message;
use crate::measure::Bench;
use crate::receiver;
use crate::recvmmsg;
use crate::round::Round;

/// Room for one control message with an int.
const CONTROL: usize = 24;

struct Receiver(recvmmsg::Receiver);

/// Measures it.
pub fn measure(mut bench: Bench) -> Result<Vec<Round>> {
    set_option(&bench.socket()?.as_raw_fd(), libc::SOL_UDP, libc::UDP_GRO, 1)?;
    bench.send_trains()?;
    bench.measure(|bench| recvmmsg::Receiver::new(bench, Some(CONTROL)).map(Receiver))
}

impl receiver::Receiver for Receiver {
    #[inline]
    fn receive(&mut self) -> io::Result<usize> {
        self.0.receive()
    }

    fn inspect(&mut self, count: usize, check: &mut dyn FnMut(Message<'_>) -> Result<()>) -> Result<()> {
        let array = &mut self.0.array;
        for i in 0..count {
            let controls = controls(array.control(i)?, size_of::<usize>());
            let train = controls.iter().find(|control| control.kind == (libc::SOL_UDP, libc::UDP_GRO));
            let train = train.map(|control| usize::try_from(control.int())).transpose()?;
            check(Message { train, ..array.message(i)? })?;
        }
        array.reset(count)
    }
}
