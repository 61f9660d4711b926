//! `cargo xtask bench profile`: in which of the kernel's functions a datagram's instructions are spent.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::bench::cell::Cell;
use crate::bench::ledger::Ledger;
use crate::bench::plan;
use crate::bench::profile::Profile;
use crate::bench::watch;
use crate::cli::{self, Config, Flavor, KernelArgs};
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
    let cell = find(cell, arguments.flavor.unwrap_or(Flavor::Fastnet), arguments.config)?;
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
fn find(name: &str, flavor: Flavor, config: Config) -> Result<Cell> {
    let refuse = |why: String| Err(error(Exit::Usage, format!("{name}: {why}")));
    let config = cli::name(&config);
    let like = plan::like(flavor, &config);
    let cells = [plan::cells(false, like), plan::streams(false, like)].concat();
    let Some(cell) = cells.into_iter().find(|cell| cell.to_string() == name) else {
        let flavor = cli::name(&flavor);
        return refuse(format!(
            "{flavor} with config {config} has no cell of that name; `bench local --help` tells their names"
        ));
    };
    if !cell.shape.link.is_loopback() {
        let why =
            "over veth one program receives what another sends meanwhile, so that no two calls do the same";
        return refuse(format!("{why}; over the loopback, calls can be followed"));
    }
    if watch::entry(cell.receiver).is_none() {
        return refuse("it receives nothing".to_owned());
    }
    if cell.shape.messages > MOST_MESSAGES {
        return refuse(format!("a log has room for calls of up to {MOST_MESSAGES} messages"));
    }
    Ok(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_receives_over_the_loopback_can_be_followed() {
        let cells = plan::cells(false, Flavor::Fastnet).into_iter();
        let receiving = cells.filter(|cell| !cell.to_string().starts_with("remember_"));
        for cell in receiving.filter(|cell| cell.shape.messages <= MOST_MESSAGES) {
            assert_eq!(find(&cell.to_string(), Flavor::Fastnet, Config::Vm).unwrap(), cell);
        }
        assert!(find("recvmmsg/ipv6/64/8/name", Flavor::Stock, Config::Vm).is_ok());
    }

    #[test]
    fn a_cell_that_cannot_be_followed_is_refused_with_the_reason() {
        for (name, flavor, why) in [
            ("remembered/ipv4/64/1000", Flavor::Stock, "stock with config vm has no cell of that name"),
            ("recvmmsg/ipv4", Flavor::Fastnet, "fastnet with config vm has no cell of that name"),
            ("recvmmsg/ipv4/64/10000", Flavor::Fastnet, "up to 1000 messages"),
            ("remember_uniform/ipv4/64/1000", Flavor::Fastnet, "receives nothing"),
            ("busy_poll/ipv4/64/1000/veth", Flavor::Fastnet, "over veth one program receives"),
            ("af_xdp/ipv4/64/1/veth", Flavor::Stock, "over veth one program receives"),
            ("recvmmsg/ipv4/64/1/veth", Flavor::Stock, "over veth one program receives"),
        ] {
            let error = find(name, flavor, Config::Vm).unwrap_err();
            assert_eq!(Exit::of(&error), Exit::Usage.code(), "{name}");
            let said = error.to_string();
            assert!(said.starts_with(name) && said.contains(why), "{said}");
        }
    }
}
