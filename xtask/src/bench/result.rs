//! What came of a cell: read from what the guest said, written as a line of JSON. docs/results.md describes the lines.

use std::fmt;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::plan::Cell;
use super::statistics::Figure;
use crate::exit::{self, Exit};
use crate::guest::verdict::{Case, Verdict};

/// Of the lines' fields. A change that an old reader would misunderstand makes it one more.
pub const SCHEMA: u32 = 1;

/// Rounds that the guest counts.
const ROUNDS: usize = 5;

/// One line: a cell as one boot of one kernel measured it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Record {
    /// [`SCHEMA`].
    pub schema: u32,
    /// What the kernel calls itself: `6.12.117-fastnet`.
    pub release: String,
    /// How much of the series it has.
    pub flavor: String,
    /// Its configuration, as on the command line.
    pub config: String,
    /// The `key` of its manifest: equal keys are equal kernels. None if it was not built by this command.
    pub build: Option<String>,
    /// `icount`, `tcg` or `kvm`.
    pub accel: String,
    /// The CPU model that the guest saw.
    pub cpu: String,
    /// What QEMU calls itself.
    pub qemu: String,
    /// Which boot of this kernel it was, counted from 1.
    pub boot: u32,
    /// What was measured.
    #[serde(flatten)]
    pub cell: Cell,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

impl Record {
    /// Whether something was lost or wrong, or the guest died.
    pub fn failed(&self) -> bool {
        matches!(self.outcome, Outcome::Failed { .. })
    }
}

/// What came of a cell.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum Outcome {
    /// Figures, a datagram (or, of remembering, a message).
    Measured(Measured),
    /// It can't be measured there.
    Skipped {
        /// The reason.
        why: String,
    },
    /// Something was lost or wrong, or the guest died.
    Failed {
        /// How it ended, in the words of `test-in-vm`.
        verdict: String,
        /// The reason.
        why: String,
    },
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

impl Outcome {
    /// Reads what a guest said of a cell.
    pub fn of(case: &Case, unit: Unit) -> Self {
        match case.verdict {
            Verdict::Pass => match measured(&case.output, unit) {
                Ok(measured) => Self::Measured(measured),
                Err(error) => Self::Failed { verdict: "infra".to_owned(), why: format!("{error:#}") },
            },
            Verdict::Skip => Self::Skipped { why: case.why.clone() },
            verdict => {
                // Its last words, if it had any.
                let said = case.output.iter().rfind(|line| !line.starts_with("release "));
                let why = [Some(&case.why), said].into_iter().flatten().map(String::as_str);
                let why = why.collect::<Vec<_>>().join(": ");
                Self::Failed { verdict: verdict.to_string().to_lowercase(), why }
            }
        }
    }
}

/// The kernel's release as a guest told it.
pub fn release(case: &Case) -> Option<&str> {
    case.output.iter().find_map(|line| line.strip_prefix("release "))
}

fn measured(output: &[String], unit: Unit) -> Result<Measured> {
    let lines = |kind: &'static str| {
        output.iter().filter_map(move |line| line.strip_prefix(kind)?.strip_prefix(' ').map(str::to_owned))
    };
    let (mut figures, mut sums) = (Vec::new(), Vec::new());
    for line in lines("round") {
        let numbers = line.split(' ').map(str::parse).collect::<Result<Vec<u64>, _>>();
        let numbers = numbers.with_context(|| format!("the guest said: round {line}"))?;
        let &[ticks, datagrams @ (1..), calls] = &numbers[..] else {
            anyhow::bail!("the guest said: round {line}");
        };
        #[expect(clippy::cast_precision_loss, reason = "neither is near 2^52")]
        figures.push(ticks as f64 / datagrams as f64);
        sums.push((datagrams, calls));
    }
    ensure!(figures.len() == ROUNDS, "{} rounds came of {ROUNDS}", figures.len());
    let (datagrams, calls) = sums[ROUNDS - 1];
    let bytes = lines("bytes").next().map(|bytes| bytes.parse()).transpose();
    Ok(Measured {
        unit,
        rounds: ROUNDS,
        figure: Figure::of(&figures).context("no rounds")?,
        datagrams,
        calls,
        bytes: bytes.context("the guest said odd bytes")?,
    })
}

/// Reads lines of JSON that [`Record`]s were written to.
///
/// Errors name the line, and what is wrong with it.
pub fn read(text: &str) -> Result<Vec<Record>> {
    /// Read first: all else may differ in another schema.
    #[derive(Deserialize)]
    struct Head {
        schema: u32,
    }
    let line = |(number, line): (usize, &str)| {
        let broken = || format!("line {number} is no result of `bench local`");
        let Head { schema } = serde_json::from_str(line).with_context(broken)?;
        ensure!(schema == SCHEMA, "line {number} is of schema {schema}, and this program knows {SCHEMA}");
        serde_json::from_str(line).with_context(broken)
    };
    let records: Result<_> = (1..).zip(text.lines()).map(line).collect();
    records.map_err(|error| exit::error(Exit::Usage, format!("{error:#}")))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::plan::{Family, Mix, Receiver, Shape, Size};
    use super::*;

    fn case(verdict: Verdict, why: &str, output: &[&str]) -> Case {
        Case {
            name: "recvmmsg/ipv4/64/1000".into(),
            verdict,
            why: why.into(),
            duration: Duration::ZERO,
            output: output.iter().map(|&line| line.to_owned()).collect(),
            console: Vec::new(),
        }
    }

    const SAID: [&str; 7] = [
        "release 6.12.117-fastnet",
        "round 4000 10 1",
        "round 1000 10 1",
        "round 3000 10 1",
        "round 2000 10 1",
        "round 5000 10 1",
        "bytes 4096",
    ];

    fn failed(output: &[&str]) -> String {
        match Outcome::of(&case(Verdict::Pass, "", output), Unit::Instructions) {
            Outcome::Failed { verdict, why } => format!("{verdict}: {why}"),
            other => panic!("{other:?}"),
        }
    }

    fn record(outcome: Outcome) -> Record {
        let text = |text: &str| text.to_owned();
        let size = Size::Of(Mix::Mixed);
        Record {
            schema: SCHEMA,
            release: text("6.12.117-fastnet"),
            flavor: text("fastnet"),
            config: text("vm"),
            build: Some(text("0123")),
            accel: text("icount"),
            cpu: text("qemu64"),
            qemu: text("QEMU emulator version 7.2.22"),
            boot: 1,
            cell: Cell {
                receiver: Receiver::IoUringRecvmsg,
                shape: Shape { family: Family::Ipv6, size, messages: 8, name: true },
            },
            outcome,
        }
    }

    #[test]
    fn a_guests_words_become_figures_a_datagram() {
        let case = case(Verdict::Pass, "", &SAID);
        assert_eq!(release(&case), Some("6.12.117-fastnet"));
        let figure = Figure { min: 100.0, median: 300.0, max: 500.0 };
        let expected =
            Measured { unit: Unit::Ns, rounds: 5, figure, datagrams: 10, calls: 1, bytes: Some(4096) };
        assert_eq!(Outcome::of(&case, Unit::Ns), Outcome::Measured(expected));
    }

    #[test]
    fn truncated_and_garbled_words_are_no_figures() {
        assert_eq!(failed(&SAID[..5]), "infra: 4 rounds came of 5");
        assert_eq!(failed(&[]), "infra: 0 rounds came of 5");
        for line in ["round 5000 10", "round 5000 0 1", "round 5000 1O 1", "round 5000 10 1 1", "round "] {
            let mut said = SAID;
            said[5] = line;
            assert!(failed(&said).starts_with("infra: the guest said: round"), "{line}");
        }
        assert!(
            failed(&[&SAID[..6], &["bytes many"]].concat()).starts_with("infra: the guest said odd bytes")
        );
    }

    #[test]
    fn a_failure_keeps_its_last_words() {
        let lost = case(Verdict::Fail, "exit 1", &["release 6.12", "7 of 8 messages were lost"]);
        let failed = |verdict: &str, why: &str| Outcome::Failed { verdict: verdict.into(), why: why.into() };
        assert_eq!(Outcome::of(&lost, Unit::Ns), failed("fail", "exit 1: 7 of 8 messages were lost"));
        let died = case(Verdict::Panic, "Oops", &["release 6.12"]);
        assert_eq!(Outcome::of(&died, Unit::Ns), failed("panic", "Oops"));
        let skipped = case(Verdict::Skip, "no room", &["SKIP: no room"]);
        assert_eq!(Outcome::of(&skipped, Unit::Ns), Outcome::Skipped { why: "no room".into() });
    }

    #[test]
    fn lines_read_back() {
        let measured = Outcome::of(&case(Verdict::Pass, "", &SAID), Unit::Instructions);
        let records = [
            record(measured),
            record(Outcome::Skipped { why: "no room".into() }),
            record(Outcome::Failed { verdict: "panic".into(), why: "Oops".into() }),
        ];
        let lines: Vec<_> = records.iter().map(|record| serde_json::to_string(record).unwrap()).collect();
        assert_eq!(read(&lines.join("\n")).unwrap(), records);
        assert_eq!(read("").unwrap(), []);
        // The names that docs/results.md promises.
        let line: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
        let of = |name: &str| line[name].to_string();
        assert_eq!(
            [
                "schema", "receiver", "family", "size", "messages", "name", "outcome", "unit", "median",
                "bytes"
            ]
            .map(of),
            [
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
    fn another_schema_and_half_a_line_are_refused() {
        let line = serde_json::to_string(&record(Outcome::Skipped { why: "no room".into() })).unwrap();
        let complaint = |text: &str| format!("{:#}", read(text).unwrap_err());
        let newer = line.replace(r#""schema":1"#, r#""schema":2,"new":0"#);
        let said = complaint(&format!("{line}\n{newer}"));
        assert_eq!(said, "line 2 is of schema 2, and this program knows 1");
        for broken in [&line[..line.len() / 2], "", "{}", "# a title", &line.replace("skipped", "guessed")] {
            let said = complaint(&format!("{line}\n{broken}\n{line}"));
            assert!(said.starts_with("line 2 is no result of `bench local`"), "{said}");
        }
    }
}
