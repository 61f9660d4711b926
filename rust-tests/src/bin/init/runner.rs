//! The runner: every test of every executable, or every cell of a plan, one after the other, reported as KTAP.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use rust_tests::sys::{link, switches};

use crate::case::{self, Case, Ended, Kind};
use crate::options::Options;
use crate::port::Port;
use crate::{leaks, system};

/// Where the initramfs has the test executables.
const TESTS: &str = "/tests";
/// Where it has what measures cells, and the cells to measure: what to tell it, a line a cell.
const RECEIVERS: &str = "/receivers";
const CELLS: &str = "/cells";

/// What tells the long tests from the other ignored ones, which are faults on purpose.
const LONG: &str = "::long";

/// Runs the tests asked for. Fails only if the runner itself does: the host hears of the tests by the port.
pub fn tests(options: &Options) -> Result<()> {
    link::loopback_up().context("bringing lo up")?;
    let _switches = switches::hold();
    system::start_cpus()?;
    let list = || list(options.ignored || options.long);
    let tests = |port: &mut Port| Ok(select(port.alive_while(list)??, options));
    run(tests, options)
}

/// Measures every cell of the plan; what applies to [`tests`] does here.
pub fn bench(options: &Options) -> Result<()> {
    link::loopback_up().context("bringing lo up")?;
    system::start_cpus()?;
    let cells = |_: &mut Port| {
        let plan = fs::read_to_string(CELLS).with_context(|| format!("reading {CELLS}"))?;
        Ok(plan.lines().map(cell).collect())
    };
    run(cells, options)
}

fn cell(line: &str) -> Case {
    let arguments: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
    let name = arguments.first().cloned().unwrap_or_default();
    Case { name, executable: RECEIVERS.into(), arguments, kind: Kind::Cell }
}

fn run(list: impl FnOnce(&mut Port) -> Result<Vec<Case>>, options: &Options) -> Result<()> {
    let mut port = Port::open()?;
    port.line("KTAP version 1");
    let cases = list(&mut port)?;
    port.line(&format!("1..{}", cases.len()));
    for (index, case) in cases.iter().enumerate() {
        let name = &case.name;
        port.line(&format!("# start {name}"));
        // The console has the same marks, so that a kernel message between them is known to be this case's.
        system::kmsg(&format!("fastnet: start {name}"))?;
        let (ended, output) = case::run(case, options, || port.alive())?;
        if ended == Ended::Unkillable {
            bail_out(&mut port, &format!("unkillable {name}"));
        }
        system::kmsg(&format!("fastnet: end {name}"))?;
        for line in output.text().lines() {
            port.line(&format!("# | {line}"));
        }
        port.line(&result(index + 1, name, &ended, options));
    }
    leaks::report(&mut port)
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

/// The test at `path` in `executable`: `abi::null_pointer` is the executable's name, then the path in it.
fn test(executable: &Path, path: &str) -> Case {
    let file = executable.file_name().unwrap_or_default().to_string_lossy();
    let arguments = [path, "--exact", "--include-ignored", "--nocapture", "--test-threads", "1"];
    Case {
        name: format!("{file}::{path}"),
        executable: executable.to_owned(),
        arguments: arguments.map(str::to_owned).to_vec(),
        kind: Kind::Test,
    }
}

/// The tests of every executable: those marked `#[ignore]`, or those not.
fn list(ignored: bool) -> Result<Vec<Case>> {
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
        tests.extend(paths.iter().map(|path| test(executable, path)));
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

fn select(tests: Vec<Case>, options: &Options) -> Vec<Case> {
    let (shard, shards) = options.shard;
    tests
        .into_iter()
        .filter(|test| test.name.contains(&options.filter))
        .filter(|test| !options.long || test.name.contains(LONG))
        .enumerate()
        .filter(|(index, _)| index % shards == shard)
        .map(|(_, test)| test)
        .collect()
}
