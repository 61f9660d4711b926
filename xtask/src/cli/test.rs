//! What `test-in-vm` takes.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use super::Format;
use super::kernel::KernelArgs;

/// What to run in the guest, and in which guest.
#[derive(Clone, Debug, Parser)]
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

    /// Install the packages on a disk with Debian on it, boot that by its boot loader, run the tests there, build a
    /// module, remove the packages again. Without --config, of the config `disk`.
    #[arg(
        long,
        value_enum,
        value_name = "deb|rpm",
        conflicts_with_all = ["shell", "gdb", "jobs", "smp", "bzimage", "kselftest", "long", "ignored"]
    )]
    pub installed: Option<Format>,

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

    /// How long the runner may take to its first word.
    #[arg(long, hide = true, value_name = "SECONDS", default_value_t = 60)]
    pub boot: u64,

    /// How long the runner may be silent.
    #[arg(long, hide = true, value_name = "SECONDS", default_value_t = 20)]
    pub silence: u64,
}

impl Default for TestArgs {
    /// What `test-in-vm` takes where nothing is said.
    fn default() -> Self {
        Self::parse_from(["test-in-vm"])
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn nothing_said_is_the_default() {
        let Command::TestInVm(said) = Cli::parse_from(["cargo xtask", "test-in-vm"]).command else {
            panic!("another command");
        };
        assert_eq!(format!("{said:?}"), format!("{:?}", TestArgs::default()));
    }

    #[test]
    fn packages_are_of_a_known_kind_and_no_machine_takes_what_only_a_guest_in_memory_has() {
        let parse = |rest: &[&str]| TestArgs::try_parse_from([&["test-in-vm", "--installed"], rest].concat());
        assert_eq!(parse(&["rpm", "abi"]).unwrap().installed, Some(Format::Rpm));
        for rest in [
            &["tar"][..],
            &["deb", "--shell"],
            &["deb", "--gdb"],
            &["deb", "--bzimage", "/b"],
            &["deb", "--long"],
        ] {
            assert!(parse(rest).is_err(), "{rest:?}");
        }
    }
}
