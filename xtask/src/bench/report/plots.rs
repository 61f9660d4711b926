//! The plots of a chapter of `bench local`, on the page.

use anyhow::Result;
use maud::{Markup, PreEscaped, html};

use super::super::cell::{Cell, Receiver, Shape, Size};
use super::super::chapter::{Chapter, distinct};
use super::palette::{self, Colour, FASTNET, STOCK};
use super::plot::{self, Curve, Row};
use crate::cli;

/// The title of a plot of ratios.
const PARTS: &str = "As a part of stock's recvmmsg";
/// So many rows of it are seen at a glance; more are shown to those who ask, as a whole plan has two hundred.
const GLANCE: usize = 40;

/// All of them.
pub fn of(chapter: &Chapter<'_>) -> Result<Markup> {
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
            @if rows.len() <= GLANCE { (parts(&rows)?) }
        }
        @if rows.len() > GLANCE {
            details { summary { (PARTS) ", of " (rows.len()) " shapes" } (parts(&rows)?) }
        }
    })
}

fn parts(rows: &[Row]) -> Result<Markup> {
    let what =
        "1 is stock's recvmmsg of the same shape; family, bytes and messages a call stand before each row";
    Ok(
        html! { @if !rows.is_empty() { (drawn(PARTS, what, &plot::ratios("part of stock's recvmmsg", rows)?)) } },
    )
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

#[cfg(test)]
mod tests {
    use super::super::super::chapter::chapters;
    use super::super::super::result::Record;
    use super::*;

    #[test]
    fn only_what_can_be_drawn_is() {
        let one = [Record::sample("stock", Receiver::Recvmmsg, 8, 1, 1600.0)];
        assert_eq!(of(&chapters(&one)[0]).unwrap().into_string().matches("<figure").count(), 0);
        let more = [8, 64].map(|messages| Record::sample("stock", Receiver::Recvmmsg, messages, 1, 1600.0));
        assert_eq!(of(&chapters(&more)[0]).unwrap().into_string().matches("<figure").count(), 1);
    }

    #[test]
    fn many_rows_are_shown_to_those_who_ask() {
        let text = |shapes: u32| {
            let both = |messages| {
                [("stock", Receiver::Recvmmsg), ("fastnet", Receiver::Remembered)]
                    .map(|(flavor, receiver)| Record::sample(flavor, receiver, messages, 1, 1600.0))
            };
            let records: Vec<_> = (1..=shapes).flat_map(both).collect();
            of(&chapters(&records)[0]).unwrap().into_string()
        };
        let (few, many) = (text(40), text(41));
        assert_eq!((few.matches("<details>").count(), few.matches(PARTS).count()), (0, 2));
        assert_eq!((many.matches("<details>").count(), many.matches(PARTS).count()), (1, 3));
    }
}
