//! The command line, as `--help` shows it. It is a contract: scripts and CI lean on it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Fetch Linux, patch it for cheap UDP receive, build it, package it, test it in a guest.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    after_help = "Exit codes: 0 pass, 1 tests failed, 2 usage, 3 the host lacks something, \
                  4 the guest died, 5 network or integrity, 6 no kernel came out."
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
    Fetch {
        #[command(flatten)]
        kernel: KernelArgs,
    },
    /// Boot the kernel in a guest and run the tests there.
    TestInVm(TestArgs),
    /// Run all that CI runs, in the same order; the last line counts the tests.
    Ci {
        /// Install what the host lacks without asking.
        #[arg(long)]
        yes: bool,
    },
}

/// What to run in the guest, and in which guest.
#[derive(Args, Clone, Debug)]
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

    /// Run the tests that are faults on purpose, and only those.
    #[arg(long, hide = true)]
    pub ignored: bool,

    /// How long a test may take.
    #[arg(long, hide = true, value_name = "SECONDS", default_value_t = 60)]
    pub deadline: u64,

    /// How long the runner may be silent.
    #[arg(long, hide = true, value_name = "SECONDS", default_value_t = 20)]
    pub silence: u64,
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

/// Which kernel, shared by every command that builds one.
#[derive(Args, Clone, Debug)]
pub struct KernelArgs {
    /// A kernel named in configs/kernels.toml; without it the preferred list is tried in order.
    #[arg(long, value_name = "NAME")]
    pub kernel: Option<String>,

    /// Build from this directory or tarball in place of the kernel's own source; never modified.
    #[arg(long, value_name = "DIR|TARBALL")]
    pub source: Option<PathBuf>,

    /// How much of the patch series to apply.
    #[arg(long, value_enum, default_value_t = Flavor::Fastnet)]
    pub flavor: Flavor,

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
    /// vm, with the kernel's own checkers on: KASAN, UBSAN, lockdep.
    Debug,
    /// vm, counting how often each branch hint is right.
    Hints,
    /// A kernel to install: the architecture's defaults and what servers need.
    Distro,
}
