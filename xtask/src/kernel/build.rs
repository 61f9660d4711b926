//! The build: out of tree, in `O-<config>` inside the patched tree, told by its manifest.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::config::Wanted;
use super::launcher::Compilers;
use super::make::{self, Make};
use super::manifest::{Artifact, Inputs, Manifest};
use super::patch::PatchedTree;
use super::{layout, recovery};
use crate::cli::Config;
use crate::digest::{self, sha256_file};
use crate::workspace::Workspace;

/// A kernel, built.
#[derive(Debug)]
pub struct KernelBuild {
    /// The objtree.
    pub dir: PathBuf,
    /// What is in it.
    pub manifest: Manifest,
}

/// Builds bzImage and the modules of a tree, unless they were built from the same already.
///
/// Errors hold the options that did not take, or the compiler's own lines.
pub fn build(
    workspace: &Workspace,
    tree: &PatchedTree,
    config: Config,
    compilers: Compilers,
) -> Result<KernelBuild> {
    build_wanted(workspace, tree, &Wanted::load(workspace, config, &tree.flavor)?, compilers)
}

/// The same, of any configuration. Those of the same name share an objtree.
pub fn build_wanted(
    workspace: &Workspace,
    tree: &PatchedTree,
    wanted: &Wanted,
    compilers: Compilers,
) -> Result<KernelBuild> {
    let dir = layout::objtree(&tree.dir, &wanted.name);
    let (source, series, tools) = (&tree.source.identity, &tree.series_sha256, tools()?);
    let key = digest::sha256(format!("{source}\n{series}\n{tools}\n{}", wanted.sha256()));
    if let Some(manifest) = Manifest::intact(&dir, &key) {
        return Ok(KernelBuild { dir, manifest });
    }

    let steps = format!("{}-{}", tree.source.kernel, wanted.name);
    within(tree, wanted, compilers, |make| compile(make, workspace, &steps))?;

    let release = dir.join("include/config/kernel.release");
    let release = fs::read_to_string(&release).with_context(|| format!("reading {}", release.display()))?;
    let manifest = Manifest {
        kernel: tree.source.kernel.clone(),
        release: release.trim().to_owned(),
        flavor: tree.flavor.clone(),
        config: wanted.name.clone(),
        sha256: Inputs {
            source: source.clone(),
            series: series.clone(),
            config: sha256_file(&dir.join(".config"))?,
        },
        compiler: make::compiler_version()?,
        key,
        bzimage: Artifact::of(dir.join("arch/x86/boot/bzImage"))?,
        vmlinux: Artifact::of(dir.join("vmlinux"))?,
        packages: Vec::new(),
    };
    manifest.write(&Manifest::path(&dir))?;
    Ok(KernelBuild { dir, manifest })
}

/// Configures an objtree and does some work there. A kernel that was built there counts as built no more.
pub fn within<T>(
    tree: &PatchedTree,
    wanted: &Wanted,
    compilers: Compilers,
    work: impl FnOnce(&mut Make<'_>) -> Result<T>,
) -> Result<T> {
    let dir = layout::objtree(&tree.dir, &wanted.name);
    let mut make = Make::new(&tree.dir, &dir, compilers)?;
    Manifest::remove(&dir)?;
    let job = Job::start(&dir)?;
    let (source, kconfig) = (&tree.source.identity, &tree.kconfig_sha256);
    wanted.configure(&mut make, &format!("{source}\n{kconfig}\n{}", tools()?))?;
    let done = work(&mut make)?;
    job.done()?;
    Ok(done)
}

/// What a build depends on beside source, patches and configuration.
pub fn tools() -> Result<String> {
    Ok(format!("{}\n{}", make::compiler_version()?, make::settings()))
}

/// Compiles, showing how far it is where the last whole build of the same told how many steps there are.
fn compile(make: &mut Make<'_>, workspace: &Workspace, name: &str) -> Result<()> {
    let counts = workspace.target.join("kernel").join(format!("{name}.steps"));
    let whole = !make.objtree.join("vmlinux").exists();
    let total = fs::read_to_string(&counts).ok().and_then(|text| text.trim().parse().ok()).filter(|_| whole);
    let steps = make.run("compiling", total, &["bzImage", "modules"], &[])?.steps;
    // A build that goes on from where another was stopped has fewer.
    if whole && total.is_none_or(|total| steps > total) {
        digest::atomic_write(&counts, format!("{steps}\n"))?;
    }
    Ok(())
}

/// A time in which make changes an objtree. If it does not end well, the next one starts by clearing up.
pub struct Job(PathBuf);

impl Job {
    /// Marks the objtree as being changed; clears up first if it was already.
    pub fn start(objtree: &std::path::Path) -> Result<Self> {
        let marker = objtree.join(".fastnet-building");
        if marker.exists() {
            let removed = recovery::remove_unfinished(objtree)?;
            crate::progress::line(&format!("the last build did not end: {removed} files are made again"));
        }
        fs::write(&marker, "").with_context(|| format!("writing {}", marker.display()))?;
        Ok(Self(marker))
    }

    /// Marks the objtree as whole.
    pub fn done(self) -> Result<()> {
        fs::remove_file(&self.0).with_context(|| format!("removing {}", self.0.display()))
    }
}
