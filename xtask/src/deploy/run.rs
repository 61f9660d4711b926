//! Working a plan off on a host.

use std::fs::File;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::far::{FORMAT, STATUS, WHERE};
use super::package::Package;
use super::plan::{Plan, Step, Undo, Work};
use super::position::{Position, Word};
use super::ssh::{Host, Trouble};
use crate::cli::Format;
use crate::exit::{Exit, error};
use crate::progress::{Progress, Unit};

/// Between two looks at a host that is rebooting.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long a look may take.
const LOOK: Duration = Duration::from_mins(1);

/// Takes each line there is to tell.
pub type Report<'a> = &'a dyn Fn(&str);

/// Works `plan` off on `host`, from where an interrupted one stopped. What the host refuses is taken back, for which
/// it may need `patience` to boot.
pub fn deploy(host: &Host, plan: &Plan, package: &Package, patience: Duration, report: Report) -> Result<()> {
    let position = position(host).map_err(|trouble| fault(host, "where", trouble))?;
    let ours = position.sha256 == package.sha256;
    let first = match position.word {
        Word::Confirmed if ours => {
            report(&format!("{} runs already, and is the default", position.running));
            return Ok(());
        }
        Word::Clear | Word::Confirmed => "check",
        _ if !ours => {
            let why = format!("{}: another package's deploy is not over: --rollback first", host.name);
            return Err(error(Exit::Host, why));
        }
        Word::Halfway | Word::Back => "check",
        Word::Leaving => "await",
        Word::Trial => "prove",
    };
    for step in plan.0.iter().skip_while(|step| step.name != first) {
        if let Err(trouble) = perform(host, step, report) {
            return Err(take_back(host, step, trouble, patience, report));
        }
    }
    Ok(())
}

/// Takes a deploy back, whatever it has come to.
pub fn roll_back(host: &Host, plan: &Plan, report: Report) -> Result<()> {
    for step in &plan.0 {
        perform(host, step, report).map_err(|trouble| end(host, step, trouble))?;
    }
    Ok(())
}

/// What the host says of itself.
pub fn status(host: &Host) -> Result<String> {
    host.run(STATUS, &[], LOOK).map_err(|trouble| fault(host, "status", trouble))
}

/// Which packages the host takes.
pub fn format(host: &Host) -> Result<Format> {
    let said = host.run(FORMAT, &[], LOOK).map_err(|trouble| fault(host, "format", trouble))?;
    match said.as_str() {
        "deb" => Ok(Format::Deb),
        "rpm" => Ok(Format::Rpm),
        _ => Err(error(Exit::Host, format!("{} takes neither .deb nor .rpm packages", host.name))),
    }
}

fn perform(host: &Host, step: &Step, report: Report) -> Result<(), Trouble> {
    report(&step.to_string());
    let said = match &step.work {
        Work::Script(script, arguments) => host.run(*script, arguments, step.limit)?,
        Work::Send(path) => {
            let file = File::open(path).with_context(|| format!("reading {}", path.display()))?;
            let size = file.metadata().with_context(|| format!("reading {}", path.display()))?.len();
            let sent = Progress::start(&format!("copying to {}", host.name), Unit::Bytes, Some(size));
            host.send(sent.reading(file), step.limit)?
        }
        Work::Command(command) => host.command(command, step.limit)?,
        Work::AwaitTrial => await_trial(host, step.limit)?,
        Work::AwaitReturn => await_return(host, step.limit)?,
    };
    said.lines().for_each(|line| report(&format!("            {line}")));
    Ok(())
}

fn position(host: &Host) -> Result<Position, Trouble> {
    Ok(Position::parse(&host.run(WHERE, &[], LOOK)?)?)
}

/// Waits until the host runs the new kernel, or turns out to have gone back to the old one.
fn await_trial(host: &Host, limit: Duration) -> Result<String, Trouble> {
    let position = settled(host, limit, |word| word != Word::Leaving)?;
    let why = match (position.word, position.expired) {
        (Word::Trial, _) => return Ok(format!("{} runs", position.running)),
        (_, Some(seconds)) => format!(
            "the new kernel ran, but could not be reached for {seconds} s; the dead man's switch brought {} back",
            position.running
        ),
        _ => format!(
            "the new kernel did not come up: it panicked, or hung until the watchdog bit; {} came back by itself",
            position.running
        ),
    };
    Err(Trouble::Refused { code: Exit::Guest.code().into(), why })
}

/// Waits until the host runs the old kernel.
fn await_return(host: &Host, limit: Duration) -> Result<String, Trouble> {
    let position = settled(host, limit, |word| !matches!(word, Word::Leaving | Word::Trial))?;
    Ok(format!("{} runs", position.running))
}

/// Looks at the host until it is where `there` says.
fn settled(host: &Host, limit: Duration, there: impl Fn(Word) -> bool) -> Result<Position, Trouble> {
    let waited = Progress::start(&format!("seconds for {}", host.name), Unit::Steps, Some(limit.as_secs()));
    let started = Instant::now();
    loop {
        let answer = position(host);
        match answer {
            Ok(position) if there(position.word) => return Ok(position),
            Err(Trouble::Here(cause)) => return Err(Trouble::Here(cause)),
            Ok(_) | Err(_) if started.elapsed() < limit => {
                // A host that is booting has no event to offer.
                thread::sleep(LOOK_EVERY);
                waited.set(started.elapsed().as_secs());
            }
            Ok(position) => {
                let why = format!("{} runs, and has not rebooted in {} s", position.running, limit.as_secs());
                return Err(Trouble::Lost(why));
            }
            Err(trouble) => {
                let why = format!(
                    "not back after {} s ({trouble}); a reset brings the old kernel",
                    limit.as_secs()
                );
                return Err(Trouble::Lost(why));
            }
        }
    }
}

/// Takes back what `step` and those before it did, if the host can be talked to; the error tells how that ended.
fn take_back(
    host: &Host,
    step: &Step,
    trouble: Trouble,
    patience: Duration,
    report: Report,
) -> anyhow::Error {
    let way_back = match (&trouble, step.undo) {
        (Trouble::Refused { .. }, Undo::Withdraw) => Plan::withdraw(),
        (Trouble::Refused { .. }, Undo::RollBack) => Plan::roll_back(patience),
        _ => return end(host, step, trouble),
    };
    report(&format!("            {trouble}"));
    let code = code(&trouble);
    let why = end(host, step, trouble);
    match roll_back(host, &way_back, report) {
        Ok(()) => error(code, format!("{why:#}; the host is as it was before, on its old kernel")),
        Err(also) => error(
            code,
            format!(
                "{why:#}; the old kernel is the default, but what was installed is still there: {also:#}"
            ),
        ),
    }
}

/// The error for a step that did not come off.
fn end(host: &Host, step: &Step, trouble: Trouble) -> anyhow::Error {
    match trouble {
        Trouble::Lost(_) => {
            let why = fault(host, step.name, trouble);
            error(Exit::Network, format!("{why:#}; {}", step.if_lost))
        }
        _ => fault(host, step.name, trouble),
    }
}

fn fault(host: &Host, step: &str, trouble: Trouble) -> anyhow::Error {
    match trouble {
        Trouble::Here(cause) => cause,
        _ => error(code(&trouble), format!("{}: {step}: {trouble}", host.name)),
    }
}

/// Scripts end with the codes that commands of ours do.
fn code(trouble: &Trouble) -> Exit {
    match trouble {
        Trouble::Lost(_) | Trouble::Refused { code: 5, .. } => Exit::Network,
        Trouble::Refused { code: 2, .. } => Exit::Usage,
        Trouble::Refused { code: 3, .. } => Exit::Host,
        Trouble::Refused { code: 4, .. } => Exit::Guest,
        Trouble::Refused { .. } | Trouble::Here(_) => Exit::Tests,
    }
}
