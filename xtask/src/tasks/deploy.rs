//! `cargo xtask deploy`: a kernel onto hosts, and back again should it fail there.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::cli::{DeployArgs, Format};
use crate::deploy::{self, Host, Package, Plan, Trial};
use crate::host::{self, Purpose};
use crate::kernel;
use crate::kernel::launcher::Compilers;
use crate::kernel::package::is_image;
use crate::workspace::Workspace;

/// One host after the other, up to the first that fails.
pub fn run(workspace: &Workspace, arguments: &DeployArgs) -> Result<()> {
    host::require(&[Purpose::Deploy], arguments.kernel.yes)?;
    for (at, name) in arguments.hosts.iter().enumerate() {
        println!("{name}");
        let done =
            one(workspace, arguments, &Host { name: name.clone(), config: arguments.ssh_config.clone() });
        let left = &arguments.hosts[at + 1..];
        if done.is_err() && !left.is_empty() {
            println!("not touched: {}", left.join(", "));
        }
        done?;
    }
    Ok(())
}

fn one(workspace: &Workspace, arguments: &DeployArgs, host: &Host) -> Result<()> {
    let report = |line: &str| println!("{line}");
    let patience = Duration::from_secs(arguments.patience);
    if arguments.status {
        deploy::status(host)?.lines().for_each(|line| println!("  {line}"));
        return Ok(());
    }
    if arguments.rollback {
        let plan = Plan::roll_back(patience);
        if arguments.dry_run {
            print!("{plan}");
            return Ok(());
        }
        return deploy::roll_back(host, &plan, &report);
    }
    let package = match &arguments.package {
        Some(path) => Package::open(path)?,
        None => built(workspace, arguments, deploy::format(host)?)?,
    };
    let trial = Trial { health: arguments.health.clone(), within: arguments.within };
    let plan = Plan::deploy(&package, &trial, patience);
    if arguments.dry_run {
        print!("{plan}");
        return Ok(());
    }
    deploy::deploy(host, &plan, &package, patience, &report)
}

/// The package of the kernel that the arguments speak of, built where it is not yet.
fn built(workspace: &Workspace, arguments: &DeployArgs, format: Format) -> Result<Package> {
    host::require(&[Purpose::Fetch, Purpose::Build, format.into()], arguments.kernel.yes)?;
    let build = kernel::build_packages(workspace, &arguments.kernel, &[format], Compilers::of_host()?)?;
    let mut paths = build.manifest.packages.iter().map(|package| &package.path);
    let image = paths.find(|path| is_image(path, format)).context("no image among the packages")?;
    Package::open(image)
}
