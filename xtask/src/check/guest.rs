//! A kernel in a guest: whether it boots, passes, and has the system call or not.

use std::path::{Path, PathBuf};
use std::thread;

use anyhow::Result;

use crate::cli::TestArgs;
use crate::digest;
use crate::exit::{Exit, error};
use crate::guest::executables::{self, Executables};
use crate::guest::qemu;
use crate::guest::run::Guests;
use crate::guest::verdict::{self, Case, Verdict};
use crate::workspace::Workspace;

/// Whether a kernel has the system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// It must.
    Present,
    /// It must not: the guest sees ENOSYS.
    Absent,
    /// It may.
    Any,
}

/// What tests say that need the system call and do not find it.
const NO_CALL: &str = "no remember_mmsghdr()";

/// The sha256 of all that an outcome in a guest depends on beside its kernel: what runs there, and QEMU.
pub fn identity(workspace: &Workspace) -> Result<String> {
    let Executables { init, tests: mut files } = executables::build(workspace)?;
    files.push(("init".to_owned(), init));
    // cargo tells of each as it is done, in any order.
    files.sort();
    let mut identity = qemu::version(workspace)?;
    for (name, file) in files {
        identity.extend(["\n", &name, " ", &digest::sha256_file(&file)?]);
    }
    Ok(digest::sha256(identity))
}

/// Boots the kernel and runs the tests; says in a few words what came of it.
pub fn test(workspace: &Workspace, kernel: &Path, call: Call) -> Result<String> {
    let cases = run(workspace, kernel, &arguments(None, Vec::new()))?;
    let absent = cases.iter().any(|case| case.verdict == Verdict::Skip && case.why.contains(NO_CALL));
    match call {
        Call::Present if absent => Err(error(Exit::Tests, "the guest has no remember_mmsghdr()")),
        Call::Absent if !absent => Err(error(Exit::Tests, "the guest has remember_mmsghdr() all the same")),
        _ => {
            let count = |verdict| cases.iter().filter(|case| case.verdict == verdict).count();
            let without = if absent { ", the system call is absent" } else { "" };
            let (passed, skipped) = (count(Verdict::Pass), count(Verdict::Skip));
            Ok(format!("{passed} tests pass, {skipped} skipped{without}"))
        }
    }
}

/// Runs a series' own tests in a guest.
pub fn kselftest(workspace: &Workspace, kernel: &Path, executables: Vec<PathBuf>) -> Result<()> {
    let cases = run(workspace, kernel, &arguments(Some("kselftest::".to_owned()), executables))?;
    match cases.iter().find(|case| case.verdict != Verdict::Pass) {
        Some(case) => Err(error(Exit::Tests, format!("{}: {}", case.name, case.why))),
        None => Ok(()),
    }
}

/// Runs tests in a guest; the error names those that failed, and the folder of the logs.
fn run(workspace: &Workspace, kernel: &Path, arguments: &TestArgs) -> Result<Vec<Case>> {
    let guests = Guests::prepare(workspace, kernel, arguments)?;
    let outcome = guests.test(&|_| {})?;
    let Some(exit) = verdict::exit(&outcome.cases) else { return Ok(outcome.cases) };
    let failed = outcome.cases.iter().filter(|case| case.verdict.exit().is_some());
    let failed: Vec<_> =
        failed.map(|case| format!("\n  {} {}: {}", case.verdict, case.name, case.why)).collect();
    let none = if failed.is_empty() { ": no test passed" } else { "" };
    let logs = guests.folder.display();
    Err(error(exit, format!("the guest fails{none}; its logs are in {logs}{}", failed.concat())))
}

/// Most tests wait for one CPU: more guests than one keep the others busy.
fn guests_at_once() -> u32 {
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    u32::try_from(cpus.min(4)).unwrap_or(1)
}

fn arguments(filter: Option<String>, kselftest: Vec<PathBuf>) -> TestArgs {
    TestArgs { filter, jobs: guests_at_once(), kselftest, ..TestArgs::default() }
}
