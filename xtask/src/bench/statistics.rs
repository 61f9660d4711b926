//! What several rounds say together.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::chance::Chance;

/// Two runs of the same that differ by more do not agree.
pub const TOLERANCE: f64 = 0.005;

/// A figure, and how far the rounds are apart.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Figure {
    /// The least of all rounds.
    pub min: f64,
    /// As many rounds are above as below.
    pub median: f64,
    /// The most.
    pub max: f64,
}

impl Figure {
    /// Of at least one round.
    pub fn of(rounds: &[f64]) -> Option<Self> {
        let mut rounds = rounds.to_vec();
        rounds.sort_by(f64::total_cmp);
        let (&min, &max) = (rounds.first()?, rounds.last()?);
        let middle = rounds.len() / 2;
        let median = if rounds.len() % 2 == 1 {
            rounds[middle]
        } else {
            f64::midpoint(rounds[middle - 1], rounds[middle])
        };
        Some(Self { min, median, max })
    }

    /// How far the rounds are apart, as a part of the least.
    pub fn spread(&self) -> f64 {
        self.max / self.min - 1.0
    }
}

/// How far figures of the same are apart, as a part of the least.
pub fn apart(medians: &[f64]) -> f64 {
    Figure::of(medians).map_or(0.0, |figure| figure.spread())
}

/// Where a ratio lies with 95 % confidence, as far as runs that were made can tell of those that were not.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Interval {
    /// It is not below.
    pub low: f64,
    /// It is not above.
    pub high: f64,
}

/// A ratio, and what is known of where it lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// Of the medians.
    pub median: f64,
    /// Its ends; none if too few runs tell of others.
    pub ends: Option<Interval>,
}

impl Ratio {
    /// Whether it is known to be less or more than one.
    pub fn tells(&self) -> bool {
        self.ends.is_some_and(|Interval { low, high }| !(low..=high).contains(&1.0))
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.median)?;
        self.ends.map_or(Ok(()), |Interval { low, high }| write!(f, " ({low:.3}–{high:.3})"))
    }
}

impl Interval {
    /// Of fewer runs there is no interval. Kernels that are the same are told apart by three runs each in 11 of 100
    /// comparisons, by four in 5, by five in 2, as the test below counts them.
    pub const LEAST_RUNS: u32 = 5;
    const RESAMPLES: usize = 10_000;

    /// Of the ratio of the medians of `runs` to those of `stock`, by the bootstrap: both are drawn anew from what was
    /// measured, again and again, and the middle 95 % of the ratios that come out are kept. The draws are the same in
    /// every run of this program.
    pub fn of_ratio(runs: &[f64], stock: &[f64]) -> Option<Self> {
        if runs.len().min(stock.len()) < Self::LEAST_RUNS as usize {
            return None;
        }
        let mut chance = Chance(0);
        let mut median = |of: &[f64]| {
            let count = u32::try_from(of.len()).ok()?;
            let drawn: Vec<_> = of.iter().map(|_| of[chance.below(count) as usize]).collect();
            Figure::of(&drawn).map(|figure| figure.median)
        };
        let ratios = (0..Self::RESAMPLES).map(|_| Some(median(runs)? / median(stock)?));
        let mut ratios = ratios.collect::<Option<Vec<_>>>()?;
        ratios.sort_by(f64::total_cmp);
        let tail = Self::RESAMPLES / 40;
        Some(Self { low: ratios[tail], high: ratios[Self::RESAMPLES - 1 - tail] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        let figure = |rounds: &[f64]| Figure::of(rounds).unwrap();
        assert_eq!(figure(&[5.0, 1.0, 3.0, 2.0, 900.0]), Figure { min: 1.0, median: 3.0, max: 900.0 });
        assert_eq!(figure(&[4.0, 1.0, 2.0, 8.0]), Figure { min: 1.0, median: 3.0, max: 8.0 });
        assert_eq!(figure(&[7.0]), Figure { min: 7.0, median: 7.0, max: 7.0 });
        assert_eq!(Figure::of(&[]), None);
    }

    #[test]
    fn an_interval_holds_the_ratio_and_is_the_same_every_time() {
        let (runs, stock) = ([50.0, 50.5, 52.0, 51.0, 51.5], [100.0, 104.0, 98.0, 99.0, 103.0]);
        let interval = Interval::of_ratio(&runs, &stock).unwrap();
        assert_eq!(Some(interval), Interval::of_ratio(&runs, &stock));
        assert!((50.0 / 104.0..0.51).contains(&interval.low), "{interval:?}");
        assert!((0.51..=52.0 / 98.0).contains(&interval.high), "{interval:?}");
        assert_eq!(Interval::of_ratio(&[7.0; 5], &[14.0; 5]), Some(Interval { low: 0.5, high: 0.5 }));
        assert_eq!(Interval::of_ratio(&runs[..4], &stock), None);
    }

    /// Kernels that are the same are seldom told apart, by as few runs as are believed: of 100 comparisons, less than 7.
    /// And one that is a tenth slower always is, where runs differ by a hundredth.
    #[test]
    fn the_same_is_not_told_apart_and_what_differs_is() {
        let mut chance = Chance(7);
        let mut runs = |of: f64| -> Vec<f64> {
            (0..Interval::LEAST_RUNS).map(|_| of + f64::from(chance.below(100)) / 100.0).collect()
        };
        let told_apart = |(one, other): (Vec<f64>, Vec<f64>)| {
            let Interval { low, high } = Interval::of_ratio(&one, &other).unwrap();
            !(low..=high).contains(&1.0)
        };
        let same = (0..100).filter(|_| told_apart((runs(100.0), runs(100.0)))).count();
        assert!(same < 7, "{same}");
        assert!((0..5).all(|_| told_apart((runs(110.0), runs(100.0)))));
    }

    #[test]
    fn spread_and_distance_are_parts_of_the_least() {
        let figure = Figure::of(&[200.0, 201.0, 210.0]).unwrap();
        assert!((figure.spread() - 0.05).abs() < 1e-12);
        assert!(apart(&[1000.0, 1004.9]) < TOLERANCE && apart(&[1005.1, 1000.0]) > TOLERANCE);
        assert!(apart(&[1000.0]) < f64::EPSILON);
    }
}
