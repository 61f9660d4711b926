//! How a test can end.

use std::fmt;
use std::time::Duration;

use super::ktap::Outcome;
use crate::exit::Exit;

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It did what it should.
    Pass,
    /// It did not.
    Fail,
    /// It could not run here.
    Skip,
    /// The kernel panicked while it ran.
    Panic,
    /// The kernel complained while it ran.
    Splat,
    /// The guest fell silent while it ran, or could not kill it.
    Hang,
    /// It was killed at its deadline.
    Timeout,
    /// QEMU ended while it ran.
    LostGuest,
    /// The runner in the guest failed.
    Infra,
}

impl Verdict {
    /// What the verdict means for the exit code of the whole; `None` if nothing is wrong.
    pub fn exit(self) -> Option<Exit> {
        match self {
            Self::Pass | Self::Skip => None,
            Self::Fail | Self::Splat | Self::Timeout => Some(Exit::Tests),
            Self::Panic | Self::Hang | Self::LostGuest | Self::Infra => Some(Exit::Guest),
        }
    }
}

impl From<Outcome> for Verdict {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Pass => Self::Pass,
            Outcome::Fail => Self::Fail,
            Outcome::Skip => Self::Skip,
            Outcome::Timeout => Self::Timeout,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "pass",
            Self::Fail => "FAIL",
            Self::Skip => "skip",
            Self::Panic => "PANIC",
            Self::Splat => "SPLAT",
            Self::Hang => "HANG",
            Self::Timeout => "TIMEOUT",
            Self::LostGuest => "LOST",
            Self::Infra => "INFRA",
        })
    }
}

/// A test, or a stretch of the guest's life outside any test, with its final verdict.
#[derive(Clone, Debug)]
pub struct Case {
    /// `abi::forget`; or, outside any test, `boot`, `after abi::forget`, `power-off`, `runner`.
    pub name: String,
    /// How it ended.
    pub verdict: Verdict,
    /// The reason in a few words; empty for a pass.
    pub why: String,
    /// From its start to its result, as the host saw them.
    pub duration: Duration,
    /// What it wrote, bounded.
    pub output: Vec<String>,
    /// What the console showed meanwhile, bounded: the lines before a complaint and those that follow it.
    pub console: Vec<String>,
}

/// The exit class of a run: the gravest of its cases'; a run in which nothing passed has failed, too.
pub fn exit(cases: &[Case]) -> Option<Exit> {
    let gravest = cases.iter().filter_map(|case| case.verdict.exit()).max_by_key(|exit| exit.code());
    let none_passed = !cases.iter().any(|case| case.verdict == Verdict::Pass);
    gravest.or(none_passed.then_some(Exit::Tests))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit_of(verdicts: &[Verdict]) -> Option<Exit> {
        let case = |&verdict| Case {
            name: String::new(),
            verdict,
            why: String::new(),
            duration: Duration::ZERO,
            output: Vec::new(),
            console: Vec::new(),
        };
        exit(&verdicts.iter().map(case).collect::<Vec<_>>())
    }

    #[test]
    fn the_gravest_verdict_decides() {
        use Verdict::{Fail, Hang, Infra, LostGuest, Panic, Pass, Skip, Splat, Timeout};
        assert_eq!(exit_of(&[Pass, Skip, Pass]), None);
        for verdict in [Fail, Splat, Timeout] {
            assert_eq!(exit_of(&[Pass, verdict, Pass]), Some(Exit::Tests), "{verdict}");
        }
        for verdict in [Panic, Hang, LostGuest, Infra] {
            assert_eq!(exit_of(&[Pass, verdict, Fail]), Some(Exit::Guest), "{verdict}");
        }
    }

    #[test]
    fn nothing_passed_is_no_success() {
        assert_eq!(exit_of(&[]), Some(Exit::Tests));
        assert_eq!(exit_of(&[Verdict::Skip]), Some(Exit::Tests));
    }
}
