//! What several rounds say together.

use serde::{Deserialize, Serialize};

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
    fn spread_and_distance_are_parts_of_the_least() {
        let figure = Figure::of(&[200.0, 201.0, 210.0]).unwrap();
        assert!((figure.spread() - 0.05).abs() < 1e-12);
        assert!(apart(&[1000.0, 1004.9]) < TOLERANCE && apart(&[1005.1, 1000.0]) > TOLERANCE);
        assert!(apart(&[1000.0]) < f64::EPSILON);
    }
}
