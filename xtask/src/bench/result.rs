//! What experiments found, as lines of JSON. docs/results.md describes the lines.

use std::fmt;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::cell::Cell;
use super::feed::result::RealWorld;
use super::hints::Evidence;
use super::origin::Origin;
use super::outcome::Outcome;
use super::profile::Profile;
use super::statistics::Figure;
use crate::exit::{self, Exit};

/// Of the lines' fields. A change that an old reader would misunderstand makes it one more.
pub const SCHEMA: u32 = 2;

/// One line: what an experiment found.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "experiment", rename_all = "kebab-case")]
pub enum Line {
    /// `bench local`: what a datagram costs in a guest.
    Local(Record),
    /// `bench real-world`: what came of a feed between two guests.
    RealWorld(RealWorld),
    /// `bench hints`: how often each branch hint of the patches was right.
    Hints(Evidence),
    /// `bench profile`, and `bench hints`: where a datagram's instructions go.
    Profile(Profile),
}

impl Line {
    /// By what it was found.
    pub fn origin(&self) -> &Origin {
        match self {
            Self::Local(record) => &record.origin,
            Self::RealWorld(run) => &run.origin,
            Self::Hints(evidence) => &evidence.origin,
            Self::Profile(profile) => &profile.origin,
        }
    }

    /// Whether both are of the same, so that the newer one counts.
    pub fn is_of_the_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Local(ours), Self::Local(theirs)) => ours.is_of_the_same(theirs),
            (Self::RealWorld(ours), Self::RealWorld(theirs)) => ours.is_of_the_same(theirs),
            (Self::Hints(ours), Self::Hints(theirs)) => ours.origin.build == theirs.origin.build,
            (Self::Profile(ours), Self::Profile(theirs)) => {
                ours.traced.cell == theirs.traced.cell && ours.origin.build == theirs.origin.build
            }
            _ => false,
        }
    }

    /// As it is written: one line, its schema first, without the line's end.
    pub fn to_json(&self) -> Result<String> {
        #[derive(Serialize)]
        struct Written<'a> {
            schema: u32,
            #[serde(flatten)]
            line: &'a Line,
        }
        Ok(serde_json::to_string(&Written { schema: SCHEMA, line: self })?)
    }
}

impl From<Record> for Line {
    fn from(record: Record) -> Self {
        Self::Local(record)
    }
}

impl From<Evidence> for Line {
    fn from(evidence: Evidence) -> Self {
        Self::Hints(evidence)
    }
}

impl From<Profile> for Line {
    fn from(profile: Profile) -> Self {
        Self::Profile(profile)
    }
}

impl From<RealWorld> for Line {
    fn from(run: RealWorld) -> Self {
        Self::RealWorld(run)
    }
}

/// A cell as one boot of one kernel measured it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Record {
    /// By what it was measured.
    #[serde(flatten)]
    pub origin: Origin,
    /// What was measured.
    #[serde(flatten)]
    pub cell: Cell,
    /// Of a stream: as many datagrams were to be sent, or so many more as make whole calls.
    pub stream: Option<u64>,
    /// What came of it: figures, a datagram (or, of remembering, a message).
    #[serde(flatten)]
    pub outcome: Outcome<Measured>,
}

impl Record {
    /// Its figures, if there are any.
    pub fn measured(&self) -> Option<&Measured> {
        self.outcome.measured()
    }

    /// Whether both are of the same cell, kernel and boot. One image may be measured as two flavors, to see that it does
    /// not differ from itself.
    pub fn is_of_the_same(&self, other: &Self) -> bool {
        self.cell == other.cell && self.stream == other.stream && self.origin.is_of_the_same(&other.origin)
    }
}

/// Figures and what they are of.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Measured {
    /// What was counted.
    pub unit: Unit,
    /// How often.
    pub rounds: usize,
    /// Per datagram.
    #[serde(flatten)]
    pub figure: Figure,
    /// In each round.
    pub datagrams: u64,
    /// That brought them, in each round.
    pub calls: u64,
    /// Of remembering: the kernel memory that it was charged for.
    pub bytes: Option<u64>,
    /// Of a stream: nanoseconds of a CPU that the receiver had, a datagram.
    pub receiver_cpu: Option<f64>,
    /// Of a stream: datagrams that were sent and did not come.
    pub lost: u64,
}

#[cfg(test)]
impl Measured {
    /// One for tests: instructions, of ten datagrams a round.
    pub fn sample(figure: Figure) -> Self {
        let (unit, bytes, receiver_cpu) = (Unit::Instructions, None, None);
        Self { unit, rounds: 5, figure, datagrams: 10, calls: 1, bytes, receiver_cpu, lost: 0 }
    }
}

/// What a figure counts.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Of the guest's CPU: they repeat, and say nothing of how long one takes.
    Instructions,
    /// Of the guest's monotonic clock.
    Ns,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Instructions => "instructions",
            Self::Ns => "ns",
        })
    }
}

/// Reads what [`Line::to_json`] wrote, a line each.
///
/// Errors name the line, and what is wrong with it.
pub fn read(text: &str) -> Result<Vec<Line>> {
    /// Read first: all else may differ in another schema.
    #[derive(Deserialize)]
    struct Head {
        schema: u32,
    }
    let line = |(number, line): (usize, &str)| {
        let broken = || format!("line {number} is no result of a bench");
        let Head { schema } = serde_json::from_str(line).with_context(broken)?;
        ensure!(schema == SCHEMA, "line {number} is of schema {schema}, and this program knows {SCHEMA}");
        serde_json::from_str(line).with_context(broken)
    };
    let lines: Result<_> = (1..).zip(text.lines()).map(line).collect();
    lines.map_err(|error| exit::error(Exit::Usage, format!("{error:#}")))
}

#[cfg(test)]
mod tests {
    use super::super::cell::{BASE, Family, Link, Mix, Receiver, Shape, Size};
    use super::*;

    fn line(outcome: Outcome<Measured>) -> Line {
        let size = Size::Of(Mix::Mixed);
        let shape = Shape { family: Family::Ipv6, size, messages: 8, name: true, ..BASE };
        let cell = Cell { receiver: Receiver::IoUringRecvmsg, shape };
        Line::Local(Record { origin: Origin::sample("fastnet", 1), cell, stream: None, outcome })
    }

    #[test]
    fn lines_read_back() {
        let figure = Figure { min: 100.0, median: 300.0, max: 500.5 };
        let measured = Measured { bytes: Some(4096), ..Measured::sample(figure) };
        let written = [
            line(Outcome::Measured(measured)),
            line(Outcome::Skipped { why: "no room".into() }),
            line(Outcome::Failed { verdict: "panic".into(), why: "Oops".into() }),
        ];
        let lines: Vec<_> = written.iter().map(|line| line.to_json().unwrap()).collect();
        assert_eq!(read(&lines.join("\n")).unwrap(), written);
        assert_eq!(read("").unwrap(), []);
        // The names that docs/results.md promises.
        let line: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
        let of = |name: &str| line[name].to_string();
        assert_eq!(
            [
                "schema",
                "experiment",
                "build",
                "accel",
                "boot",
                "receiver",
                "family",
                "size",
                "messages",
                "name",
                "outcome",
                "unit",
                "median",
                "bytes"
            ]
            .map(of),
            [
                "2",
                r#""local""#,
                r#""0123""#,
                r#""icount""#,
                "1",
                r#""io_uring_recvmsg""#,
                r#""ipv6""#,
                r#""mixed""#,
                "8",
                "true",
                r#""measured""#,
                r#""instructions""#,
                "300.0",
                "4096"
            ]
        );
    }

    #[test]
    fn the_loopback_is_what_lines_say_nothing_of() {
        let mut over_veth = line(Outcome::Skipped { why: "no veth".into() });
        let plain = over_veth.to_json().unwrap();
        let Line::Local(record) = &mut over_veth else { panic!() };
        record.cell.shape.link = Link::Veth;
        let written = over_veth.to_json().unwrap();
        assert!(!plain.contains("link") && written.contains(r#""name":true,"link":"veth""#), "{written}");
        let read = read(&format!("{plain}\n{written}")).unwrap();
        assert_eq!(read[1], over_veth);
        assert!(!read[0].is_of_the_same(&read[1]));
    }

    #[test]
    fn another_schema_and_half_a_line_are_refused() {
        let line = line(Outcome::Skipped { why: "no room".into() }).to_json().unwrap();
        let complaint = |text: &str| format!("{:#}", read(text).unwrap_err());
        for schema in [1, 3] {
            let other = line.replace(r#""schema":2"#, &format!(r#""schema":{schema},"new":0"#));
            let said = complaint(&format!("{line}\n{other}"));
            assert_eq!(said, format!("line 2 is of schema {schema}, and this program knows 2"));
        }
        for broken in [
            &line[..line.len() / 2],
            "",
            "{}",
            "# a title",
            &line.replace("skipped", "guessed"),
            &line.replace("local", "lunar"),
        ] {
            let said = complaint(&format!("{line}\n{broken}\n{line}"));
            assert!(said.starts_with("line 2 is no result of a bench"), "{said}");
        }
    }
}
