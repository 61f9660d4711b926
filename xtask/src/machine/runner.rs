//! The guest's tests on a machine: the same executables, runner and judge as in the guest that boots from memory.

use std::path::Path;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::running::{Machine, Said};
use crate::guest::executables::Executables;
use crate::guest::judge::{End, Judge};
use crate::guest::session::Outcome;
use crate::guest::verdict::Case;

/// For what is done in seconds on a machine that is not emulated by a busy host.
const PATIENCE: Duration = Duration::from_mins(5);

/// Copies what runs the tests, and them, to the machine.
pub fn copy(machine: &Machine, executables: &Executables) -> Result<()> {
    let ssh = machine.ssh();
    ssh.run("mkdir -p /tests", PATIENCE)?;
    ssh.copy(&[&executables.init], "/usr/local/sbin/fastnet-runner", PATIENCE)?;
    let tests: Vec<_> = executables.tests.iter().map(|(_, file)| file.as_path()).collect();
    ssh.copy(&tests, "/tests/", PATIENCE)?;
    // cargo's names end in a hash, and a test is called after its executable.
    let renames = executables.tests.iter().map(|(name, file)| {
        let copied = file.file_name().map_or(file.as_path(), Path::new).display();
        format!("mv /tests/{copied} /tests/{name}")
    });
    ssh.run(&renames.collect::<Vec<_>>().join(" && "), PATIENCE).map(drop)
}

/// Has the runner do what `arguments` say, and hands each verdict over as soon as it is final.
///
/// The machine is given up when the runner, which says a word each second, is silent for `silence`.
pub fn run(
    machine: &Machine,
    arguments: &str,
    silence: Duration,
    on_case: &dyn Fn(&Case),
) -> Result<Outcome> {
    // As a service: it goes on when the connection does not, and has the limits that init gives itself.
    let start =
        format!("systemd-run --quiet --collect -p LimitNOFILE=65536 fastnet-runner tests {arguments}");
    machine.ssh().run(&start, PATIENCE)?;
    let mut judge = Judge::new();
    let mut outcome = Outcome::default();
    let mut heard = Instant::now();
    let end = loop {
        match machine.hear(silence.saturating_sub(heard.elapsed())) {
            Ok(Said::Console(line)) => judge.console(&line, Instant::now()),
            Ok(Said::Ktap(line)) => {
                heard = Instant::now();
                judge.ktap(&line, heard);
            }
            Err(RecvTimeoutError::Timeout) => {
                break End::Killed(format!("not a word from the runner for {} s", silence.as_secs()));
            }
            Err(RecvTimeoutError::Disconnected) => break End::Exited("QEMU ended".to_owned()),
        }
        outcome.add(judge.finished(), on_case);
        if judge.complete() || judge.doomed() {
            break End::Exited("the runner was done".to_owned());
        }
    };
    let (cases, not_run) = judge.end(&end, Instant::now());
    outcome.add(cases, on_case);
    outcome.not_run = not_run;
    Ok(outcome)
}
