//! The part of the page that is about `bench real-world`.

use anyhow::Result;
use maud::{Markup, PreEscaped, html};

use super::super::chapter::distinct;
use super::super::feed::latency::Latency;
use super::super::feed::result::{Latencies, Measured, RealWorld, Setting, Way};
use super::super::feed::table::{BEHIND, settings, told};
use super::super::outcome::Outcome;
use super::palette::{self, Colour};
use super::plot::{self, Tail};
use crate::cli;

/// Feeds between two guests: for each setting a table, and how long datagrams took.
pub fn feeds(runs: &[&RealWorld]) -> Result<Markup> {
    let settings = settings(runs).into_iter().map(|(setting, runs)| of(&setting, &runs));
    let settings = settings.collect::<Result<Vec<_>>>()?;
    Ok(html! { @if !settings.is_empty() {
        section {
            h2 { "A feed between two guests" }
            p.note { "Time here is the guests': under TCG it is that of a translator, not of silicon. Latency is the time from the \
                receiving kernel's stamp to the return of the call that brought the datagram; in brackets with what the sender \
                was late added, so that a sender that was held up hides nothing. –: that datagram was lost." }
            @for setting in settings { (setting) }
        }
    } })
}

fn of(setting: &Setting<'_>, runs: &[&RealWorld]) -> Result<Markup> {
    let measured: Vec<_> = runs.iter().filter_map(|run| Some((*run, run.measured()?))).collect();
    let failed = runs.iter().filter_map(|run| match &run.outcome {
        Outcome::Measured(_) => None,
        Outcome::Skipped { why } | Outcome::Failed { why, .. } => Some((*run, why)),
    });
    let failed: Vec<_> = failed.collect();
    Ok(html! {
        p.setting { (told(setting)) }
        (table(&measured))
        @if runs.iter().any(|run| run.missed().is_some()) { p.note { (BEHIND) } }
        (plots(&measured)?)
        @if !failed.is_empty() {
            details {
                summary { "Runs that failed or could not be made: " (failed.len()) }
                ul { @for (run, why) in failed { li { (who(run)) ": " (why) } } }
            }
        }
    })
}

fn who(run: &RealWorld) -> String {
    format!("{} on {}", cli::name(&run.receiver), run.origin.release)
}

fn table(runs: &[(&RealWorld, &Measured)]) -> Markup {
    let latency = |of: fn(&Latency) -> Option<u64>, both: Option<&Latencies>| match both {
        Some(both) => format!("{} ({})", micros(of(&both.arrival)), micros(of(&both.schedule))),
        None => String::new(),
    };
    let quantiles: [fn(&Latency) -> Option<u64>; 4] = [|of| of.p50, |of| of.p99, |of| of.p99_9, |of| of.max];
    html! { .wide { table.numbers {
        thead { tr { @for head in ["receiver", "boot", "datagrams a second", "ns a datagram in the call", "datagrams a call", "lost", "gaps",
            "p50 (µs)", "p99", "p99.9", "max"] { th { (head) } } } }
        tbody { @for (run, measured) in runs { tr {
            td { (who(run)) @if run.stamps { ", with stamps" } }
            td { (run.origin.boot) }
            td { (format!("{:.0}", measured.rate)) @if let Some(planned) = run.missed() { (format!(" of {planned:.0}")) } }
            td { (format!("{:.0}", measured.ns)) }
            td { (format!("{:.1}", per_call(measured))) }
            td { (measured.lost) }
            td { (measured.gaps) }
            @for of in quantiles { td { (latency(of, measured.latency.as_ref())) } }
        } } }
    } } }
}

/// How many datagrams a call brought.
#[expect(clippy::cast_precision_loss, reason = "neither is near 2^52")]
pub fn per_call(measured: &Measured) -> f64 {
    measured.received as f64 / measured.calls.max(1) as f64
}

fn micros(nanoseconds: Option<u64>) -> String {
    #[expect(clippy::cast_precision_loss, reason = "times of seconds at most")]
    nanoseconds.map_or("–".to_owned(), |ns| super::number(ns as f64 / 1000.0))
}

fn colour(run: &RealWorld) -> Colour {
    match (run.receiver, run.origin.flavor == "stock") {
        (Way::Remembered, _) => palette::FASTNET,
        (Way::Recvmmsg, true) => palette::STOCK,
        (Way::Recvmmsg, false) => palette::PEERS[0],
        (Way::Recvmsg, true) => palette::PEERS[2],
        (Way::Recvmsg, false) => palette::PEERS[3],
    }
}

/// The histograms, as how many take longer: the few that matter are at the bottom, and can be seen.
fn plots(runs: &[(&RealWorld, &Measured)]) -> Result<Markup> {
    let kinds = distinct(runs.iter().map(|(run, _)| (who(run), colour(run))));
    let mut tails = Vec::new();
    for (name, colour) in &kinds {
        let of = runs.iter().filter(|(run, _)| who(run) == *name);
        let lost = of.clone().map(|(_, measured)| measured.lost).sum();
        let with = of.filter_map(|(_, measured)| Some(&measured.latency.as_ref()?.arrival));
        let merged = Latency::merge(with, lost)?;
        if merged.count() > 0 {
            tails.push(Tail { colour: *colour, points: tail(&merged, lost) });
        }
    }
    Ok(html! { @if !tails.is_empty() {
        p.legend { @for (name, colour) in &kinds { span { (super::plots::swatch(*colour)) (name) } } }
        .plots { figure role="img" aria-label="Latency" {
            figcaption { strong { "Latency" } br; "Which part of all datagrams took longer since the kernel's stamp, all boots of a row together, \
                those that were lost included and the latest left out. How late they were sent is not in it; where a rate is less \
                than the feed's, it is how a queue grows" }
            (PreEscaped(plot::tails("µs from the kernel's stamp to the application", "part that took longer", &tails)?))
        } }
    } })
}

/// Microseconds, and which part of what was sent took longer.
#[expect(clippy::cast_precision_loss, reason = "neither is near 2^52")]
fn tail(latency: &Latency, lost: u64) -> Vec<(f64, f64)> {
    let all = latency.count() + lost;
    let mut longer = all;
    let mut points = Vec::new();
    for (nanoseconds, count) in &latency.bars {
        longer -= count;
        if longer > 0 {
            points.push((*nanoseconds as f64 / 1000.0, longer as f64 / all as f64));
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_is_told_with_its_losses_and_its_tail() {
        let measured = || Measured::sample(812.0, 10, true);
        let latency = measured().latency.unwrap().arrival;
        assert_eq!(tail(&latency, 10), [(1.5, 0.02), (25.0, 0.01)]);
        let runs = [
            RealWorld::sample("stock", Way::Recvmmsg, Outcome::Measured(measured())),
            RealWorld::sample("fastnet", Way::Remembered, Outcome::Skipped { why: "no room".into() }),
            RealWorld {
                buffer: 65_536,
                ..RealWorld::sample("stock", Way::Recvmmsg, Outcome::Measured(measured()))
            },
        ];
        let text = feeds(&runs.iter().collect::<Vec<_>>()).unwrap().into_string();
        for part in ["<td>812</td>", "<td>10</td>", "1.5 (1.5)", "<svg", "no room"] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        // Another buffer is another feed: no curve is of both.
        assert_eq!((text.matches("<table").count(), text.matches("<figure").count()), (2, 2));
    }
}
