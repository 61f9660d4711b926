//! `recvmmsg()` on a socket with `SO_BUSY_POLL`: the caller polls the card's queue in place of sleeping.

use anyhow::{Context, Result, ensure};
use rust_tests::sys::net::{option, set_option};

use crate::measure::Bench;
use crate::recvmmsg::Receiver;
use crate::round::Round;

/// Microseconds to poll before sleeping, as the kernel's documentation advises.
const MICROSECONDS: i32 = 50;

/// Measures it.
pub fn measure(bench: Bench) -> Result<Vec<Round>> {
    let socket = bench.socket()?;
    set_option(&socket, libc::SOL_SOCKET, libc::SO_BUSY_POLL, MICROSECONDS).context("SO_BUSY_POLL")?;
    set_option(&socket, libc::SOL_SOCKET, libc::SO_PREFER_BUSY_POLL, 1).context("SO_PREFER_BUSY_POLL")?;
    let [queue] =
        option(&socket, libc::SOL_SOCKET, libc::SO_INCOMING_NAPI_ID).context("SO_INCOMING_NAPI_ID")?;
    ensure!(queue != 0, "the card's queue has no number to poll it by");
    bench.measure(|bench| Receiver::new(bench, None))
}
