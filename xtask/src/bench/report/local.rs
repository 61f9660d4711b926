//! The part of the page that is about `bench local`.

use anyhow::Result;
use maud::{Markup, PreEscaped, html};

use super::super::cell::{BASE, Cell, Receiver, Shape, Size};
use super::super::chapter::{Chapter, distinct};
use super::super::result::Unit;
use super::super::statistics::{Figure, Ratio};
use super::number;
use super::palette::{self, Colour, FASTNET, STOCK};
use super::plot::{self, Curve, Row};
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
            between which ends the ratio lies: of three boots or more with 95 % confidence, by the bootstrap; instructions of fewer \
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

/// The plots.
pub fn plots(chapter: &Chapter<'_>) -> Result<Markup> {
    let unit = format!("{} a datagram", chapter.setting.unit);
    let base = chapter.base();
    let batches = curves(chapter, |shape| {
        (Shape { messages: base.messages, ..*shape } == base).then_some(shape.messages)
    });
    let sizes = curves(chapter, |shape| match shape.size {
        Size::Bytes(bytes) if Shape { size: base.size, ..*shape } == base => Some(bytes),
        _ => None,
    });
    let rows = rows(chapter);
    Ok(html! {
        (legend(chapter))
        .plots {
            @if has_line(&batches) {
                (drawn("By messages a call", "64 bytes each, over IPv4, without the sender's name",
                    &plot::curves("messages a call", &unit, &batches)?))
            }
            @if has_line(&sizes) {
                (drawn("By size", "1000 a call, over IPv4, without the sender's name",
                    &plot::curves("bytes in a datagram", &unit, &sizes)?))
            }
            @if !rows.is_empty() {
                (drawn("As a part of stock's recvmmsg", "1 is stock's recvmmsg of the same shape; family, bytes and messages a call stand before each row",
                    &plot::ratios("part of stock's recvmmsg", &rows)?))
            }
        }
    })
}

fn has_line(curves: &[Curve]) -> bool {
    curves.iter().any(|curve| curve.points.len() > 1)
}

fn drawn(title: &str, what: &str, svg: &str) -> Markup {
    html! {
        figure role="img" aria-label=(title) {
            figcaption { strong { (title) } br; (what) }
            (PreEscaped(svg))
        }
    }
}

/// Who is drawn: what stock offers, and what the patches add.
fn drawn_cells(chapter: &Chapter<'_>) -> Vec<(&'static str, Receiver)> {
    let receivers = distinct(chapter.cells().into_iter().map(|cell| cell.receiver));
    let of = |receiver| match receiver {
        Receiver::RememberUniform | Receiver::RememberScattered => None,
        Receiver::Remembered => Some(("fastnet", receiver)),
        _ => Some(("stock", receiver)),
    };
    receivers.into_iter().filter_map(of).collect()
}

fn legend(chapter: &Chapter<'_>) -> Markup {
    html! {
        p.legend {
            @for (flavor, receiver) in drawn_cells(chapter) {
                span { (swatch(palette::of(receiver))) (cli::name(&receiver)) @if flavor != "stock" { " (" (flavor) ")" } }
            }
        }
    }
}

/// A colour in a legend.
pub fn swatch(colour: Colour) -> Markup {
    html! { svg.swatch viewBox="0 0 12 12" aria-hidden="true" { circle cx="6" cy="6" r="6" fill=(colour.hex()) {} } }
}

/// A curve a receiver, through the shapes that have a place on the axis.
fn curves(chapter: &Chapter<'_>, place: impl Fn(&Shape) -> Option<u32>) -> Vec<Curve> {
    let curve = |(flavor, receiver)| {
        let cells = chapter.cells().into_iter().filter(|cell| cell.receiver == receiver);
        let mut points: Vec<_> = cells
            .filter_map(|cell| Some((f64::from(place(&cell.shape)?), chapter.figure(flavor, cell)?)))
            .collect();
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        Curve { colour: palette::of(receiver), points }
    };
    drawn_cells(chapter).into_iter().map(curve).filter(|curve| !curve.points.is_empty()).collect()
}

/// A row a shape: remembered, and `recvmmsg()` of the same kernel.
fn rows(chapter: &Chapter<'_>) -> Vec<Row> {
    let shapes = distinct(chapter.cells().into_iter().map(|cell| cell.shape));
    let row = |shape: Shape| {
        let of = [(Receiver::Recvmmsg, STOCK), (Receiver::Remembered, FASTNET)];
        let ratio = |(receiver, colour)| Some((colour, chapter.ratio("fastnet", Cell { receiver, shape })?));
        Row { label: shape.to_string(), ratios: of.into_iter().filter_map(ratio).collect() }
    };
    shapes.into_iter().map(row).filter(|row| !row.ratios.is_empty()).collect()
}

/// What remembering itself costs.
pub fn remembering(chapter: &Chapter<'_>) -> Markup {
    let remembers =
        |cell: &Cell| matches!(cell.receiver, Receiver::RememberUniform | Receiver::RememberScattered);
    let of = |cell: Cell| {
        let boots = chapter.boots("fastnet", cell);
        Some((cell, chapter.figure("fastnet", cell)?, boots.iter().find_map(|boot| boot.bytes)))
    };
    let rows: Vec<_> = chapter.cells().into_iter().filter(remembers).filter_map(of).collect();
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
    let of = chapter.records.iter().filter(|record| record.origin.flavor == flavor).map(|record| record.cell);
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
    fn only_what_can_be_drawn_is() {
        let one = [Record::sample("stock", Receiver::Recvmmsg, 8, 1, 1600.0)];
        assert_eq!(plots(&chapters(&one)[0]).unwrap().into_string().matches("<figure").count(), 0);
        let more = [8, 64].map(|messages| Record::sample("stock", Receiver::Recvmmsg, messages, 1, 1600.0));
        assert_eq!(plots(&chapters(&more)[0]).unwrap().into_string().matches("<figure").count(), 1);
    }

    #[test]
    fn digits_are_told_apart_in_threes() {
        assert_eq!([8, 1000, 100_000].map(grouped), ["8", "1\u{202f}000", "100\u{202f}000"]);
    }
}
