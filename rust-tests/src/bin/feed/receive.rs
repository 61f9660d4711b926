//! The receiver's guest: asks, receives as an application does that waits in `poll()`, and takes account.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};
use rust_tests::sys::net::set_option;
use rust_tests::sys::stamps::stamp_all;

use crate::receiver::{Receiver, Way};
use crate::script::Script;
use crate::send::{self, PORT};
use crate::tally::Tally;

/// The receiver's.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 2);

/// The question is asked so often: the other guest may still boot.
const ASK: (u32, Duration) = (300, Duration::from_millis(200));
/// When nothing has come for so long, beyond the feed's own pauses, nothing will.
const QUIET: Duration = Duration::from_secs(10);

/// Receives the feed, and prints what came of it.
pub fn receive(script: &Script, way: Way, stamped: bool, buffer: i32) -> Result<()> {
    let socket = UdpSocket::bind((ADDRESS, PORT)).context("binding")?;
    set_option(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, buffer).context("SO_RCVBUFFORCE")?;
    // As long as it lives, the kernel stamps what comes.
    let _stamps = stamped.then(stamp_all);
    if stamped {
        set_option(&socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1_i32).context("SO_TIMESTAMPNS")?;
    }
    let asker = socket.try_clone().context("sharing the socket")?;
    let mut receiver = Receiver::new(socket, way, script.largest(), stamped)?;
    let mut tally = Tally::new(script, stamped);
    let clock = clock_cost();
    ask(&asker, &receiver)?;
    while receiver.wait(script.longest_pause() + QUIET)? {
        let before = Instant::now();
        let result = receiver.receive();
        let after = Instant::now();
        let now = SystemTime::now();
        let count = match result {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error).context("receiving"),
        };
        tally.call((after - before).saturating_sub(clock), after);
        let now = now.duration_since(SystemTime::UNIX_EPOCH).context("the clock")?;
        for i in 0..count {
            let (message, stamp) = receiver.message(i)?;
            tally.datagram(message.payload, stamp.map(|stamp| now.saturating_sub(stamp)))?;
        }
        receiver.reset(count)?;
        if tally.over() {
            break;
        }
    }
    tally.print();
    Ok(())
}

/// Asks for the feed until it comes.
fn ask(socket: &UdpSocket, receiver: &Receiver) -> Result<()> {
    let (times, pause) = ASK;
    for _ in 0..times {
        socket.send_to(b"feed, please", (send::ADDRESS, PORT)).context("asking for the feed")?;
        if receiver.wait(pause)? {
            return Ok(());
        }
    }
    bail!("no feed came in {} s", (pause * times).as_secs())
}

/// What two looks at the clock take by themselves: the least of many.
fn clock_cost() -> Duration {
    (0..1000).map(|_| Instant::now().elapsed()).min().unwrap_or_default()
}
