//! What each way of receiving UDP datagrams costs: one cell of a plan a run.
//!
//! `receivers CELL UNIT` fills a socket's queue, empties it by the cell's receiver, and again. Only the calls that
//! receive are timed; what they brought is checked, byte by byte, outside the timed part. It prints
//!
//!     release 6.12.117-fastnet
//!     round TICKS DATAGRAMS CALLS        five times: what is counted; the rounds before them warm up
//!     bytes N                            where memory is what is asked for
//!
//! and ends with 0, or with 4 where the cell can't be measured here, or with 1 where anything was lost or wrong.

mod cell;
mod clock;
mod feed;
mod gate;
mod hints;
mod io_uring_recv;
mod io_uring_recvmsg;
mod measure;
mod receiver;
mod recv;
mod recvmmsg;
mod recvmsg;
mod remembered;
mod remembering;
mod ring;
mod udp_gro;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use rust_tests::{array, skip};

use crate::cell::{Cell, Receiver};
use crate::clock::{Clock, Unit};
use crate::gate::Gate;
use crate::hints::Hints;
use crate::measure::{Bench, Round};
use crate::remembering::Layout;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(cell), Some(unit), None) = (arguments.next(), arguments.next(), arguments.next()) else {
        bail!("usage: receivers CELL instructions|ns|trace|hints");
    };
    let name = cell;
    let cell: Cell = name.parse()?;
    let clock = match unit.as_str() {
        "trace" => {
            let gate = Gate::open()?;
            gate.say(&format!("cell {name}"))?;
            Clock::watched(gate)
        }
        "hints" => Clock::new(Unit::Nanoseconds)?,
        unit => Clock::new(unit.parse::<Unit>()?)?,
    };
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").context("asking for the release")?;
    println!("release {}", release.trim());
    if unit == "hints" {
        let before = Hints::read()?;
        rounds(&cell, clock)?;
        let gate = Gate::open()?;
        return Hints::read()?.since(&before).iter().try_for_each(|row| gate.say(row));
    }
    for Round { ticks, datagrams, calls } in rounds(&cell, clock)? {
        println!("round {ticks} {datagrams} {calls}");
    }
    Ok(())
}

fn rounds(cell: &Cell, clock: Clock) -> Result<Vec<Round>> {
    let needs_remember = matches!(
        cell.receiver,
        Receiver::Remembered | Receiver::RememberUniform | Receiver::RememberScattered
    );
    if needs_remember && !rust_tests::sys::has_remember() {
        skip!("this kernel has no remember_mmsghdr()");
    }
    let bench = || Bench::new(cell, clock);
    match cell.receiver {
        Receiver::Recv => recv::measure(bench()?),
        Receiver::Recvmsg => recvmsg::measure(bench()?),
        Receiver::Recvmmsg => recvmmsg::measure(bench()?),
        Receiver::Remembered => remembered::measure(bench()?),
        Receiver::IoUringRecvmsg => io_uring_recvmsg::measure(bench()?),
        Receiver::IoUringRecv => io_uring_recv::measure(bench()?),
        Receiver::UdpGro => udp_gro::measure(bench()?),
        Receiver::RememberUniform => remembering::measure(cell, clock, Layout::Uniform),
        Receiver::RememberScattered => remembering::measure(cell, clock, Layout::Scattered),
    }
}
