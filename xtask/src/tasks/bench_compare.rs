//! `cargo xtask bench compare`: what changed from one file of results to another, beyond noise.

use std::path::Path;

use anyhow::Result;

use super::bench_report::read;
use crate::bench::compare::{self, Change, Comparison, Measure, Verdict};
use crate::exit::{self, Exit, error};

/// Runs the command.
pub fn run(before: &Path, after: &Path, ratios: bool, tolerance: f64) -> Result<()> {
    let measure = if ratios { Measure::Ratios } else { Measure::Figures };
    let Comparison { mut changes, missing } =
        compare::compare(&read(&[before])?, &read(&[after])?, measure, tolerance / 100.0);
    if changes.is_empty() {
        let message = format!(
            "{} and {} share no cell of the same kernel, configuration and guest, so nothing was compared; figures that \
             are kept are renewed by `bench local --json` to a new file",
            before.display(),
            after.display()
        );
        return Err(error(Exit::Usage, message));
    }
    changes.sort_by(|one, other| {
        let size = |change: &Change| change.part().unwrap_or_default().abs();
        one.verdict().cmp(&other.verdict()).then(size(other).total_cmp(&size(one)))
    });
    let count = |verdict| changes.iter().filter(|change| change.verdict() == verdict).count();
    let [failed, more, less, same] =
        [Verdict::Failed, Verdict::More, Verdict::Less, Verdict::Same].map(count);
    if same < changes.len() {
        println!("{:8} {:34} {:>10} {:>10} {:>9} {:>8}", "", "", "before", "after", "change", "noise");
    }
    for change in changes.iter().filter(|change| change.verdict() != Verdict::Same) {
        println!("{}", row(change, measure));
    }
    let untold = changes.iter().filter(|change| change.noise.is_infinite()).count();
    if untold > 0 {
        println!(
            "{untold} cells are of too few boots under a clock to tell a change: they count as the same"
        );
    }
    if missing > 0 {
        println!("{missing} cells of {} were not measured in {}", before.display(), after.display());
    }
    println!("{failed} failed, {more} take more, {less} take less, {same} the same");
    if failed + more > 0 { Err(exit::said(Exit::Tests)) } else { Ok(()) }
}

fn row(change: &Change, measure: Measure) -> String {
    let figure = |figure: f64| match measure {
        Measure::Figures => format!("{figure:.1}"),
        Measure::Ratios => format!("{figure:.4}"),
    };
    let after = change.after.map_or("none".to_owned(), figure);
    let part = change.part().map_or(String::new(), |part| format!("{:+.2} %", 100.0 * part));
    let noise = format!("{:.2} %", 100.0 * change.noise);
    let verdict = format!("{:?}", change.verdict()).to_lowercase();
    let (flavor, cell) = (&change.flavor, change.cell.to_string());
    format!("{flavor:8} {cell:34} {:>10} {after:>10} {part:>9} {noise:>8}  {verdict}", figure(change.before))
}
