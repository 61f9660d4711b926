//! A feed in the shape of NYSE's Pillar Integrated Feed.
//!
//! **Sizes** are those of NYSE's Pillar (formerly XDP) Integrated Feed Client Specification, 2.3a (25 October 2019) to 2.5g
//! (23 October 2025): a packet header of 16 bytes and one message. Of public parsers, github.com/HenryR2112/NYSE-XDP has
//! them in `src/common/xdp_types.hpp`, and the fields of github.com/Open-Markets-Initiative/c-structs,
//! `nyse/Nyse.Equities.IntegratedFeed.Pillar.v2.5.a.h`, add up to them; but for the imbalance, see [`MIX`].
//! **Shares** and **bursts** are assumptions: the specification has neither, and a recording has both.

use std::time::Duration;

use anyhow::Result;

use super::{Datagram, Feed};
use crate::bench::chance::Chance;

/// One kind of datagram.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// The message in it, by its name and type in the specification.
    pub message: &'static str,
    /// All its bytes: the packet header's 16 and the message's.
    pub size: u16,
    /// Of a hundred datagrams, so many are of this kind: assumed.
    pub share: u32,
}

/// The mix. Nearly each order that is added is deleted; few are executed.
pub const MIX: [Kind; 9] = [
    kind("add order (100)", 16 + 39, 40),
    kind("modify order (101)", 16 + 35, 5),
    kind("delete order (102)", 16 + 25, 38),
    kind("order execution (103)", 16 + 42, 5),
    kind("replace order (104)", 16 + 42, 6),
    // As NYSE-XDP's README has it, and within the 76 bytes of our paper. The fields of 2.3a add up to 67, and 2.5g says 73.
    kind("imbalance (105)", 16 + 60, 1),
    kind("retail price improvement (114)", 16 + 17, 2),
    kind("stock summary (223)", 16 + 36, 2),
    // A message header with nothing behind it: the least that a packet can carry.
    kind("no more than a message's header", 16 + 4, 1),
];

const fn kind(message: &'static str, size: u16, share: u32) -> Kind {
    Kind { message, size, share }
}

/// A burst has so many datagrams, each number as often as any other. Every second datagram is in a burst.
const BURSTS: [u32; 6] = [16, 32, 64, 128, 256, 512];
/// From one datagram of a burst to the next: what 76 bytes take on a link of 1 Gbit/s, rounded up.
const BURST_GAP: Duration = Duration::from_micros(1);

/// A feed of `count` datagrams, on average `rate` a second; the same in every run.
pub fn generate(count: usize, rate: u32) -> Result<Feed> {
    let mut chance = Chance(0x5eed);
    // A burst in so many events makes half of the datagrams come in bursts.
    let burst = BURSTS.iter().sum::<u32>() / u32::try_from(BURSTS.len())?;
    let pause = 2.0 * f64::from(burst) / f64::from(burst + 1) / f64::from(rate);
    let mut datagrams = Vec::with_capacity(count);
    let mut at = Duration::ZERO;
    while datagrams.len() < count {
        let length = if chance.below(burst + 1) == 0 { BURSTS[chance.below(6) as usize] } else { 1 };
        for number in 0..length.min(u32::try_from(count - datagrams.len())?) {
            at += if number == 0 { Duration::ZERO } else { BURST_GAP };
            datagrams.push(Datagram { at, size: size(chance.below(100)) });
        }
        at += Duration::from_secs_f64(pause * chance.exponential());
    }
    Feed::new(
        "NYSE Pillar Integrated Feed, one message a datagram, shares and bursts assumed".into(),
        format!("--datagrams {count} --rate {rate}"),
        datagrams,
    )
}

/// The mix in words.
pub fn mix() -> String {
    let kinds = MIX.map(|Kind { message, size, share }| format!("{share} % {message} of {size}"));
    format!("of a hundred datagrams (assumed), with all their bytes: {}", kinds.join(", "))
}

/// The size of the kind that `percent` falls to.
fn size(percent: u32) -> u16 {
    let mut above = 0;
    let kind = MIX.iter().find(|kind| {
        above += kind.share;
        percent < above
    });
    kind.map_or(MIX[0].size, |kind| kind.size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mix_is_whole_and_within_the_papers_sizes() {
        assert_eq!(MIX.iter().map(|kind| kind.share).sum::<u32>(), 100);
        let sizes = || MIX.iter().map(|kind| kind.size);
        assert_eq!((sizes().min(), sizes().max()), (Some(20), Some(76)));
    }

    #[test]
    fn sizes_come_in_their_shares() {
        let feed = generate(100_000, 10_000).unwrap();
        for kind in MIX {
            let same: u32 = MIX.iter().filter(|other| other.size == kind.size).map(|kind| kind.share).sum();
            let came = feed.datagrams().iter().filter(|datagram| datagram.size == kind.size).count();
            let expected = 1000 * same as usize;
            assert!(came.abs_diff(expected) < expected / 10, "{}: {came} of {expected}", kind.message);
        }
    }

    #[test]
    fn the_rate_is_met_and_half_comes_in_bursts() {
        let feed = generate(200_000, 10_000).unwrap();
        assert_eq!(feed.datagrams().len(), 200_000);
        let seconds = feed.duration().as_secs_f64();
        assert!((18.0..22.0).contains(&seconds), "{seconds}");
        let pairs = feed.datagrams().windows(2);
        let in_bursts = pairs.filter(|pair| pair[1].at == pair[0].at + BURST_GAP).count();
        assert!((90_000..110_000).contains(&in_bursts), "{in_bursts}");
        assert!(feed.datagrams().is_sorted_by_key(|datagram| datagram.at));
        assert_eq!(generate(1000, 10_000).unwrap(), generate(1000, 10_000).unwrap());
    }
}
