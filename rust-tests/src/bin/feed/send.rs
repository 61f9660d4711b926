//! The sender: an open loop. It looks at its schedule, never at what became of the datagrams before.

use std::net::{Ipv4Addr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::script::Script;

/// The sender's.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 1);
/// On both sides.
pub const PORT: u16 = 7700;

/// How long the other guest may take to boot and ask.
const PATIENCE: Duration = Duration::from_mins(1);
/// From the question to the first datagram.
const LEAD: Duration = Duration::from_millis(20);
/// A sleep may end so much later than asked.
const OVERSLEEP: Duration = Duration::from_micros(200);

/// Sends the feed to whoever asks for it.
pub fn send(script: &Script) -> Result<()> {
    let socket = UdpSocket::bind((ADDRESS, PORT)).context("binding")?;
    socket.set_read_timeout(Some(PATIENCE)).context("SO_RCVTIMEO")?;
    let asked = socket.recv_from(&mut [0; 16]);
    let (_, receiver) = asked.with_context(|| format!("nobody asked in {} s", PATIENCE.as_secs()))?;
    socket.connect(receiver).context("connecting")?;
    let start = Instant::now() + LEAD;
    let (mut buffer, mut latest) = (Vec::new(), Duration::ZERO);
    for (number, datagram) in script.datagrams().iter().enumerate() {
        let late = wait_until(start + datagram.at);
        latest = latest.max(late);
        let payload = script.write(number, late, &mut buffer)?;
        socket.send(payload).with_context(|| format!("sending datagram {number}"))?;
    }
    println!("sent {}", script.datagrams().len());
    println!("late {}", latest.as_nanos());
    Ok(())
}

/// Waits, at the end with the CPU, and tells how much later than `due` it is.
fn wait_until(due: Instant) -> Duration {
    loop {
        let now = Instant::now();
        match due.checked_duration_since(now) {
            None | Some(Duration::ZERO) => return now - due,
            Some(left) => match left.checked_sub(OVERSLEEP) {
                Some(sleep) => thread::sleep(sleep),
                None => std::hint::spin_loop(),
            },
        }
    }
}
