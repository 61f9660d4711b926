//! Guests: what is built for them, where their logs go, and several of them at once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, Result};

use super::accel;
use super::executables;
use super::initramfs::Initramfs;
use super::qemu::{Accel, Machine};
use super::runs;
use super::session::{self, Limits, Outcome};
use super::together::{Events, at_once};
use super::verdict::Case;
use crate::cli::{Config, TestArgs};
use crate::exit::{self, Classify, Exit};
use crate::workspace::Workspace;

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
        let folder = runs::new_folder(workspace)?;
        let initramfs = folder.join("initramfs");
        fill(workspace, options)?.write(&initramfs)?;
        let (accel, notice) = accel::choose(workspace, options.accel, kernel, &initramfs)?;
        Ok(Self { folder, accel, notice, kernel, initramfs, options })
    }

    /// Runs the tests, handing over each verdict as soon as it is final.
    pub fn test(&self, on_case: &(dyn Fn(&Case) + Sync)) -> Result<Outcome> {
        let outcomes = at_once(self.options.jobs, |shard, events| self.shard(shard, events, on_case))?;
        let mut whole = Outcome::default();
        for outcome in outcomes {
            whole.cases.extend(outcome.cases);
            whole.not_run += outcome.not_run;
            whole.boot = whole.boot.max(outcome.boot);
        }
        Ok(whole)
    }

    /// A shell in a guest, on our own terminal, until it ends.
    pub fn shell(&self) -> Result<()> {
        ended_well(self.machine("shell".to_owned()).interact()?)
    }

    fn shard(&self, shard: u32, events: Events, on_case: &dyn Fn(&Case)) -> Result<Outcome> {
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
        let TestArgs { boot, silence, deadline, .. } = *self.options;
        Limits { boot: seconds(boot), silence: seconds(silence), test: seconds(deadline) }
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
            gate: None,
            wire: None,
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

/// QEMU ends with 0 however the guest was switched off. Why it did otherwise, it has said on the terminal.
fn ended_well(status: ExitStatus) -> Result<()> {
    match status.code() {
        Some(0) => Ok(()),
        Some(_) => Err(exit::error(Exit::Host, format!("QEMU did not run the guest: {status}"))),
        None => Err(exit::error(Exit::Guest, format!("QEMU was killed: {status}"))),
    }
}

fn fill(workspace: &Workspace, options: &TestArgs) -> Result<Initramfs> {
    let executables = executables::build(workspace)?;
    let mut initramfs = Initramfs::new();
    initramfs.executable("init", &executables.init)?;
    initramfs.directory("tests");
    for (name, file) in &executables.tests {
        initramfs.executable(&format!("tests/{name}"), file)?;
    }
    initramfs.directory("kselftest");
    for file in &options.kselftest {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        initramfs.executable(&format!("kselftest/{name}"), file)?;
    }
    if options.shell {
        let busybox = Path::new("/bin/busybox");
        initramfs.directory("bin");
        initramfs.executable("bin/busybox", busybox).exit(Exit::Host, || {
            "--shell needs a static busybox at /bin/busybox: install the package busybox-static".to_owned()
        })?;
    }
    Ok(initramfs)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn a_shell_whose_qemu_refused_or_was_killed_has_not_ended_well() {
        let exit_of = |raw| ended_well(ExitStatus::from_raw(raw)).map_err(|error| Exit::class(&error));
        assert_eq!(exit_of(0), Ok(()));
        assert_eq!(exit_of(1 << 8), Err(Some(Exit::Host)), "exit 1");
        assert_eq!(exit_of(9), Err(Some(Exit::Guest)), "SIGKILL");
    }
}
