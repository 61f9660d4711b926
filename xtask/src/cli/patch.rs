//! What `patch` and its own subcommands take.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::kernel::KernelArgs;

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
        /// Takes up to an hour on two cores. What has passed is not done again.
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
        Self { kernel, source, yes, ..Self::default() }
    }
}

/// Stands below the help of `patch`.
pub const HELP: &str = "\
A kernel's patches are mails in linux-patches/<kernel>/, listed in the file `series` there, one a line. The line
`# flavor: NAME` opens the section of patches that flavor adds to those above it.

To edit them:
  cargo xtask patch export /tmp/linux --kernel 6.12   one commit a patch, above the tag `pristine`
  git -C /tmp/linux rebase -i pristine                reword, split, fix up, add (new files by `git add -f`,
                                                      as Debian's .gitignore ignores all)
  cargo xtask patch refresh /tmp/linux                commits -> mails; those unchanged stay byte for byte
  cargo xtask patch check                             every prefix of the series applies
  cargo xtask patch check --build --kernel 6.12       every prefix builds, boots and passes; no new warning";
