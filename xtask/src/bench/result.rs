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
                let said = case.output.last().map_or(String::new(), |line| format!(": {line}"));
                let why = format!("{}{said}", case.why);
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
