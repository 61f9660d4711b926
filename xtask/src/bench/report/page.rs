//! The page: one file that needs nothing else, for narrow and wide screens, by day and by night.

use anyhow::Result;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::super::chapter::{Chapter, chapters, records};
use super::super::result::Line;
use super::{Others, again, conclusion, environment, feed, findings, inside, local, palette, plots, words};

const STYLE: &str = include_str!("style.css");

/// Draws the page of what `lines` hold, which the command `made` does.
pub fn page(lines: &[Line], made: &str) -> Result<String> {
    let chapters = chapters(records(lines));
    let local: Vec<_> = chapters.iter().map(chapter).collect::<Result<_>>()?;
    let others = Others::of(lines);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "fastnet: what receiving a datagram costs" }
                style { (PreEscaped(STYLE)) "@media (prefers-color-scheme: dark) {" (PreEscaped(palette::night())) "}" }
            }
            body {
                header {
                    h1 { "What receiving a datagram costs" }
                    p {
                        "Stock Linux beside Linux with fastnet's patches: branch hints, and "
                        code { "remember_mmsghdr()" } ", after which " code { "recvmmsg()" }
                        " fills an array that the kernel already knows, in batches."
                    }
                    p {
                        strong { "Instructions are not time." } " Where a figure is in instructions, it was counted: it is \
                        the same on every machine, and it knows nothing of caches, pipelines and locks."
                    }
                }
                main {
                    @for section in &local { (section) }
                    (feed::feeds(&others.runs)?)
                    (inside::profiles(&others.profiles)?)
                    (inside::hints(&others.evidence, &others.profiles))
                    (conclusion(&conclusion::sentences(&chapters, &others)))
                    (origin(lines, made))
                }
            }
        }
    };
    Ok(page.into_string())
}

fn chapter(chapter: &Chapter<'_>) -> Result<Markup> {
    let setting = &chapter.setting;
    let lists = [("What helps", findings::helps(chapter)), ("Where it does not", findings::limits(chapter))];
    Ok(html! {
        section {
            h2 { "Linux " (setting.version) ", config " (setting.config) (setting.link.over()) }
            p.setting { (setting.unit) " a datagram, in the call that receives it; " (setting.accel) ", CPU " (setting.cpu) }
            .columns {
                @for (title, said) in lists {
                    @if !said.is_empty() {
                        div { h3 { (title) } ul { @for sentence in said { li { (sentence) } } } }
                    }
                }
            }
            @if setting.link.is_loopback() { (local::paper(chapter)) }
            (plots::of(chapter)?)
            (local::remembering(chapter))
            (local::all(chapter))
            @for (title, lines) in findings::flaws(chapter) {
                @if !lines.is_empty() {
                    details {
                        summary { (title) ": " (lines.len()) }
                        ul { @for line in lines { li { (line) } } }
                    }
                }
            }
        }
    })
}

/// What to make of it all.
fn conclusion(said: &[String]) -> Markup {
    html! {
        section {
            h2 { "What to make of it" }
            @if !said.is_empty() { ul { @for sentence in said { li { (sentence) } } } }
            .columns {
                @for (title, sentences) in words::CHAPTERS {
                    div { h3 { (title) } ul { @for sentence in sentences { li { (sentence) } } } }
                }
            }
        }
    }
}

/// By what all was measured, and how to do it again.
fn origin(lines: &[Line], made: &str) -> Markup {
    html! {
        section {
            h2 { "Where the figures come from" }
            @for table in environment::tables(lines) {
                .wide { table {
                    thead { tr { @for head in table.heads { th { (head) } } } }
                    tbody { @for row in table.rows { tr { @for field in row { td { (field) } } } } }
                } }
            }
            h3 { "To do it again" }
            p { (words::AGAIN) }
            pre {
                @for command in again::commands(lines) { (command) "\n" }
            }
            p { (words::MADE) }
            pre { (made) }
            h3 { "Figures of your own" }
            p { (words::BEFORE) }
            pre { (words::SCRIPT) }
            p { "What is measured, and how, is in docs/results.md. A line of a result file says which kernel, guest and host it is of." }
        }
    }
}
