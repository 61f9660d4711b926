//! Guests: what is built for them, where their logs go, and several of them at once.

use std::fs;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::accel;
use super::executables;
use super::initramfs::Initramfs;
use super::qemu::{Accel, Machine};
use super::session::{self, Event, Limits, Outcome};
use super::verdict::Case;
use crate::cli::{Config, TestArgs};
use crate::exit::{self, Classify, Exit};
use crate::workspace::Workspace;

/// Logs of so many runs are kept.
const RUNS_KEPT: u64 = 20;

/// Everything that is the same for all guests of a run.
pub struct Guests<'a> {
    /// Where the logs go.
    pub folder: PathBuf,
    /// Who runs the guests' instructions.
    pub accel: Accel,
    /// Why that is not what one would hope for.
    pub notice: Option<String>,
    kernel: &'a Path,
    initramfs: PathBuf,
    options: &'a TestArgs,
}

impl<'a> Guests<'a> {
    /// Builds the guests' executables and initramfs, and settles on the accelerator.
    pub fn prepare(workspace: &Workspace, kernel: &'a Path, options: &'a TestArgs) -> Result<Self> {
        if let Some(filter) = &options.filter
            && !filter.chars().all(|c| c.is_ascii_alphanumeric() || ":_-".contains(c))
        {
            return Err(exit::error(
                Exit::Usage,
                format!("FILTER {filter:?}: no test's name has such a part"),
            ));
        }
        let folder = new_folder(&workspace.target.join("runs"))?;
        let initramfs = folder.join("initramfs");
        fill(workspace, options.shell)?
            .write(&initramfs)
            .exit(Exit::Host, || format!("writing {}", initramfs.display()))?;
        let (accel, notice) = accel::choose(workspace, options.accel, kernel, &initramfs)?;
        Ok(Self { folder, accel, notice, kernel, initramfs, options })
    }

    /// Runs the tests, handing over each verdict as soon as it is final.
    pub fn test(&self, on_case: &(dyn Fn(&Case) + Sync)) -> Result<Outcome> {
        let mut signals = Signals::new([SIGINT, SIGTERM]).context("listening for signals")?;
        let closer = signals.handle();
        // Bounded, so that a flood waits in the guest and not in our memory.
        let channels: Vec<_> = (0..self.options.jobs).map(|_| mpsc::sync_channel(1024)).collect();
        let senders: Vec<_> = channels.iter().map(|(sender, _)| sender.clone()).collect();
        let outcomes: Vec<Result<Outcome>> = thread::scope(|scope| {
            scope.spawn(move || {
                for _ in signals.forever() {
                    for sender in &senders {
                        // Gone is only whose guest has ended.
                        let _ = sender.send(Event::Interrupted);
                    }
                }
            });
            let guests: Vec<_> = (0..)
                .zip(channels)
                .map(|(shard, (sender, events))| {
                    scope.spawn(move || self.shard(shard, (sender, &events), on_case))
                })
                .collect();
            let ended: Vec<_> = guests.into_iter().map(ScopedJoinHandle::join).collect();
            // Before anything can unwind: the scope waits for the thread that this ends.
            closer.close();
            ended.into_iter().map(|guest| guest.unwrap_or_else(|panic| resume_unwind(panic))).collect()
        });
        let mut whole = Outcome::default();
        for outcome in outcomes {
            let outcome = outcome?;
            whole.cases.extend(outcome.cases);
            whole.not_run += outcome.not_run;
            whole.boot = whole.boot.max(outcome.boot);
        }
        Ok(whole)
    }

    /// A shell in a guest, on our own terminal, until it ends.
    pub fn shell(&self) -> Result<()> {
        self.machine("shell".to_owned()).interact().map(drop)
    }

    fn shard(
        &self,
        shard: u32,
        events: (mpsc::SyncSender<Event>, &mpsc::Receiver<Event>),
        on_case: &dyn Fn(&Case),
    ) -> Result<Outcome> {
        let TestArgs { jobs, ignored, long, filter, env, .. } = self.options;
        let folder = self.folder.join(format!("guest-{shard}"));
        fs::create_dir(&folder).with_context(|| format!("creating {}", folder.display()))?;
        let limits = self.limits();
        let deadline = limits.test.as_secs();
        let mut init = format!("tests --deadline {deadline} --shard {shard}/{jobs}");
        let flags = [("--ignored", *ignored), ("--long", *long)];
        let flags = flags.into_iter().filter_map(|(flag, on)| on.then_some((flag, "")));
        let filter = filter.iter().map(|filter| ("--filter", &**filter));
        let slowness = format!("SLOWNESS={}", self.slowness());
        let env = env.iter().chain([&slowness]).map(|variable| ("--env", &**variable));
        for (option, value) in flags.chain(filter).chain(env) {
            init.extend([" ", option, " ", value]);
        }
        session::run(&self.machine(init), limits, &folder, events, on_case)
    }

    fn limits(&self) -> Limits {
        if self.options.gdb {
            let day = Duration::from_hours(24);
            return Limits { boot: day, silence: day, test: day };
        }
        let seconds = |seconds| Duration::from_secs(seconds * self.slowness());
        let TestArgs { silence, deadline, .. } = *self.options;
        Limits { boot: seconds(3 * silence), silence: seconds(silence), test: seconds(deadline) }
    }

    /// How many times longer everything takes: with the kernel's own checkers on, several.
    fn slowness(&self) -> u64 {
        if self.options.kernel.config == Config::Debug { 4 } else { 1 }
    }

    fn machine(&self, init: String) -> Machine<'_> {
        // KASAN takes an eighth of memory, and its quarantine more.
        let memory = if self.options.kernel.config == Config::Debug { 2048 } else { 1024 };
        Machine {
            kernel: self.kernel,
            initramfs: &self.initramfs,
            accel: self.accel,
            smp: self.options.smp,
            memory,
            gdb: self.options.gdb,
            init,
        }
    }
}

impl Drop for Guests<'_> {
    /// The initramfs is large, and made anew by every run.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.initramfs);
    }
}

fn fill(workspace: &Workspace, shell: bool) -> Result<Initramfs> {
    let executables = executables::build(workspace)?;
    let mut initramfs = Initramfs::new();
    initramfs.executable("init", &executables.init)?;
    initramfs.directory("tests");
    for (name, file) in &executables.tests {
        initramfs.executable(&format!("tests/{name}"), file)?;
    }
    if shell {
        let busybox = Path::new("/bin/busybox");
        initramfs.directory("bin");
        initramfs.executable("bin/busybox", busybox).exit(Exit::Host, || {
            "--shell needs a static busybox at /bin/busybox: install the package busybox-static".to_owned()
        })?;
    }
    Ok(initramfs)
}

/// Makes `runs/<n>`, the next number free, and removes the logs that have grown old.
fn new_folder(runs: &Path) -> Result<PathBuf> {
    fs::create_dir_all(runs).exit(Exit::Host, || format!("creating {}", runs.display()))?;
    let numbers = fs::read_dir(runs)
        .with_context(|| format!("reading {}", runs.display()))?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u64>().ok());
    let mut number = numbers.max().unwrap_or(0);
    loop {
        number += 1;
        let folder = runs.join(number.to_string());
        match fs::create_dir(&folder) {
            Ok(()) => {
                if let Some(old) = number.checked_sub(RUNS_KEPT) {
                    // Not there, or in use: the disk will bear it.
                    let _ = fs::remove_dir_all(runs.join(old.to_string()));
                }
                return Ok(folder);
            }
            // Another command was quicker.
            Err(cause) if cause.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(cause) => return Err(cause).exit(Exit::Host, || format!("creating {}", folder.display())),
        }
    }
}
