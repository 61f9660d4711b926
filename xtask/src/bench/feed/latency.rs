//! How long datagrams took, as an HDR histogram.

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Of what all datagrams of a feed took. One that was lost took longer than any other: left out, it would make a receiver
/// that loses look quick.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Latency {
    /// Nanoseconds in which half of the datagrams came; none if the datagram in question was lost, here and below.
    pub p50: Option<u64>,
    /// 99 % of them.
    pub p99: Option<u64>,
    /// 99.9 % of them.
    pub p99_9: Option<u64>,
    /// All of them.
    pub max: Option<u64>,
    /// The histogram: so many (the second) came in that time (the first, up to 1 % too long), and in no lesser bar's.
    pub bars: Vec<(u64, u64)>,
}

impl Latency {
    /// From a histogram's bars, and the number of datagrams that have none.
    pub fn new(bars: Vec<(u64, u64)>, lost: u64) -> Result<Self> {
        let mut histogram = Histogram::<u64>::new(2).context("making a histogram")?;
        for &(nanoseconds, count) in &bars {
            histogram.record_n(nanoseconds, count).context("adding to a histogram")?;
        }
        let (came, sent) = (histogram.len(), histogram.len() + lost);
        let within = |thousandths: u64| {
            let rank = (sent * thousandths).div_ceil(1000);
            // Half a datagram less, so that no rounding makes it the next.
            #[expect(clippy::cast_precision_loss, reason = "neither is near 2^52")]
            let quantile = || (rank as f64 - 0.5) / came as f64;
            (1..=came).contains(&rank).then(|| histogram.value_at_quantile(quantile()))
        };
        let [p50, p99, p99_9, max] = [500, 990, 999, 1000].map(within);
        Ok(Self { p50, p99, p99_9, max, bars })
    }

    /// All of them together; `lost` is what all lost.
    pub fn merge<'a>(latencies: impl Iterator<Item = &'a Self>, lost: u64) -> Result<Self> {
        let mut bars = std::collections::BTreeMap::new();
        for &(nanoseconds, count) in latencies.flat_map(|latency| &latency.bars) {
            *bars.entry(nanoseconds).or_insert(0) += count;
        }
        Self::new(bars.into_iter().collect(), lost)
    }

    /// How many datagrams came.
    pub fn count(&self) -> u64 {
        self.bars.iter().map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantiles(latency: &Latency) -> [Option<u64>; 4] {
        [latency.p50, latency.p99, latency.p99_9, latency.max]
    }

    #[test]
    fn quantiles_are_of_what_was_sent() {
        let bars = || vec![(100, 500), (1007, 490), (20_095, 10)];
        let latency = Latency::new(bars(), 0).unwrap();
        assert_eq!(quantiles(&latency), [Some(100), Some(1007), Some(20_095), Some(20_095)]);
        // One lost of a thousand and one is the longest.
        let latency = Latency::new(bars(), 1).unwrap();
        assert_eq!(quantiles(&latency), [Some(1007), Some(20_095), Some(20_095), None]);
        let latency = Latency::new(bars(), 1000).unwrap();
        assert_eq!(quantiles(&latency), [Some(20_095), None, None, None]);
        assert_eq!(quantiles(&Latency::new(Vec::new(), 7).unwrap()), [None; 4]);
        assert_eq!(latency.count(), 1000);
    }

    #[test]
    fn runs_are_merged() {
        let runs = [vec![(100, 1), (200, 1)], vec![(50, 1), (200, 1)]];
        let runs = runs.map(|bars| Latency::new(bars, 0).unwrap());
        let merged = Latency::merge(runs.iter(), 0).unwrap();
        assert_eq!(merged.bars, [(50, 1), (100, 1), (200, 2)]);
        assert_eq!(merged, Latency::new(merged.bars.clone(), 0).unwrap());
    }
}
