//! `io_uring`'s multishot `recvmsg`: each buffer begins with a header and, if asked for, the sender's address.

use std::io;

use anyhow::{Result, anyhow, ensure};
use io_uring::opcode;
use io_uring::types::RecvMsgOut;

use crate::array::NAME;
use crate::feed::Message;
use crate::measure::Bench;
use crate::receiver;
use crate::ring::{GROUP, Ring};
use crate::round::Round;

/// The size of `struct io_uring_recvmsg_out`.
const HEADER: usize = 16;

struct Receiver {
    ring: Ring,
    /// What the request has room for beside the payload; behind a pointer, as each new start of it looks there.
    layout: Box<libc::msghdr>,
}

/// Measures it.
pub fn measure(bench: Bench) -> Result<Vec<Round>> {
    bench.measure(|bench| {
        let name = if bench.name() { NAME } else { 0 };
        // SAFETY: all zero is a valid msghdr, a struct of integers and pointers.
        let mut layout: Box<libc::msghdr> = unsafe { Box::new(std::mem::zeroed()) };
        layout.msg_namelen = name.try_into()?;
        let mut ring = Ring::new(bench.messages(), HEADER + name + bench.buffer_len(), bench.wanted())?;
        let request = |socket| opcode::RecvMsgMulti::new(socket, &raw const *layout, GROUP).build();
        ring.arm(bench.socket()?, request)?;
        Ok(Receiver { ring, layout })
    })
}

impl receiver::Receiver for Receiver {
    const TAKES_ALL: bool = true;

    #[inline]
    fn receive(&mut self) -> io::Result<usize> {
        self.ring.receive()
    }

    fn inspect(&mut self, count: usize, check: &mut dyn FnMut(Message<'_>) -> Result<()>) -> Result<()> {
        let Self { ring, layout } = self;
        ring.inspect(count, |buffer| {
            let out =
                RecvMsgOut::parse(buffer, layout).map_err(|()| anyhow!("{} bytes came", buffer.len()))?;
            ensure!(!out.is_name_data_truncated() && !out.is_payload_truncated(), "something did not fit");
            let name = (layout.msg_namelen > 0).then(|| out.name_data());
            check(Message { payload: out.payload_data(), name, train: None })
        })
    }
}
