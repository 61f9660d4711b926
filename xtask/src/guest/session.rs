//! One guest from power-on to its last verdict.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::mpsc::{Receiver, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::console::{BoundedLog, Lines};
use super::judge::{End, Judge};
use super::qemu::{Machine, Running};
use super::verdict::Case;
use crate::exit::{self, Classify, Exit};

/// How much of each end of a log is kept.
const LOG_HALF: usize = 4 << 20;

/// How many events wait for a guest's watcher at most, so that a flood waits in the guest and not in our memory.
pub const QUEUE: usize = 1024;

/// What a guest that said it is dying may still take.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// What a test may take beyond its deadline: the killing, and the wait whether it took.
const KILLING: Duration = Duration::from_secs(10);

/// How long things may take in a guest.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From power-on to the runner's first word.
    pub boot: Duration,
    /// Between two words of the runner, which says at least one a second.
    pub silence: Duration,
    /// For one test.
    pub test: Duration,
}

/// What came of one guest.
#[derive(Debug, Default)]
pub struct Outcome {
    /// All verdicts, in the order they became final.
    pub cases: Vec<Case>,
    /// How many tests never started.
    pub not_run: usize,
    /// From power-on to the start of the first test.
    pub boot: Option<Duration>,
}

impl Outcome {
    /// Adds verdicts that are final, and hands them to `on_case`.
    pub fn add(&mut self, cases: impl IntoIterator<Item = Case>, on_case: &dyn Fn(&Case)) {
        self.cases.extend(cases.into_iter().inspect(on_case));
    }
}

/// What a guest's watcher hears.
pub enum Event {
    /// A line of the console.
    Console(String),
    /// A line of the runner.
    Ktap(String),
    /// One of the two has ended, or could not be logged.
    Closed(Result<()>),
    /// The user wants to stop.
    Interrupted,
}

/// Runs one guest to its end; its logs go to `folder`, and each verdict to `on_case` as soon as it is final.
///
/// QEMU lives no longer than the calling thread, nor than this call.
pub fn run(
    machine: &Machine,
    limits: Limits,
    folder: &Path,
    (sender, events): (SyncSender<Event>, Receiver<Event>),
    on_case: &dyn Fn(&Case),
) -> Result<Outcome> {
    let create = |name: &str| {
        let path = folder.join(name);
        File::create(&path).exit(Exit::Host, || format!("creating {}", path.display()))
    };
    let (console_log, ktap_log) = (create("console.log")?, create("ktap.log")?);
    let mut watch = Watch::new(limits);
    let Running { child, console, ktap } = machine.start(create("qemu.log")?)?;
    pump(console, console_log, sender.clone(), Event::Console);
    pump(ktap, ktap_log, sender, Event::Ktap);
    let mut outcome = Outcome::default();
    let mut killed = None;
    let mut open = 2;
    while open > 0 {
        let (deadline, _) = watch.deadline();
        let wait =
            if killed.is_none() { deadline.saturating_duration_since(Instant::now()) } else { KILLING };
        // With all that waits: on a busy host a word may have come in time and be heard late.
        for event in events.recv_timeout(wait).into_iter().chain(events.try_iter().take(QUEUE)) {
            match event {
                Event::Closed(end) => {
                    end?;
                    open -= 1;
                }
                Event::Interrupted => return Err(exit::error(Exit::Interrupted, "interrupted")),
                Event::Console(line) => watch.judge.console(&line, Instant::now()),
                Event::Ktap(line) => watch.ktap(&line),
            }
        }
        watch.note_doom();
        let (deadline, why) = watch.deadline();
        // Not only after a silence: a flood is never silent.
        if killed.is_none() && Instant::now() >= deadline {
            child.kill()?;
            killed = Some(End::Killed(why));
        }
        outcome.add(watch.judge.finished(), on_case);
    }
    let status = child.wait()?;
    if killed.is_none() && watch.heard.is_none() {
        started_at_all(status, folder)?;
    }
    outcome.boot = watch.boot;
    let end = killed.unwrap_or_else(|| End::Exited(format!("QEMU ended by itself: {status}")));
    let (cases, not_run) = watch.judge.end(&end, Instant::now());
    outcome.add(cases, on_case);
    outcome.not_run = not_run;
    Ok(outcome)
}

/// The clock of a guest beside its judge.
struct Watch {
    judge: Judge,
    limits: Limits,
    started: Instant,
    boot: Option<Duration>,
    heard: Option<Instant>,
    doomed: Option<Instant>,
}

impl Watch {
    fn new(limits: Limits) -> Self {
        Self { judge: Judge::new(), limits, started: Instant::now(), boot: None, heard: None, doomed: None }
    }

    fn ktap(&mut self, line: &str) {
        let now = Instant::now();
        self.judge.ktap(line, now);
        self.heard = Some(now);
        if self.boot.is_none() && self.judge.started() {
            self.boot = Some(now.duration_since(self.started));
        }
    }

    fn note_doom(&mut self) {
        if self.doomed.is_none() && self.judge.doomed() {
            self.doomed = Some(Instant::now());
        }
    }

    /// When patience ends, and what to say then.
    fn deadline(&self) -> (Instant, String) {
        let Limits { boot, silence, test } = self.limits;
        let mut deadline = match self.heard {
            None => (self.started + boot, format!("not a word from the runner in {} s", boot.as_secs())),
            Some(at) => (at + silence, format!("not a word from the runner for {} s", silence.as_secs())),
        };
        if let Some(tests) = self.judge.plan() {
            let whole = boot + (test + KILLING) * u32::try_from(tests).unwrap_or(u32::MAX);
            let end = self.started + whole;
            if end < deadline.0 {
                deadline = (end, format!("{tests} tests took more than {} s", whole.as_secs()));
            }
        }
        if let Some(at) = self.doomed
            && at + LAST_WORDS < deadline.0
        {
            deadline = (at + LAST_WORDS, "the guest did not end".to_owned());
        }
        deadline
    }
}

/// Logs a stream and hands its lines over, in a thread that ends with the stream.
fn pump(
    stream: impl Read + Send + 'static,
    log: File,
    sender: SyncSender<Event>,
    event: impl Fn(String) -> Event + Send + 'static,
) {
    thread::spawn(move || {
        // Gone is only who no longer wants to know.
        let end = copy(stream, log, |line| drop(sender.send(event(line))));
        sender.send(Event::Closed(end))
    });
}

/// Logs a stream and hands its lines over, up to its end.
pub fn copy(mut stream: impl Read, log: File, mut on_line: impl FnMut(String)) -> Result<()> {
    let mut log = BoundedLog::new(log, LOG_HALF);
    let mut lines = Lines::default();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = stream.read(&mut buffer).context("reading from the guest")?;
        log.add(&buffer[..length]).exit(Exit::Host, || "writing the guest's log".to_owned())?;
        lines.add(&buffer[..length], &mut on_line);
        if length == 0 {
            let rest = lines.take();
            if !rest.is_empty() {
                on_line(rest);
            }
            return log.finish().exit(Exit::Host, || "writing the guest's log".to_owned()).map(drop);
        }
    }
}

/// QEMU that refuses its command line is the host's fault, not a guest that died.
fn started_at_all(status: ExitStatus, folder: &Path) -> Result<()> {
    let log = folder.join("qemu.log");
    let said = fs::read_to_string(&log).with_context(|| format!("reading {}", log.display()))?;
    if status.code().is_some_and(|code| code != 0) {
        return Err(exit::error(Exit::Host, format!("QEMU did not start ({status}): {}", said.trim())));
    }
    Ok(())
}
