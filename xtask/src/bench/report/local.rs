//! The tables of a chapter of `bench local`, on the page.

use maud::{Markup, html};

use super::super::cell::{BASE, Cell, Receiver, Shape, Size};
use super::super::chapter::{Chapter, distinct};
use super::super::result::Unit;
use super::super::statistics::{Figure, Ratio};
use super::number;
use crate::cli;

/// The rows of the paper's table.
const SIZES: [u32; 4] = [64, 256, 1024, 8192];
const MESSAGES: [u32; 4] = [1000, 10_000, 100_000, 1_000_000];

/// A row of the paper's table.
pub struct Pair {
    /// What was received.
    pub shape: Shape,
    /// By `recvmmsg()` on the regular kernel.
    pub stock: Option<Figure>,
    /// Into a remembered array, on the modified kernel.
    pub modified: Option<Figure>,
    /// One as a part of the other.
    pub ratio: Option<Ratio>,
    /// Whether datagrams were lost behind it.
    pub lossy: bool,
    /// Why there is none, if something was said.
    pub why: Option<String>,
}

/// The paper's table.
pub fn pairs(chapter: &Chapter<'_>) -> Vec<Pair> {
    let shapes = SIZES.iter().flat_map(|size| MESSAGES.map(|messages| (*size, messages)));
    let pair = |(size, messages)| {
        let shape = Shape { size: Size::Bytes(size), messages, ..BASE };
        let [regular, modified] =
            [Receiver::Recvmmsg, Receiver::Remembered].map(|receiver| Cell { receiver, shape });
        let ratio = chapter.ratio("fastnet", modified);
        let why = || chapter.reason("stock", regular).or(chapter.reason("fastnet", modified));
        Pair {
            shape,
            stock: chapter.figure("stock", regular),
            modified: chapter.figure("fastnet", modified),
            ratio,
            lossy: chapter.lossy("fastnet", modified),
            why: if ratio.is_none() { why().map(str::to_owned) } else { None },
        }
    };
    shapes.map(pair).collect()
}

/// What the paper's table counts: its seconds are those of 100 million messages, at so many ns each.
pub fn paper_unit(unit: Unit) -> (&'static str, f64) {
    match unit {
        Unit::Instructions => ("instructions a datagram", 1.0),
        Unit::Ns => ("seconds for 100 million messages", 0.1),
    }
}

/// The paper's table on the page.
pub fn paper(chapter: &Chapter<'_>) -> Markup {
    let (unit, factor) = paper_unit(chapter.setting.unit);
    let cell =
        |figure: Option<Figure>| figure.map_or("–".to_owned(), |figure| number(figure.median * factor));
    html! {
        h3 { "The paper's table" }
        .wide { table.numbers {
            thead { tr {
                th { "message size (bytes)" } th { "messages a call" }
                th { "regular kernel (" (unit) ")" } th { "modified kernel (" (unit) ")" } th { "ratio" }
            } }
            tbody { @for pair in pairs(chapter) {
                tr {
                    td { (pair.shape.size) } td { (grouped(pair.shape.messages)) }
                    td { (cell(pair.stock)) } td { (cell(pair.modified)) }
                    td { @match (pair.ratio, pair.why) {
                        (Some(ratio), _) => { (in_brackets(ratio)) @if pair.lossy { ", lossy" } },
                        (None, Some(why)) => span.interval { (why) },
                        (None, None) => "–",
                    } }
                }
            } }
        } }
        p.note { "Regular: " code { "recvmmsg()" } " on stock Linux. Modified: into a remembered array, on fastnet. In brackets \
            between which ends the ratio lies: of five boots or more with 95 % confidence, by the bootstrap; instructions of fewer \
            over all rounds of all boots. Lossy: one of the two lost datagrams. –: no figure; the row says \
            why, or the files do not have it." }
    }
}

fn in_brackets(ratio: Ratio) -> Markup {
    let text = ratio.to_string();
    html! {
        @if let Some((median, ends)) = text.split_once(' ') { (median) " " span.interval { (ends) } } @else { (text) }
    }
}

/// What remembering itself costs.
pub fn remembering(chapter: &Chapter<'_>) -> Markup {
    let of = |cell: Cell| {
        let bytes = chapter.boots("fastnet", cell).find_map(|boot| boot.bytes);
        Some((cell, chapter.figure("fastnet", cell)?, bytes))
    };
    let rows: Vec<_> =
        chapter.cells().into_iter().filter(|cell| cell.receiver.only_remembers()).filter_map(of).collect();
    html! { @if !rows.is_empty() {
        h3 { "Remembering itself, once an array" }
        .wide { table.numbers {
            thead { tr { th { "array" } th { (chapter.setting.unit) " a message" } th { "kernel memory" } } }
            tbody { @for (cell, figure, bytes) in rows {
                tr {
                    td { (grouped(cell.shape.messages)) " " (cli::name(&cell.receiver).replace("remember_", "")) " messages" }
                    td { (number(figure.median)) }
                    td { @if let Some(bytes) = bytes { (bytes >> 10) " KiB" } }
                }
            } }
        } }
    } }
}

/// Every cell of every flavor.
pub fn all(chapter: &Chapter<'_>) -> Markup {
    html! { @for flavor in chapter.flavors() {
        details {
            summary { "Every cell on " (flavor) }
            (cells(chapter, flavor))
        }
    } }
}

fn cells(chapter: &Chapter<'_>, flavor: &str) -> Markup {
    let of = chapter.cells_of(flavor).into_iter();
    let of: Vec<_> = of.filter(|cell| chapter.figure(flavor, *cell).is_some()).collect();
    let receivers = distinct(of.iter().map(|cell| cell.receiver));
    html! { .wide { table.numbers {
        thead { tr { th { "shape" } @for receiver in &receivers { th { (cli::name(receiver)) } } } }
        tbody { @for shape in distinct(of.iter().map(|cell| cell.shape)) {
            tr {
                td { (shape) }
                @for &receiver in &receivers {
                    td { @if let Some(figure) = chapter.figure(flavor, Cell { receiver, shape }) {
                        (number(figure.median))
                        @if let Some(ratio) = chapter.ratio(flavor, Cell { receiver, shape }) {
                            @let lossy = if chapter.lossy(flavor, Cell { receiver, shape }) { ", lossy" } else { "" };
                            " " span.interval { "(" (format!("{:.3}{lossy}", ratio.median)) ")" }
                        }
                    } }
                }
            }
        } }
    } } }
}

/// A number whose digits are told apart in threes.
fn grouped(number: u32) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::super::chapter::chapters;
    use super::super::super::outcome::Outcome;
    use super::super::super::result::Record;
    use super::*;

    #[test]
    fn the_papers_table_has_its_rows_whatever_was_measured() {
        let records = [
            Record::sample("stock", Receiver::Recvmmsg, 10_000, 1, 1600.0),
            Record::sample("fastnet", Receiver::Remembered, 10_000, 1, 400.0),
        ];
        let chapter = &chapters(&records)[0];
        let pairs = pairs(chapter);
        assert_eq!(pairs.len(), 16);
        let measured: Vec<_> =
            pairs.iter().filter_map(|pair| Some((pair.shape, pair.ratio?.median))).collect();
        assert_eq!(measured, [(records[0].cell.shape, 0.25)]);
        let text = paper(chapter).into_string();
        assert_eq!(text.matches("<tr>").count(), 17);
        assert!(text.contains("0.250") && text.contains("10\u{202f}000"));
    }

    #[test]
    fn a_row_without_figures_tells_why() {
        let mut record = Record::sample("stock", Receiver::Recvmmsg, 1_000_000, 1, 1600.0);
        record.outcome = Outcome::Skipped { why: "no room".into() };
        let records = [record];
        let text = paper(&chapters(&records)[0]).into_string();
        assert_eq!(text.matches("no room").count(), 1, "{text}");
    }

    #[test]
    fn digits_are_told_apart_in_threes() {
        assert_eq!([8, 1000, 100_000].map(grouped), ["8", "1\u{202f}000", "100\u{202f}000"]);
    }
}
