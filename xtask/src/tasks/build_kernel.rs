//! `cargo xtask build-kernel`: source, patches, configuration, kernel, packages.

use anyhow::Result;

use crate::cli::{BuildArgs, Launcher};
use crate::exit::{Exit, error};
use crate::host::{self, Purpose};
use crate::kernel::launcher::Compilers;
use crate::kernel::manifest::Manifest;
use crate::kernel::{self, reproduce};
use crate::workspace::Workspace;

/// Builds, and prints the manifest's path alone on stdout.
pub fn run(workspace: &Workspace, args: &BuildArgs) -> Result<()> {
    let formats = &args.package.0;
    let packages = formats.iter().copied().map(Purpose::from);
    let distcc = (args.launcher == Some(Launcher::Distcc)).then_some(Purpose::Distcc);
    let again = args.verify_reproducible.then_some(Purpose::Reproduce);
    let needed: Vec<_> =
        [Purpose::Fetch, Purpose::Build].into_iter().chain(packages).chain(distcc).chain(again).collect();
    host::require(&needed, args.kernel.yes)?;

    let compilers = Compilers::asked(args.launcher, args.jobs.map(usize::from))?;
    let build = kernel::build_packages(workspace, &args.kernel, formats, compilers)?;
    let manifest = &build.manifest;
    eprintln!("Linux {}, config {}, by {}", manifest.release, manifest.config, manifest.compiler);
    for package in &manifest.packages {
        eprintln!("{}", package.path.display());
    }
    if args.verify_reproducible {
        verify(workspace, args, compilers, manifest)?;
    }
    println!("{}", Manifest::path(&build.dir).display());
    Ok(())
}

/// Builds the same again, and shows each file that differs.
fn verify(workspace: &Workspace, args: &BuildArgs, compilers: Compilers, manifest: &Manifest) -> Result<()> {
    let verdict = reproduce::verify(workspace, &args.kernel, compilers, manifest)?;
    eprintln!("built twice, the second time {}", verdict.otherwise);
    for (name, differences) in &verdict.files {
        eprintln!("{} {name}", if differences.is_empty() { "equal " } else { "DIFFERS" });
        for line in differences {
            eprintln!("    {line}");
        }
    }
    let differing = verdict.files.iter().filter(|(_, differences)| !differences.is_empty()).count();
    if differing > 0 {
        let message = format!(
            "{differing} of {} files cannot be made again bit for bit; the second build is kept in {}",
            verdict.files.len(),
            verdict.place.display()
        );
        return Err(error(Exit::Tests, message));
    }
    Ok(())
}
