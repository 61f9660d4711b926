//! The page's essence in Markdown.

use std::fmt::Write as _;

use anyhow::Result;

use super::super::chapter::{Chapter, chapters, records};
use super::super::feed::result::RealWorld;
use super::super::feed::table;
use super::super::result::Line;
use super::environment::{self, Table};
use super::local::{pairs, paper_unit};
use super::{Others, again, conclusion, findings, inside, number, tables, words};

/// What `lines` hold, as the command `made` writes it.
pub fn summary(lines: &[Line], made: &str) -> Result<String> {
    let mut text = "# What receiving a datagram costs\n".to_owned();
    let chapters = chapters(records(lines));
    for chapter in &chapters {
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
            [("What helps", findings::helps(chapter)), ("Where it does not", findings::limits(chapter))]
        {
            if !said.is_empty() {
                let _ = write!(text, "\n### {title}\n\n- {}\n", said.join("\n- "));
            }
        }
        // The paper knows no other link.
        if setting.link.is_loopback() {
            text += &paper(chapter);
        }
        text += "\n### Every cell\n";
        text += &tables(chapter);
        for (title, lines) in findings::flaws(chapter) {
            if !lines.is_empty() {
                let _ = write!(text, "\n### {title}\n\n- {}\n", lines.join("\n- "));
            }
        }
    }
    let others = Others::of(lines);
    text += &feeds(&others.runs)?;
    text += &hints(&others);
    let said = conclusion::sentences(&chapters, &others);
    if !said.is_empty() {
        let _ = write!(text, "\n## What to make of it\n\n- {}\n", said.join("\n- "));
    }
    for (title, sentences) in words::CHAPTERS {
        let _ = write!(text, "\n## {title}\n\n- {}\n", sentences.join("\n- "));
    }
    text += "\n## Where the figures come from\n";
    text += &environment::tables(lines).map(|table| markdown(&table)).concat();
    let again = again::commands(lines);
    for (title, said, commands) in [
        ("\n## To do it again\n", words::AGAIN, again.join("\n")),
        ("", words::MADE, made.to_owned()),
        ("\n## Figures of your own\n", words::BEFORE, words::SCRIPT.to_owned()),
    ] {
        let _ = write!(text, "{title}\n{said}\n\n");
        for line in commands.lines() {
            let _ = writeln!(text, "    {line}");
        }
    }
    Ok(text)
}

fn markdown(table: &Table) -> String {
    let line = |fields: &[String]| format!("| {} |\n", fields.join(" | "));
    let heads = format!("\n| {} |\n|{}\n", table.heads.join(" | "), "---|".repeat(table.heads.len()));
    heads + &table.rows.iter().map(|row| line(row)).collect::<String>()
}

/// What one kernel's flavors made of a feed, one table each.
fn feeds(runs: &[&RealWorld]) -> Result<String> {
    let mut text = String::new();
    for (setting, runs) in table::settings(runs) {
        let _ = write!(text, "\n## A feed between two guests\n\n{}\n", table::told(&setting));
        text += &table::tables(&runs)?;
    }
    Ok(text)
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
        let lossy = if pair.lossy { ", lossy" } else { "" };
        let ratio = pair.ratio.map(|ratio| format!("{ratio}{lossy}")).or(pair.why).unwrap_or("–".to_owned());
        let shape = pair.shape;
        let _ = writeln!(text, "| {} | {} | {stock} | {modified} | {ratio} |", shape.size, shape.messages);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::super::cell::{Cell, Link, Receiver};
    use super::super::super::outcome::Outcome;
    use super::super::super::result::Record;
    use super::*;

    #[test]
    fn what_was_lost_and_what_failed_is_told() {
        let mut lossy = Record::sample("stock", Receiver::Recvmmsg, 1000, 1, 900.0);
        (lossy.origin.accel, lossy.stream) = ("kvm".into(), Some(4106));
        let mut failed = Record { cell: Cell { receiver: Receiver::UdpGro, ..lossy.cell }, ..lossy.clone() };
        failed.outcome = Outcome::Failed { verdict: "panic".into(), why: "Oops".into() };
        let clean = Line::Local(lossy.clone());
        if let Outcome::Measured(measured) = &mut lossy.outcome {
            (measured.lost, measured.receiver_cpu) = (10, Some(450.0));
        }
        let text = summary(&[lossy, failed].map(Line::Local), "made").unwrap();
        for part in [
            "### Runs that lost datagrams\n\n- stock",
            "LOST 10 of 4106",
            "udp_gro/ipv4/64/1000 on stock: Oops",
            "900 (1.000, lossy)",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        let text = summary(&[clean], "made").unwrap();
        assert!(!text.contains("lost datagrams") && !text.contains("could not be measured"), "{text}");
    }

    #[test]
    fn each_link_has_a_chapter_and_the_loopback_the_papers_table() {
        let loopback = Record::sample("stock", Receiver::Recvmmsg, 1000, 1, 1600.0);
        let mut over_veth = loopback.clone();
        over_veth.cell.shape.link = Link::Veth;
        let text = summary(&[loopback, over_veth].map(Line::Local), "made").unwrap();
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
