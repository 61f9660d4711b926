//! Guests that are looked on while they receive: the kernel counts its hints, or QEMU logs every instruction.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
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

/// So many messages are logged in whole calls, and one call at least.
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

/// The function by which the kernel is entered to receive; none where no call does, or none that can be followed: over
/// veth one program receives what another sends meanwhile.
pub fn entry(receiver: Receiver) -> Option<&'static str> {
    match receiver {
        Receiver::Recv => Some("__x64_sys_recvfrom"),
        Receiver::Recvmsg => Some("__x64_sys_recvmsg"),
        Receiver::Recvmmsg | Receiver::Remembered | Receiver::UdpGro => Some("__x64_sys_recvmmsg"),
        Receiver::IoUringRecvmsg | Receiver::IoUringRecv => Some("__x64_sys_io_uring_enter"),
        Receiver::BusyPoll | Receiver::AfXdp | Receiver::RememberUniform | Receiver::RememberScattered => {
            None
        }
    }
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
    /// How many datagrams they brought, as the receiver counted them.
    pub datagrams: u32,
}

/// Logs what a kernel does in some of each cell's calls.
pub fn trace(workspace: &Workspace, bzimage: &Path, vmlinux: &Path, cells: &[Cell]) -> Result<Vec<Traced>> {
    let image = Image::load(vmlinux)?;
    let folder = runs::new_folder(workspace)?;
    let mut log =
        Log { image, folder: folder.clone(), cells, traced: Vec::new(), begun: 0, whole: 0, last: None };
    boot(workspace, &folder, bzimage, "trace", cells, &mut |line, monitor| log.line(line, monitor))?;
    for traced in &log.traced {
        ensure!(
            traced.datagrams > 0,
            "{}: an interrupt came into every call; a call of fewer messages is shorter",
            traced.cell
        );
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
    /// Calls of the cell that began.
    begun: u32,
    /// Calls of the cell that were logged and counted.
    whole: u32,
    /// The last call's instructions, if it was logged and no interrupt came into it.
    last: Option<Vec<u64>>,
}

impl Log<'_> {
    fn line(&mut self, line: Line<'_>, monitor: &mut Monitor) -> Result<Answer> {
        match line {
            Line::Said(said) => match said.split_once(' ') {
                Some(("cell", name)) => self.enter(name)?,
                Some(("datagrams", count)) => self.count(count.parse().context("a count of datagrams")?)?,
                _ => bail!("the guest says {said}"),
            },
            Line::Begin => {
                if self.whole > 0 && self.whole * self.cell()?.shape.messages >= LOGGED {
                    return Ok(Answer::Enough);
                }
                self.begun += 1;
                if self.is_warm()? {
                    monitor.start_log(&self.file())?;
                }
            }
            Line::End => {
                if self.is_warm()? {
                    monitor.stop_log()?;
                    self.last = self.read()?;
                }
            }
        }
        Ok(Answer::GoOn)
    }

    /// Takes notice of the cell that begins.
    fn enter(&mut self, name: &str) -> Result<()> {
        let cell = self.cells.iter().find(|cell| cell.to_string() == name);
        let cell = *cell.with_context(|| format!("the guest measures {name}"))?;
        self.traced.push(Traced { cell, work: Work::default(), datagrams: 0 });
        (self.begun, self.whole) = (0, 0);
        Ok(())
    }

    /// Counts the last call, which brought so many datagrams.
    fn count(&mut self, datagrams: u32) -> Result<()> {
        if let Some(call) = self.last.take() {
            let traced = self.traced.last_mut().context(LOST)?;
            traced.work.add(&self.image, &call);
            traced.datagrams += datagrams;
            self.whole += 1;
        }
        Ok(())
    }

    /// The cell that the guest is at.
    fn cell(&self) -> Result<Cell> {
        self.traced.last().map(|traced| traced.cell).context(LOST)
    }

    /// Whether caches and slabs have settled: the calls before are not logged.
    fn is_warm(&self) -> Result<bool> {
        Ok(self.begun > (8192 / self.cell()?.shape.messages).clamp(2, 100))
    }

    fn file(&self) -> PathBuf {
        self.folder.join("exec.log")
    }

    /// Reads the call that was logged, and makes room for the next.
    fn read(&self) -> Result<Option<Vec<u64>>> {
        let file = self.file();
        let log = File::open(&file).with_context(|| format!("opening {}", file.display()))?;
        let trace = trace::read(BufReader::with_capacity(1 << 20, log))?;
        fs::remove_file(&file).with_context(|| format!("removing {}", file.display()))?;
        let cell = self.cell()?;
        let function = entry(cell.receiver).with_context(|| format!("{cell} makes no call to follow"))?;
        Ok(trace::call(&trace, &self.image, function)?.map(<[u64]>::to_vec))
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
