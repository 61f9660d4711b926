//! A plan cut in parts, for a machine each.

use std::str::FromStr;

use super::plan::{Cell, Shape};

/// A part of a plan, for one machine of several. All that is compared with each other is in one part: whoever receives
/// a shape, on whichever kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Counted from 0.
    index: usize,
    of: usize,
}

impl Shard {
    /// Whether it has the shape that is at this place among all of the plan.
    fn has(self, place: usize) -> bool {
        place % self.of == self.index
    }

    /// The cells of a flavor's whole plan that it has.
    pub fn of(self, cells: Vec<Cell>) -> Vec<Cell> {
        let mut shapes: Vec<Shape> = Vec::new();
        let mut has = |cell: &Cell| {
            let known = shapes.iter().position(|shape| *shape == cell.shape);
            self.has(known.unwrap_or_else(|| {
                shapes.push(cell.shape);
                shapes.len() - 1
            }))
        };
        cells.into_iter().filter(|cell| has(cell)).collect()
    }
}

impl FromStr for Shard {
    type Err = String;

    /// Reads `2/8`: the second of eight.
    fn from_str(text: &str) -> Result<Self, String> {
        let numbers =
            text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((number @ 1.., of)) if number <= of => Ok(Self { index: number - 1, of }),
            _ => Err("I/N, from 1/N to N/N".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::cells;
    use super::*;
    use crate::cli::Flavor;

    #[test]
    fn shards_are_the_plan_and_what_is_compared_is_in_one() {
        for of in [1, 2, 8, 1000] {
            let shard = |number: usize, flavor| -> Vec<Cell> {
                format!("{number}/{of}").parse::<Shard>().unwrap().of(cells(false, flavor))
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
        let sizes = (1..=8).map(|number| {
            format!("{number}/8").parse::<Shard>().unwrap().of(cells(false, Flavor::Fastnet)).len()
        });
        assert!(sizes.clone().max().unwrap() < sizes.min().unwrap() * 5 / 4);
    }

    #[test]
    fn a_shard_is_one_of_so_many() {
        for text in ["", "1", "0/2", "3/2", "1/0", "-1/2", "1/2/3", "a/b"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
