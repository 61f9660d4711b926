//! Boots kernels and has them measured.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use super::origin::{Host, Origin};
use super::plan::Cell;
use super::result::{Record, Unit};
use super::said;
use crate::cli::{AccelChoice, BenchAccel};
use crate::exit::{Classify, Exit};
use crate::guest::initramfs::Initramfs;
use crate::guest::qemu::{self, Accel, Machine};
use crate::guest::session::{self, Limits};
use crate::guest::together::{Events, at_once};
use crate::guest::verdict::Case;
use crate::guest::{accel, executables, runs};
use crate::workspace::Workspace;

/// The guest's memory in MiB: a queue of a million small datagrams takes most of it, others use little.
const MEMORY: u32 = 4096;

/// A second of a guest that counts instructions is several of ours; the largest cells take one minute of its own, and
/// several on an emulated CPU.
const LIMITS: Limits =
    Limits { boot: Duration::from_mins(2), silence: Duration::from_mins(3), test: Duration::from_mins(10) };

/// A kernel to measure, and in what.
#[derive(Clone, Debug)]
pub struct Subject {
    /// How much of the series it has.
    pub flavor: String,
    /// Its configuration.
    pub config: String,
    /// What it calls itself, as far as its build tells.
    pub release: Option<String>,
    /// Its build's key, or its image's SHA-256.
    pub build: String,
    /// The image.
    pub bzimage: PathBuf,
    /// What to measure.
    pub cells: Vec<Cell>,
}

/// Subjects, ready to boot.
pub struct Bench {
    /// Where the logs go.
    pub folder: PathBuf,
    /// Who runs the guests' instructions.
    pub accel: Accel,
    /// Why that is not what one would hope for.
    pub notice: Option<String>,
    qemu: String,
    host: Host,
    subjects: Vec<(Subject, PathBuf)>,
}

impl Bench {
    /// Builds the receivers and an initramfs a subject, and settles on the accelerator.
    pub fn prepare(workspace: &Workspace, subjects: Vec<Subject>, choice: BenchAccel) -> Result<Self> {
        let built = executables::build_receivers(workspace)?;
        let folder = runs::new_folder(workspace)?;
        let unit = if choice == BenchAccel::Icount { Unit::Instructions } else { Unit::Ns };
        let mut ready = Vec::new();
        for subject in subjects {
            let cells: Vec<_> = subject.cells.iter().map(|cell| format!("{cell} {unit}\n")).collect();
            let mut initramfs = Initramfs::new();
            initramfs.executable("init", &built.init)?;
            initramfs.executable("receivers", &built.receivers)?;
            initramfs.file("cells", cells.concat().as_bytes());
            let file = folder.join(format!("initramfs-{}", subject.flavor));
            initramfs.write(&file).exit(Exit::Host, || format!("writing {}", file.display()))?;
            ready.push((subject, file));
        }
        let (first, initramfs) = ready.first().context("no kernel to measure")?;
        let choose = |choice| accel::choose(workspace, choice, &first.bzimage, initramfs);
        let (accel, notice) = match choice {
            BenchAccel::Icount => (Accel::Icount, None),
            BenchAccel::Auto => choose(AccelChoice::Auto)?,
            BenchAccel::Kvm => choose(AccelChoice::Kvm)?,
            BenchAccel::Tcg => choose(AccelChoice::Tcg)?,
        };
        let (qemu, host) = (qemu::version(workspace)?, Host::here()?);
        Ok(Self { folder, accel, notice, qemu, host, subjects: ready })
    }

    /// Boots each subject `times` times, in turn; hands over each record as soon as it is there.
    ///
    /// Returns every case, a record's or not, and how many cells were never reached.
    pub fn run(&self, times: u32, on_record: &(dyn Fn(Record) + Sync)) -> Result<(Vec<Case>, usize)> {
        // Whoever counts instructions does not feel how busy the host is.
        let together = if self.accel == Accel::Icount { self.subjects.len() } else { 1 };
        let (mut cases, mut not_run) = (Vec::new(), 0);
        for boot in 1..=times {
            for subjects in self.subjects.chunks(together) {
                let guest = |number: u32, events| {
                    let (subject, initramfs) = &subjects[number as usize];
                    self.boot(boot, subject, initramfs, events, on_record)
                };
                for outcome in at_once(u32::try_from(subjects.len())?, guest)? {
                    cases.extend(outcome.cases);
                    not_run += outcome.not_run;
                }
            }
        }
        Ok((cases, not_run))
    }

    fn boot(
        &self,
        boot: u32,
        subject: &Subject,
        initramfs: &std::path::Path,
        events: Events,
        on_record: &dyn Fn(Record),
    ) -> Result<session::Outcome> {
        let folder = self.folder.join(format!("{}-{boot}", subject.flavor));
        fs::create_dir(&folder).with_context(|| format!("creating {}", folder.display()))?;
        let machine = Machine {
            kernel: &subject.bzimage,
            initramfs,
            accel: self.accel,
            smp: 1,
            memory: MEMORY,
            gdb: false,
            gate: None,
            wire: None,
            init: format!("bench --deadline {}", LIMITS.test.as_secs()),
        };
        session::run(&machine, LIMITS, &folder, events, &|case| {
            if let Some(cell) = subject.cells.iter().find(|cell| cell.to_string() == case.name) {
                on_record(self.record(boot, subject, *cell, case));
            }
        })
    }

    fn record(&self, boot: u32, subject: &Subject, cell: Cell, case: &Case) -> Record {
        let unit = if self.accel == Accel::Icount { Unit::Instructions } else { Unit::Ns };
        let release = said::release(case).or(subject.release.as_deref()).unwrap_or("unknown");
        let origin = Origin {
            release: release.to_owned(),
            flavor: subject.flavor.clone(),
            config: subject.config.clone(),
            build: subject.build.clone(),
            accel: self.accel.to_string(),
            cpu: self.accel.cpu().to_owned(),
            qemu: self.qemu.clone(),
            host: self.host.clone(),
            boot,
        };
        Record { origin, cell, outcome: said::outcome(case, unit) }
    }
}

impl Drop for Bench {
    /// They are large, and made anew by every run.
    fn drop(&mut self) {
        for (_, initramfs) in &self.subjects {
            let _ = fs::remove_file(initramfs);
        }
    }
}
