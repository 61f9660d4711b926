//! The page's essence in Markdown.

use std::fmt::Write as _;

use super::super::chapter::{Chapter, chapters, records};
use super::super::result::Line;
use super::local::{pairs, paper_unit};
use super::{findings, number, tables, words};

/// What `lines` hold.
pub fn summary(lines: &[Line]) -> String {
    let mut text = "# What receiving a datagram costs\n".to_owned();
    for chapter in chapters(records(lines)) {
        let setting = &chapter.setting;
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(
            text,
            "\n## Linux {}, config {}: {} a datagram",
            setting.version, setting.config, setting.unit
        );
        for (title, said) in
            [("What helps", findings::helps(&chapter)), ("Where it does not", findings::limits(&chapter))]
        {
            if !said.is_empty() {
                let _ = write!(text, "\n### {title}\n\n- {}\n", said.join("\n- "));
            }
        }
        text += &paper(&chapter);
        text += "\n### Every cell\n";
        text += &tables(&chapter.records);
    }
    for (title, sentences) in words::CHAPTERS {
        let _ = write!(text, "\n## {title}\n\n- {}\n", sentences.join("\n- "));
    }
    let _ = write!(text, "\n## Figures of your own\n\n{}\n\n", words::BEFORE);
    for line in words::SCRIPT.lines() {
        let _ = writeln!(text, "    {line}");
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
