//! Results as people look at them: lines and tables on a terminal, a page in a browser, Markdown, CSV.

pub mod csv;
mod feed;
mod findings;
mod inside;
mod local;
pub mod page;
mod palette;
mod plot;
pub mod summary;
mod tables;
mod words;

pub use tables::{disagreements, line, losses, tables};

/// A figure with as many digits as anyone reads.
fn number(figure: f64) -> String {
    if figure < 99.95 { format!("{figure:.1}") } else { format!("{figure:.0}") }
}
