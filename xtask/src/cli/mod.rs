//! The command line, as `--help` shows it. It is a contract: scripts and CI lean on it.

mod artifacts;
mod bench;
mod build;
mod deploy;
mod feed;
mod kernel;
mod patch;
mod test;

use clap::{Parser, Subcommand, ValueEnum};

pub use artifacts::{ArtifactsAction, ArtifactsArgs};
pub use bench::{BenchAccel, BenchAction, BenchArgs, Shard};
pub use build::{BuildArgs, Format, Launcher};
pub use deploy::DeployArgs;
pub use feed::FeedArgs;
pub use kernel::{Config, Flavor, KernelArgs};
pub use patch::{PatchAction, PatchArgs};
pub use test::{AccelChoice, TestArgs};

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
    BuildKernel(BuildArgs),
    /// Look at the patch series, check that it applies, and edit it as git commits.
    #[command(after_help = patch::HELP)]
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
    /// List what workflow runs made, or bring it here: packages, above all.
    #[command(after_help = artifacts::HELP)]
    Artifacts {
        #[command(subcommand)]
        action: ArtifactsAction,
    },
    /// Install a kernel on hosts over ssh, prove it in one boot on trial, and go back should it fail.
    #[command(after_help = deploy::HELP)]
    Deploy(DeployArgs),
    /// Run all that CI runs, in the same order; the last line counts the tests.
    Ci {
        /// Install what the host lacks without asking.
        #[arg(long)]
        yes: bool,
    },
}

/// A value as the command line spells it.
pub fn name(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}
