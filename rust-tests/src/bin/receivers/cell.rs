//! One cell of a plan: who receives what, and how much at once.

use std::str::FromStr;

use anyhow::{Context, Error, Result, bail, ensure};

use crate::feed::Size;

/// A way to receive; or, the last two, to remember.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receiver {
    Recv,
    Recvmsg,
    Recvmmsg,
    Remembered,
    IoUringRecvmsg,
    IoUringRecv,
    UdpGro,
    BusyPoll,
    AfXdp,
    RememberUniform,
    RememberScattered,
}

/// Between the two programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    Loopback,
    /// A pair of virtual network cards.
    Veth,
}

/// `recvmmsg/ipv4/64/1000`, `recvmmsg/ipv6/mixed/8/name`, or `recvmmsg/ipv4/64/1000/veth`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The way to receive.
    pub receiver: Receiver,
    /// IPv6 in place of IPv4.
    pub ipv6: bool,
    /// The bytes in a datagram.
    pub size: Size,
    /// How many messages a call asks for.
    pub messages: usize,
    /// Whether each message has room for the sender's address.
    pub name: bool,
    /// What the datagrams go over.
    pub link: Link,
}

impl FromStr for Cell {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts: Vec<_> = text.split('/').collect();
        let [receiver, family, size, messages, more @ ..] = &parts[..] else { bail!("{text} is no cell") };
        let (name, link) = match more {
            [] => (false, Link::Loopback),
            ["name"] => (true, Link::Loopback),
            ["veth"] => (false, Link::Veth),
            ["name", "veth"] => (true, Link::Veth),
            _ => bail!("{text}: {more:?} follows the messages a call"),
        };
        let cell = Self {
            receiver: match *receiver {
                "recv" => Receiver::Recv,
                "recvmsg" => Receiver::Recvmsg,
                "recvmmsg" => Receiver::Recvmmsg,
                "remembered" => Receiver::Remembered,
                "io_uring_recvmsg" => Receiver::IoUringRecvmsg,
                "io_uring_recv" => Receiver::IoUringRecv,
                "udp_gro" => Receiver::UdpGro,
                "busy_poll" => Receiver::BusyPoll,
                "af_xdp" => Receiver::AfXdp,
                "remember_uniform" => Receiver::RememberUniform,
                "remember_scattered" => Receiver::RememberScattered,
                _ => bail!("{text}: no receiver is called {receiver}"),
            },
            ipv6: match *family {
                "ipv4" => false,
                "ipv6" => true,
                _ => bail!("{text}: {family} is neither ipv4 nor ipv6"),
            },
            size: size.parse().with_context(|| format!("{text}: the size"))?,
            messages: match messages.parse() {
                Ok(messages @ 1..) => messages,
                _ => bail!("{text}: {messages} messages a call"),
            },
            name,
            link,
        };
        let needs_card = matches!(cell.receiver, Receiver::BusyPoll | Receiver::AfXdp);
        ensure!(!needs_card || link == Link::Veth, "{text}: the loopback is no card with a queue");
        ensure!(!cell.ipv6 || link == Link::Loopback, "{text}: veth has no addresses of IPv6");
        Ok(cell)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_read() {
        let cell: Cell = "remembered/ipv6/mixed/1000/name".parse().unwrap();
        let expected = Cell {
            receiver: Receiver::Remembered,
            ipv6: true,
            size: Size::Mixed,
            messages: 1000,
            name: true,
            link: Link::Loopback,
        };
        assert_eq!(cell, expected);
        let cell: Cell = "recvmmsg/ipv4/64/8/veth".parse().unwrap();
        assert_eq!((cell.name, cell.link), (false, Link::Veth));
        let cell: Cell = "recvmmsg/ipv4/64/8/name/veth".parse().unwrap();
        assert_eq!((cell.name, cell.link), (true, Link::Veth));
        assert!(!"recv/ipv4/20/1".parse::<Cell>().unwrap().name);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "recv/ipv4/64",
            "read/ipv4/64/1",
            "recv/ipx/64/1",
            "recv/ipv4/7/1",
            "recv/ipv4/9000/1",
            "recv/ipv4/64/0",
            "recv/ipv4/64/1/control",
            "recv/ipv4/64/1/name/name",
            "recv/ipv4/64/1/veth/name",
            "recv/ipv6/64/1/veth",
            "af_xdp/ipv4/64/8",
            "busy_poll/ipv4/64/8",
        ] {
            assert!(text.parse::<Cell>().is_err(), "{text}");
        }
    }
}
