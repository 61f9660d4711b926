//! `cargo xtask test-in-vm`: boot the kernel in a guest and run the tests there.

use std::path::PathBuf;

use anyhow::Result;

use super::verdicts::{line, report};
use crate::cli::TestArgs;
use crate::guest::run::Guests;
use crate::host::{self, Purpose};
use crate::kernel;
use crate::workspace::Workspace;

/// Runs the command.
pub fn run(workspace: &Workspace, arguments: &TestArgs) -> Result<()> {
    if let Some(format) = arguments.installed {
        return super::test_installed::run(workspace, arguments, format);
    }
    let (bzimage, vmlinux) = kernel(workspace, arguments)?;
    let guests = Guests::prepare(workspace, &bzimage, arguments)?;
    if let Some(notice) = &guests.notice {
        println!("{notice}");
    }
    if arguments.gdb {
        println!("the guest waits for: gdb -ex 'target remote :1234' {}", vmlinux.display());
    }
    if arguments.shell {
        return guests.shell();
    }
    println!("logs in {}", guests.folder.display());
    let outcome = guests.test(&|case| println!("{}", line(case)))?;
    report(&outcome, arguments)
}

/// The image to boot, and the one with symbols: built first, unless the former was given.
fn kernel(workspace: &Workspace, arguments: &TestArgs) -> Result<(PathBuf, PathBuf)> {
    let mut needed = vec![Purpose::Guest];
    if arguments.bzimage.is_none() {
        needed.extend([Purpose::Fetch, Purpose::Build]);
    }
    if arguments.shell {
        needed.push(Purpose::Shell);
    }
    host::require(&needed, arguments.kernel.yes)?;
    if let Some(image) = &arguments.bzimage {
        return Ok((image.clone(), "vmlinux".into()));
    }
    let manifest = kernel::build_kernel(workspace, &arguments.kernel)?.manifest;
    Ok((manifest.bzimage.path, manifest.vmlinux.path))
}
