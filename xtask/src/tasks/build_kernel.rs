//! `cargo xtask build-kernel`: source, patches, configuration, kernel, packages.

use anyhow::Result;

use crate::cli::{Format, KernelArgs};
use crate::host::{self, Purpose};
use crate::kernel;
use crate::kernel::manifest::Manifest;
use crate::workspace::Workspace;

/// Builds, and prints the manifest's path alone on stdout.
pub fn run(workspace: &Workspace, args: &KernelArgs, formats: &[Format]) -> Result<()> {
    let packages = formats.iter().map(|format| match format {
        Format::Deb => Purpose::Deb,
        Format::Rpm => Purpose::Rpm,
    });
    let needed: Vec<_> = [Purpose::Fetch, Purpose::Build].into_iter().chain(packages).collect();
    host::require(&needed, args.yes)?;

    let build = kernel::build_packages(workspace, args, formats)?;
    let manifest = &build.manifest;
    eprintln!("Linux {}, config {}, by {}", manifest.release, manifest.config, manifest.compiler);
    for package in &manifest.packages {
        eprintln!("{}", package.path.display());
    }
    println!("{}", Manifest::path(&build.dir).display());
    Ok(())
}
