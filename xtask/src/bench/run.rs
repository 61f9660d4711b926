//! Boots kernels and has them measured.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempPath;

use super::origin::{Host, Origin};
use super::plan::Cell;
use super::result::{Record, Unit};
use super::said;
use crate::cli::{AccelChoice, BenchAccel};
use crate::exit::{self, Classify, Exit};
use crate::guest::executables::Receivers;
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
    /// Its image's SHA-256.
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
    unit: Unit,
    qemu: String,
    host: Host,
    built: Receivers,
    subjects: Vec<Subject>,
}

/// One boot of a subject, or what a guest that died has left of it.
struct Job<'a> {
    subject: &'a Subject,
    boot: u32,
    attempt: u32,
    cells: Vec<Cell>,
}

/// What came of a plan's cells.
#[derive(Debug, Default)]
pub struct Ran {
    /// Every case, a cell's or not.
    pub cases: Vec<Case>,
    /// How many cells were never reached: a guest died before its first.
    pub not_run: usize,
}

impl Bench {
    /// Builds the receivers, and settles on the accelerator.
    pub fn prepare(workspace: &Workspace, subjects: Vec<Subject>, choice: BenchAccel) -> Result<Self> {
        let built = executables::build_receivers(workspace)?;
        let folder = runs::new_folder(workspace)?;
        let first = subjects.first().context("no kernel to measure")?;
        let choose = |choice| {
            let initramfs = initramfs(&built, &folder.join("probe"), "")?;
            accel::choose(workspace, choice, &first.bzimage, &initramfs)
        };
        let (accel, notice) = match choice {
            BenchAccel::Icount => (Accel::Icount, None),
            BenchAccel::Auto => choose(AccelChoice::Auto)?,
            BenchAccel::Kvm => choose(AccelChoice::Kvm)?,
            BenchAccel::Tcg => choose(AccelChoice::Tcg)?,
        };
        let unit = if accel == Accel::Icount { Unit::Instructions } else { Unit::Ns };
        let (qemu, host) = (qemu::version(workspace)?, Host::here()?);
        Ok(Self { folder, accel, notice, unit, qemu, host, built, subjects })
    }

    /// Where in the plan a record has its place: its boot, its kernel, its cell. None if it has none.
    pub fn place(&self, record: &Record) -> Option<(u32, usize, usize)> {
        let origin = &record.origin;
        let subject = self.subjects.iter().position(|subject| subject.build == origin.build)?;
        let cell = self.subjects[subject].cells.iter().position(|cell| *cell == record.cell)?;
        Some((origin.boot, subject, cell))
    }

    /// Makes sure that records come from what is measured now: others can't be compared with it, nor go into one file.
    pub fn fits<'a>(&self, records: impl Iterator<Item = &'a Record>) -> Result<()> {
        for record in records {
            for subject in &self.subjects {
                let ours = self.origin(record.origin.boot, subject, record.origin.release.clone());
                if let Some(differs) = ours.conflict(&record.origin) {
                    return Err(exit::error(Exit::Usage, differs));
                }
            }
        }
        Ok(())
    }

    /// How many cells `times` boots have that are not among `done`.
    pub fn missing(&self, times: u32, done: &[Record]) -> usize {
        (1..=times).flat_map(|boot| self.jobs(boot, done)).map(|job| job.cells.len()).sum()
    }

    /// Boots each subject `times` times, in turn, for what is not among `done`; hands over each record as soon as it
    /// is there. What a guest that died has left is measured by another.
    pub fn run(&self, times: u32, done: &[Record], on_record: &(dyn Fn(Record) + Sync)) -> Result<Ran> {
        // Whoever counts instructions does not feel how busy the host is.
        let together = if self.accel == Accel::Icount { self.subjects.len() } else { 1 };
        let mut ran = Ran::default();
        for boot in 1..=times {
            for jobs in self.jobs(boot, done).chunks_mut(together) {
                self.finish(jobs, on_record, &mut ran)?;
            }
        }
        Ok(ran)
    }

    /// A job a subject that has anything left to do.
    fn jobs(&self, boot: u32, done: &[Record]) -> Vec<Job<'_>> {
        let left = |subject: &Subject| -> Vec<Cell> {
            let of = |record: &&Record| record.origin.boot == boot && record.origin.build == subject.build;
            let done: Vec<_> = done.iter().filter(of).filter(|record| !record.failed()).collect();
            let is_done = |cell: &Cell| done.iter().any(|record| record.cell == *cell);
            subject.cells.iter().copied().filter(|cell| !is_done(cell)).collect()
        };
        let jobs =
            self.subjects.iter().map(|subject| Job { subject, boot, attempt: 1, cells: left(subject) });
        jobs.filter(|job| !job.cells.is_empty()).collect()
    }

    /// Boots all jobs at once, and again those of which cells are left, for as long as each boot reaches at least one.
    fn finish(&self, jobs: &mut [Job<'_>], on_record: &(dyn Fn(Record) + Sync), ran: &mut Ran) -> Result<()> {
        while jobs.iter().any(|job| !job.cells.is_empty()) {
            let left: Vec<_> = jobs.iter_mut().filter(|job| !job.cells.is_empty()).collect();
            let guest = |number: u32, events| self.boot(left[number as usize], events, on_record);
            let outcomes = at_once(u32::try_from(left.len())?, guest)?;
            for (job, outcome) in left.into_iter().zip(outcomes) {
                let reached = |cell: &Cell| outcome.cases.iter().any(|case| case.name == cell.to_string());
                let before = job.cells.len();
                job.cells.retain(|cell| !reached(cell));
                if job.cells.len() == before {
                    ran.not_run += before;
                    job.cells.clear();
                }
                job.attempt += 1;
                ran.cases.extend(outcome.cases);
            }
        }
        Ok(())
    }

    fn boot(&self, job: &Job<'_>, events: Events, on_record: &dyn Fn(Record)) -> Result<session::Outcome> {
        let Job { subject, boot, attempt, cells } = job;
        let again = if *attempt > 1 { format!(".{attempt}") } else { String::new() };
        let folder = self.folder.join(format!("{}-{boot}{again}", subject.flavor));
        fs::create_dir(&folder).with_context(|| format!("creating {}", folder.display()))?;
        let lines: Vec<_> = cells.iter().map(|cell| format!("{cell} {}\n", self.unit)).collect();
        let initramfs = initramfs(&self.built, &folder.join("initramfs"), &lines.concat())?;
        let machine = Machine {
            kernel: &subject.bzimage,
            initramfs: &initramfs,
            accel: self.accel,
            smp: 1,
            memory: MEMORY,
            gdb: false,
            gate: None,
            wire: None,
            init: format!("bench --deadline {}", LIMITS.test.as_secs()),
        };
        session::run(&machine, LIMITS, &folder, events, &|case| {
            if let Some(cell) = cells.iter().find(|cell| cell.to_string() == case.name) {
                on_record(self.record(*boot, subject, *cell, case));
            }
        })
    }

    fn record(&self, boot: u32, subject: &Subject, cell: Cell, case: &Case) -> Record {
        let release = said::release(case).or(subject.release.as_deref()).unwrap_or("unknown");
        let origin = self.origin(boot, subject, release.to_owned());
        Record { origin, cell, outcome: said::outcome(case, self.unit) }
    }

    fn origin(&self, boot: u32, subject: &Subject, release: String) -> Origin {
        Origin {
            release,
            flavor: subject.flavor.clone(),
            config: subject.config.clone(),
            build: subject.build.clone(),
            accel: self.accel.to_string(),
            cpu: self.accel.cpu().to_owned(),
            qemu: self.qemu.clone(),
            host: self.host.clone(),
            boot,
        }
    }
}

/// Writes an initramfs whose runner measures `cells`. It is large, and goes when it is dropped.
fn initramfs(built: &Receivers, file: &Path, cells: &str) -> Result<TempPath> {
    let mut initramfs = Initramfs::new();
    initramfs.executable("init", &built.init)?;
    initramfs.executable("receivers", &built.receivers)?;
    initramfs.file("cells", cells.as_bytes());
    let written = TempPath::try_from_path(file)?;
    initramfs.write(file).exit(Exit::Host, || format!("writing {}", file.display()))?;
    Ok(written)
}
