//! `cargo xtask test-in-vm`: boot the kernel in a guest and run the tests there.

use std::path::PathBuf;

use anyhow::Result;

use crate::cli::TestArgs;
use crate::exit::{self, Exit};
use crate::guest::junit;
use crate::guest::run::Guests;
use crate::guest::session::Outcome;
use crate::guest::verdict::{self, Case, Verdict};
use crate::host::{self, Purpose};
use crate::kernel;
use crate::workspace::Workspace;

/// Runs the command.
pub fn run(workspace: &Workspace, arguments: &TestArgs) -> Result<()> {
    if let Some(format) = arguments.installed {
        return super::test_installed::run(workspace, arguments, format);
    }
    let (bzimage, vmlinux) = kernel(workspace, arguments)?;
    let guests = Guests::prepare(workspace, &bzimage, arguments)?;
    if let Some(notice) = &guests.notice {
        println!("{notice}");
    }
    if arguments.gdb {
        println!("the guest waits for: gdb -ex 'target remote :1234' {}", vmlinux.display());
    }
    if arguments.shell {
        return guests.shell();
    }
    println!("logs in {}", guests.folder.display());
    let outcome = guests.test(&|case| println!("{}", line(case)))?;
    report(&outcome, arguments)
}

/// Tells what came of the tests, and what it means for the exit code.
pub(super) fn report(outcome: &Outcome, arguments: &TestArgs) -> Result<()> {
    if outcome.cases.is_empty() {
        let filter = arguments.filter.as_deref().unwrap_or_default();
        return Err(exit::error(Exit::Usage, format!("no test's name contains {filter:?}")));
    }
    for case in outcome.cases.iter().filter(|case| case.verdict.exit().is_some()) {
        explain(case);
    }
    if let Some(file) = &arguments.junit {
        junit::write(&outcome.cases, file)?;
    }
    if let Some(boot) = outcome.boot {
        println!("\nfirst test {:.1} s after power-on", boot.as_secs_f64());
    }
    if outcome.not_run > 0 {
        println!("{} tests never started", outcome.not_run);
    }
    println!("{}", summary(&outcome.cases));
    verdict::exit(&outcome.cases).map_or(Ok(()), |exit| Err(exit::said(exit)))
}

/// The image to boot, and the one with symbols: built first, unless the former was given.
fn kernel(workspace: &Workspace, arguments: &TestArgs) -> Result<(PathBuf, PathBuf)> {
    let mut needed = vec![Purpose::Guest];
    if arguments.bzimage.is_none() {
        needed.extend([Purpose::Fetch, Purpose::Build]);
    }
    if arguments.shell {
        needed.push(Purpose::Shell);
    }
    host::require(&needed, arguments.kernel.yes)?;
    if let Some(image) = &arguments.bzimage {
        return Ok((image.clone(), "vmlinux".into()));
    }
    let manifest = kernel::build_kernel(workspace, &arguments.kernel)?.manifest;
    Ok((manifest.bzimage.path, manifest.vmlinux.path))
}

pub(super) fn line(case: &Case) -> String {
    let line = format!("{:7} {} {:.2} s", case.verdict, case.name, case.duration.as_secs_f64());
    if case.why.is_empty() { line } else { format!("{line}: {}", case.why) }
}

pub(super) fn explain(case: &Case) {
    println!("\n---- {} ({}) {}", case.name, case.verdict, case.why);
    for line in &case.output {
        println!("{line:.300}");
    }
    if !case.console.is_empty() {
        println!("  on the console:");
    }
    for line in &case.console {
        println!("  {line:.300}");
    }
}

fn summary(cases: &[Case]) -> String {
    let count = |verdict| cases.iter().filter(|case| case.verdict == verdict).count();
    let (passed, skipped) = (count(Verdict::Pass), count(Verdict::Skip));
    format!("{passed} passed, {} failed, {skipped} skipped", cases.len() - passed - skipped)
}
