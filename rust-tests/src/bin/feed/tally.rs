//! The account of what came: how much, with what gaps, at what cost, and how late.

use std::fmt::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hdrhistogram::Histogram;

use crate::script::Script;

/// Latencies are told apart by one percent of their own.
const DIGITS: u8 = 2;
/// So many bars of a histogram go on one line.
const BARS: usize = 100;

/// The account.
pub struct Tally<'a> {
    script: &'a Script,
    /// The least number that has not been reached.
    next: usize,
    received: usize,
    gaps: usize,
    disordered: usize,
    calls: usize,
    spent: Duration,
    first: Option<Instant>,
    last: Option<Instant>,
    latencies: Option<Latencies>,
}

/// In nanoseconds.
struct Latencies {
    arrival: Histogram<u64>,
    schedule: Histogram<u64>,
}

impl<'a> Tally<'a> {
    /// Of nothing yet.
    pub fn new(script: &'a Script, stamped: bool) -> Self {
        let histogram = || Histogram::new(DIGITS).expect("two digits are few enough");
        let latencies = stamped.then(|| Latencies { arrival: histogram(), schedule: histogram() });
        Self {
            script,
            next: 0,
            received: 0,
            gaps: 0,
            disordered: 0,
            calls: 0,
            spent: Duration::ZERO,
            first: None,
            last: None,
            latencies,
        }
    }

    /// Takes account of a call that brought something.
    pub fn call(&mut self, took: Duration, ended: Instant) {
        self.calls += 1;
        self.spent += took;
        self.first.get_or_insert(ended);
        self.last = Some(ended);
    }

    /// Takes account of a datagram, and of its latency if it was stamped.
    pub fn datagram(&mut self, payload: &[u8], latency: Option<Duration>) -> Result<()> {
        let (number, late) = self.script.check(payload)?;
        self.received += 1;
        if number < self.next {
            self.disordered += 1;
        } else {
            self.gaps += usize::from(number > self.next);
            self.next = number + 1;
        }
        if let Some(latencies) = &mut self.latencies {
            let latency = latency.with_context(|| format!("datagram {number} came without a stamp"))?;
            latencies.arrival.record(nanoseconds(latency)?)?;
            latencies.schedule.record(nanoseconds(late + latency)?)?;
        }
        Ok(())
    }

    /// Whether the last datagram has come.
    pub fn over(&self) -> bool {
        self.next == self.script.datagrams().len()
    }

    /// Prints all of it.
    pub fn print(&self) {
        println!("received {} {} {}", self.received, self.gaps + usize::from(!self.over()), self.disordered);
        println!("calls {} {}", self.calls, self.spent.as_nanos());
        let span = self.first.zip(self.last).map_or(Duration::ZERO, |(first, last)| last - first);
        println!("span {}", span.as_nanos());
        if let Some(Latencies { arrival, schedule }) = &self.latencies {
            print!("{}{}", bars("arrival", arrival), bars("schedule", schedule));
        }
    }
}

fn nanoseconds(latency: Duration) -> Result<u64> {
    u64::try_from(latency.as_nanos()).context("a latency of centuries")
}

/// A histogram's bars, each by its upper end, in lines.
fn bars(name: &str, histogram: &Histogram<u64>) -> String {
    let mut text = String::new();
    for (i, bar) in histogram.iter_recorded().enumerate() {
        let start = if i % BARS == 0 { name } else { "" };
        let end = if i % BARS == BARS - 1 { "\n" } else { "" };
        // A string takes whatever is written to it.
        let _ = write!(text, "{start} {}:{}{end}", bar.value_iterated_to(), bar.count_at_value());
    }
    text.trim_end().to_owned() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::tests::script;

    /// What comes of a feed of ten datagrams, of which these arrive.
    fn account(numbers: &[usize]) -> (usize, usize, usize, bool) {
        let script = script(&[20; 10]);
        let mut tally = Tally::new(&script, false);
        let mut buffer = Vec::new();
        for &number in numbers {
            let payload = script.write(number, Duration::ZERO, &mut buffer).unwrap();
            tally.datagram(payload, None).unwrap();
        }
        (tally.received, tally.gaps, tally.disordered, tally.over())
    }

    #[test]
    fn gaps_are_seen() {
        assert_eq!(account(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]), (10, 0, 0, true));
        assert_eq!(account(&[0, 1, 4, 5, 9]), (5, 2, 0, true));
        assert_eq!(account(&[1, 2]), (2, 1, 0, false));
        assert_eq!(account(&[0, 2, 1, 3]), (4, 1, 1, false));
    }

    #[test]
    fn latencies_are_told_with_and_without_the_senders_lateness() {
        let script = script(&[20; 300]);
        let mut tally = Tally::new(&script, true);
        let mut buffer = Vec::new();
        for number in 0..300 {
            let payload = script.write(number, Duration::from_millis(3), &mut buffer).unwrap();
            let latency = Duration::from_nanos(50 << (number % 3));
            tally.datagram(payload, Some(latency)).unwrap();
        }
        let latencies = tally.latencies.as_ref().unwrap();
        assert_eq!(bars("arrival", &latencies.arrival), "arrival 50:100 100:100 200:100\n");
        let late = latencies.schedule.min();
        assert!((2_970_000..=3_000_050).contains(&late), "{late}");
        let payload = script.write(0, Duration::ZERO, &mut buffer).unwrap();
        assert!(tally.datagram(payload, None).unwrap_err().to_string().contains("without a stamp"));
    }

    #[test]
    fn no_line_is_longer_than_the_host_takes() {
        let mut histogram = Histogram::new(DIGITS).unwrap();
        for power in 0..40 {
            for step in 0..128 {
                histogram.record((1_u64 << power) + (step << power) / 128).unwrap();
            }
        }
        let text = bars("arrival", &histogram);
        assert!(text.lines().count() > 10 && text.ends_with('\n') && !text.ends_with("\n\n"));
        for line in text.lines() {
            assert!(line.starts_with("arrival ") && line.len() < 4000, "{}", line.len());
        }
    }
}
