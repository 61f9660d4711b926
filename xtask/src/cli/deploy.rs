//! What `deploy` takes.

use std::path::PathBuf;

use clap::Args;

use super::kernel::KernelArgs;

/// Which hosts, which package, and how it has to prove itself.
#[derive(Args, Clone, Debug)]
#[command(mut_arg("config", |arg| arg.default_value("distro")))]
pub struct DeployArgs {
    /// Hosts, as ssh knows them: one after the other, up to the first that fails.
    #[arg(required = true, value_name = "HOST")]
    pub hosts: Vec<String>,

    /// The kernel image's .deb or .rpm; without it, the one that `build-kernel` makes.
    #[arg(long, value_name = "FILE")]
    pub package: Option<PathBuf>,

    #[command(flatten)]
    pub kernel: KernelArgs,

    /// A command that must pass on the host before the kernel becomes its default.
    #[arg(long, value_name = "COMMAND")]
    pub health: Option<String>,

    /// Not confirmed so long after its start, the new kernel gives way to the old one.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86400))]
    pub within: u64,

    /// ssh's configuration, in place of yours: the hosts' names, keys and ports.
    #[arg(long, value_name = "FILE")]
    pub ssh_config: Option<PathBuf>,

    /// Print each step, and do none.
    #[arg(long)]
    pub dry_run: bool,

    /// Go back to the kernel before, and remove the package.
    #[arg(long, conflicts_with_all = ["status", "package", "health"])]
    pub rollback: bool,

    /// Tell what the hosts run, and what they will.
    #[arg(long, conflicts_with_all = ["dry_run", "package", "health"])]
    pub status: bool,

    /// How long a host may take from a reboot to the kernel's start, and back again.
    #[arg(long, hide = true, value_name = "SECONDS", default_value_t = 1200)]
    pub patience: u64,
}

/// Shown behind the options.
pub const HELP: &str = "\
The new kernel boots once. Only when it has proved itself (its release, a new boot, the system call, --health) does it
become the default. A panic, a hang, a network that never comes up, a failed check or a lost connection: the host's
next boot is the old kernel, without anyone's help, and the package goes again. ssh must get in without a password,
as root or as a user who may sudo without one. On the host, /var/lib/fastnet/deploy holds what is under way.

Examples:
  cargo xtask deploy feed1 --package linux-image-6.12.117-fastnet_6.12.117-fastnet-1_amd64.deb
  cargo xtask deploy feed1 feed2 --health 'systemctl is-active --quiet feed-handler'
  cargo xtask deploy feed1 --dry-run              each step, none done
  cargo xtask deploy feed1 --rollback             the kernel before";
