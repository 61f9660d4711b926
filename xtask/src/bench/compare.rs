//! What changed from one set of results to another, beyond noise.

use std::ptr;

use super::cell::{Cell, Receiver};
use super::chapter::{Chapter, Setting, chapters, records};
use super::origin::series;
use super::result::Line;
use super::statistics::apart;

/// Of the change that a cell's figure made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It was measured before, and now it failed.
    Failed,
    /// It takes more, by more than noise.
    More,
    /// It takes less, by more than noise.
    Less,
    /// It does not tell.
    Same,
}

/// A cell in both results.
#[derive(Clone, Debug)]
pub struct Change {
    /// The kernel's.
    pub flavor: String,
    /// What was measured.
    pub cell: Cell,
    /// The figure in the first, or its ratio to stock's.
    pub before: f64,
    /// The same in the second; none if it has no figure now.
    pub after: Option<f64>,
    /// So much, as a part of the first, it may change without a reason; infinitely if nothing tells how much.
    pub noise: f64,
}

impl Change {
    /// How much more it is, as a part of what it was.
    pub fn part(&self) -> Option<f64> {
        self.after.map(|after| after / self.before - 1.0)
    }

    /// What it says.
    pub fn verdict(&self) -> Verdict {
        match self.part() {
            None => Verdict::Failed,
            Some(part) if part > self.noise => Verdict::More,
            Some(part) if part < -self.noise => Verdict::Less,
            Some(_) => Verdict::Same,
        }
    }
}

/// What is compared.
#[derive(Clone, Copy, Debug)]
pub enum Measure {
    /// Figures as they are.
    Figures,
    /// Their ratios to stock's `recvmmsg` of the same shape, in the same results: what differs between compilers and
    /// between releases of one kernel falls out.
    Ratios,
}

impl Measure {
    /// What a chapter tells of a flavor's cell.
    fn of(self, chapter: &Chapter<'_>, flavor: &str, cell: Cell) -> Option<f64> {
        match self {
            Self::Figures => chapter.figure(flavor, cell).map(|figure| figure.median),
            Self::Ratios => chapter.ratio(flavor, cell).map(|ratio| ratio.median),
        }
    }
}

/// What came of a comparison.
#[derive(Debug, Default)]
pub struct Comparison {
    /// Of each cell that both results have.
    pub changes: Vec<Change>,
    /// How many cells the first results have a figure of, and the second say nothing of.
    pub missing: usize,
}

/// Compares what both results have: cells of equal guest, configuration and kernel (of equal `6.12`, where no release
/// is in both). A change is noise up to `tolerance` and, on top, the most that boots of the same differ.
pub fn compare(before: &[Line], after: &[Line], measure: Measure, tolerance: f64) -> Comparison {
    let (before, after) = (chapters(records(before)), chapters(records(after)));
    let mut compared = Comparison::default();
    for old in &before {
        let is_old = |new: &&Chapter<'_>| counterpart(&before, new).is_some_and(|found| ptr::eq(found, old));
        let counterparts: Vec<_> = after.iter().filter(is_old).collect();
        for flavor in old.flavors() {
            for cell in old.cells() {
                let change = |new: &&Chapter<'_>| change(old, new, flavor, cell, measure, tolerance);
                let changes: Vec<_> = counterparts.iter().filter_map(change).collect();
                let missing = changes.is_empty() && measure.of(old, flavor, cell).is_some();
                compared.missing += usize::from(missing);
                compared.changes.extend(changes);
            }
        }
    }
    compared
}

/// Where the figures are that a chapter's are to be compared with.
fn counterpart<'a>(chapters: &'a [Chapter<'_>], chapter: &Chapter<'_>) -> Option<&'a Chapter<'a>> {
    let setting = &chapter.setting;
    let same = |other: &&Chapter<'_>| other.setting == *setting;
    let alike = |other: &&Chapter<'_>| {
        let version = other.setting.version.clone();
        series(&version) == series(&setting.version)
            && Setting { version, ..setting.clone() } == other.setting
    };
    chapters.iter().find(same).or_else(|| chapters.iter().find(alike))
}

fn change(
    before: &Chapter<'_>,
    after: &Chapter<'_>,
    flavor: &str,
    cell: Cell,
    measure: Measure,
    tolerance: f64,
) -> Option<Change> {
    let old = measure.of(before, flavor, cell)?;
    let new = if after.failed(flavor, cell) { None } else { measure.of(after, flavor, cell) };
    if new.is_none() && after.reason(flavor, cell).is_none() {
        return None;
    }
    let stock = Cell { receiver: Receiver::Recvmmsg, ..cell };
    let wobble = |chapter: &Chapter<'_>| match measure {
        Measure::Figures => wobble(chapter, flavor, cell),
        Measure::Ratios => wobble(chapter, flavor, cell) + wobble(chapter, "stock", stock),
    };
    let noise = tolerance + wobble(before).max(wobble(after));
    Some(Change { flavor: flavor.to_owned(), cell, before: old, after: new, noise })
}

/// How far measurements of the same are apart, from boot to boot.
fn wobble(chapter: &Chapter<'_>, flavor: &str, cell: Cell) -> f64 {
    if !chapter.repeats(flavor, cell) {
        return f64::INFINITY;
    }
    apart(&chapter.medians(flavor, cell))
}

#[cfg(test)]
mod tests {
    use super::super::outcome::Outcome;
    use super::super::result::Record;
    use super::*;

    /// Stock's recvmmsg and a remembered array, in two boots that far apart.
    fn results(stock: f64, remembered: f64, apart: f64) -> Vec<Line> {
        let of = |boot, factor: f64| {
            [
                Record::sample("stock", Receiver::Recvmmsg, 1000, boot, stock * factor),
                Record::sample("fastnet", Receiver::Remembered, 1000, boot, remembered * factor),
            ]
        };
        [of(1, 1.0), of(2, 1.0 + apart)].concat().into_iter().map(Line::Local).collect()
    }

    fn verdicts(before: &[Line], after: &[Line], measure: Measure) -> Vec<Verdict> {
        compare(before, after, measure, 0.005).changes.iter().map(Change::verdict).collect()
    }

    #[test]
    fn three_percent_are_told_and_less_than_noise_is_not() {
        use Verdict::{Less, More, Same};
        let before = results(1600.0, 500.0, 0.001);
        let told = |factor: f64| verdicts(&before, &results(1600.0, 500.0 * factor, 0.001), Measure::Figures);
        assert_eq!(told(1.03), [Same, More]);
        assert_eq!(told(1.007), [Same, More]);
        assert_eq!(told(1.004), [Same, Same]);
        assert_eq!(told(0.97), [Same, Less]);
        // Boots that differ by 4 % hide 3 %, whichever results they are in.
        let wobbly = results(1600.0, 500.0, 0.04);
        assert_eq!(verdicts(&wobbly, &results(1600.0, 515.0, 0.0), Measure::Figures), [Same, Same]);
        assert_eq!(verdicts(&results(1600.0, 515.0, 0.0), &wobbly, Measure::Figures), [Same, Same]);
    }

    #[test]
    fn ratios_do_not_see_what_changes_all() {
        use Verdict::{More, Same};
        let before = results(1600.0, 500.0, 0.0);
        let ratios = |after: &[Line]| verdicts(&before, after, Measure::Ratios);
        assert_eq!(ratios(&results(1680.0, 525.0, 0.0)), [Same, Same]);
        assert_eq!(ratios(&results(1680.0, 525.0 * 1.03, 0.0)), [Same, More]);
        assert_eq!(verdicts(&before, &results(1680.0, 525.0, 0.0), Measure::Figures), [More, More]);
    }

    #[test]
    fn a_release_is_compared_with_itself_or_with_its_like() {
        let before = [results(1600.0, 500.0, 0.0), other("6.12.118", results(1600.0, 600.0, 0.0))].concat();
        let after = |version| other(version, results(1600.0, 600.0, 0.0));
        let more = |version| {
            compare(&before, &after(version), Measure::Figures, 0.005)
                .changes
                .iter()
                .filter(|change| change.verdict() == Verdict::More)
                .count()
        };
        assert_eq!((more("6.12.117"), more("6.12.118"), more("6.12.119")), (1, 0, 1));
        let compared = compare(&before, &after("6.11.11"), Measure::Figures, 0.005);
        assert_eq!((compared.changes.len(), compared.missing), (0, 4));
    }

    fn other(version: &str, mut lines: Vec<Line>) -> Vec<Line> {
        for line in &mut lines {
            let Line::Local(record) = line else { continue };
            record.origin.release = format!("{version}-{}", record.origin.flavor);
        }
        lines
    }

    #[test]
    fn a_cell_that_fails_now_is_told_and_one_that_was_left_out_is_counted() {
        let before = results(1600.0, 500.0, 0.0);
        let mut after = before.clone();
        let missing = |after: &[Line], measure| compare(&before, after, measure, 0.005).missing;
        assert_eq!(missing(&after, Measure::Ratios), 0);
        after.retain(|line| line.origin().flavor == "stock");
        assert_eq!(verdicts(&before, &after, Measure::Figures), [Verdict::Same]);
        assert_eq!((missing(&after, Measure::Figures), missing(&after, Measure::Ratios)), (1, 1));
        // Without what they are ratios to, there are none.
        let mut remembered = before.clone();
        remembered.retain(|line| line.origin().flavor != "stock");
        assert_eq!((missing(&remembered, Measure::Figures), missing(&remembered, Measure::Ratios)), (1, 2));
        let mut failed = Record::sample("fastnet", Receiver::Remembered, 1000, 1, 1.0);
        failed.outcome = Outcome::Failed { verdict: "panic".into(), why: "Oops".into() };
        after.push(Line::Local(failed.clone()));
        assert_eq!(missing(&after, Measure::Figures), 0);
        assert_eq!(verdicts(&before, &after, Measure::Figures), [Verdict::Same, Verdict::Failed]);
        // One boot that died is not made up for by another that did not.
        let mut after = before.clone();
        failed.origin.boot = 3;
        after.push(Line::Local(failed));
        assert_eq!(verdicts(&before, &after, Measure::Figures), [Verdict::Same, Verdict::Failed]);
    }

    #[test]
    fn a_clock_tells_a_change_only_behind_five_boots() {
        let timed = |boots: u32, ns: f64| -> Vec<Line> {
            let of = |boot: u32| {
                let wobble = 1.0 + f64::from(boot) / 1000.0;
                let mut record = Record::sample("stock", Receiver::Recvmmsg, 1000, boot, ns * wobble);
                record.origin.accel = "kvm".into();
                Line::Local(record)
            };
            (1..=boots).map(of).collect()
        };
        let told = |boots| verdicts(&timed(5, 100.0), &timed(boots, 150.0), Measure::Figures);
        assert_eq!((told(4), told(5)), (vec![Verdict::Same], vec![Verdict::More]));
    }
}
