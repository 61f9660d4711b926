//! The first stage: a pristine tree of the kernel asked for, verified, and kept in the cache.

mod apt;
mod cache;
mod git;
mod makefile;
mod path;
mod reach;
mod security;
mod tarball;
mod unpack;
mod upload_pack;

use std::path::PathBuf;

use anyhow::Result;

use crate::cli::KernelArgs;
use crate::download::http::Unreachable;
use crate::exit::{self, Classify, Exit};
use crate::workspace::Workspace;

use super::catalog::{Catalog, Source};
use reach::Reach;

/// A pristine tree. Later stages only read it.
#[derive(Clone, Debug)]
pub struct SourceTree {
    /// The kernel's name in the catalog, its VERSION.PATCHLEVEL: `6.12`.
    pub kernel: String,
    /// Where the tree is.
    pub dir: PathBuf,
    /// What the tree holds, as 64 hexadecimal digits: equal identities mean equal trees.
    pub identity: String,
    /// Where it is from.
    pub origin: Origin,
    /// What the tree calls itself: `6.12.117`.
    pub release: String,
    /// The folder of the kernel's patch series.
    pub patches: PathBuf,
    /// One line to show loudly: this is not the kernel that was preferred.
    pub notice: Option<String>,
}

/// Where a tree is from. That of a tarball and of a Debian package, the identity is the sha256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A tarball, at this address and its mirrors.
    Tarball(String),
    /// A Debian package, by its file's name.
    Debian(String),
    /// A commit of a git repository.
    Commit {
        /// The repository's address.
        url: String,
        /// The commit.
        commit: String,
    },
    /// A tree or tarball of this machine's.
    Here,
}

/// A tree and what it holds, before it is known which kernel it is.
struct Tree {
    dir: PathBuf,
    identity: String,
    origin: Origin,
}

/// The tree that the command line asks for; from the network only where the cache has none.
pub fn obtain(workspace: &Workspace, args: &KernelArgs) -> Result<SourceTree> {
    let catalog = Catalog::load(workspace)?;
    match (&args.source, &args.kernel) {
        (Some(source), kernel) => {
            named(workspace, &catalog, kernel.as_deref(), path::tree(workspace, source)?)
        }
        (None, Some(name)) => from_catalog(workspace, &catalog, name, Reach::Insist),
        (None, None) => preferred(workspace, &catalog),
    }
}

/// The tree of a kernel in the catalog, if it is on this machine already.
pub fn at_hand(workspace: &Workspace, name: &str) -> Result<Option<SourceTree>> {
    let catalog = Catalog::load(workspace)?;
    let here = match &catalog.kernel(name)?.source {
        Source::Tarball(tarball) => cache::has(workspace, tarball.sha256.as_str()),
        Source::Apt { package } => apt::is_cached(workspace, package),
        Source::Git(git) => git::is_cached(workspace, git),
        Source::Path(path) => workspace.root.join(path).exists(),
    };
    here.then(|| from_catalog(workspace, &catalog, name, Reach::Insist)).transpose()
}

/// The first of the preferred kernels that the network reaches.
fn preferred(workspace: &Workspace, catalog: &Catalog) -> Result<SourceTree> {
    let mut missed = Vec::new();
    for name in &catalog.preferred {
        match from_catalog(workspace, catalog, name, Reach::Probe) {
            Ok(mut tree) => {
                tree.notice = (!missed.is_empty()).then(|| {
                    let first = &catalog.preferred[0];
                    format!(
                        "NOTE: this is Linux {}, not {}; `--kernel {first}` insists",
                        tree.release,
                        missed.join(", not ")
                    )
                });
                return Ok(tree);
            }
            Err(error) if error.is::<Unreachable>() => {
                let reason = format!("{error:#}");
                missed.push(format!("{name} ({})", reason.split_whitespace().collect::<Vec<_>>().join(" ")));
            }
            Err(error) if missed.is_empty() => return Err(error),
            Err(error) => return Err(error.context(format!("in place of {}", missed.join(", ")))),
        }
    }
    Err(exit::error(Exit::Network, format!("no preferred kernel: {}", missed.join(", "))))
}

fn from_catalog(workspace: &Workspace, catalog: &Catalog, name: &str, reach: Reach) -> Result<SourceTree> {
    let tree = match &catalog.kernel(name)?.source {
        Source::Tarball(tarball) => tarball::tree(workspace, tarball, reach)?,
        Source::Apt { package } => apt::tree(workspace, package)?,
        Source::Git(git) => git::tree(workspace, git, reach)?,
        Source::Path(path) => path::tree(workspace, &workspace.root.join(path))?,
    };
    named(workspace, catalog, Some(name), tree)
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
    let kernel = catalog.kernel(&version.kernel).exit(Exit::Usage, || {
        format!("no patches for {}, a tree of Linux {}", tree.dir.display(), version.kernel)
    })?;
    Ok(SourceTree {
        patches: workspace.root.join(&kernel.patches),
        kernel: version.kernel,
        dir: tree.dir,
        identity: tree.identity,
        origin: tree.origin,
        release: version.release,
        notice: None,
    })
}
