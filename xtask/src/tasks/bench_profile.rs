//! `cargo xtask bench profile`: in which of the kernel's functions a datagram's instructions are spent.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::bench::cell::{Cell, Receiver};
use crate::bench::ledger::Ledger;
use crate::bench::plan;
use crate::bench::profile::Profile;
use crate::bench::watch;
use crate::cli::{self, Flavor, KernelArgs};
use crate::exit::{Classify, Exit, error};
use crate::host::{self, Purpose};
use crate::kernel;
use crate::kernel::manifest::Manifest;
use crate::workspace::Workspace;

/// A call of more would fill a disk with its log.
const MOST_MESSAGES: u32 = 1000;

/// Runs the command.
pub fn run(
    workspace: &Workspace,
    cell: &str,
    arguments: &KernelArgs,
    json: Option<&Path>,
    svg: Option<&Path>,
    manifest: Option<&Path>,
) -> Result<()> {
    let mut ledger = Ledger::open(json)?;
    let cell = find(cell, arguments.flavor.unwrap_or(Flavor::Fastnet))?;
    let built: Manifest = if let Some(file) = manifest {
        host::require(&[Purpose::Guest], arguments.yes)?;
        let context = || format!("{} is no manifest", file.display());
        let text = fs::read(file).exit(Exit::Usage, context)?;
        serde_json::from_slice(&text).exit(Exit::Usage, context)?
    } else {
        host::require(&[Purpose::Fetch, Purpose::Build, Purpose::Guest], arguments.yes)?;
        kernel::build_kernel(workspace, arguments)?.manifest
    };
    let origin = watch::origin(workspace, &built)?;
    for traced in watch::trace(workspace, &built.bzimage.path, &built.vmlinux.path, &[cell])? {
        let profile = Profile { origin: origin.clone(), traced };
        let whole = profile.each(profile.traced.work.instructions);
        println!("Linux {}, {cell}: {whole:.1} instructions a datagram\n", built.release);
        for (function, each) in profile.functions() {
            println!("{each:>9.2} {:>5.1} %  {function}", 100.0 * each / whole);
        }
        if let Some(file) = svg {
            fs::write(file, profile.flame_graph()?)
                .exit(Exit::Host, || format!("writing {}", file.display()))?;
        }
        ledger.add(profile)?;
    }
    ledger.finish(|_| None::<()>)
}

/// The cell of the plan that has this name, if its calls can be followed.
fn find(name: &str, flavor: Flavor) -> Result<Cell> {
    let followed = [Receiver::Recvmsg, Receiver::Recvmmsg, Receiver::Remembered];
    let cells = plan::cells(false, flavor).into_iter();
    let mut cells =
        cells.filter(|cell| followed.contains(&cell.receiver) && cell.shape.messages <= MOST_MESSAGES);
    cells.find(|cell| cell.to_string() == name).ok_or_else(|| {
        let (names, flavor) = ("recvmsg, recvmmsg and remembered", cli::name(&flavor));
        let message = format!(
            "no cell of {names} on {flavor} is called {name}; `bench local --help` tells their names"
        );
        error(Exit::Usage, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_found_where_the_kernel_has_it_and_a_log_can_hold_it() {
        assert!(find("remembered/ipv4/64/1000", Flavor::Fastnet).is_ok());
        assert!(find("recvmmsg/ipv6/64/8/name", Flavor::Stock).is_ok());
        for (name, flavor) in [
            ("remembered/ipv4/64/1000", Flavor::Stock),
            ("recvmmsg/ipv4/64/10000", Flavor::Fastnet),
            ("udp_gro/ipv4/64/8", Flavor::Fastnet),
            ("recvmmsg/ipv4", Flavor::Fastnet),
        ] {
            let error = find(name, flavor).unwrap_err();
            assert_eq!(Exit::of(&error), Exit::Usage.code(), "{name}");
        }
    }
}
