//! One end of a feed that runs from one guest to another.
//!
//! `feed send` waits until it is asked, then sends the datagrams of the file `/feed`, each at its time. It prints
//!
//!     release 6.12.117-stock
//!     sent DATAGRAMS
//!     late NS                       of the datagram that was sent the longest after its time
//!
//! `feed RECEIVER plain|stamped BYTES` asks for them, and receives until all have come or none comes any more; its
//! socket has a buffer of so many bytes, and asks for time stamps or not. It prints
//!
//!     release 6.12.117-fastnet
//!     received DATAGRAMS GAPS DISORDERED
//!     calls CALLS NS                that received, and how long they took together
//!     span NS                       from the first datagram to the last
//!     arrival NS:DATAGRAMS...       with stamps: how many came so long after the kernel had stamped them,
//!     schedule NS:DATAGRAMS...      and the same with how late each was sent
//!
//! and ends with 0, or with 4 where the kernel can't do it, or with 1 where a datagram was not what was sent.

mod receive;
mod receiver;
mod script;
mod send;
mod tally;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use rust_tests::sys::link;

use crate::script::Script;

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
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").context("asking for the release")?;
    println!("release {}", release.trim());
    let script = Script::read()?;
    let card_up = |address| link::card_up(address).context("bringing the network card up");
    match arguments[..] {
        ["send"] => {
            card_up(send::ADDRESS)?;
            send::send(&script)
        }
        [receiver, stamps, buffer] => {
            card_up(receive::ADDRESS)?;
            let stamped = match stamps {
                "plain" => false,
                "stamped" => true,
                _ => bail!("{stamps} is neither plain nor stamped"),
            };
            let buffer = buffer.parse().with_context(|| format!("a buffer of {buffer}"))?;
            receive::receive(&script, receiver.parse()?, stamped, buffer)
        }
        _ => bail!("usage: feed send | feed RECEIVER plain|stamped BYTES"),
    }
}
