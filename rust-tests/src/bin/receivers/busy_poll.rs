//! `recvmmsg()` on a socket with `SO_BUSY_POLL`: the caller polls the device's queue in place of sleeping. It needs a
//! device whose queue is known by a number.

use anyhow::{Context, Result};
use rust_tests::skip;
use rust_tests::sys::net::{option, set_option};

use crate::measure::{Bench, Round};
use crate::recvmmsg::Receiver;

/// Microseconds to poll before sleeping, as the kernel's documentation advises.
const MICROSECONDS: i32 = 50;

/// Measures it.
pub fn measure(bench: Bench) -> Result<Vec<Round>> {
    let socket = bench.socket()?;
    set_option(&socket, libc::SOL_SOCKET, libc::SO_BUSY_POLL, MICROSECONDS).context("SO_BUSY_POLL")?;
    set_option(&socket, libc::SOL_SOCKET, libc::SO_PREFER_BUSY_POLL, 1).context("SO_PREFER_BUSY_POLL")?;
    bench.send_one()?;
    let [queue] =
        option(&socket, libc::SOL_SOCKET, libc::SO_INCOMING_NAPI_ID).context("SO_INCOMING_NAPI_ID")?;
    if queue == 0 {
        skip!("this device has no queue to poll: what it brought has no NAPI ID");
    }
    bench.measure(|bench| Receiver::new(bench, None))
}
