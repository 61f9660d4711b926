//! `cargo xtask ci`: all that CI runs, the same by hand.

use std::ffi::OsString;
use std::ops::AddAssign;
use std::time::{Duration, Instant};
use std::{env, fmt, iter};

use anyhow::Result;

use crate::exit::{self, Exit};
use crate::host::{self, Purpose, room};
use crate::process;
use crate::workspace::Workspace;

/// What is run, quick before slow. Each is a command line of its own, so that what failed can be run alone.
const STEPS: &[&str] = &[
    "cargo fmt --all --check",
    "ci/lint",
    "cargo clippy --workspace --all-targets -- -D warnings",
    "env RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --no-deps --document-private-items",
    "cargo test --no-fail-fast --package xtask",
    "cargo test --no-fail-fast --package rust-tests --lib --bins",
    "cargo xtask patch check --kernel 6.12",
    "cargo xtask build-kernel --kernel 6.12 --flavor fastnet",
    "cargo xtask test-in-vm --kernel 6.12 --flavor fastnet --junit target/ci/fastnet.xml",
    "cargo test --package xtask --test verdicts --test bench --test page --test real_world -- --ignored",
    "cargo xtask build-kernel --kernel 6.12 --flavor stock",
    "cargo xtask test-in-vm --kernel 6.12 --flavor stock --junit target/ci/stock.xml",
    "rm -f target/ci/figures.jsonl",
    "cargo xtask bench local recvmmsg/ipv4/64/ remembered/ipv4/64/ recv/ipv4/64/1/ io_uring_recv/ipv4/64/1000/ /ipv6/64/1000/ /mixed/1000/ /1024/1000/ --quick --repeat 1 --kernel 6.12 --json target/ci/figures.jsonl",
    "cargo xtask bench compare configs/figures/6.12.jsonl target/ci/figures.jsonl --ratios --tolerance 1",
    "cargo xtask build-kernel --kernel 6.12 --flavor fastnet --package deb,rpm",
    "cargo xtask test-in-vm abi --installed deb --kernel 6.12",
    "cargo test --package xtask --bin xtask -- --ignored --test-threads 1 deploy::by_hand deploy::rehearsal::a_kernel_that_panics",
];

/// What the steps need of the host: everything but a shell in the guest.
const NEEDED: &[Purpose] = &[
    Purpose::Fetch,
    Purpose::Build,
    Purpose::Distcc,
    Purpose::Deb,
    Purpose::Rpm,
    Purpose::Reproduce,
    Purpose::Guest,
    Purpose::Machine,
    Purpose::Deploy,
    Purpose::Lint,
    Purpose::Browse,
];

/// Runs the steps up to the first that fails; the last line on stdout is the count of tests.
pub fn run(workspace: &Workspace, yes: bool) -> Result<()> {
    host::require(NEEDED, yes)?;
    room::require(&workspace.target, room::KERNEL)?;

    let mut tally = Tally::default();
    let mut took = Vec::new();
    for (number, line) in iter::zip(1.., STEPS) {
        println!("==> {number}/{} {line}", STEPS.len());
        let started = Instant::now();
        let end = step(workspace, line, &mut tally);
        took.push(started.elapsed());
        if !matches!(end, Ok(None)) {
            report(&took);
            println!("\nstep {number} of {} failed; it alone, from the checkout:\n    {line}", STEPS.len());
            // A check that failed before any test did is a failure all the same.
            tally.failed = tally.failed.max(1);
            println!("{tally}");
        }
        if let Some(exit) = end? {
            return Err(exit::said(exit));
        }
    }
    report(&took);
    println!("{tally}");
    Ok(())
}

/// Runs one step, showing its output as it comes and adding the tests it counts; `None` if it passed.
fn step(workspace: &Workspace, line: &str, tally: &mut Tally) -> Result<Option<Exit>> {
    let shell = process::shell(&workspace.root)?;
    let mut words = line.split_whitespace();
    let mut command = shell.cmd(words.next().unwrap_or_default()).args(words);
    // What cargo told us about ourselves would make the cargo below compile some dependencies anew.
    let about_us = |name: &OsString| {
        name.to_str()
            .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
    };
    for name in env::vars_os().map(|(name, _)| name).filter(about_us) {
        command = command.env_remove(name);
    }
    let status = process::stream(command, |text| {
        println!("{text}");
        if let Some(counted) = Tally::of(text) {
            *tally += counted;
        }
        Ok(())
    })?;
    Ok((!status.success()).then(|| class(line, status.code())))
}

/// What a failed step's exit code says: our own commands' codes have a meaning, other tools' have not.
fn class(line: &str, code: Option<i32>) -> Exit {
    let ours = [Exit::Usage, Exit::Host, Exit::Guest, Exit::Network, Exit::Kernel];
    ours.into_iter()
        .filter(|_| line.starts_with("cargo xtask "))
        .find(|exit| code == Some(exit.code().into()))
        .unwrap_or(Exit::Tests)
}

/// How long each step took.
fn report(took: &[Duration]) {
    println!();
    for (line, took) in iter::zip(STEPS, took) {
        println!("{:8.1} s  {line}", took.as_secs_f64());
    }
}

/// Tests counted, on the host and in guests.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Tally {
    /// The counts in a line of `cargo test` or of `test-in-vm`, if it is the one that has them.
    fn of(line: &str) -> Option<Self> {
        let counts = match line.strip_prefix("test result: ") {
            Some(result) => result.split_once(". ")?.1,
            None => line,
        };
        let mut parts = counts.split([',', ';']);
        let mut count = |what| parts.next()?.trim().strip_suffix(what)?.parse().ok();
        Some(Self {
            passed: count(" passed")?,
            failed: count(" failed")?,
            // What cargo calls ignored is no skip: those tests have a step of their own.
            skipped: count(" skipped").unwrap_or(0),
        })
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::plan;
    use crate::cli::Flavor;

    #[test]
    fn both_ways_of_counting_are_understood() {
        let tally = |passed, failed, skipped| Some(Tally { passed, failed, skipped });
        assert_eq!(
            Tally::of(
                "test result: ok. 17 passed; 0 failed; 3 ignored; 0 measured; 0 filtered out; finished in 0.01s"
            ),
            tally(17, 0, 0)
        );
        assert_eq!(
            Tally::of("test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured"),
            tally(1, 2, 0)
        );
        assert_eq!(Tally::of("24 passed, 1 failed, 6 skipped"), tally(24, 1, 6));
    }

    #[test]
    fn other_lines_count_nothing() {
        for line in
            ["", "running 17 tests", "test a ... ok", "  24 tests passed, 1 failed", "x passed, 1 failed"]
        {
            assert_eq!(Tally::of(line), None, "{line}");
        }
    }

    #[test]
    fn the_last_line_reads_as_it_is_written() {
        let mut tally = Tally::of("24 passed, 1 failed, 6 skipped").unwrap();
        tally += Tally { passed: 1, failed: 1, skipped: 1 };
        assert_eq!(tally.to_string(), "25 passed, 2 failed, 7 skipped");
        assert_eq!(Tally::of(&tally.to_string()), Some(tally));
    }

    #[test]
    fn figures_are_kept_of_what_is_compared_with_them() {
        let filters = |line: &str| {
            let words = line.split("bench local ").nth(1)?.split(" --quick").next()?.split_whitespace();
            Some(words.filter(|word| *word != "\\").map(str::to_owned).collect::<Vec<_>>())
        };
        let measured = STEPS.iter().find_map(|line| filters(line)).unwrap();
        let guide = include_str!("../../../CONTRIBUTING.md");
        let kept = guide.split("rm -f configs/figures").nth(1).and_then(filters).unwrap();
        assert_eq!(kept, measured);
        for filter in measured {
            assert!(
                plan::cells(true, Flavor::Fastnet).iter().any(|cell| cell.is_called(&filter)),
                "{filter}"
            );
        }
    }

    #[test]
    fn only_our_own_exit_codes_mean_more_than_failure() {
        assert_eq!(class("cargo xtask test-in-vm", Some(4)), Exit::Guest);
        assert_eq!(class("cargo xtask test-in-vm", Some(1)), Exit::Tests);
        assert_eq!(class("cargo xtask test-in-vm", None), Exit::Tests);
        assert_eq!(class("ci/lint", Some(2)), Exit::Tests);
    }
}
