//! What came of tests in a guest, on the screen.

use anyhow::Result;

use crate::cli::TestArgs;
use crate::exit::{self, Exit};
use crate::guest::junit;
use crate::guest::session::Outcome;
use crate::guest::verdict::{self, Case, Verdict};

/// Tells what came of the tests, and what it means for the exit code.
pub fn report(outcome: &Outcome, arguments: &TestArgs) -> Result<()> {
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

/// A test and what came of it.
pub fn line(case: &Case) -> String {
    let line = format!("{:7} {} {:.2} s", case.verdict, case.name, case.duration.as_secs_f64());
    if case.why.is_empty() { line } else { format!("{line}: {}", case.why) }
}

/// Prints all that is known of a test that did not pass.
pub fn explain(case: &Case) {
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
