//! `cargo xtask patch`: look at the series, check it, and edit it as commits.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::check::{Check, Passed};
use crate::cli::{self, KernelArgs, PatchAction, PatchArgs};
use crate::exit::{Exit, error};
use crate::host::{self, Purpose};
use crate::kernel::catalog::Catalog;
use crate::kernel::series::Series;
use crate::kernel::source::{self, SourceTree};
use crate::kernel::{changes, export};
use crate::workspace::Workspace;

/// Does what `action` says.
pub fn run(workspace: &Workspace, action: &PatchAction) -> Result<()> {
    match action {
        PatchAction::Check { build, args } => check(workspace, args, *build),
        PatchAction::List { kernel } => list(workspace, kernel.as_deref()),
        PatchAction::Export { dir, args } => export(workspace, dir, args),
        PatchAction::Refresh { dir } => refresh(workspace, dir),
    }
}

/// Applies each series in memory. As patches are applied one by one, every prefix is checked.
fn check(workspace: &Workspace, args: &PatchArgs, build: bool) -> Result<()> {
    if build {
        host::require(&[Purpose::Fetch, Purpose::Build, Purpose::Guest, Purpose::Check], args.yes)?;
    }
    let mut sources = Vec::new();
    if args.kernel.is_some() || args.source.is_some() {
        sources.push(source::obtain(workspace, &KernelArgs::from(args))?);
    } else {
        for kernel in Catalog::load(workspace)?.names() {
            match source::at_hand(workspace, kernel)? {
                Some(source) => sources.push(source),
                None => println!(
                    "{kernel}: not checked, as its source is not here: `cargo xtask fetch --kernel {kernel}`"
                ),
            }
        }
    }
    if sources.is_empty() {
        return Err(error(Exit::Usage, "no kernel's source is here; name one with --kernel or --source"));
    }
    sources.iter().try_for_each(check_one)?;
    if build {
        sources.into_iter().try_for_each(|source| check_build(workspace, source))?;
    }
    Ok(())
}

fn check_one(source: &SourceTree) -> Result<()> {
    let series = Series::load(&source.patches)?;
    changes::of(series.all(), &source.dir).with_context(|| format!("Linux {}", source.release))?;
    println!("{}: {} patches apply to Linux {}", source.kernel, series.all().len(), source.release);
    Ok(())
}

/// Builds and boots each prefix and looks for what reviewers would find; one line a step.
fn check_build(workspace: &Workspace, source: SourceTree) -> Result<()> {
    println!("\nLinux {}", source.release);
    let mut check = Check::new(workspace, source)?;
    for (number, patch) in (1..).zip(check.patches()) {
        println!("{number:4}  {}", patch.name);
    }
    for step in check.steps()? {
        let started = Instant::now();
        match check.run(&step) {
            Ok(Passed::Before) => println!("ok    {step}: as before"),
            Ok(Passed::Now(said)) => {
                println!("ok    {step}: {said} ({:.0} s)", started.elapsed().as_secs_f64());
            }
            Err(error) => {
                println!("FAIL  {step}");
                return Err(error.context(check.place(&step)));
            }
        }
    }
    Ok(())
}

/// Prints a line a patch: number, flavor, files, lines added and removed, subject.
fn list(workspace: &Workspace, kernel: Option<&str>) -> Result<()> {
    let catalog = Catalog::load(workspace)?;
    for name in catalog.names().filter(|name| kernel.is_none_or(|kernel| kernel == *name)) {
        let series = Series::load(&workspace.root.join(&catalog.kernel(name)?.patches))?;
        println!("{name}");
        for (number, patch) in (1..).zip(series.all()) {
            let stats = patch.mail.to_diff()?.stats()?;
            println!(
                "{number:4}  {:8} {:3} files {:>6} {:>6}  {}",
                cli::name(&patch.flavor),
                stats.files_changed(),
                format!("+{}", stats.insertions()),
                format!("-{}", stats.deletions()),
                patch.mail.subject
            );
        }
    }
    // An unknown name is an error, not an empty list.
    kernel.map_or(Ok(()), |kernel| catalog.kernel(kernel).map(drop))
}

fn export(workspace: &Workspace, dir: &Path, args: &PatchArgs) -> Result<()> {
    let source = source::obtain(workspace, &KernelArgs::from(args))?;
    if let Some(notice) = &source.notice {
        eprintln!("{notice}");
    }
    let series = Series::load(&source.patches)?;
    export::export(&source, &series, dir)?;
    println!(
        "{}: {} commits above the tag {}. Edit them with git, then `cargo xtask patch refresh {0}`",
        dir.display(),
        series.all().len(),
        export::PRISTINE
    );
    Ok(())
}

fn refresh(workspace: &Workspace, dir: &Path) -> Result<()> {
    let name = export::kernel(dir)?;
    let folder = workspace.root.join(&Catalog::load(workspace)?.kernel(&name)?.patches);
    let done = export::refresh(dir, &folder)?;
    for name in &done.written {
        println!("written  {}", folder.join(name).display());
    }
    for name in &done.removed {
        println!("removed  {}", folder.join(name).display());
    }
    println!("{} patches unchanged", done.kept);
    Ok(())
}
