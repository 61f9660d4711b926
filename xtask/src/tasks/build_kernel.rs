//! `cargo xtask build-kernel`: source, patches, configuration, kernel, packages.

use anyhow::Result;

use crate::cli::{Format, KernelArgs};
use crate::kernel;
use crate::kernel::manifest::Manifest;
use crate::workspace::Workspace;

/// Builds, and prints the manifest's path alone on stdout.
pub fn run(workspace: &Workspace, args: &KernelArgs, formats: &[Format]) -> Result<()> {
    let build = kernel::build_packages(workspace, args, formats)?;
    let manifest = &build.manifest;
    eprintln!("Linux {}, config {}, by {}", manifest.release, manifest.config, manifest.compiler);
    for package in &manifest.packages {
        eprintln!("{}", package.path.display());
    }
    println!("{}", Manifest::path(&build.dir).display());
    Ok(())
}
