//! Which kernel: what every command takes that builds one.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Which kernel, shared by every command that builds one.
#[derive(Args, Clone, Debug, Default)]
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
    #[arg(long, value_enum, default_value_t)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Config {
    /// A small guest kernel, honest on the receive path.
    #[default]
    Vm,
    /// vm without what security and accounting cost on the receive path: for comparison with others' figures.
    Lean,
    /// vm without the `remember_mmsghdr` system call: for `bench`, as the tests insist on it.
    Off,
    /// vm, with the kernel's own checkers on: KASAN, UBSAN, lockdep.
    Debug,
    /// vm, counting how often each branch hint is right.
    Hints,
    /// vm, and what a boot loader, a disk and systemd ask for: a small kernel to install.
    Disk,
    /// A kernel to install: the architecture's defaults and what servers need.
    Distro,
}

/// `FLAVOR=BZIMAGE`.
pub(super) fn image(text: &str) -> Result<(Flavor, PathBuf), String> {
    let (flavor, path) = text.split_once('=').ok_or("FLAVOR=BZIMAGE")?;
    Ok((Flavor::from_str(flavor, false)?, path.into()))
}
