//! The command line, as `--help` shows it. It is a contract: scripts and CI lean on it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::bench::plan::Shard;

/// Fetch Linux, patch it for cheap UDP receive, build it, package it, test it in a guest.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    after_help = "Exit codes: 0 pass, 1 tests failed, 2 usage, 3 the host lacks something, \
                  4 the guest died, 5 network or integrity, 6 no kernel came out, 130 interrupted."
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

/// One subcommand a file in `tasks/`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what the host lacks, each with the package that brings it.
    Doctor {
        /// Install what is missing, as root or by sudo.
        #[arg(long, visible_alias = "yes")]
        install: bool,
    },
    /// Bring a kernel's source here, verified, and print where its tree is.
    ///
    /// configs/kernels.toml names the kernels, where each comes from and what it must be. Without --kernel its
    /// preferred ones are tried in order; where the network does not reach one, the next is taken and a line
    /// says so. Trees are kept in ~/.cache/fastnet, or in `FASTNET_CACHE`. A download that was cut off goes on
    /// where it ended.
    #[command(after_long_help = "Examples:\n  \
        cargo xtask fetch                     the first preferred kernel within reach\n  \
        cargo xtask fetch --kernel 6.11       that one, or an error\n  \
        cargo xtask fetch --source ~/linux    a tree of yours, used in place and never modified")]
    Fetch {
        #[command(flatten)]
        kernel: KernelArgs,
    },
    /// Patch, configure, build and package a kernel, and print where its manifest is.
    #[command(after_help = BUILD_KERNEL)]
    BuildKernel {
        #[command(flatten)]
        kernel: KernelArgs,

        /// Package it too; left out by default, as it takes a minute more.
        #[arg(long, value_name = "deb,rpm|none", value_parser = formats, default_value = "none")]
        package: Formats,
    },
    /// Look at the patch series, check that it applies, and edit it as git commits.
    #[command(after_help = PATCH)]
    Patch {
        #[command(subcommand)]
        action: PatchAction,
    },
    /// Boot the kernel in a guest and run the tests there.
    TestInVm(TestArgs),
    /// Measure what receiving costs, on stock Linux and with the patches.
    Bench {
        #[command(subcommand)]
        action: BenchAction,
    },
    /// Run all that CI runs, in the same order; the last line counts the tests.
    Ci {
        /// Install what the host lacks without asking.
        #[arg(long)]
        yes: bool,
    },
}

/// What to run in the guest, and in which guest.
#[derive(Args, Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "flags")]
pub struct TestArgs {
    /// Only tests whose name contains this, as in `abi::` or `recvmmsg::ipv6`.
    pub filter: Option<String>,

    #[command(flatten)]
    pub kernel: KernelArgs,

    /// Who runs the guest's instructions.
    #[arg(long, value_enum, default_value_t = AccelChoice::Auto)]
    pub accel: AccelChoice,

    /// CPUs of a guest.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub smp: u32,

    /// So many guests at once, each with a share of the tests.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub jobs: u32,

    /// Write the results there as JUnit XML.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,

    /// A shell in the guest in place of the tests.
    #[arg(long, conflicts_with_all = ["filter", "junit", "jobs"])]
    pub shell: bool,

    /// Wait for a debugger before the guest's first instruction, and give the tests all the time there is.
    #[arg(long, conflicts_with = "jobs")]
    pub gdb: bool,

    /// Boot this kernel, building none: for the tests of the verdicts.
    #[arg(long, hide = true, value_name = "BZIMAGE")]
    pub bzimage: Option<PathBuf>,

    /// Run this static executable, one of the kernel's own tests, as one more test.
    #[arg(long, hide = true, value_name = "FILE")]
    pub kselftest: Vec<PathBuf>,
    /// Run the long tests in place of the others: a million rounds of the oracle, minutes of races.
    #[arg(long, conflicts_with = "ignored")]
    pub long: bool,

    /// Set in the environment of the tests: the oracle knows SEED and ROUNDS.
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    pub env: Vec<String>,

    /// Run the tests that are faults on purpose, and only those.
    #[arg(long, hide = true)]
    pub ignored: bool,

    /// How long a test may take.
    #[arg(
        long,
        hide = true,
        value_name = "SECONDS",
        default_value_t = 60,
        default_value_if("long", "true", "21600")
    )]
    pub deadline: u64,

    /// How long the runner may be silent.
    #[arg(long, hide = true, value_name = "SECONDS", default_value_t = 20)]
    pub silence: u64,
}

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum BenchAction {
    /// Receive over a guest's loopback, in every way there is, and print what a datagram costs.
    Local(BenchArgs),
    /// Send a feed from one guest to another, and print what receiving it costs, what got lost and how late it came.
    RealWorld(FeedArgs),
    /// Count how often each branch hint of the patches is right, and the branches taken before and after.
    ///
    /// Fails on a hint that is wrong more often than right. Hints that the load never reaches are listed apart.
    /// Builds three kernels: one that counts its hints, stock, and one with the hints alone.
    Hints {
        #[command(flatten)]
        patches: PatchArgs,
        /// Add the counts, and where a datagram's instructions go without and with the hints, to this file of results.
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
    /// Show in which of the kernel's functions a datagram's instructions are spent.
    Profile {
        /// What receives what, as `bench local` names it.
        #[arg(default_value = "remembered/ipv4/64/1000")]
        cell: String,
        #[command(flatten)]
        kernel: KernelArgs,
        /// Add the counts to this file of results.
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// Draw a flame graph there: who calls whom, each as wide as its instructions.
        #[arg(long, value_name = "FILE")]
        svg: Option<PathBuf>,
        /// Of the kernel of this manifest.json, building none.
        #[arg(long, hide = true, value_name = "FILE")]
        manifest: Option<PathBuf>,
    },
    /// Make a page, a summary in Markdown and CSV of result files.
    ///
    /// The page is one file that needs no network. The paper's table, ratios with their intervals, the cost by batch and
    /// by size, hints, and where instructions go: whatever the files hold.
    Report {
        /// What `--json` of the other commands wrote.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// The folder to write index.html, summary.md and the CSV files to.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Say what changed from one file of results to another, beyond noise; exit 1 if anything takes more.
    ///
    /// Cells of the same kernel, configuration and guest are compared. A change is noise up to --tolerance and, on top,
    /// the most that boots (or, of time, rounds) of the same differ. A cell that failed counts as one that takes more.
    Compare {
        /// The results before.
        before: PathBuf,
        /// The results after.
        after: PathBuf,
        /// Compare ratios to stock's recvmmsg in the same file, for releases or compilers that are not the same.
        #[arg(long)]
        ratios: bool,
        /// In percent.
        #[arg(long, value_name = "PERCENT", default_value_t = 0.5)]
        tolerance: f64,
    },
}

/// What to measure, and in which guests.
#[derive(Args, Clone, Debug)]
#[command(after_help = BENCH_LOCAL)]
pub struct BenchArgs {
    /// Only cells whose name contains one of these, as in `remembered/ipv4` or `/64/1000`.
    pub filter: Vec<String>,

    #[command(flatten)]
    pub kernel: KernelArgs,

    /// Who runs the guest's instructions, and so what is counted.
    #[arg(long, value_enum, default_value_t = BenchAccel::Icount)]
    pub accel: BenchAccel,

    /// The README's table alone: minutes in place of hours.
    #[arg(long)]
    pub quick: bool,

    /// Boot each kernel so often, in turn, and say which cells differ by more than 0.5 % from boot to boot.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=9))]
    pub repeat: u32,

    /// Measure this part of the plan alone, as in 2/8: for a machine of several. All kernels are in every part.
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,

    /// Write the results there, a line of JSON a cell as soon as it is measured: see docs/results.md.
    ///
    /// What the file has already is not measured again: a plan that was cut off goes on where it was.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Boot these kernels, building none: for tests, and for work on a kernel tree.
    #[arg(long, hide = true, value_name = "FLAVOR=BZIMAGE", value_parser = image)]
    pub bzimage: Vec<(Flavor, PathBuf)>,
}

/// What to send, and to whom.
#[derive(Args, Clone, Debug)]
#[command(after_help = BENCH_REAL_WORLD)]
pub struct FeedArgs {
    #[command(flatten)]
    pub kernel: KernelArgs,

    /// Who runs the guests' instructions.
    #[arg(long, value_enum, default_value_t = AccelChoice::Auto)]
    pub accel: AccelChoice,

    /// Replay the UDP datagrams of this capture, by their sizes and times, in place of the generated feed.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["datagrams", "rate"])]
    pub pcap: Option<PathBuf>,

    /// So many datagrams; if not said, a million under KVM, and 20 000 where the CPU is emulated.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub datagrams: Option<u32>,

    /// So many a second on average; if not said, 100 000 under KVM, and 4 000 where the CPU is emulated.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub rate: Option<u32>,

    /// What the receiving socket's buffer holds (`SO_RCVBUF`); what comes while it is full is lost.
    #[arg(long, value_name = "BYTES", default_value_t = 8 << 20, value_parser = clap::value_parser!(u32).range(1..=1 << 28))]
    pub rcvbuf: u32,

    /// Run each receiver on each kernel so often, in turn.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    pub repeat: u32,

    /// Write the results there, a line of JSON a run; what the file already has is not run again.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Boot these kernels, building none: the stock one sends, all receive.
    #[arg(long, hide = true, value_name = "FLAVOR=BZIMAGE", value_parser = image)]
    pub bzimage: Vec<(Flavor, PathBuf)>,
}

fn image(text: &str) -> Result<(Flavor, PathBuf), String> {
    let (flavor, path) = text.split_once('=').ok_or("FLAVOR=BZIMAGE")?;
    Ok((Flavor::from_str(flavor, false)?, path.into()))
}

/// Who runs the guest's instructions when they are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BenchAccel {
    /// QEMU's translator with a clock that ticks once an instruction: figures are instructions, the same anywhere.
    Icount,
    /// KVM if it proves to work, else TCG; figures are nanoseconds.
    Auto,
    /// The host's CPU; figures are nanoseconds.
    Kvm,
    /// QEMU's translator; figures are nanoseconds of a CPU that there is not.
    Tcg,
}

/// Who runs the guest's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AccelChoice {
    /// KVM if it proves to work, else TCG.
    Auto,
    /// The host's CPU.
    Kvm,
    /// QEMU's translator: slow, and works everywhere.
    Tcg,
}

const BUILD_KERNEL: &str = "\
The last line printed, alone on stdout, is the path of the build's manifest.json: what was built, of what, and
where bzImage, vmlinux and the packages are. Nothing is made twice: with nothing changed this takes a second, and
a changed patch recompiles only what it touches. All is kept in target/kernel/<kernel>-<flavor>/.

Examples:
  cargo xtask build-kernel                                   the preferred kernel, all patches, for a guest
  cargo xtask build-kernel --kernel 6.12 --flavor stock      without a patch
  cargo xtask build-kernel --source ~/linux --config debug   your tree, with KASAN, UBSAN and lockdep
  cargo xtask build-kernel --config distro --package deb,rpm a kernel to install";

const BENCH_LOCAL: &str = "\
A cell is a receiver, IPv4 or IPv6, a datagram's size, messages a call, and whether each message has room for the
sender's name: `recvmmsg/ipv4/64/1000/name`. One guest with one CPU a kernel; a queue is filled, then emptied by the
receiver, of which only the calls that receive are timed; every datagram is checked byte by byte. After two rounds
to warm up five are counted: median, least and most. The table at the end is Markdown.

Without --flavor stock and fastnet are measured; hints, too, unless --quick is given.

Examples:
  cargo xtask bench local --quick --json quick.jsonl          the README's table
  cargo xtask bench local remembered/ipv4/64 --repeat 1       a few cells, quickly
  cargo xtask bench local --quick --accel kvm                 the same in nanoseconds, where there is KVM";

const BENCH_REAL_WORLD: &str = "\
Two guests on a wire of their own, virtio-net at both ends and nothing of the host's network between. A stock kernel sends
by a schedule; each kernel receives in turn, by recvmsg, recvmmsg and a remembered array, waiting in poll(). Costs come
from runs without time stamps, latencies from runs with them, as a stamp is a control message and has its own cost.
Without --flavor stock, hints and fastnet receive.

The generated feed has the message sizes of NYSE's Pillar Integrated Feed; the shares of the messages and the bursts are
assumed. docs/results.md has both, and what the figures mean.

Examples:
  cargo xtask bench real-world --json feed.jsonl              all of it
  cargo xtask bench real-world --rcvbuf 65536 --repeat 1      a small buffer, to see what bursts do
  cargo xtask bench real-world --pcap opening.pcap            a recorded feed";

const PATCH: &str = "\
A kernel's patches are mails in linux-patches/<kernel>/, listed in the file `series` there, one a line. The line
`# flavor: NAME` opens the section of patches that flavor adds to those above it.

To edit them:
  cargo xtask patch export /tmp/linux --kernel 6.12   one commit a patch, above the tag `pristine`
  git -C /tmp/linux rebase -i pristine                reword, split, fix up, add (new files by `git add -f`,
                                                      as Debian's .gitignore ignores all)
  cargo xtask patch refresh /tmp/linux                commits -> mails; those unchanged stay byte for byte
  cargo xtask patch check                             every prefix of the series applies
  cargo xtask patch check --build --kernel 6.12       every prefix builds, boots and passes; no new warning";

/// What to do with the series.
#[derive(Debug, Subcommand)]
pub enum PatchAction {
    /// Apply each kernel's patches in memory, one by one; an error names patch, file and hunk.
    ///
    /// Without --kernel or --source, every kernel whose source is on this machine is checked.
    Check {
        /// Build and boot every prefix of the series too; look for new warnings, by checkpatch, W=1 and sparse;
        /// run the series' kselftest; and build without the option, with IPV6=m and with IPV6=n.
        ///
        /// Takes a quarter of an hour. What has passed is not done again.
        #[arg(long)]
        build: bool,
        #[command(flatten)]
        args: PatchArgs,
    },
    /// List the patches: number, flavor, files and lines changed, subject.
    List {
        /// Only this kernel's, of those in configs/kernels.toml.
        #[arg(long, value_name = "NAME")]
        kernel: Option<String>,
    },
    /// Make a git repository of a kernel with one commit a patch.
    Export {
        /// A new or empty folder.
        dir: PathBuf,
        #[command(flatten)]
        args: PatchArgs,
    },
    /// Write the commits of an exported repository back as patches.
    Refresh {
        /// The repository that `patch export` made.
        dir: PathBuf,
    },
}

/// Which kernel's source patches are applied to.
#[derive(Args, Clone, Debug)]
pub struct PatchArgs {
    /// A kernel named in configs/kernels.toml.
    #[arg(long, value_name = "NAME")]
    pub kernel: Option<String>,

    /// This directory or tarball in place of the kernel's own source; never modified.
    #[arg(long, value_name = "DIR|TARBALL")]
    pub source: Option<PathBuf>,

    /// Install what the host lacks without asking.
    #[arg(long)]
    pub yes: bool,
}

impl From<&PatchArgs> for KernelArgs {
    fn from(args: &PatchArgs) -> Self {
        let PatchArgs { kernel, source, yes } = args.clone();
        Self { kernel, source, flavor: None, config: Config::Vm, yes }
    }
}

/// Which kernel, shared by every command that builds one.
#[derive(Args, Clone, Debug)]
pub struct KernelArgs {
    /// A kernel named in configs/kernels.toml; without it the preferred list is tried in order.
    #[arg(long, value_name = "NAME")]
    pub kernel: Option<String>,

    /// Build from this directory or tarball in place of the kernel's own source; never modified.
    #[arg(long, value_name = "DIR|TARBALL")]
    pub source: Option<PathBuf>,

    /// How much of the patch series to apply; all of it if not said.
    #[arg(long, value_enum)]
    pub flavor: Option<Flavor>,

    /// Which configuration to build.
    #[arg(long, value_enum, default_value_t = Config::Vm)]
    pub config: Config,

    /// Install what the host lacks without asking.
    #[arg(long)]
    pub yes: bool,
}

/// A named prefix of the patch series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Flavor {
    /// No patch at all.
    Stock,
    /// The branch hints alone.
    Hints,
    /// The whole series: hints and `remember_mmsghdr`.
    Fastnet,
}

/// A configuration: fragments in configs/ over a base of the kernel's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Config {
    /// A small guest kernel, honest on the receive path.
    Vm,
    /// vm without what security and accounting cost on the receive path: for comparison with others' figures.
    Lean,
    /// vm, with the kernel's own checkers on: KASAN, UBSAN, lockdep.
    Debug,
    /// vm, counting how often each branch hint is right.
    Hints,
    /// A kernel to install: the architecture's defaults and what servers need.
    Distro,
}

/// A value as the command line spells it.
pub fn name(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// A kind of package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Debian's: image, headers and linux-libc-dev.
    Deb,
    /// Fedora's: kernel, kernel-devel and kernel-headers.
    Rpm,
}

/// The value of `--package`.
#[derive(Clone, Debug)]
pub struct Formats(pub Vec<Format>);

fn formats(text: &str) -> Result<Formats, String> {
    let names = text.split(',').filter(|_| text != "none");
    names.map(|name| Format::from_str(name, false)).collect::<Result<_, _>>().map(Formats)
}

/// It travels on the kernel's command line.
fn variable(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:,=".contains(c);
    match text.split_once('=') {
        Some((name, _)) if !name.is_empty() && text.chars().all(plain) => Ok(text.to_owned()),
        Some(_) => Err("letters, digits and _-./:,= are all that it may hold".to_owned()),
        None => Err("it has no `=`".to_owned()),
    }
}
