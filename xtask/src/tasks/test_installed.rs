//! `cargo xtask test-in-vm --installed`: install the packages on a disk, boot it, run the tests there, remove them.

use std::time::Duration;

use anyhow::Result;

use super::verdicts::{line, report};
use crate::cli::{Config, Format, KernelArgs, TestArgs};
use crate::guest::initramfs::Initramfs;
use crate::guest::{accel, executables, runs};
use crate::host::{self, Purpose};
use crate::kernel;
use crate::kernel::launcher::Compilers;
use crate::machine::disk;
use crate::machine::installed::{self, Installation};
use crate::workspace::Workspace;

/// Runs the command.
pub fn run(workspace: &Workspace, arguments: &TestArgs, format: Format) -> Result<()> {
    let needed = [Purpose::Fetch, Purpose::Build, format.into(), Purpose::Guest, Purpose::Machine];
    host::require(&needed, arguments.kernel.yes)?;
    let config = match arguments.kernel.config {
        // No disk is known to the guest's kernel.
        Config::Vm => Config::Disk,
        config => config,
    };
    let kernel = KernelArgs { config, ..arguments.kernel.clone() };
    let manifest = kernel::build_packages(workspace, &kernel, &[format], Compilers::of_host()?)?.manifest;
    let executables = executables::build(workspace)?;
    let disk = disk::obtain(workspace, installed::loader(format))?;

    let folder = runs::new_folder(workspace)?;
    let probe = folder.join("initramfs");
    let mut initramfs = Initramfs::new();
    initramfs.executable("init", &executables.init)?;
    initramfs.write(&probe)?;
    let (accel, notice) = accel::choose(workspace, arguments.accel, &manifest.bzimage.path, &probe)?;
    if let Some(notice) = notice {
        println!("{notice}");
    }
    println!("logs in {}", folder.display());
    let mut tests = format!("--deadline {}", arguments.deadline);
    for (option, values) in [("--filter", arguments.filter.as_slice()), ("--env", &arguments.env)] {
        for value in values {
            tests.extend([" ", option, " ", value]);
        }
    }
    let silence = Duration::from_secs(arguments.silence);
    let installation = Installation {
        manifest: &manifest,
        format,
        disk: &disk,
        accel,
        executables: &executables,
        tests,
        silence,
    };
    let outcome = installation.test(&folder, &|case| println!("{}", line(case)))?;
    report(&outcome, arguments)
}
