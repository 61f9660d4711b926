//! What a deploy does, step by step. A dry run prints the list that a real run works off.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::far::{ACCEPT, ARM, CHECK, CONFIRM, DEPART, INSTALL, PROVE, RETREAT, Script, WITHDRAW};
use super::package::Package;
use crate::cli::{self, Format};

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
        let Trial { health, within } = trial;
        let (format, seconds) = (cli::name(&package.format), within.to_string());
        let unchanged = "nothing has changed there";
        let as_it_was =
            "its default is still the old kernel; the same command again goes on, --rollback cleans up";
        let by_itself = &format!(
            "the host comes back to its old kernel by itself, {within} s after the new one's start; \
             the same command again goes on, if it is in time"
        );
        let look = "--status tells whether the new kernel is confirmed; if not, it gives way to the old one by itself";

        let what = "architecture, running kernel, boot loader, room in /boot, Secure Boot";
        let check = Step::script(CHECK, what, &[&format, &package.machine, &package.kib.to_string()], 120);
        let what = format!("{}, {} KiB", package.path.display(), package.kib);
        let copy = Step::new("copy", &what, Work::Send(package.path.clone()), 3600);
        let what = "its sha256, what it holds; the running kernel becomes the default by name";
        let accept = Step::script(ACCEPT, what, &[&format, &package.sha256], 600);
        let what =
            format!("by the host's own {}", if package.format == Format::Deb { "dpkg" } else { "rpm" });
        let install = Step::script(INSTALL, &what, &[], 1800);
        let what =
            format!("the next boot alone is the new kernel; a dead man's switch ends it after {within} s");
        let arm = Step::script(ARM, &what, &[&seconds], 600);
        let depart = Step::script(DEPART, "reboot", &[], 60);
        let long = patience.as_secs() + 2 * within;
        let wait = Step::new("await", "the host, on either kernel", Work::AwaitTrial, long);
        let what = "uname -r, a new boot id, the switch, the system call; then the end of the boot";
        let prove = Step::script(PROVE, what, &[&seconds], within + 60);
        let healthy =
            health.iter().map(|line| Step::new("health", line, Work::Command(line.clone()), *within));
        let confirm = Step::script(CONFIRM, "the switch goes, the new kernel is the default", &[], 600);

        let steps = [
            check.or(Undo::Nothing, unchanged),
            copy.or(Undo::Withdraw, unchanged),
            accept.or(Undo::Withdraw, as_it_was),
            install.or(Undo::Withdraw, as_it_was),
            arm.or(Undo::Withdraw, by_itself),
            depart.or(Undo::RollBack, by_itself),
            wait.or(Undo::Withdraw, by_itself),
            prove.or(Undo::RollBack, by_itself),
        ];
        let healthy = healthy.map(|step| step.or(Undo::RollBack, by_itself));
        Self(steps.into_iter().chain(healthy).chain([confirm.or(Undo::RollBack, look)]).collect())
    }

    /// From whatever a deploy has come to, back to the kernel before it, without the package.
    pub fn roll_back(patience: Duration) -> Self {
        let what = "the old kernel is the default; reboot, if the new one runs";
        let retreat = Step::script(RETREAT, what, &[], 600);
        let wait = Step::new("return", "the host, on its old kernel", Work::AwaitReturn, patience.as_secs());
        Self([vec![retreat, wait], Self::withdraw().0].concat())
    }

    /// From the old kernel, without the package.
    pub fn withdraw() -> Self {
        let what = "the package, the switch and the menu's entry go; the default is what it was";
        Self(vec![Step::script(WITHDRAW, what, &[], 1800)])
    }
}

impl Step {
    fn new(name: &'static str, does: &str, work: Work, seconds: u64) -> Self {
        let limit = Duration::from_secs(seconds);
        let if_lost = "--rollback goes on".to_owned();
        Self { name, does: does.to_owned(), work, limit, undo: Undo::Nothing, if_lost }
    }

    fn script(script: Script, does: &str, arguments: &[&str], seconds: u64) -> Self {
        let arguments = arguments.iter().map(|&word| word.to_owned()).collect();
        Self::new(script.name, does, Work::Script(script, arguments), seconds)
    }

    /// What follows if it does not come off: refused by the host, or cut off.
    fn or(self, undo: Undo, if_lost: &str) -> Self {
        Self { undo, if_lost: if_lost.to_owned(), ..self }
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
