//! Runs as people read them: a line a run, and tables in Markdown.

use std::fmt::Write as _;

use anyhow::Result;

use super::latency::Latency;
use super::result::{Latencies, Measured, RealWorld, Setting, Way};
use crate::bench::chapter::distinct;
use crate::bench::outcome::Outcome;
use crate::bench::statistics::Figure;
use crate::cli;
use crate::guest::qemu::Accel;

/// A run in one line.
pub fn line(run: &RealWorld) -> String {
    let look = if run.stamps { "stamped" } else { "plain" };
    let name = format!("{:8} {:10} {look:7}", run.origin.flavor, cli::name(&run.receiver));
    match &run.outcome {
        Outcome::Measured(Measured { received, lost, ns, latency, .. }) => {
            let lost = if *lost > 0 { format!(", {lost} LOST") } else { String::new() };
            let latency = latency.as_ref().map_or(String::new(), |latency| {
                format!(", p50 {}, p99 {}", time(latency.arrival.p50), time(latency.arrival.p99))
            });
            format!("{name} {ns:9.1} ns a datagram, {received} received{lost}{latency}")
        }
        Outcome::Skipped { why } => format!("{name} skipped: {why}"),
        Outcome::Failed { verdict, why } => format!("{name} {}: {why}", verdict.to_uppercase()),
    }
}

/// All runs of one kernel and receiver.
struct Row<'a> {
    runs: Vec<&'a RealWorld>,
}

/// What latencies are worth where the feed was too fast.
pub const BEHIND: &str = "Where a rate is told with the feed's, it is less: the receiver or its guest did not keep up, and latencies are \
                          those of a queue that grows.";

/// What the figures are worth where there is no CPU behind them.
const EMULATED: &str = "\nThe CPU is emulated: these are nanoseconds of a CPU that there is not. They show that all works and what \
                        gets lost, and compare only roughly.\n";

/// Sorts runs by what they share with those that they are compared with, in the order of their first coming.
pub fn settings<'a>(runs: &[&'a RealWorld]) -> Vec<(Setting<'a>, Vec<&'a RealWorld>)> {
    let of = |setting: Setting<'a>| {
        let runs = runs.iter().copied().filter(|run| run.setting() == setting).collect();
        (setting, runs)
    };
    distinct(runs.iter().map(|run| run.setting())).into_iter().map(of).collect()
}

/// A setting as people read it.
pub fn told(setting: &Setting<'_>) -> String {
    let Setting { version, config, accel, sender, feed, datagrams, buffer, .. } = setting;
    format!(
        "{feed}: {datagrams} datagrams, sent by {sender}. Linux {version}, config {config}, {accel}; receive buffers of {} KiB.",
        buffer >> 10
    )
}

/// The tables of runs of one setting: what the calls cost and what came; and how long it took.
pub fn tables(runs: &[&RealWorld]) -> Result<String> {
    let mut keys: Vec<(&str, Way)> = Vec::new();
    for run in runs {
        let key = (&*run.origin.flavor, run.receiver);
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    // A receiver's kernels below each other: they are what is compared.
    keys.sort_by_key(|(_, way)| *way as u8);
    let mut cost = "\n| receiver | kernel | ns a datagram | with stamps | a call | datagrams/s | gaps | lost | dead runs |\n\
                    |---|---|--:|--:|--:|--:|--:|--:|--:|\n"
        .to_owned();
    let mut latency =
        "\n| receiver | kernel | | p50 | p99 | p99.9 | max |\n|---|---|---|--:|--:|--:|--:|\n".to_owned();
    for (flavor, way) in keys {
        let of = |run: &&RealWorld| run.origin.flavor == flavor && run.receiver == way;
        let row = Row { runs: runs.iter().copied().filter(of).collect() };
        let name = format!("| {} | {flavor} |", cli::name(&way));
        cost += &row.cost(&name);
        latency += &row.latency(&name)?;
    }
    let behind =
        if runs.iter().any(|run| run.missed().is_some()) { format!("\n{BEHIND}\n") } else { String::new() };
    let emulated = runs.iter().any(|run| run.origin.accel != Accel::Kvm.to_string());
    Ok(cost + &latency + &behind + if emulated { EMULATED } else { "" })
}

impl Row<'_> {
    fn measured(&self, stamps: bool) -> impl Iterator<Item = &Measured> {
        self.runs.iter().filter(move |run| run.stamps == stamps).filter_map(|run| run.measured())
    }

    /// Median, least and most of the runs.
    fn figure(&self, stamps: bool, of: impl Fn(&Measured) -> f64) -> Option<Figure> {
        Figure::of(&self.measured(stamps).map(of).collect::<Vec<_>>())
    }

    fn cost(&self, name: &str) -> String {
        let ns = |stamps| {
            self.figure(stamps, |measured| measured.ns)
                .map_or("-".to_owned(), |Figure { min, median, max }| {
                    format!("{median:.0} ({min:.0}..{max:.0})")
                })
        };
        #[expect(clippy::cast_precision_loss, reason = "neither is near 2^52")]
        let batch = self.figure(false, |measured| measured.received as f64 / measured.calls.max(1) as f64);
        let one = |figure: Option<Figure>, digits| {
            figure.map_or("-".to_owned(), |figure| format!("{:.digits$}", figure.median))
        };
        let rate = self.figure(false, |measured| measured.rate);
        let missed = self.runs.iter().filter_map(|run| Some((run.measured()?.rate, run.missed()?)));
        let missed = missed.min_by(|one, other| one.0.total_cmp(&other.0));
        let missed = missed.map_or(String::new(), |(rate, feed)| format!(" (least {rate:.0} of {feed:.0})"));
        let all = || self.measured(false).chain(self.measured(true));
        let gaps: u64 = all().map(|measured| measured.gaps).sum();
        let lost: u64 = all().map(|measured| measured.lost).sum();
        let dead = self.runs.iter().filter(|run| run.outcome.failed()).count();
        let (plain, stamped, batch, rate) = (ns(false), ns(true), one(batch, 1), one(rate, 0));
        format!("{name} {plain} | {stamped} | {batch} | {rate}{missed} | {gaps} | {lost} | {dead} |\n")
    }

    fn latency(&self, name: &str) -> Result<String> {
        let lost = self.measured(true).map(|measured| measured.lost).sum();
        let of = |which: fn(&Latencies) -> &Latency| {
            let latencies = self.measured(true).filter_map(|measured| measured.latency.as_ref());
            Latency::merge(latencies.map(which), lost)
        };
        let arrival = of(|latencies| &latencies.arrival)?;
        let schedule = of(|latencies| &latencies.schedule)?;
        let mut text = String::new();
        for (since, latency) in [("arrival", arrival), ("schedule", schedule)] {
            if latency.count() + lost > 0 {
                let Latency { p50, p99, p99_9, max, .. } = latency;
                let [p50, p99, p99_9, max] = [p50, p99, p99_9, max].map(time);
                // A String takes whatever is written to it.
                let _ = writeln!(text, "{name} {since} | {p50} | {p99} | {p99_9} | {max} |");
            }
        }
        Ok(text)
    }
}

/// A latency as people read it: three digits, and the unit that fits them.
fn time(nanoseconds: Option<u64>) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    match nanoseconds {
        None => "lost".to_owned(),
        Some(ns @ 0..1000) => format!("{ns} ns"),
        Some(ns @ 1000..1_000_000) => format!("{} us", three(ns as f64 / 1e3)),
        Some(ns @ 1_000_000..1_000_000_000) => format!("{} ms", three(ns as f64 / 1e6)),
        Some(ns) => format!("{} s", three(ns as f64 / 1e9)),
    }
}

fn three(number: f64) -> String {
    let digits = if number < 10.0 { 2 } else { usize::from(number < 100.0) };
    format!("{number:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(flavor: &str, way: Way, measured: Measured) -> RealWorld {
        RealWorld::sample(flavor, way, Outcome::Measured(measured))
    }

    #[test]
    fn runs_become_rows() {
        let died = Outcome::Failed { verdict: "panic".into(), why: "receiver: boot: Oops".into() };
        let runs = [
            run("stock", Way::Recvmmsg, Measured::sample(300.0, 0, false)),
            run("fastnet", Way::Remembered, Measured::sample(100.0, 0, false)),
            run("fastnet", Way::Recvmmsg, Measured::sample(299.0, 0, false)),
            run("stock", Way::Recvmmsg, Measured::sample(320.4, 0, false)),
            run("stock", Way::Recvmmsg, Measured::sample(310.0, 0, false)),
            run("stock", Way::Recvmmsg, Measured { rate: 5000.0, ..Measured::sample(400.0, 0, true) }),
            run("fastnet", Way::Remembered, Measured::sample(200.0, 20, true)),
            RealWorld::sample("fastnet", Way::Remembered, died.clone()),
        ];
        let text = tables(&runs.each_ref()).unwrap();
        let rows: Vec<_> = text.lines().filter(|line| line.starts_with("| re")).collect();
        assert_eq!(
            rows[1..],
            [
                "| recvmmsg | stock | 310 (300..320) | 400 (400..400) | 10.0 | 10000 (least 5000 of 10000) | 0 | 0 | 0 |",
                "| recvmmsg | fastnet | 299 (299..299) | - | 10.0 | 10000 | 0 | 0 | 0 |",
                "| remembered | fastnet | 100 (100..100) | 200 (200..200) | 10.0 | 10000 | 20 | 20 | 1 |",
                "| receiver | kernel | | p50 | p99 | p99.9 | max |",
                "| recvmmsg | stock | arrival | 1.50 us | 1.50 us | 25.1 us | 25.1 us |",
                "| recvmmsg | stock | schedule | 1.50 us | 3.01 ms | 3.01 ms | 3.01 ms |",
                "| remembered | fastnet | arrival | 1.50 us | lost | lost | lost |",
                "| remembered | fastnet | schedule | 1.50 us | lost | lost | lost |",
            ]
        );
        assert!(line(&runs[0]).ends_with("300.0 ns a datagram, 1000 received"));
        assert!(line(&runs[6]).ends_with("980 received, 20 LOST, p50 1.50 us, p99 lost"));
        assert!(line(&runs[7]).ends_with("PANIC: receiver: boot: Oops"));
    }

    #[test]
    fn runs_that_differ_in_more_than_the_receiver_are_not_together() {
        let one = || run("stock", Way::Recvmmsg, Measured::sample(1.0, 0, false));
        let mut runs = vec![one(), run("fastnet", Way::Recvmsg, Measured::sample(1.0, 0, true))];
        for change in [
            |run: &mut RealWorld| run.buffer = 65_536,
            |run: &mut RealWorld| run.feed.datagrams = 7,
            |run: &mut RealWorld| run.sender = "fastnet".into(),
            |run: &mut RealWorld| run.origin.config = "lean".into(),
            |run: &mut RealWorld| run.origin.accel = "kvm".into(),
            |run: &mut RealWorld| run.origin.release = "6.11.11-stock".into(),
            |run: &mut RealWorld| (run.origin.accel, run.origin.host.cores) = ("kvm".into(), 99),
        ] {
            let mut other = one();
            change(&mut other);
            runs.push(other);
        }
        let together: Vec<_> =
            settings(&runs.iter().collect::<Vec<_>>()).iter().map(|(_, runs)| runs.len()).collect();
        assert_eq!(together, [2, 1, 1, 1, 1, 1, 1, 1]);
        assert_eq!(
            told(&runs[2].setting()),
            "a feed: 1000 datagrams, sent by stock. Linux 6.12.117, config vm, icount; receive buffers of 64 KiB."
        );
    }

    #[test]
    fn times_have_three_digits() {
        let shown = [7, 1234, 12_345, 123_456, 1_234_567, 12_345_678_901].map(|ns| time(Some(ns)));
        assert_eq!(shown, ["7 ns", "1.23 us", "12.3 us", "123 us", "1.23 ms", "12.3 s"]);
    }
}
