//! One cell of a plan: who receives what, and how much at once.

use std::str::FromStr;

use anyhow::{Context, Error, Result, bail};

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
    RememberUniform,
    RememberScattered,
}

/// `recvmmsg/ipv4/64/1000`, or `recvmmsg/ipv6/mixed/8/name`.
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
}

impl FromStr for Cell {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts: Vec<_> = text.split('/').collect();
        let [receiver, family, size, messages, name @ ..] = &parts[..] else { bail!("{text} is no cell") };
        Ok(Self {
            receiver: match *receiver {
                "recv" => Receiver::Recv,
                "recvmsg" => Receiver::Recvmsg,
                "recvmmsg" => Receiver::Recvmmsg,
                "remembered" => Receiver::Remembered,
                "io_uring_recvmsg" => Receiver::IoUringRecvmsg,
                "io_uring_recv" => Receiver::IoUringRecv,
                "udp_gro" => Receiver::UdpGro,
                "busy_poll" => Receiver::BusyPoll,
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
            name: match name {
                [] => false,
                ["name"] => true,
                _ => bail!("{text}: {name:?} follows the messages a call"),
            },
        })
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
        };
        assert_eq!(cell, expected);
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
        ] {
            assert!(text.parse::<Cell>().is_err(), "{text}");
        }
    }
}
