//! `cargo xtask build-kernel`: source, patches, configuration, kernel, packages.

use anyhow::Result;

use crate::cli::{BuildArgs, Format, Launcher};
use crate::host::{self, Purpose};
use crate::kernel;
use crate::kernel::launcher::Compilers;
use crate::kernel::manifest::Manifest;
use crate::workspace::Workspace;

/// Builds, and prints the manifest's path alone on stdout.
pub fn run(workspace: &Workspace, args: &BuildArgs) -> Result<()> {
    let formats = &args.package.0;
    let packages = formats.iter().map(|format| match format {
        Format::Deb => Purpose::Deb,
        Format::Rpm => Purpose::Rpm,
    });
    let distcc = (args.launcher == Some(Launcher::Distcc)).then_some(Purpose::Distcc);
    let needed: Vec<_> = [Purpose::Fetch, Purpose::Build].into_iter().chain(packages).chain(distcc).collect();
    host::require(&needed, args.kernel.yes)?;

    let compilers = Compilers::asked(args.launcher, args.jobs.map(usize::from))?;
    let build = kernel::build_packages(workspace, &args.kernel, formats, compilers)?;
    let manifest = &build.manifest;
    eprintln!("Linux {}, config {}, by {}", manifest.release, manifest.config, manifest.compiler);
    for package in &manifest.packages {
        eprintln!("{}", package.path.display());
    }
    println!("{}", Manifest::path(&build.dir).display());
    Ok(())
}
