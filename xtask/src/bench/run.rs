//! Boots kernels and has them measured.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use super::cell::Cell;
use super::initramfs;
use super::origin::{Guest, Host, Made, Origin};
use super::result::{Record, Unit};
use super::said;
use crate::cli::{AccelChoice, BenchAccel};
use crate::exit::{self, Exit};
use crate::guest::executables::Receivers;
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
    /// Of what it was made, if it was made here.
    pub made: Option<Made>,
    /// What to measure.
    pub cells: Vec<Cell>,
}

impl Subject {
    /// Whether a result is of this kernel.
    fn is_that_of(&self, origin: &Origin) -> bool {
        self.build == origin.build && self.flavor == origin.flavor
    }
}

/// Subjects, ready to boot.
pub struct Bench {
    /// Where the logs go.
    pub folder: PathBuf,
    /// Who runs the guests' instructions.
    pub accel: Accel,
    /// Why that is not what one would hope for.
    pub notice: Option<String>,
    /// Under a wall clock: how many datagrams one program sends to another.
    pub stream: Option<u64>,
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
    /// Builds the receivers, and settles on the accelerator, which settles how many datagrams are sent under a wall clock.
    pub fn prepare(
        workspace: &Workspace,
        mut subjects: Vec<Subject>,
        choice: BenchAccel,
        datagrams: impl FnOnce(Accel) -> u64,
    ) -> Result<Self> {
        let folder = runs::new_folder(workspace)?;
        let built = executables::build_receivers(workspace)?.kept_in(&folder)?;
        for Subject { flavor, bzimage, .. } in &mut subjects {
            *bzimage = runs::keep(&folder, bzimage, &format!("{flavor}.bzImage"))?;
        }
        let first = subjects.first().context("no kernel to measure")?;
        let choose = |choice| {
            let initramfs = initramfs::write(&folder.join("probe"), &built, &[], "")?;
            accel::choose(workspace, choice, &first.bzimage, &initramfs)
        };
        let (accel, notice) = match choice {
            BenchAccel::Icount => (Accel::Icount, None),
            BenchAccel::Auto => choose(AccelChoice::Auto)?,
            BenchAccel::Kvm => choose(AccelChoice::Kvm)?,
            BenchAccel::Tcg => choose(AccelChoice::Tcg)?,
        };
        let stream = (accel != Accel::Icount).then(|| datagrams(accel));
        let (qemu, host) = (qemu::version(workspace)?, Host::here()?);
        Ok(Self { folder, accel, notice, stream, qemu, host, built, subjects })
    }

    /// Where in the plan a record has its place: its boot, its kernel, its cell. None if it has none.
    pub fn place(&self, record: &Record) -> Option<(u32, usize, usize)> {
        let origin = &record.origin;
        let subject = self.subjects.iter().position(|subject| subject.is_that_of(origin))?;
        let cell = self.subjects[subject].cells.iter().position(|cell| *cell == record.cell)?;
        Some((origin.boot, subject, cell))
    }

    /// Makes sure that records come from what is measured now: others can't be compared with it, nor go into one file.
    pub fn fits<'a>(&self, records: impl Iterator<Item = &'a Record>) -> Result<()> {
        for record in records {
            if record.stream != self.stream {
                let told =
                    |stream: Option<u64>| stream.map_or("no".to_owned(), |datagrams| datagrams.to_string());
                let (theirs, ours) = (told(record.stream), told(self.stream));
                let message =
                    format!("it has results of {theirs} datagrams sent, and this plan's are of {ours}");
                return Err(exit::error(Exit::Usage, message + ": name another file"));
            }
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
            let of = |record: &&Record| record.origin.boot == boot && subject.is_that_of(&record.origin);
            let done: Vec<_> = done.iter().filter(of).filter(|record| !record.outcome.failed()).collect();
            let is_done = |cell: &Cell| done.iter().any(|record| record.cell == *cell);
            let mut left: Vec<_> = subject.cells.iter().copied().filter(|cell| !is_done(cell)).collect();
            // The longest calls take nearly all of the time: a plan that is cut short has the others.
            left.sort_by_key(|cell| cell.shape.messages);
            left
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
        let drive = self.stream.map_or("instructions".to_owned(), |datagrams| format!("stream {datagrams}"));
        let initramfs = initramfs::write(&folder.join("initramfs"), &self.built, cells, &drive)?;
        let limits = self.limits();
        let machine = Machine {
            kernel: &subject.bzimage,
            initramfs: &initramfs,
            accel: self.accel,
            smp: self.cpus(),
            memory: MEMORY,
            gdb: false,
            gate: None,
            wire: None,
            init: format!("bench --deadline {}", limits.test.as_secs()),
        };
        session::run(&machine, limits, &folder, events, &|case| {
            if let Some(cell) = cells.iter().find(|cell| cell.to_string() == case.name) {
                on_record(self.record(*boot, subject, *cell, case));
            }
        })
    }

    /// One for each of two programs.
    fn cpus(&self) -> u32 {
        if self.stream.is_some() { 2 } else { 1 }
    }

    fn record(&self, boot: u32, subject: &Subject, cell: Cell, case: &Case) -> Record {
        let release = said::release(case).or(subject.release.as_deref()).unwrap_or("unknown");
        let origin = self.origin(boot, subject, release.to_owned());
        let unit = if self.stream.is_some() { Unit::Ns } else { Unit::Instructions };
        Record { origin, cell, stream: self.stream, outcome: said::outcome(case, unit) }
    }

    /// A stream takes the time that its datagrams take, of which an emulator makes the most.
    fn limits(&self) -> Limits {
        const DATAGRAM: Duration = Duration::from_micros(100);
        let sent = u32::try_from(self.stream.unwrap_or(0)).unwrap_or(u32::MAX);
        Limits { test: LIMITS.test + DATAGRAM * sent, ..LIMITS }
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
            made: subject.made.clone(),
            guest: Some(Guest { memory: MEMORY, cpus: self.cpus() }),
        }
    }
}
