//! Which cells are measured on which flavor.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::cli::{self, Flavor, Shard};

/// A way to receive; or, the last two, to remember.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, ValueEnum)]
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
    /// `remember_mmsghdr()` of an array whose buffers lie side by side.
    RememberUniform,
    /// `remember_mmsghdr()` of an array whose buffers lie in no order.
    RememberScattered,
}

impl Receiver {
    /// Those that receive many messages a call.
    const MANY: [Self; 5] =
        [Self::Recvmmsg, Self::Remembered, Self::IoUringRecvmsg, Self::IoUringRecv, Self::UdpGro];

    /// Whether it can tell who sent a datagram.
    fn takes_names(self) -> bool {
        !matches!(self, Self::Recv | Self::IoUringRecv | Self::RememberUniform | Self::RememberScattered)
    }

    /// Whether it needs `remember_mmsghdr()`.
    fn needs_remember(self) -> bool {
        matches!(self, Self::Remembered | Self::RememberUniform | Self::RememberScattered)
    }
}

/// IPv4 or IPv6.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, ValueEnum)]
#[value(rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum Family {
    Ipv4,
    Ipv6,
}

/// The bytes in a datagram.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Size {
    /// Every datagram has as many.
    Bytes(u32),
    /// Those of a market's feed.
    Of(Mix),
}

/// Sizes that are not one.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mix {
    /// 20 to 76 bytes, each as often as any other.
    Mixed,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{bytes}"),
            Self::Of(Mix::Mixed) => f.write_str("mixed"),
        }
    }
}

/// What is received, whoever receives it: cells of equal shape can be compared.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Shape {
    /// IPv4 or IPv6.
    pub family: Family,
    /// The bytes in a datagram.
    pub size: Size,
    /// Messages a call.
    pub messages: u32,
    /// Whether each message has room for the sender's address.
    pub name: bool,
}

/// One measurement to make.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// Who receives.
    pub receiver: Receiver,
    /// What is received.
    #[serde(flatten)]
    pub shape: Shape,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { family, size, messages, name } = self;
        let name = if *name { "/name" } else { "" };
        write!(f, "{}/{size}/{messages}{name}", cli::name(family))
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", cli::name(&self.receiver), self.shape)
    }
}

const SIZES: [Size; 7] = [
    Size::Bytes(20),
    Size::Bytes(64),
    Size::Bytes(76),
    Size::Of(Mix::Mixed),
    Size::Bytes(256),
    Size::Bytes(1024),
    Size::Bytes(8192),
];

/// The flavors that a plan compares.
pub fn flavors(quick: bool) -> &'static [Flavor] {
    if quick { &[Flavor::Stock, Flavor::Fastnet] } else { &[Flavor::Stock, Flavor::Hints, Flavor::Fastnet] }
}

/// The cells that a kernel of that flavor is measured in.
pub fn cells(quick: bool, flavor: Flavor) -> Vec<Cell> {
    let shapes = if quick { quick_shapes() } else { all_shapes() };
    let receive =
        shapes.into_iter().flat_map(|shape| receivers(shape).map(move |receiver| Cell { receiver, shape }));
    let shape = |messages| Shape { family: Family::Ipv4, size: Size::Bytes(64), messages, name: false };
    let remember = [1000, 1_000_000].into_iter().flat_map(|messages| {
        [Receiver::RememberUniform, Receiver::RememberScattered]
            .map(|receiver| Cell { receiver, shape: shape(messages) })
    });
    receive
        .chain(remember)
        .filter(|cell| flavor == Flavor::Fastnet || !cell.receiver.needs_remember())
        .collect()
}

/// The cells of a flavor's whole plan that are in this part of it. All that is compared with each other is in one part:
/// whoever receives a shape, on whichever kernel.
pub fn part(Shard { index, of }: Shard, cells: Vec<Cell>) -> Vec<Cell> {
    let mut shapes: Vec<Shape> = Vec::new();
    let mut place = |shape: Shape| {
        shapes.iter().position(|known| *known == shape).unwrap_or_else(|| {
            shapes.push(shape);
            shapes.len() - 1
        })
    };
    cells.into_iter().filter(|cell| place(cell.shape) % of == index).collect()
}

/// Who receives a shape: those that take one message a call have no other.
fn receivers(shape: Shape) -> impl Iterator<Item = Receiver> {
    let one = [Receiver::Recv, Receiver::Recvmsg];
    let one = one.into_iter().filter(move |_| shape.messages == 1);
    one.chain(Receiver::MANY).filter(move |receiver| receiver.takes_names() || !shape.name)
}

/// The README's: how the cost falls with the batch, how it rises with the size, and what a name and IPv6 add.
fn quick_shapes() -> Vec<Shape> {
    let base = Shape { family: Family::Ipv4, size: Size::Bytes(64), messages: 1000, name: false };
    let batches = [1, 8, 64, 1000, 10_000].map(|messages| Shape { messages, ..base });
    let sizes = SIZES.into_iter().filter(|size| *size != base.size).map(|size| Shape { size, ..base });
    let mixed = Shape { size: Size::Of(Mix::Mixed), messages: 8, ..base };
    let names = [8, 1000].map(|messages| Shape { messages, name: true, ..base });
    let ipv6 = [false, true].map(|name| Shape { family: Family::Ipv6, name, ..base });
    batches.into_iter().chain([mixed]).chain(sizes).chain(names).chain(ipv6).collect()
}

fn all_shapes() -> Vec<Shape> {
    let mut shapes = Vec::new();
    for family in [Family::Ipv4, Family::Ipv6] {
        for name in [false, true] {
            for size in SIZES {
                let batches = [1, 8, 64, 1000, 10_000, 100_000, 1_000_000];
                shapes.extend(batches.map(|messages| Shape { family, size, messages, name }));
            }
        }
    }
    shapes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(quick: bool, flavor: Flavor) -> Vec<String> {
        cells(quick, flavor).iter().map(Cell::to_string).collect()
    }

    #[test]
    fn a_cell_has_one_place_in_a_plan() {
        for (quick, flavor) in [(true, Flavor::Stock), (true, Flavor::Fastnet), (false, Flavor::Fastnet)] {
            let mut names = names(quick, flavor);
            let all = names.len();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), all);
        }
    }

    #[test]
    fn the_quick_plan_is_part_of_the_whole() {
        let whole = names(false, Flavor::Fastnet);
        assert!(names(true, Flavor::Fastnet).iter().all(|name| whole.contains(name)));
    }

    #[test]
    fn the_whole_plan_has_all_that_was_promised() {
        let whole = names(false, Flavor::Fastnet);
        for receiver in ["recvmmsg", "remembered", "io_uring_recvmsg", "io_uring_recv", "udp_gro"] {
            for family in ["ipv4", "ipv6"] {
                for size in ["20", "64", "76", "mixed", "256", "1024", "8192"] {
                    for messages in [1, 8, 64, 1000, 10_000, 100_000, 1_000_000] {
                        let cell = format!("{receiver}/{family}/{size}/{messages}");
                        assert!(whole.contains(&cell), "{cell}");
                        let named = whole.contains(&format!("{cell}/name"));
                        assert_eq!(named, receiver != "io_uring_recv", "{cell}");
                    }
                }
            }
        }
        for cell in ["recv/ipv6/20/1", "recvmsg/ipv4/mixed/1/name", "remember_scattered/ipv4/64/1000000"] {
            assert!(whole.contains(&cell.to_owned()), "{cell}");
        }
        for cell in ["recv/ipv4/64/8", "recvmsg/ipv4/64/8", "recv/ipv4/64/1/name"] {
            assert!(!whole.contains(&cell.to_owned()), "{cell}");
        }
    }

    #[test]
    fn shards_are_the_plan_and_what_is_compared_is_in_one() {
        for of in [1, 2, 8, 1000] {
            let shard = |number: usize, flavor| -> Vec<Cell> {
                part(Shard { index: number - 1, of }, cells(false, flavor))
            };
            let mut whole: Vec<_> = (1..=of).flat_map(|number| shard(number, Flavor::Fastnet)).collect();
            let plan = cells(false, Flavor::Fastnet);
            whole.sort_by_key(|cell| plan.iter().position(|other| other == cell));
            assert!(whole == plan, "{of}");
            let stock = shard(1, Flavor::Stock);
            let receiving =
                shard(1, Flavor::Fastnet).into_iter().filter(|cell| !cell.receiver.needs_remember());
            assert!(receiving.eq(stock));
        }
        let sizes =
            (0..8).map(|number| part(Shard { index: number, of: 8 }, cells(false, Flavor::Fastnet)).len());
        assert!(sizes.clone().max().unwrap() < sizes.min().unwrap() * 5 / 4);
    }

    #[test]
    fn only_fastnet_remembers() {
        let remembers = |flavor| names(false, flavor).iter().filter(|name| name.contains("remember")).count();
        assert_eq!((remembers(Flavor::Stock), remembers(Flavor::Hints)), (0, 0));
        assert!(remembers(Flavor::Fastnet) > 0);
        let others = cells(false, Flavor::Fastnet).into_iter().filter(|cell| !cell.receiver.needs_remember());
        assert!(others.eq(cells(false, Flavor::Stock)));
    }
}
