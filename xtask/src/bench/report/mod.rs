//! Results as people look at them: lines and tables on a terminal, a page in a browser, Markdown, CSV.

mod again;
mod conclusion;
mod csv;
mod environment;
mod feed;
mod findings;
mod inside;
mod local;
pub mod page;
mod palette;
mod plot;
mod plots;
pub mod summary;
mod tables;
mod words;

pub use tables::{disagreements, line, losses, tables};

use super::chapter::records;
use super::feed::result::RealWorld;
use super::hints::Evidence;
use super::profile::Profile;
use super::result::Line;

/// Each table as CSV, with its file's name: the cells always, others if there are any.
pub fn csv(lines: &[Line]) -> Vec<(&'static str, String)> {
    let Others { runs, profiles, evidence } = Others::of(lines);
    let mut files = vec![("cells.csv", csv::cells(&records(lines).collect::<Vec<_>>()))];
    if !runs.is_empty() {
        files.push(("feed.csv", csv::feeds(&runs)));
    }
    if !profiles.is_empty() {
        files.push(("functions.csv", csv::functions(&profiles)));
    }
    if !evidence.is_empty() {
        files.push(("hints.csv", csv::hints(&evidence)));
    }
    files
}

/// The lines that are no cell of `bench local`, by what found them.
#[derive(Default)]
struct Others<'a> {
    runs: Vec<&'a RealWorld>,
    profiles: Vec<&'a Profile>,
    evidence: Vec<&'a Evidence>,
}

impl<'a> Others<'a> {
    fn of(lines: &'a [Line]) -> Self {
        let mut others = Self::default();
        for line in lines {
            match line {
                Line::Local(_) => {}
                Line::RealWorld(run) => others.runs.push(run),
                Line::Profile(profile) => others.profiles.push(profile),
                Line::Hints(evidence) => others.evidence.push(evidence),
            }
        }
        others
    }
}

/// A figure with as many digits as anyone reads.
fn number(figure: f64) -> String {
    if figure < 99.95 { format!("{figure:.1}") } else { format!("{figure:.0}") }
}
