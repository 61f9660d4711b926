//! `remember_mmsghdr()` itself: what it costs a message, and the memory it charges for.

use std::io;
use std::net::UdpSocket;

use anyhow::{Context, Error, Result, bail};
use rust_tests::sys::Remember as _;
use rust_tests::sys::net;

use crate::array::Array;
use crate::cell::Cell;
use crate::measure::{COUNTED, DEPTH, Drive, WARM_UP};
use crate::remembered::remember;
use crate::round::Round;

/// How the buffers lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Side by side, in their messages' order.
    Uniform,
    /// In no order.
    Scattered,
}

/// Measures it, and prints how many bytes of kernel memory were charged.
pub fn measure(cell: &Cell, drive: Drive, layout: Layout) -> Result<Vec<Round>> {
    let Drive::Queue(clock) = drive else { bail!("nothing is sent to remember an array") };
    let (socket, _sender) = if cell.ipv6 { net::udp6() } else { net::udp4() };
    let mut array = Array::new(cell.messages, cell.size.largest(), cell.name, None)?;
    if layout == Layout::Scattered {
        array.shuffle();
    }
    let mut rounds = Vec::new();
    for _ in 0..WARM_UP + COUNTED {
        let mut round = Round { ticks: 0, datagrams: 0, calls: 0 };
        while round.datagrams < DEPTH {
            let (result, ticks) = clock.time(|| remember(&socket, &mut array));
            result?;
            round = Round {
                ticks: round.ticks + ticks,
                datagrams: round.datagrams + cell.messages,
                calls: round.calls + 1,
            };
            socket.forget_all().context("forgetting")?;
        }
        rounds.push(round);
    }
    println!("bytes {}", charged(&socket, &mut array)?);
    Ok(rounds.split_off(WARM_UP))
}

/// The least `RLIMIT_MEMLOCK` under which the array is remembered: what the kernel counts for it, in whole pages.
fn charged(socket: &UdpSocket, array: &mut Array) -> Result<u64> {
    // It does not bind root, who alone may first make room for it to be raised again.
    limit_locked(0)?;
    // SAFETY: only a number goes in.
    if unsafe { libc::setuid(65_534) } != 0 {
        return Err(io::Error::last_os_error()).context("setuid");
    }
    let (mut too_little, mut enough) = (0_u64, 1 << 20);
    while enough - too_little > 1 {
        let pages = too_little.midpoint(enough);
        limit_locked(pages << 12)?;
        match remember(socket, array) {
            Ok(()) => enough = pages,
            Err(error) if is_over_limit(&error) => too_little = pages,
            Err(error) => return Err(error),
        }
        socket.forget_all().context("forgetting")?;
    }
    Ok(enough << 12)
}

fn is_over_limit(error: &Error) -> bool {
    error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error) == Some(libc::ENOBUFS)
}

fn limit_locked(bytes: u64) -> Result<()> {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: a limit that is only read.
    if unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit) } != 0 {
        return Err(io::Error::last_os_error()).context("RLIMIT_MEMLOCK");
    }
    Ok(())
}
