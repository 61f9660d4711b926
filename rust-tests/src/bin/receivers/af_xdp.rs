//! `AF_XDP`: a program on the network card puts datagrams, headers and all, into memory that is shared with us. No call
//! receives them; one waits where none is there.

use std::io;
use std::os::fd::OwnedFd;

use anyhow::{Context, Result, ensure};
use rust_tests::skip;
use rust_tests::sys::{patience, veth, xdp, xsk};

use crate::feed::Message;
use crate::measure::Bench;
use crate::receiver;
use crate::round::Round;

/// The receive buffer's counterpart: so many packets wait, and what comes then is lost.
const FRAMES: u32 = 1 << 16;
/// Ethernet's.
const MAC: usize = 14;

struct Receiver {
    socket: xsk::Socket,
    most: u32,
    /// Sends the datagrams to the socket.
    _program: OwnedFd,
}

/// Measures it.
pub fn measure(bench: Bench) -> Result<Vec<Round>> {
    let (len, most) = (bench.buffer_len() + usize::from(xdp::HEADERS), u32::try_from(bench.messages())?);
    if len > xsk::LONGEST {
        skip!("a packet of {len} bytes does not fit into a frame, which holds {}", xsk::LONGEST);
    }
    if most > FRAMES {
        skip!("{most} messages do not fit into a ring of {FRAMES}");
    }
    bench.measure(|bench| {
        let card = veth::card().context("the card's number")?;
        let socket = xsk::Socket::new(FRAMES, card).context("a socket of AF_XDP")?;
        let port = bench.socket()?.local_addr().context("the receiver's port")?.port();
        let program = xdp::redirect(&socket, card, port).context("a program on the card")?;
        Ok(Receiver { socket, most, _program: program })
    })
}

impl receiver::Receiver for Receiver {
    #[inline]
    fn receive(&mut self) -> io::Result<usize> {
        Ok(self.socket.wait(patience())?.min(self.most) as usize)
    }

    fn inspect(&mut self, count: usize, check: &mut dyn FnMut(Message<'_>) -> Result<()>) -> Result<()> {
        let count = count.try_into()?;
        for i in 0..count {
            let payload = payload(self.socket.packet(i).context("a packet's place")?)?;
            check(Message { payload, name: None, train: None })?;
        }
        self.socket.give_back(count);
        Ok(())
    }
}

/// What lies behind the headers, whose lengths must be the packet's own.
fn payload(packet: &[u8]) -> Result<&[u8]> {
    let (headers, payload) = packet.split_at_checked(xdp::HEADERS.into()).context("a packet of headers")?;
    let told = |at: usize| usize::from(u16::from_be_bytes([headers[at], headers[at + 1]]));
    let (ip, udp) = (told(MAC + 2), told(MAC + 20 + 4));
    ensure!(
        (ip, udp) == (packet.len() - MAC, packet.len() - MAC - 20),
        "a packet of {} bytes says that IPv4 has {ip} of them, and UDP {udp}",
        packet.len()
    );
    Ok(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_that_differ_are_seen() {
        let mut packet = [0; 50];
        (packet[17], packet[39]) = (36, 16);
        packet[42..].copy_from_slice(b"datagram");
        assert_eq!(payload(&packet).unwrap(), b"datagram");
        for odd in [&packet[..49], &packet[..41], &[packet, [0; 50]].concat()[..51]] {
            assert!(payload(odd).is_err(), "{}", odd.len());
        }
        for at in [16, 17, 38, 39] {
            let mut other = packet;
            other[at] += 1;
            assert!(payload(&other).unwrap_err().to_string().contains("of 50 bytes"), "{at}");
        }
    }
}
