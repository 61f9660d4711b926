//! The page's essence in Markdown.

use std::fmt::Write as _;

use anyhow::Result;

use super::super::chapter::{Chapter, chapters, distinct, records, version};
use super::super::feed::result::{About, RealWorld};
use super::super::feed::table::tables as feed_tables;
use super::super::result::Line;
use super::local::{pairs, paper_unit};
use super::{Others, findings, inside, number, tables, words};

/// What `lines` hold.
pub fn summary(lines: &[Line]) -> Result<String> {
    let mut text = "# What receiving a datagram costs\n".to_owned();
    for chapter in chapters(records(lines)) {
        let setting = &chapter.setting;
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(
            text,
            "\n## Linux {}, config {}{}: {} a datagram",
            setting.version,
            setting.config,
            setting.link.over(),
            setting.unit
        );
        for (title, said) in
            [("What helps", findings::helps(&chapter)), ("Where it does not", findings::limits(&chapter))]
        {
            if !said.is_empty() {
                let _ = write!(text, "\n### {title}\n\n- {}\n", said.join("\n- "));
            }
        }
        // The paper knows no other link.
        if setting.link.is_loopback() {
            text += &paper(&chapter);
        }
        text += "\n### Every cell\n";
        text += &tables(&chapter.records);
    }
    let others = Others::of(lines);
    text += &feeds(&others.runs)?;
    text += &hints(&others);
    for (title, sentences) in words::CHAPTERS {
        let _ = write!(text, "\n## {title}\n\n- {}\n", sentences.join("\n- "));
    }
    let _ = write!(text, "\n## Figures of your own\n\n{}\n\n", words::BEFORE);
    for line in words::SCRIPT.lines() {
        let _ = writeln!(text, "    {line}");
    }
    Ok(text)
}

/// What one kernel's flavors made of a feed, one table each.
fn feeds(runs: &[&RealWorld]) -> Result<String> {
    let mut text = String::new();
    for together in distinct(runs.iter().copied().map(setting)) {
        let (version, accel, feed) = together;
        let _ = write!(
            text,
            "\n## A feed between two guests: Linux {version}, {accel}\n\n{}: {} datagrams.\n",
            feed.name, feed.datagrams
        );
        let runs: Vec<_> = runs.iter().copied().filter(|run| setting(run) == together).collect();
        text += &feed_tables(&runs)?;
    }
    Ok(text)
}

/// What runs share that are compared.
fn setting(run: &RealWorld) -> (&str, &str, &About) {
    (version(&run.origin.release), &run.origin.accel, &run.feed)
}

fn hints(others: &Others<'_>) -> String {
    let compared = inside::compared(&others.profiles);
    if others.evidence.is_empty() && compared.is_empty() {
        return String::new();
    }
    let mut text = "\n## The branch hints\n".to_owned();
    for evidence in &others.evidence {
        let _ = writeln!(text, "\n{}", inside::verdict(evidence));
    }
    if !compared.is_empty() {
        text += "\n| a datagram, without and with them | branches taken | of branches | instructions |\n|---|--:|--:|--:|\n";
    }
    for (cell, figures) in compared {
        let _ = writeln!(text, "| {cell} | {} |", figures.join(" | "));
    }
    text
}

fn paper(chapter: &Chapter<'_>) -> String {
    let (unit, factor) = paper_unit(chapter.setting.unit);
    let mut text = format!("\n### The paper's table: {unit}\n\n");
    text += "| message size (bytes) | messages a call | regular kernel | modified kernel | ratio |\n|--:|--:|--:|--:|--:|\n";
    for pair in pairs(chapter) {
        let [stock, modified] = [pair.stock, pair.modified]
            .map(|figure| figure.map_or("–".to_owned(), |figure| number(figure.median * factor)));
        let ratio = pair.ratio.map_or("–".to_owned(), |ratio| {
            format!("{:.3} ({:.3}–{:.3})", ratio.median, ratio.min, ratio.max)
        });
        let shape = pair.shape;
        let _ = writeln!(text, "| {} | {} | {stock} | {modified} | {ratio} |", shape.size, shape.messages);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::super::cell::{Link, Receiver};
    use super::super::super::result::Record;
    use super::*;

    #[test]
    fn each_link_has_a_chapter_and_the_loopback_the_papers_table() {
        let loopback = Record::sample("stock", Receiver::Recvmmsg, 1000, 1, 1600.0);
        let mut over_veth = loopback.clone();
        over_veth.cell.shape.link = Link::Veth;
        let text = summary(&[loopback, over_veth].map(Line::Local)).unwrap();
        let (first, second) = text.split_once("config vm, over veth: instructions a datagram\n").unwrap();
        assert!(
            first.contains("The paper's table") && first.contains("| 64 | 1000 | ipv4 | 1600"),
            "{first}"
        );
        assert!(
            !second.contains("The paper's table") && second.contains("| 64 | 1000 | ipv4 | 1600"),
            "{second}"
        );
    }
}
