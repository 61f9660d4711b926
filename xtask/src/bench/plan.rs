//! Which cells are measured on which flavor.

use super::cell::{BASE, Cell, Family, Link, Mix, Receiver, Shape, Size};
use crate::cli::{self, Config, Flavor, Shard};

/// Those that receive many messages a call.
const MANY: [Receiver; 5] = [
    Receiver::Recvmmsg,
    Receiver::Remembered,
    Receiver::IoUringRecvmsg,
    Receiver::IoUringRecv,
    Receiver::UdpGro,
];
/// Those that receive over veth: the first two to compare with, the others because they need a network card.
const OVER_VETH: [Receiver; 4] =
    [Receiver::Recvmmsg, Receiver::Remembered, Receiver::BusyPoll, Receiver::AfXdp];

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

/// Whether a kernel of that flavor and configuration has `remember_mmsghdr()`.
pub fn remembers(flavor: &str, config: &str) -> bool {
    flavor == cli::name(&Flavor::Fastnet) && config != cli::name(&Config::Off)
}

/// The flavor whose plan a kernel follows: stock's, where nobody can receive by `remember_mmsghdr()`.
pub fn like(flavor: Flavor, config: &str) -> Flavor {
    if remembers(&cli::name(&flavor), config) { flavor } else { Flavor::Stock }
}

/// The cells that a kernel of that flavor is measured in.
pub fn cells(quick: bool, flavor: Flavor) -> Vec<Cell> {
    let shapes = if quick { quick_shapes() } else { all_shapes() };
    let receive =
        shapes.into_iter().flat_map(|shape| receivers(shape).map(move |receiver| Cell { receiver, shape }));
    let shape = |messages| Shape { messages, ..BASE };
    let remember = [1000, 1_000_000].into_iter().flat_map(|messages| {
        [Receiver::RememberUniform, Receiver::RememberScattered]
            .map(|receiver| Cell { receiver, shape: shape(messages) })
    });
    receive
        .chain(remember)
        .filter(|cell| flavor == Flavor::Fastnet || !cell.receiver.needs_remember())
        .collect()
}

/// The cells of the paper's experiment: what one program receives that another sends.
pub fn streams(quick: bool, flavor: Flavor) -> Vec<Cell> {
    let shape = |bytes, messages| Shape { size: Size::Bytes(bytes), messages, ..BASE };
    let by = |receivers: &'static [Receiver], shape: Shape| {
        receivers.iter().map(move |&receiver| Cell { receiver, shape })
    };
    let all = |shape: Shape| receivers(shape).map(move |receiver| Cell { receiver, shape });
    let over_veth = |shape: Shape| by(&OVER_VETH, Shape { link: Link::Veth, ..shape });
    let cells: Vec<_> = if quick {
        let few = [(64, 10_000), (256, 1000), (1024, 1000), (8192, 1000)].map(|(b, m)| shape(b, m));
        let pairs = few.into_iter().flat_map(|shape| by(&[Receiver::Recvmmsg, Receiver::Remembered], shape));
        // Who takes one message a call has no other shape.
        all(BASE).chain(all(shape(64, 1))).chain(pairs).chain(over_veth(BASE)).collect()
    } else {
        let of = |batches: &'static [u32]| {
            let sizes = [64, 256, 1024, 8192].into_iter();
            sizes.flat_map(move |bytes| batches.iter().map(move |&messages| shape(bytes, messages)))
        };
        let loopback = of(&[1, 1000, 10_000, 100_000, 1_000_000]).flat_map(all);
        loopback.chain(of(&[1, 1000, 10_000]).flat_map(over_veth)).collect()
    };
    cells.into_iter().filter(|cell| flavor == Flavor::Fastnet || !cell.receiver.needs_remember()).collect()
}

/// Every cell that is measured anywhere, in the order of the plans: those that count instructions, then the streams.
pub fn whole() -> Vec<Cell> {
    [cells(false, Flavor::Fastnet), streams(false, Flavor::Fastnet)].concat()
}

/// How many datagrams the paper's experiment sends: where a host's own CPU runs the guest, as many as the paper's did.
pub fn datagrams(quick: bool, emulated: bool) -> u64 {
    match (quick, emulated) {
        (false, false) => 100_000_000,
        (false, true) | (true, false) => 1_000_000,
        (true, true) => 50_000,
    }
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
    one.chain(MANY).filter(move |receiver| receiver.takes_names() || !shape.name)
}

/// The README's: how the cost falls with the batch, how it rises with the size, and what a name and IPv6 add.
fn quick_shapes() -> Vec<Shape> {
    let batches = [1, 8, 64, 1000, 10_000].map(|messages| Shape { messages, ..BASE });
    let sizes = SIZES.into_iter().filter(|size| *size != BASE.size).map(|size| Shape { size, ..BASE });
    let mixed = Shape { size: Size::Of(Mix::Mixed), messages: 8, ..BASE };
    let names = [8, 1000].map(|messages| Shape { messages, name: true, ..BASE });
    let ipv6 = [false, true].map(|name| Shape { family: Family::Ipv6, name, ..BASE });
    batches.into_iter().chain([mixed]).chain(sizes).chain(names).chain(ipv6).collect()
}

fn all_shapes() -> Vec<Shape> {
    let mut shapes = Vec::new();
    for family in [Family::Ipv4, Family::Ipv6] {
        for name in [false, true] {
            for size in SIZES {
                let batches = [1, 8, 64, 1000, 10_000, 100_000, 1_000_000];
                shapes.extend(batches.map(|messages| Shape { family, size, messages, name, ..BASE }));
            }
        }
    }
    shapes
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

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
    fn the_papers_experiment_is_whole() {
        let whole: Vec<_> = streams(false, Flavor::Fastnet).iter().map(Cell::to_string).collect();
        let times = |cell: &str| whole.iter().filter(|name| *name == cell).count();
        for size in [64, 256, 1024, 8192] {
            for messages in [1, 1000, 10_000, 100_000, 1_000_000] {
                for receiver in ["recvmmsg", "remembered", "io_uring_recvmsg", "io_uring_recv", "udp_gro"] {
                    let cell = format!("{receiver}/ipv4/{size}/{messages}");
                    assert_eq!(times(&cell), 1, "{cell}");
                }
                for receiver in ["recv", "recvmsg"] {
                    let cell = format!("{receiver}/ipv4/{size}/{messages}");
                    assert_eq!(times(&cell), usize::from(messages == 1), "{cell}");
                }
                for receiver in ["recvmmsg", "remembered", "busy_poll", "af_xdp"] {
                    let cell = format!("{receiver}/ipv4/{size}/{messages}/veth");
                    assert_eq!(times(&cell), usize::from(messages <= 10_000), "{cell}");
                }
            }
        }
        let receivers = |quick| -> BTreeSet<_> {
            streams(quick, Flavor::Fastnet).iter().map(|cell| cli::name(&cell.receiver)).collect()
        };
        assert_eq!(receivers(true), receivers(false));
        let quick = streams(true, Flavor::Stock);
        assert!(quick.iter().all(|cell| streams(false, Flavor::Stock).contains(cell)));
        assert!(quick.iter().all(|cell| cell.receiver != Receiver::Remembered));
        let quick = streams(true, Flavor::Fastnet);
        assert_eq!(quick.iter().filter(|cell| cell.to_string().ends_with("/ipv4/64/1000/veth")).count(), 4);
    }

    #[test]
    fn who_needs_a_card_is_not_asked_without_one() {
        let needs_card = |cell: &Cell| matches!(cell.receiver, Receiver::BusyPoll | Receiver::AfXdp);
        for cells in [streams(false, Flavor::Fastnet), cells(false, Flavor::Fastnet)] {
            assert!(!cells.iter().any(|cell| needs_card(cell) && cell.shape.link.is_loopback()));
        }
        assert!(cells(false, Flavor::Fastnet).iter().all(|cell| cell.shape.link.is_loopback()));
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
        assert_eq!(like(Flavor::Fastnet, "off"), Flavor::Stock);
        assert_eq!(like(Flavor::Fastnet, "lean"), Flavor::Fastnet);
    }
}
