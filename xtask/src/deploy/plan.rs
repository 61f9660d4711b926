//! What a deploy does, step by step. A dry run prints the list that a real run works off.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::far::{self, Script};
use super::package::Package;
use crate::cli;

/// How a kernel has to prove itself.
#[derive(Clone, Debug)]
pub struct Trial {
    /// A command that must pass on the host.
    pub health: Option<String>,
    /// Unconfirmed so long after its start, the new kernel gives way to the old one. Seconds.
    pub within: u64,
}

/// A list of steps.
#[derive(Clone, Debug)]
pub struct Plan(pub Vec<Step>);

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it is called.
    pub name: &'static str,
    /// What it does.
    pub does: String,
    /// How.
    pub work: Work,
    /// How long it may take.
    pub limit: Duration,
    /// What takes it back, should the host refuse it.
    pub undo: Undo,
    /// What the host does should the connection be lost in it.
    pub if_lost: String,
}

/// How a step is done.
#[derive(Clone, Debug)]
pub enum Work {
    /// A script there, with its arguments.
    Script(Script, Vec<String>),
    /// This file goes there.
    Send(PathBuf),
    /// A command of the user's there.
    Command(String),
    /// Waiting for the new kernel.
    AwaitTrial,
    /// Waiting for the old kernel.
    AwaitReturn,
}

/// What takes a step back that the host refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undo {
    /// It has changed nothing.
    Nothing,
    /// The old kernel runs: the package and what belongs to it go.
    Withdraw,
    /// The new kernel may run: back to the old one first.
    RollBack,
}

impl Plan {
    /// From a package to a kernel that is the host's default. Beyond `trial.within`, a host may need `patience` to boot.
    pub fn deploy(package: &Package, trial: &Trial, patience: Duration) -> Self {
        let format = cli::name(&package.format);
        let within = trial.within;
        let unchanged = || "nothing has changed there".to_owned();
        let as_it_was = || {
            "its default is still the old kernel; the same command again goes on, --rollback cleans up"
                .to_owned()
        };
        let by_itself = || {
            format!(
                "the host comes back to its old kernel by itself, {within} s after the new one's start; \
                 the same command again goes on, if it is in time"
            )
        };
        let script = |script, arguments: &[&str]| {
            Work::Script(script, arguments.iter().map(|&word| word.to_owned()).collect())
        };
        let step = |name, does: &str, work, seconds, undo, if_lost| Step {
            name,
            does: does.to_owned(),
            work,
            limit: Duration::from_secs(seconds),
            undo,
            if_lost,
        };
        let mut steps = vec![
            step(
                "check",
                "architecture, running kernel, boot loader, room in /boot, Secure Boot",
                script(far::CHECK, &[&format, &package.machine, &package.kib.to_string()]),
                120,
                Undo::Nothing,
                unchanged(),
            ),
            step(
                "copy",
                &format!("{}, {} KiB", package.path.display(), package.kib),
                Work::Send(package.path.clone()),
                3600,
                Undo::Withdraw,
                unchanged(),
            ),
            step(
                "accept",
                "its sha256, what it holds; the running kernel becomes the default by name",
                script(far::ACCEPT, &[&format, &package.sha256]),
                600,
                Undo::Withdraw,
                as_it_was(),
            ),
            step(
                "install",
                &format!("by the host's own {}", if format == "deb" { "dpkg" } else { "rpm" }),
                script(far::INSTALL, &[]),
                1800,
                Undo::Withdraw,
                as_it_was(),
            ),
            step(
                "arm",
                &format!(
                    "the next boot alone is the new kernel; a dead man's switch ends it after {within} s"
                ),
                script(far::ARM, &[&within.to_string()]),
                600,
                Undo::Withdraw,
                by_itself(),
            ),
            step("depart", "reboot", script(far::DEPART, &[]), 60, Undo::RollBack, by_itself()),
            Step {
                limit: patience + Duration::from_secs(2 * within),
                ..step(
                    "await",
                    "the host, on either kernel",
                    Work::AwaitTrial,
                    0,
                    Undo::Withdraw,
                    by_itself(),
                )
            },
            step(
                "prove",
                "uname -r, a new boot id, the switch, the system call; then the end of the boot",
                script(far::PROVE, &[&within.to_string()]),
                within + 60,
                Undo::RollBack,
                by_itself(),
            ),
        ];
        if let Some(health) = &trial.health {
            steps.push(step(
                "health",
                health,
                Work::Command(health.clone()),
                within,
                Undo::RollBack,
                by_itself(),
            ));
        }
        steps.push(step(
            "confirm",
            "the switch goes, the new kernel is the default",
            script(far::CONFIRM, &[]),
            600,
            Undo::RollBack,
            "--status tells whether the new kernel is confirmed; if not, it gives way to the old one by itself"
                .to_owned(),
        ));
        Self(steps)
    }

    /// From whatever a deploy has come to, back to the kernel before it, without the package.
    pub fn roll_back(patience: Duration) -> Self {
        let step = |name, does: &str, work, limit| Step {
            name,
            does: does.to_owned(),
            work,
            limit,
            undo: Undo::Nothing,
            if_lost: "the same command again goes on".to_owned(),
        };
        let minutes = |minutes| Duration::from_mins(minutes);
        Self(vec![
            step(
                "retreat",
                "the old kernel is the default; reboot, if the new one runs",
                Work::Script(far::RETREAT, Vec::new()),
                minutes(10),
            ),
            step("return", "the host, on its old kernel", Work::AwaitReturn, patience),
            withdraw(),
        ])
    }

    /// Without the package, from the old kernel.
    pub fn withdraw() -> Self {
        Self(vec![withdraw()])
    }
}

fn withdraw() -> Step {
    Step {
        name: "withdraw",
        does: "the package, the switch and the menu's entry go; the default is what it was".to_owned(),
        work: Work::Script(far::WITHDRAW, Vec::new()),
        limit: Duration::from_mins(30),
        undo: Undo::Nothing,
        if_lost: "--rollback goes on".to_owned(),
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  {:9} {}", self.name, self.does)
    }
}

/// As a dry run shows it.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.0 {
            writeln!(f, "{step}")?;
            let line = match &step.work {
                Work::Script(script, arguments) => format!("far/{}.sh {}", script.name, arguments.join(" ")),
                Work::Send(_) => "cat >/var/lib/fastnet/deploy/package.part".to_owned(),
                Work::Command(command) => command.clone(),
                Work::AwaitTrial | Work::AwaitReturn => {
                    format!("far/where.sh, until it answers, for {} s at most", step.limit.as_secs())
                }
            };
            writeln!(f, "            ssh: {}", line.trim_end())?;
        }
        Ok(())
    }
}
