//! The parts of the page that look inside: which function takes the instructions, and which hint was right.

use anyhow::Result;
use maud::{Markup, html};

use super::super::cell::Cell;
use super::super::chapter::distinct;
use super::super::hints::Evidence;
use super::super::origin::version;
use super::super::profile::Profile;
use super::super::statistics::Figure;

/// A flame graph is drawn when it is unfolded: before, it has no width, and complains of it on the console.
const DRAW: &str = "const frame = this.querySelector('iframe'); frame.srcdoc ||= frame.dataset.drawing";

/// Functions that are listed; the others are one row.
const MOST: usize = 40;

/// Where a datagram's instructions go, profiles of the same shape side by side.
pub fn profiles(profiles: &[&Profile]) -> Result<Markup> {
    let shapes = distinct(profiles.iter().map(|profile| profile.traced.cell.shape));
    let sections = shapes.into_iter().map(|shape| {
        let mut of: Vec<_> =
            profiles.iter().copied().filter(|profile| profile.traced.cell.shape == shape).collect();
        of.sort_by_key(|profile| profile.origin.flavor != "stock");
        Ok(html! {
            h3 { (shape) }
            (functions(&of))
            @for profile in of {
                details ontoggle=(DRAW) {
                    summary { "Flame graph: " (profile.traced.cell) " on " (profile.origin.release) }
                    iframe.flames title="flame graph" data-drawing=(profile.flame_graph()?) {}
                }
            }
        })
    });
    let sections = sections.collect::<Result<Vec<_>>>()?;
    Ok(html! { @if !sections.is_empty() {
        section {
            h2 { "Where each instruction goes" }
            p.setting { "Instructions a datagram, from a call's first in the kernel to its last, by function: its own, without \
                those of what it calls." }
            @for section in sections { (section) }
        }
    } })
}

fn functions(profiles: &[&Profile]) -> Markup {
    let counts: Vec<_> = profiles.iter().map(|profile| profile.functions()).collect();
    let of = |counts: &[(&str, f64)], name: &str| {
        counts.iter().find(|(function, _)| *function == name).map_or(0.0, |(_, each)| *each)
    };
    let most = |name: &str| counts.iter().map(|counts| of(counts, name)).fold(0.0, f64::max);
    let mut names = distinct(counts.iter().flatten().map(|(function, _)| *function));
    names.sort_by(|one, other| most(other).total_cmp(&most(one)));
    let (shown, rest) = names.split_at(names.len().min(MOST));
    let widest = shown.first().map_or(1.0, |name| most(name));
    html! { .wide { table.numbers {
        thead { tr { th { "function" } @for profile in profiles {
            th { (super::super::super::cli::name(&profile.traced.cell.receiver)) " on " (profile.origin.release) }
        } } }
        tbody {
            @for name in shown { tr {
                td { code { (name) } }
                @for counts in &counts {
                    @let each = of(counts, name);
                    td.bar style=(format!("--part: {:.1}%", 100.0 * each / widest)) { @if each > 0.0 { (format!("{each:.1}")) } }
                }
            } }
            @if !rest.is_empty() { tr {
                td { (rest.len()) " others" }
                @for counts in &counts { td { (format!("{:.1}", rest.iter().map(|name| of(counts, name)).sum::<f64>())) } }
            } }
            tr.sum {
                td { "all" }
                @for profile in profiles { td { (format!("{:.1}", profile.each(profile.traced.work.instructions))) } }
            }
        }
    } } }
}

/// How often each hint was right, and the branches that are taken without and with them.
pub fn hints(evidence: &[&Evidence], profiles: &[&Profile]) -> Markup {
    let compared = compared(profiles);
    html! { @if !(evidence.is_empty() && compared.is_empty()) {
        section {
            h2 { "The branch hints" }
            @for evidence in evidence { (judged(evidence)) }
            @if !compared.is_empty() {
                h3 { "Without and with them, a datagram" }
                .wide { table.numbers {
                    thead { tr { th { "cell" } th { "branches taken" } th { "of branches" } th { "instructions" } } }
                    tbody { @for (cell, figures) in compared {
                        tr { td { (cell) } @for figure in figures { td { (figure) } } }
                    } }
                } }
            }
        }
    } }
}

/// A datagram of each cell without and with the hints: branches taken, of branches, instructions.
pub fn compared(profiles: &[&Profile]) -> Vec<(Cell, [String; 3])> {
    let told = |(before, after): (&Profile, &Profile)| {
        let (one, other) = (before.work(), after.work());
        (after.traced.cell, [0, 1, 2].map(|i| format!("{:.1} → {:.1}", one[i], other[i])))
    };
    pairs(profiles).into_iter().map(told).collect()
}

/// What the hints save of branches that are taken, and of instructions, in a sentence.
pub fn gain(profiles: &[&Profile]) -> Option<String> {
    let pairs = pairs(profiles);
    let part = |i: usize| {
        let parts: Vec<_> = pairs.iter().map(|(before, after)| after.work()[i] / before.work()[i]).collect();
        Figure::of(&parts)
    };
    let (taken, instructions) = (part(0)?, part(2)?);
    Some(format!(
        "Followed step by step, a datagram takes with the hints {:.3} of the branches that it takes without them, from {:.3} \
         to {:.3} in {} cells, and {:.3} of the instructions.",
        taken.median,
        taken.min,
        taken.max,
        pairs.len(),
        instructions.median,
    ))
}

/// The same cell of the same Linux without and with the hints.
fn pairs<'a>(profiles: &[&'a Profile]) -> Vec<(&'a Profile, &'a Profile)> {
    let of = |flavor| profiles.iter().copied().filter(move |profile| profile.origin.flavor == flavor);
    let same = |one: &Profile, other: &Profile| {
        one.traced.cell == other.traced.cell && version(&one.origin.release) == version(&other.origin.release)
    };
    of("hints").filter_map(|after| Some((of("stock").find(|before| same(before, after))?, after))).collect()
}

/// How many hints were wrong, in a sentence.
pub fn verdict(Evidence { origin, judged }: &Evidence) -> String {
    format!(
        "Counted by Linux {}; {} of {} hints are wrong more often than right, {} were never reached.",
        origin.release,
        judged.wrong().count(),
        judged.reached.len(),
        judged.never.len()
    )
}

fn judged(evidence: &Evidence) -> Markup {
    let judged = &evidence.judged;
    html! {
        p.setting { (verdict(evidence)) }
        .wide { table.numbers {
            thead { tr { th { "hint" } th { "right" } th { "wrong" } th { "% wrong" } } }
            tbody { @for seen in &judged.reached { tr {
                td { (seen.hint) br; code { (seen.hint.text) } }
                td { (seen.count.right) } td { (seen.count.wrong) } td { (format!("{:.1}", seen.count.percent_wrong())) }
            } } }
        } }
        @if !judged.never.is_empty() {
            details {
                summary { "Never reached" }
                ul { @for hint in &judged.never { li { (hint) ": " code { (hint.text) } } } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::cell::{BASE, Receiver};
    use super::super::super::origin::Origin;
    use super::super::super::trace::Work;
    use super::super::super::watch::Traced;
    use super::*;

    #[test]
    fn the_hints_are_compared_with_stock_of_their_own_release() {
        let profile = |release: &str, flavor, taken| {
            let cell = Cell { receiver: Receiver::Recvmmsg, shape: BASE };
            let work = Work { instructions: 100, branches: 50, taken, stacks: [].into() };
            let origin = Origin { release: format!("{release}-{flavor}"), ..Origin::sample(flavor, 1) };
            Profile { origin, traced: Traced { cell, work, datagrams: 10 } }
        };
        let profiles = [
            profile("6.11.11", "stock", 40),
            profile("6.12.117", "stock", 30),
            profile("6.12.117", "hints", 20),
            profile("6.13", "hints", 10),
        ];
        let profiles: Vec<_> = profiles.iter().collect();
        let gain = gain(&profiles).unwrap();
        assert!(
            gain.contains("0.667 of the branches") && gain.ends_with("1.000 of the instructions."),
            "{gain}"
        );
        let compared = compared(&profiles);
        let figures: Vec<_> = compared.into_iter().map(|(_, figures)| figures).collect();
        assert_eq!(figures, [["3.0 → 2.0", "5.0 → 5.0", "10.0 → 10.0"].map(String::from)]);
    }
}
