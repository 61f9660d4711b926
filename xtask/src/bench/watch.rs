//! Guests that are looked on while they receive: the kernel counts its hints, or QEMU logs every instruction.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::cell::{Cell, Receiver};
use super::hints::Counts;
use super::image::Image;
use super::initramfs;
use super::origin::{Guest, Host, Made, Origin};
use super::trace::{self, Work};
use crate::exit::{self, Exit};
use crate::guest::gate::{Answer, Gate, Line};
use crate::guest::monitor::Monitor;
use crate::guest::qemu::{self, Accel, Machine};
use crate::guest::session::{self, Limits};
use crate::guest::together::at_once;
use crate::guest::verdict;
use crate::guest::{executables, runs};
use crate::kernel::manifest::Manifest;
use crate::workspace::Workspace;

/// The guest's memory in MiB, and its CPUs.
const MEMORY: u32 = 1024;
const CPUS: u32 = 1;

/// A guest that waits for us at every call is slow.
const LIMITS: Limits =
    Limits { boot: Duration::from_mins(2), silence: Duration::from_mins(3), test: Duration::from_mins(10) };

/// So many datagrams are logged, if no interrupt comes between.
const LOGGED: u32 = 200;

/// What comes through a guest's gate, and what there is to do meanwhile.
type OnLine<'a> = &'a mut (dyn FnMut(Line<'_>, &mut Monitor) -> Result<Answer> + Send);

/// Counts, in a kernel that was built for it, how often each hint is right while the cells receive.
pub fn hints(workspace: &Workspace, bzimage: &Path, cells: &[Cell]) -> Result<Counts> {
    let mut counts = Counts::default();
    let folder = runs::new_folder(workspace)?;
    boot(workspace, &folder, bzimage, "hints", cells, &mut |line, _| match line {
        Line::Said(row) => counts.add(row).map(|()| Answer::GoOn),
        _ => Ok(Answer::GoOn),
    })?;
    Ok(counts)
}

/// What lines tell of a guest that was looked on.
pub fn origin(workspace: &Workspace, kernel: &Manifest) -> Result<Origin> {
    Ok(Origin {
        release: kernel.release.clone(),
        flavor: kernel.flavor.clone(),
        config: kernel.config.clone(),
        build: kernel.bzimage.sha256.clone(),
        accel: Accel::Icount.to_string(),
        cpu: Accel::Icount.cpu().to_owned(),
        qemu: qemu::version(workspace)?,
        host: Host::here()?,
        boot: 1,
        made: Some(Made::of(workspace, kernel)?),
        guest: Some(Guest { memory: MEMORY, cpus: CPUS }),
    })
}

/// What a kernel does for one cell's datagrams.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Traced {
    /// Whose.
    #[serde(flatten)]
    pub cell: Cell,
    /// Everything done in the receiver's calls.
    #[serde(flatten)]
    pub work: Work,
    /// How many datagrams they brought.
    pub datagrams: u32,
}

/// Logs what a kernel does in some of each cell's calls.
pub fn trace(workspace: &Workspace, bzimage: &Path, vmlinux: &Path, cells: &[Cell]) -> Result<Vec<Traced>> {
    let image = Image::load(vmlinux)?;
    let mut log = Log { image, folder: runs::new_folder(workspace)?, cells, traced: Vec::new(), call: 0 };
    let folder = log.folder.clone();
    boot(workspace, &folder, bzimage, "trace", cells, &mut |line, monitor| log.line(line, monitor))?;
    for traced in &log.traced {
        ensure!(traced.datagrams > 0, "{}: an interrupt came into every call", traced.cell);
    }
    Ok(log.traced)
}

/// What the guest is told in an error of its own.
const LOST: &str = "the guest did not say which cell it is at";

/// What is known of a guest whose instructions are logged.
struct Log<'a> {
    image: Image,
    folder: PathBuf,
    cells: &'a [Cell],
    traced: Vec<Traced>,
    /// Of the cell, counted from 1.
    call: u32,
}

impl Log<'_> {
    fn line(&mut self, line: Line<'_>, monitor: &mut Monitor) -> Result<Answer> {
        match line {
            Line::Said(said) => self.enter(said)?,
            Line::Begin => {
                self.call += 1;
                if self.call > self.warm_up()? {
                    monitor.start_log(&self.file())?;
                }
            }
            Line::End if self.call > self.warm_up()? => {
                monitor.stop_log()?;
                self.read()?;
                if self.call - self.warm_up()? >= LOGGED / self.cell()?.shape.messages {
                    return Ok(Answer::Enough);
                }
            }
            Line::End => {}
        }
        Ok(Answer::GoOn)
    }

    /// Takes notice of the cell that begins.
    fn enter(&mut self, said: &str) -> Result<()> {
        let name = said.strip_prefix("cell ").with_context(|| format!("the guest says {said}"))?;
        let cell = self.cells.iter().find(|cell| cell.to_string() == name);
        let cell = *cell.with_context(|| format!("the guest measures {name}"))?;
        self.traced.push(Traced { cell, work: Work::default(), datagrams: 0 });
        self.call = 0;
        Ok(())
    }

    /// The cell that the guest is at.
    fn cell(&self) -> Result<Cell> {
        self.traced.last().map(|traced| traced.cell).context(LOST)
    }

    /// Calls that are not logged: caches and slabs settle.
    fn warm_up(&self) -> Result<u32> {
        Ok((8192 / self.cell()?.shape.messages).clamp(2, 100))
    }

    fn file(&self) -> PathBuf {
        self.folder.join("exec.log")
    }

    /// Reads what was logged, and makes room for the next.
    fn read(&mut self) -> Result<()> {
        let file = self.file();
        let log = File::open(&file).with_context(|| format!("opening {}", file.display()))?;
        let trace = trace::read(BufReader::with_capacity(1 << 20, log))?;
        fs::remove_file(&file).with_context(|| format!("removing {}", file.display()))?;
        let cell = self.cell()?;
        let function = match cell.receiver {
            Receiver::Recvmsg => "__x64_sys_recvmsg",
            _ => "__x64_sys_recvmmsg",
        };
        let calls = trace::calls(&trace, &self.image, function)?;
        let traced = self.traced.last_mut().context(LOST)?;
        for call in calls {
            traced.work.add(&self.image, call);
            traced.datagrams += cell.shape.messages;
        }
        Ok(())
    }
}

/// Boots a guest that measures `cells`, and serves its gate until it ends. One CPU, whose clock counts instructions.
fn boot(
    workspace: &Workspace,
    folder: &Path,
    bzimage: &Path,
    unit: &str,
    cells: &[Cell],
    on_line: OnLine<'_>,
) -> Result<()> {
    let built = executables::build_receivers(workspace)?;
    let initramfs = initramfs::write(&folder.join("initramfs"), &built, cells, unit)?;
    let gate = Gate::new()?;
    let machine = Machine {
        kernel: bzimage,
        initramfs: &initramfs,
        accel: Accel::Icount,
        smp: CPUS,
        memory: MEMORY,
        gdb: false,
        gate: Some(&gate),
        wire: None,
        // The guest's clock flies while it waits for us, so no deadline of its own would mean anything.
        init: format!("bench --deadline {}", u32::MAX),
    };
    let (served, outcome) = thread::scope(|scope| {
        let server = scope.spawn(|| gate.serve(on_line));
        let outcome = at_once(1, |_, events| session::run(&machine, LIMITS, folder, events, &|_| {}));
        gate.close();
        (server.join(), outcome)
    });
    served.map_err(|_| anyhow::anyhow!("whoever looked on has panicked"))??;
    for case in outcome?.iter().flat_map(|outcome| &outcome.cases) {
        if case.verdict != verdict::Verdict::Pass {
            let said = case.output.last().map_or("", String::as_str);
            let message = format!("{} {}: {} {said}", case.verdict, case.name, case.why);
            let logs = folder.display();
            return Err(exit::error(Exit::Guest, format!("{message}; the guest's logs are in {logs}")));
        }
    }
    Ok(())
}
