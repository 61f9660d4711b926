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
