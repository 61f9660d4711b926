//! The runner: every test of every executable, one after the other, reported as KTAP.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::case::{self, Ended};
use crate::options::Options;
use crate::port::Port;
use crate::{leaks, system};

/// Where the initramfs has the test executables.
const TESTS: &str = "/tests";

/// What tells the long tests from the other ignored ones, which are faults on purpose.
const LONG: &str = "::long";

/// Runs the tests asked for. Fails only if the runner itself does: the host hears of the tests by the port.
pub fn run(options: &Options) -> Result<()> {
    let mut port = Port::open()?;
    port.line("KTAP version 1");
    let tests = select(list(options.ignored || options.long)?, options);
    port.line(&format!("1..{}", tests.len()));
    for (index, test) in tests.iter().enumerate() {
        let name = test.name();
        port.line(&format!("# start {name}"));
        // The console has the same marks, so that a kernel message between them is known to be this test's.
        system::kmsg(&format!("fastnet: start {name}"))?;
        let (ended, output) = case::run(&test.executable, &test.path, options, || port.line("# alive"))?;
        if ended == Ended::Unkillable {
            bail_out(&mut port, &format!("unkillable {name}"));
        }
        system::kmsg(&format!("fastnet: end {name}"))?;
        for line in output.text().lines() {
            port.line(&format!("# | {line}"));
        }
        port.line(&result(index + 1, &name, &ended, options));
    }
    leaks::report(|| port.line("# alive"))
}

fn result(index: usize, name: &str, ended: &Ended, options: &Options) -> String {
    match ended {
        Ended::Pass => format!("ok {index} {name}"),
        Ended::Skip(why) => format!("ok {index} {name} # SKIP {why}"),
        Ended::Fail(how) => format!("not ok {index} {name} # {how}"),
        Ended::Timeout | Ended::Unkillable => {
            format!("not ok {index} {name} # TIMEOUT after {} s", options.deadline.as_secs())
        }
    }
}

/// Ends the guest from here: returning would wait for what can't be waited for.
fn bail_out(port: &mut Port, why: &str) -> ! {
    port.line(&format!("Bail out! {why}"));
    system::power_off()
}

/// A test: an executable, and the path of a `#[test]` in it.
struct Test {
    executable: PathBuf,
    path: String,
}

impl Test {
    /// `abi::null_pointer`: the executable's name, then the test's path in it.
    fn name(&self) -> String {
        let file = self.executable.file_name().unwrap_or_default().to_string_lossy();
        format!("{file}::{}", self.path)
    }
}

/// The tests of every executable: those marked `#[ignore]`, or those not.
fn list(ignored: bool) -> Result<Vec<Test>> {
    let mut executables = fs::read_dir(TESTS)
        .with_context(|| format!("reading {TESTS}"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    executables.sort();
    // All are asked before the first answers: under TCG starting a process is what takes time, and CPUs are idle.
    let asked = executables
        .iter()
        .map(|executable| {
            Ok((executable, Listing::ask(executable, &[])?, Listing::ask(executable, &["--ignored"])?))
        })
        .collect::<Result<Vec<_>>>()?;
    let mut tests = Vec::new();
    for (executable, all, ignored_alone) in asked {
        // libtest lists ignored tests among the others.
        let (mut paths, ignored_paths) = (all.paths()?, ignored_alone.paths()?);
        paths.retain(|path| ignored_paths.contains(path) == ignored);
        tests.extend(paths.into_iter().map(|path| Test { executable: executable.clone(), path }));
    }
    Ok(tests)
}

/// An executable that was asked for its tests.
struct Listing {
    child: Child,
    of: String,
}

impl Listing {
    fn ask(executable: &Path, arguments: &[&str]) -> Result<Self> {
        let of = executable.display().to_string();
        let child = Command::new(executable)
            .args(["--list", "--format", "terse"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {of}"))?;
        Ok(Self { child, of })
    }

    fn paths(self) -> Result<Vec<String>> {
        let output =
            self.child.wait_with_output().with_context(|| format!("listing the tests of {}", self.of))?;
        if !output.status.success() {
            bail!("{} --list ended with {}", self.of, output.status);
        }
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
    }
}

fn select(tests: Vec<Test>, options: &Options) -> Vec<Test> {
    let (shard, shards) = options.shard;
    tests
        .into_iter()
        .filter(|test| test.name().contains(&options.filter))
        .filter(|test| !options.long || test.name().contains(LONG))
        .enumerate()
        .filter(|(index, _)| index % shards == shard)
        .map(|(_, test)| test)
        .collect()
}
