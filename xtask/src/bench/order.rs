//! The order in which lines are reported: that of the plans, from whatever files the lines came.

use std::cmp::Reverse;

use clap::ValueEnum;

use super::cell::Cell;
use super::origin::version;
use super::plan;
use super::result::Line;
use crate::cli::{self, Config, Flavor};

/// Puts lines in order: by kernel, configuration and guest, then as one plan of all has its cells.
///
/// Shards that are merged, and files that are named in another order, make the same report.
pub fn sort(lines: &mut [Line]) {
    let plan = plan::whole();
    let cell = |cell: &Cell| plan.iter().position(|other| other == cell).unwrap_or(plan.len());
    lines.sort_by_cached_key(|line| {
        let origin = line.origin();
        // Of what has no cell: how it was received.
        let (stream, stamps, what) = match line {
            Line::Local(record) => (record.stream, false, cell(&record.cell)),
            Line::Profile(profile) => (None, false, cell(&profile.traced.cell)),
            Line::RealWorld(run) => (None, run.stamps, run.receiver as usize),
            Line::Hints(_) => (None, false, 0),
        };
        let clock = origin.clock().map(|(qemu, host)| (qemu.to_owned(), host.to_string()));
        let setting =
            (numbers(version(&origin.release)), rank::<Config>(&origin.config), origin.accel.clone());
        // The longer of two streams says more.
        let plan = (rank::<Flavor>(&origin.flavor), origin.boot, stamps, what);
        (setting, clock, Reverse(stream), plan)
    });
}

/// Where a name stands among those of the command line.
fn rank<T: ValueEnum>(name: &str) -> usize {
    let all = T::value_variants();
    all.iter().position(|known| cli::name(known) == name).unwrap_or(all.len())
}

/// So that 6.9 is before 6.12.
fn numbers(version: &str) -> Vec<Option<u32>> {
    version.split('.').map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::cell::Receiver;
    use super::super::report::{csv, summary};
    use super::super::result::Record;
    use super::*;
    use crate::cli::Shard;

    fn lines(cells: impl Fn(Flavor) -> Vec<Cell>) -> Vec<Line> {
        let boots =
            (1..=2).flat_map(|boot| Flavor::value_variants().iter().map(move |flavor| (boot, *flavor)));
        let of = |(boot, flavor): (u32, Flavor)| {
            cells(flavor).into_iter().map(move |cell| {
                let record =
                    Record::sample(&cli::name(&flavor), cell.receiver, cell.shape.messages, boot, 100.0);
                Line::Local(Record { cell, ..record })
            })
        };
        boots.flat_map(of).collect()
    }

    #[test]
    fn shards_that_are_merged_make_the_whole_plans_report() {
        let report = |mut lines: Vec<Line>| {
            sort(&mut lines);
            (summary::summary(&lines, "made").unwrap(), csv(&lines))
        };
        let shard = |index| lines(|flavor| plan::part(Shard { index, of: 3 }, plan::cells(true, flavor)));
        let merged = [1, 2, 0].into_iter().flat_map(shard).collect();
        assert!(report(merged) == report(lines(|flavor| plan::cells(true, flavor))));
    }

    #[test]
    fn kernels_and_flavors_come_in_their_order() {
        let of = |release: &str, config: &str, flavor| {
            let mut record = Record::sample(flavor, Receiver::Recvmmsg, 8, 1, 1.0);
            (record.origin.release, record.origin.config) = (format!("{release}-{flavor}"), config.into());
            Line::Local(record)
        };
        let expected = [
            of("6.9.1", "vm", "stock"),
            of("6.12.1", "vm", "stock"),
            of("6.12.1", "vm", "hints"),
            of("6.12.1", "vm", "fastnet"),
            of("6.12.1", "lean", "stock"),
        ];
        let mut lines: Vec<_> = expected.iter().rev().cloned().collect();
        sort(&mut lines);
        assert_eq!(lines, expected);
    }
}
