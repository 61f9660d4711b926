//! What each way of receiving UDP datagrams costs: one cell of a plan a run.
//!
//! `receivers CELL instructions` fills a socket's queue, empties it by the cell's receiver, and again. Only the calls that
//! receive are timed; what they brought is checked, byte by byte, outside the timed part. `receivers CELL stream N`
//! receives and checks what a second program, `receivers send`, sends at its own pace. Both print
//!
//!     release 6.12.117-fastnet
//!     round TICKS DATAGRAMS CALLS        as often as is counted; the rounds before them warm up
//!     rounds N                           so many were told
//!     bytes N                            where memory is what is asked for
//!     cpu NANOSECONDS                    of a stream: what the receiver had of a CPU
//!     lost N                             of a stream: how many datagrams did not come
//!
//! and ends with 0, or with 4 where the cell can't be measured here, or with 1 where anything was lost or wrong.

mod af_xdp;
mod busy_poll;
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
mod round;
mod source;
mod stream;
mod udp_gro;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use rust_tests::{array, skip};

use crate::cell::{Cell, Receiver};
use crate::clock::{Clock, Unit};
use crate::gate::Gate;
use crate::hints::Hints;
use crate::measure::{Bench, Drive};
use crate::remembering::Layout;
use crate::round::Round;

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
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let (name, unit, datagrams) = match arguments[..] {
        ["send", size, datagrams, train] => {
            return stream::send(size.parse()?, datagrams.parse()?, train != "1");
        }
        [name, "stream", datagrams] => (name, "stream", datagrams.parse().context("how many datagrams")?),
        [name, unit] => (name, unit, 0),
        _ => bail!("usage: receivers CELL instructions|trace|hints|stream N"),
    };
    let cell: Cell = name.parse()?;
    let drive = match unit {
        "stream" => Drive::Stream(datagrams),
        "trace" => {
            let gate = Gate::open()?;
            gate.say(&format!("cell {name}"))?;
            Drive::Queue(Clock::watched(gate))
        }
        "hints" => Drive::Queue(Clock::new(Unit::Nanoseconds)?),
        unit => Drive::Queue(Clock::new(unit.parse::<Unit>()?)?),
    };
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").context("asking for the release")?;
    println!("release {}", release.trim());
    if unit == "hints" {
        let before = Hints::read()?;
        rounds(&cell, drive)?;
        let gate = Gate::open()?;
        return Hints::read()?.since(&before).iter().try_for_each(|row| gate.say(row));
    }
    let rounds = rounds(&cell, drive)?;
    for Round { ticks, datagrams, calls } in &rounds {
        println!("round {ticks} {datagrams} {calls}");
    }
    println!("rounds {}", rounds.len());
    Ok(())
}

fn rounds(cell: &Cell, drive: Drive) -> Result<Vec<Round>> {
    let needs_remember = matches!(
        cell.receiver,
        Receiver::Remembered | Receiver::RememberUniform | Receiver::RememberScattered
    );
    if needs_remember && !rust_tests::sys::has_remember() {
        skip!("this kernel has no remember_mmsghdr()");
    }
    let bench = || Bench::new(cell, drive);
    match cell.receiver {
        Receiver::Recv => recv::measure(bench()?),
        Receiver::Recvmsg => recvmsg::measure(bench()?),
        Receiver::Recvmmsg => recvmmsg::measure(bench()?),
        Receiver::Remembered => remembered::measure(bench()?),
        Receiver::IoUringRecvmsg => io_uring_recvmsg::measure(bench()?),
        Receiver::IoUringRecv => io_uring_recv::measure(bench()?),
        Receiver::BusyPoll => busy_poll::measure(bench()?),
        Receiver::AfXdp => af_xdp::measure(bench()?),
        Receiver::UdpGro => udp_gro::measure(bench()?),
        Receiver::RememberUniform => remembering::measure(cell, drive, Layout::Uniform),
        Receiver::RememberScattered => remembering::measure(cell, drive, Layout::Scattered),
    }
}
