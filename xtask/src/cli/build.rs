//! What `build-kernel` takes.

use clap::{Args, ValueEnum};

use super::kernel::KernelArgs;
use crate::host::Purpose;

/// What to build, in which packages, and by whom.
#[derive(Args, Clone, Debug)]
#[command(after_help = BUILD_KERNEL)]
pub struct BuildArgs {
    #[command(flatten)]
    pub kernel: KernelArgs,

    /// Package it too; left out by default, as it takes a minute more.
    #[arg(long, value_name = "deb,rpm|none", value_parser = formats, default_value = "none")]
    pub package: Formats,

    /// Who starts the compiler: ccache where there is one, if not said.
    #[arg(long, value_enum)]
    pub launcher: Option<Launcher>,

    /// Run so many compilers at once: as many as this host has CPUs, or distcc's hosts together, if not said.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,

    /// Build it from nothing a second time, elsewhere and otherwise, and compare every byte; exit 1 where they differ.
    ///
    /// The second build is in another folder, by gcc alone, with another --jobs, four hundred days later, under another
    /// umask, user, home, locale and time zone and, for root, on a host of another name. Where packages differ, each
    /// member that does has a line.
    #[arg(long)]
    pub verify_reproducible: bool,
}

/// Who starts the compiler. What it makes is the same whoever does, and is not made again for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Launcher {
    /// Keeps what was compiled, on this host.
    Ccache,
    /// Keeps what was compiled, on this host or in a store that several share.
    Sccache,
    /// Compiles on other hosts, those in `DISTCC_HOSTS`.
    Distcc,
    /// Compiles on other hosts, those that icecc's scheduler knows.
    Icecc,
    /// Nobody: make starts it.
    None,
}

const BUILD_KERNEL: &str = "\
The last line printed, alone on stdout, is the path of the build's manifest.json: what was built, of what, and
where bzImage, vmlinux and the packages are. Nothing is made twice: with nothing changed this takes a second, and
a changed patch recompiles only what it touches. All is kept in target/kernel/<kernel>-<flavor>/.

Examples:
  cargo xtask build-kernel                                   the preferred kernel, all patches, for a guest
  cargo xtask build-kernel --kernel 6.12 --flavor stock      without a patch
  cargo xtask build-kernel --source ~/linux --config debug   your tree, with KASAN, UBSAN and lockdep
  cargo xtask build-kernel --config distro --package deb,rpm a kernel to install
  cargo xtask build-kernel --package deb,rpm --verify-reproducible          and the proof that it can be made again
  env DISTCC_HOSTS='a/8 b/8' cargo xtask build-kernel --launcher distcc     compiled on two other machines";

/// A kind of package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Debian's: image, headers and linux-libc-dev.
    Deb,
    /// Fedora's: kernel, kernel-devel and kernel-headers.
    Rpm,
}

impl From<Format> for Purpose {
    fn from(format: Format) -> Self {
        match format {
            Format::Deb => Self::Deb,
            Format::Rpm => Self::Rpm,
        }
    }
}

/// The value of `--package`.
#[derive(Clone, Debug)]
pub struct Formats(pub Vec<Format>);

fn formats(text: &str) -> Result<Formats, String> {
    let names = text.split(',').filter(|_| text != "none");
    names.map(|name| Format::from_str(name, false)).collect::<Result<_, _>>().map(Formats)
}
