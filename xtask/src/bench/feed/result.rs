//! What came of one run, as a line of JSON. docs/results.md describes the lines.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::latency::Latency;
use crate::bench::origin::{Host, Origin, version};
use crate::bench::outcome::Outcome;

/// A way to receive.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, ValueEnum)]
#[value(rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// `recvmsg()`, a datagram a call.
    Recvmsg,
    /// `recvmmsg()`, up to 64 a call.
    Recvmmsg,
    /// The same into an array that was remembered.
    Remembered,
}

/// A feed that one pair of guests ran.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct RealWorld {
    /// Of the receiving guest.
    #[serde(flatten)]
    pub origin: Origin,
    /// How much of the series the sending guest has.
    pub sender: String,
    /// How it was received.
    pub receiver: Way,
    /// Whether the socket asked for time stamps. Then there are latencies, and calls cost more: each datagram comes with a
    /// control message, which a remembered array takes by the fuller of its two paths.
    pub stamps: bool,
    /// What the socket's receive buffer was asked to hold, in bytes.
    pub buffer: u32,
    /// What was sent.
    pub feed: About,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome<Measured>,
}

/// What was sent.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct About {
    /// What it is, for a reader.
    pub name: String,
    /// How many datagrams it has.
    pub datagrams: u64,
    /// From the first to the last, as planned, in nanoseconds.
    pub duration: u64,
    /// The options of `bench real-world` that had it sent; old lines do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
}

/// Figures of a run.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Measured {
    /// Datagrams that came.
    pub received: u64,
    /// Those that did not.
    pub lost: u64,
    /// How often one or more were missing in a row.
    pub gaps: u64,
    /// Those that came behind a later one.
    pub disordered: u64,
    /// Receive calls that brought something.
    pub calls: u64,
    /// What those took together, in nanoseconds a datagram.
    pub ns: f64,
    /// Datagrams a second, from the first to the last.
    pub rate: f64,
    /// How late the latest datagram was sent, in nanoseconds.
    pub late: u64,
    /// With stamps: how long they took.
    pub latency: Option<Latencies>,
}

/// How long datagrams took until the call that brought them returned.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Latencies {
    /// Since the receiving kernel stamped them.
    pub arrival: Latency,
    /// The same, and how late each was sent: a sender that was held up sends less just when it is hard to keep up, and what
    /// it should have sent then waited all the time.
    pub schedule: Latency,
}

impl RealWorld {
    /// Its figures, if there are any.
    pub fn measured(&self) -> Option<&Measured> {
        self.outcome.measured()
    }

    /// What it shares with those that it is compared with.
    pub fn setting(&self) -> Setting<'_> {
        let Origin { release, config, accel, .. } = &self.origin;
        let About { name: feed, datagrams, duration, asked: _ } = &self.feed;
        Setting {
            version: version(release),
            config,
            accel,
            clock: self.origin.clock(),
            sender: &self.sender,
            feed,
            datagrams: *datagrams,
            duration: *duration,
            buffer: self.buffer,
        }
    }

    /// The feed's datagrams a second, if the run did not keep up with it. A hundredth is the clocks'.
    #[expect(clippy::cast_precision_loss, reason = "neither is near 2^52")]
    pub fn missed(&self) -> Option<f64> {
        let planned = self.feed.datagrams as f64 / (self.feed.duration.max(1) as f64 / 1e9);
        self.measured().filter(|measured| measured.rate < 0.99 * planned).map(|_| planned)
    }

    /// Whether both are of the same run.
    pub fn is_of_the_same(&self, other: &Self) -> bool {
        (self.receiver, self.stamps) == (other.receiver, other.stamps)
            && self.origin.is_of_the_same(&other.origin)
            && self.setting() == other.setting()
    }
}

/// What runs must share to be compared: who receives, and how, is all that they may differ in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Setting<'a> {
    /// Linux's own version, whatever the flavor.
    pub version: &'a str,
    /// The kernels' configuration.
    pub config: &'a str,
    /// Who ran the guests' instructions.
    pub accel: &'a str,
    /// Whose time it is.
    pub clock: Option<(&'a str, &'a Host)>,
    /// How much of the series the sending guest has.
    pub sender: &'a str,
    /// What was sent, for a reader.
    pub feed: &'a str,
    /// How many that were.
    pub datagrams: u64,
    /// For how long they were planned, in nanoseconds.
    pub duration: u64,
    /// What the receiver's buffer was asked to hold, in bytes.
    pub buffer: u32,
}

#[cfg(test)]
impl RealWorld {
    /// One for tests.
    pub fn sample(flavor: &str, receiver: Way, outcome: Outcome<Measured>) -> Self {
        let stamps = matches!(&outcome, Outcome::Measured(measured) if measured.latency.is_some());
        Self {
            origin: Origin::sample(flavor, 1),
            sender: "stock".into(),
            receiver,
            stamps,
            buffer: 8 << 20,
            feed: About { name: "a feed".into(), datagrams: 1000, duration: 100_000_000, asked: None },
            outcome,
        }
    }
}

#[cfg(test)]
impl Measured {
    /// One for tests: of a thousand datagrams, this many were lost in as many gaps.
    pub fn sample(ns: f64, lost: u64, stamps: bool) -> Self {
        let latency = |bars: &[(u64, u64)]| Latency::new(bars.to_vec(), lost).unwrap();
        Self {
            received: 1000 - lost,
            lost,
            gaps: lost,
            disordered: 0,
            calls: 100,
            ns,
            rate: 9999.5,
            late: 5000,
            latency: stamps.then(|| Latencies {
                arrival: latency(&[(1500, 990 - lost), (25_000, 10)]),
                schedule: latency(&[(1500, 900 - lost), (3_000_000, 100)]),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::ledger::Ledger;
    use crate::bench::result::{self, Line};

    #[test]
    fn lines_read_back() {
        let died = Outcome::Failed { verdict: "panic".into(), why: "receiver: Oops".into() };
        let runs = [
            Outcome::Measured(Measured::sample(123.5, 3, true)),
            Outcome::Measured(Measured::sample(99.0, 0, false)),
            died,
        ];
        let written = runs.map(|outcome| Line::from(RealWorld::sample("fastnet", Way::Remembered, outcome)));
        let lines: Vec<_> = written.iter().map(|line| line.to_json().unwrap()).collect();
        assert_eq!(result::read(&lines.join("\n")).unwrap(), written);
        // The names that docs/results.md promises.
        let line: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
        let arrival = &line["latency"]["arrival"];
        assert_eq!((&line["experiment"], &line["receiver"]), (&"real-world".into(), &"remembered".into()));
        assert_eq!((&line["lost"], &line["ns"], &line["stamps"]), (&3.into(), &123.5.into(), &true.into()));
        assert_eq!((&arrival["bars"][0][0], &arrival["p99_9"]), (&1500.into(), &serde_json::Value::Null));
    }

    #[test]
    fn a_run_that_does_not_keep_up_is_told_from_one_that_does() {
        let missed = |rate| {
            let measured = Measured { rate, ..Measured::sample(1.0, 0, false) };
            RealWorld::sample("stock", Way::Recvmsg, Outcome::Measured(measured)).missed()
        };
        assert_eq!([9800.0, 9950.0, 10_100.0].map(missed), [Some(10_000.0), None, None]);
    }

    /// Else a file would change whenever it is written anew.
    #[test]
    fn figures_read_back_to_the_last_digit() {
        for divisor in 1..2000 {
            let outcome = Outcome::Measured(Measured::sample(1e9 / f64::from(divisor), 0, false));
            let line = Line::from(RealWorld::sample("stock", Way::Recvmsg, outcome));
            assert_eq!(result::read(&line.to_json().unwrap()).unwrap(), [line]);
        }
    }

    #[test]
    fn a_second_try_takes_the_place_of_the_first() {
        let mut ledger = Ledger::open(None).unwrap();
        let run = |ns, flavor| {
            let outcome = Outcome::Measured(Measured::sample(ns, 0, false));
            RealWorld::sample(flavor, Way::Recvmmsg, outcome)
        };
        let mut stock = run(3.0, "stock");
        stock.origin.build = "4567".into();
        for run in [run(1.0, "fastnet"), stock.clone(), run(2.0, "fastnet")] {
            ledger.add(run).unwrap();
        }
        assert!(ledger.runs().eq(&[stock, run(2.0, "fastnet")]));
    }
}
