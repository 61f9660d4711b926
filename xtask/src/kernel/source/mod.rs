//! The first stage: a pristine tree of the kernel asked for, verified, and in the cache but for a directory.

mod apt;
mod cache;
mod makefile;
mod path;
mod unpack;

use std::path::PathBuf;

use anyhow::Result;

use crate::cli::KernelArgs;
use crate::exit::{self, Exit};
use crate::workspace::Workspace;

use super::catalog::{Catalog, Kernel, Source};

/// A pristine tree. Later stages only read it.
#[derive(Debug)]
pub struct SourceTree {
    /// The kernel's name in the catalog, its VERSION.PATCHLEVEL: `6.12`.
    pub kernel: String,
    /// Where the tree is.
    pub dir: PathBuf,
    /// What the tree holds, as 64 hexadecimal digits: equal identities mean equal trees.
    pub identity: String,
    /// What the tree calls itself: `6.12.117`.
    pub release: String,
    /// The folder of the kernel's patch series.
    pub patches: PathBuf,
    /// One line to show loudly: this is not the kernel that was preferred.
    pub notice: Option<String>,
}

/// A tree and what it holds, before it is known which kernel it is.
struct Tree {
    dir: PathBuf,
    identity: String,
}

/// The tree that the command line asks for; from the network only where the cache has none.
pub fn obtain(workspace: &Workspace, args: &KernelArgs) -> Result<SourceTree> {
    let catalog = Catalog::load(workspace)?;
    if let Some(source) = &args.source {
        return named(workspace, &catalog, args.kernel.as_deref(), path::tree(workspace, source)?);
    }
    let name = args.kernel.as_deref().unwrap_or(&catalog.preferred[0]);
    let tree = from_catalog(workspace, name, catalog.kernel(name)?)?;
    named(workspace, &catalog, Some(name), tree)
}

fn from_catalog(workspace: &Workspace, name: &str, kernel: &Kernel) -> Result<Tree> {
    match &kernel.source {
        Source::Apt { package } => apt::tree(workspace, package),
        Source::Path(path) => path::tree(workspace, &workspace.root.join(path)),
        Source::Tarball(_) | Source::Git(_) => Err(exit::error(Exit::Usage, format!("{name}: not yet"))),
    }
}

/// Finds which kernel of the catalog the tree is; it must be `name` where that is given.
fn named(workspace: &Workspace, catalog: &Catalog, name: Option<&str>, tree: Tree) -> Result<SourceTree> {
    let version = makefile::version(&tree.dir)?;
    if let Some(name) = name
        && name != version.kernel
    {
        let message = format!("{} is a tree of {}, not of {name}", tree.dir.display(), version.kernel);
        return Err(exit::error(Exit::Usage, message));
    }
    let kernel = catalog.kernel(&version.kernel)?;
    Ok(SourceTree {
        patches: workspace.root.join(&kernel.patches),
        kernel: version.kernel,
        dir: tree.dir,
        identity: tree.identity,
        release: version.release,
        notice: None,
    })
}
