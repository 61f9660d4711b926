//! Boots pairs of guests, and has a feed run from one to the other.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempPath;

use super::Feed;
use super::result::{About, Measured, RealWorld, Way};
use super::said::Pair;
use crate::bench::origin::{Guest, Host, Made, Origin};
use crate::bench::outcome::Outcome;
use crate::bench::plan::remembers;
use crate::cli::{self, AccelChoice};
use crate::exit::{self, Exit};
use crate::guest::executables::{self, Receivers};
use crate::guest::initramfs::Initramfs;
use crate::guest::qemu::{self, Accel, Machine};
use crate::guest::session::{self, Limits};
use crate::guest::together::at_once;
use crate::guest::wire::Wire;
use crate::guest::{accel, runs};
use crate::workspace::Workspace;

/// A guest's memory in MiB: most of it is for the largest feed, twice.
const MEMORY: u32 = 1024;
const CPUS: u32 = 1;
/// What a run may take beside its feed: the guests wait for each other, and for what was lost.
const BESIDE: Duration = Duration::from_mins(2);

/// A kernel that sends or receives.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// How much of the series it has.
    pub flavor: String,
    /// Its configuration.
    pub config: String,
    /// Its image's SHA-256.
    pub build: String,
    /// The image.
    pub bzimage: PathBuf,
    /// Of what it was made, if it was made here.
    pub made: Option<Made>,
}

/// One run: who receives, and how.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// In the receiving guest.
    pub kernel: &'a Kernel,
    /// How it receives.
    pub way: Way,
    /// Whether datagrams are stamped.
    pub stamps: bool,
    /// Which time it is that this is run, counted from 1.
    pub boot: u32,
}

/// The runs, in turn: never all of one kernel first.
pub fn plan(kernels: &[Kernel], times: u32) -> Vec<Run<'_>> {
    let mut runs = Vec::new();
    for boot in 1..=times {
        for stamps in [false, true] {
            for way in [Way::Recvmsg, Way::Recvmmsg, Way::Remembered] {
                let able = kernels
                    .iter()
                    .filter(|kernel| way != Way::Remembered || remembers(&kernel.flavor, &kernel.config));
                runs.extend(able.map(|kernel| Run { kernel, way, stamps, boot }));
            }
        }
    }
    runs
}

/// All that runs have in common.
pub struct Feeder {
    /// Where the logs go.
    pub folder: PathBuf,
    /// The kernels that receive, in turn.
    pub receivers: Vec<Kernel>,
    /// Who runs the guests' instructions.
    pub accel: Accel,
    /// Why that is not what one would hope for.
    pub notice: Option<String>,
    feed: Feed,
    encoded: Vec<u8>,
    /// Of the feed, in nanoseconds.
    duration: u64,
    buffer: u32,
    sender: Kernel,
    built: Receivers,
    qemu: String,
    host: Host,
}

impl Feeder {
    /// Builds what the guests run, and settles on the accelerator.
    ///
    /// `feed` is told the accelerator, which decides how much a guest can take.
    pub fn prepare(
        workspace: &Workspace,
        (mut sender, mut receivers): (Kernel, Vec<Kernel>),
        buffer: u32,
        choice: AccelChoice,
        feed: impl FnOnce(Accel) -> Result<Feed>,
    ) -> Result<Self> {
        let folder = runs::new_folder(workspace)?;
        let built = executables::build_feed(workspace)?.kept_in(&folder)?;
        sender.bzimage = runs::keep(&folder, &sender.bzimage, "sender.bzImage")?;
        for Kernel { flavor, bzimage, .. } in &mut receivers {
            *bzimage = runs::keep(&folder, bzimage, &format!("{flavor}.bzImage"))?;
        }
        let probe = initramfs(&folder.join("initramfs"), &built, "", &[])?;
        let (accel, notice) = accel::choose(workspace, choice, &sender.bzimage, &probe)?;
        drop(probe);
        let feed = feed(accel)?;
        let (encoded, duration) = (feed.encode()?, u64::try_from(feed.duration().as_nanos())?);
        let (qemu, host) = (qemu::version(workspace)?, Host::here()?);
        Ok(Self {
            folder,
            receivers,
            accel,
            notice,
            feed,
            encoded,
            duration,
            buffer,
            sender,
            built,
            qemu,
            host,
        })
    }

    /// Makes sure that earlier runs come from the same kernels and machine: others do not go into one file.
    pub fn fits<'r>(&self, mut earlier: impl Iterator<Item = &'r RealWorld>) -> Result<()> {
        let conflict = |known: &RealWorld| {
            self.receivers.iter().find_map(|kernel| {
                let run = Run { kernel, way: known.receiver, stamps: known.stamps, boot: known.origin.boot };
                self.origin(&run, &known.origin.release).conflict(&known.origin)
            })
        };
        earlier.find_map(conflict).map_or(Ok(()), |differs| Err(exit::error(Exit::Usage, differs)))
    }

    /// What is sent.
    pub fn feed(&self) -> &Feed {
        &self.feed
    }

    /// Boots both guests of a run. A guest that dies is an outcome, not an error.
    pub fn run(&self, run: &Run<'_>) -> Result<RealWorld> {
        let Run { kernel, way, stamps, boot } = *run;
        let (way_name, look) = (cli::name(&way), if stamps { "stamped" } else { "plain" });
        let folder = self.folder.join(format!("{}-{way_name}-{look}-{boot}", kernel.flavor));
        let wire = Wire::new()?;
        let cells = ["send\n".to_owned(), format!("{way_name} {look} {}\n", self.buffer)];
        let deadline = self.feed.duration() + BESIDE;
        let limits = Limits { boot: BESIDE, silence: Duration::from_mins(1), test: deadline };
        let ended = std::thread::scope(|scope| {
            let carrier = scope.spawn(|| wire.carry());
            let ended = at_once(2, |side, events| {
                let side = side as usize;
                let (kernel, name) = [(&self.sender, "sender"), (kernel, "receiver")][side];
                let folder = folder.join(name);
                fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
                let file = folder.join("initramfs");
                let initramfs = initramfs(&file, &self.built, &cells[side], &self.encoded)?;
                let machine = Machine {
                    kernel: &kernel.bzimage,
                    initramfs: &initramfs,
                    accel: self.accel,
                    smp: CPUS,
                    memory: MEMORY,
                    gdb: false,
                    gate: None,
                    wire: Some(&wire.ends[side]),
                    init: format!("bench --deadline {}", deadline.as_secs()),
                };
                session::run(&machine, limits, &folder, events, &|_| {})
            });
            wire.close();
            // What carries has nothing to say but that a guest never came, which the guest says better.
            let _ = carrier.join();
            ended
        });
        let [sender, receiver] = <[_; 2]>::try_from(ended?).ok().context("two guests have two ends")?;
        let pair = Pair { sender, receiver };
        let outcome = pair.outcome(self.feed.datagrams().len() as u64, stamps);
        Ok(self.record(run, pair.release().unwrap_or("unknown"), outcome))
    }

    /// What came of this run earlier, among `earlier`, and with an end.
    pub fn known<'r>(
        &self,
        run: &Run<'_>,
        mut earlier: impl Iterator<Item = &'r RealWorld>,
    ) -> Option<&'r RealWorld> {
        earlier.find(|known| self.is_of(run, known) && !known.outcome.failed())
    }

    /// Whether that came of this run: of the same kernels, feed and machine.
    pub fn is_of(&self, run: &Run<'_>, known: &RealWorld) -> bool {
        self.record(run, &known.origin.release, known.outcome.clone()).is_of_the_same(known)
    }

    fn record(&self, run: &Run<'_>, release: &str, outcome: Outcome<Measured>) -> RealWorld {
        let datagrams = self.feed.datagrams().len() as u64;
        RealWorld {
            origin: self.origin(run, release),
            sender: self.sender.flavor.clone(),
            receiver: run.way,
            stamps: run.stamps,
            buffer: self.buffer,
            feed: About {
                name: self.feed.name.clone(),
                datagrams,
                duration: self.duration,
                asked: Some(self.feed.asked.clone()),
            },
            outcome,
        }
    }

    fn origin(&self, run: &Run<'_>, release: &str) -> Origin {
        let Kernel { flavor, config, build, made, .. } = run.kernel.clone();
        Origin {
            release: release.to_owned(),
            flavor,
            config,
            build,
            accel: self.accel.to_string(),
            cpu: self.accel.cpu().to_owned(),
            qemu: self.qemu.clone(),
            host: self.host.clone(),
            boot: run.boot,
            made,
            guest: Some(Guest { memory: MEMORY, cpus: CPUS }),
        }
    }
}

/// Writes what a guest boots with: it is large, and goes when it is dropped.
fn initramfs(file: &Path, built: &Receivers, cells: &str, feed: &[u8]) -> Result<TempPath> {
    let mut initramfs = Initramfs::new();
    initramfs.executable("init", &built.init)?;
    initramfs.executable("receivers", &built.receivers)?;
    initramfs.file("cells", cells.as_bytes());
    initramfs.file("feed", feed);
    let written = TempPath::try_from_path(file)?;
    initramfs.write(file)?;
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_take_turns_and_only_fastnet_remembers() {
        let kernel = |flavor: &str| Kernel {
            flavor: flavor.into(),
            config: "vm".into(),
            build: "0123".into(),
            bzimage: PathBuf::new(),
            made: None,
        };
        let kernels = ["stock", "fastnet"].map(kernel);
        let runs = plan(&kernels, 2);
        let shown = runs.iter().map(|run| {
            let stamps = if run.stamps { "stamped" } else { "plain" };
            format!("{} {} {stamps} {}", run.kernel.flavor, cli::name(&run.way), run.boot)
        });
        let shown: Vec<_> = shown.collect();
        assert_eq!(
            shown[..6],
            [
                "stock recvmsg plain 1",
                "fastnet recvmsg plain 1",
                "stock recvmmsg plain 1",
                "fastnet recvmmsg plain 1",
                "fastnet remembered plain 1",
                "stock recvmsg stamped 1",
            ]
        );
        assert_eq!((shown.len(), &*shown[19]), (20, "fastnet remembered stamped 2"));
        let off = [Kernel { config: "off".into(), ..kernel("fastnet") }];
        assert!(plan(&off, 1).iter().all(|run| run.way != Way::Remembered));
    }
}
