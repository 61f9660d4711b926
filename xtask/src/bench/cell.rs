//! What is measured: who receives what, and over what.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::cli;

/// A way to receive; or, the last two, to remember.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Hash, Serialize, ValueEnum)]
#[value(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Receiver {
    /// `recv()`, a datagram a call.
    Recv,
    /// `recvmsg()`, a datagram a call.
    Recvmsg,
    /// `recvmmsg()`.
    Recvmmsg,
    /// `recvmmsg()` into an array that was remembered.
    Remembered,
    /// `io_uring`'s multishot `recvmsg`.
    IoUringRecvmsg,
    /// `io_uring`'s multishot `recv`.
    IoUringRecv,
    /// `recvmmsg()` on a socket with `UDP_GRO`.
    UdpGro,
    /// `recvmmsg()` on a socket with `SO_BUSY_POLL`.
    BusyPoll,
    /// `AF_XDP`: packets as they are, in shared memory.
    AfXdp,
    /// `remember_mmsghdr()` of an array whose buffers lie side by side.
    RememberUniform,
    /// `remember_mmsghdr()` of an array whose buffers lie in no order.
    RememberScattered,
}

impl Receiver {
    /// Whether it can tell who sent a datagram.
    pub fn takes_names(self) -> bool {
        !matches!(self, Self::Recv | Self::IoUringRecv | Self::RememberUniform | Self::RememberScattered)
    }

    /// Whether it needs `remember_mmsghdr()`.
    pub fn needs_remember(self) -> bool {
        self == Self::Remembered || self.only_remembers()
    }

    /// Whether it receives nothing: `remember_mmsghdr()` itself is what it takes.
    pub fn only_remembers(self) -> bool {
        matches!(self, Self::RememberUniform | Self::RememberScattered)
    }
}

/// IPv4 or IPv6.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Hash, Serialize, ValueEnum)]
#[value(rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum Family {
    Ipv4,
    Ipv6,
}

/// The bytes in a datagram.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Hash, Serialize)]
#[serde(untagged)]
pub enum Size {
    /// Every datagram has as many.
    Bytes(u32),
    /// Those of a market's feed.
    Of(Mix),
}

/// Sizes that are not one.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mix {
    /// 20 to 76 bytes, each as often as any other.
    Mixed,
}

impl Size {
    /// The bytes of a datagram on the average, to sort by.
    pub fn mean(self) -> u32 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Of(Mix::Mixed) => 48,
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{bytes}"),
            Self::Of(Mix::Mixed) => f.write_str("mixed"),
        }
    }
}

/// What is between the two programs.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Hash, Serialize, ValueEnum)]
#[value(rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum Link {
    /// The loopback.
    #[default]
    Loopback,
    /// A pair of virtual network cards, each in a namespace of its own.
    Veth,
}

impl Link {
    /// Of that, files and names say nothing.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
    pub fn is_loopback(&self) -> bool {
        *self == Self::Loopback
    }

    /// What headings add.
    pub fn over(self) -> &'static str {
        match self {
            Self::Loopback => "",
            Self::Veth => ", over veth",
        }
    }
}

/// What is received, whoever receives it: cells of equal shape can be compared.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Hash, Serialize)]
pub struct Shape {
    /// IPv4 or IPv6.
    pub family: Family,
    /// The bytes in a datagram.
    pub size: Size,
    /// Messages a call.
    pub messages: u32,
    /// Whether each message has room for the sender's address.
    pub name: bool,
    /// What it comes over.
    #[serde(default, skip_serializing_if = "Link::is_loopback")]
    pub link: Link,
}

/// One measurement to make.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Hash, Serialize)]
pub struct Cell {
    /// Who receives.
    pub receiver: Receiver,
    /// What is received.
    #[serde(flatten)]
    pub shape: Shape,
}

impl Cell {
    /// Whether its name contains `part`; a `/` at the end of `part` is where a part of the name ends.
    pub fn is_called(&self, part: &str) -> bool {
        format!("{self}/").contains(part)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { family, size, messages, name, link } = self;
        let name = if *name { "/name" } else { "" };
        let link = if link.is_loopback() { "" } else { "/veth" };
        write!(f, "{}/{size}/{messages}{name}{link}", cli::name(family))
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", cli::name(&self.receiver), self.shape)
    }
}

/// What most is told of: 64 bytes, 1000 a call, without the sender's address.
pub const BASE: Shape =
    Shape { family: Family::Ipv4, size: Size::Bytes(64), messages: 1000, name: false, link: Link::Loopback };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_ends_a_number() {
        let of = |messages| Cell { receiver: Receiver::Recvmmsg, shape: Shape { messages, ..BASE } };
        for part in ["/64/1000", "recvmm", "/64/1000/", "recvmmsg/ipv4/64/1000/"] {
            assert!(of(1000).is_called(part), "{part}");
        }
        assert!(of(10_000).is_called("/64/1000"));
        for part in ["/64/1000/", "/64/1000/name", "remembered"] {
            assert!(!of(10_000).is_called(part), "{part}");
        }
    }
}
