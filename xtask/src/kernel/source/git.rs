//! One commit of a git repository, without its history.

use std::iter;
use std::path::Path;

use anyhow::{Context, Result};
use git2::build::CheckoutBuilder;
use git2::{Oid, Repository};

use crate::digest;
use crate::download::http;
use crate::exit::{self, Classify, Exit};
use crate::folder;
use crate::kernel::catalog::Git;
use crate::progress::{Progress, Unit};
use crate::workspace::Workspace;

use super::cache::{self, Workshop};
use super::reach::Reach;
use super::{Origin, Tree, upload_pack};

/// The tree of the commit.
pub fn tree(workspace: &Workspace, git: &Git, reach: Reach) -> Result<Tree> {
    let identity = identity(git);
    let what = format!("fetching {} of {}", git.tag, git.url);
    let dir = cache::tree(workspace, &identity, &what, |workshop| {
        let (repository, tag) = if git.url.starts_with("http://") || git.url.starts_with("https://") {
            reach.fetch(workshop, iter::once(git.url.as_str()), || fetch(workshop, git))?
        } else {
            open(&workspace.root.join(git.url.strip_prefix("file://").unwrap_or(&git.url)), git)?
        };
        check_out(&repository, tag, git, workshop)
    })?;
    let origin = Origin::Commit { url: git.url.clone(), commit: git.commit.as_str().to_owned() };
    Ok(Tree { dir, identity, origin })
}

/// Whether the cache has the tree of the commit.
pub fn is_cached(workspace: &Workspace, git: &Git) -> bool {
    cache::has(workspace, &identity(git))
}

fn identity(git: &Git) -> String {
    digest::sha256(git.commit.as_str())
}

/// A repository on this machine, and the tag's id there.
fn open(place: &Path, git: &Git) -> Result<(Repository, Oid)> {
    let repository =
        Repository::open(place).exit(Exit::Usage, || format!("no git repository at {}", place.display()))?;
    let tag = repository
        .refname_to_id(&format!("refs/tags/{}", git.tag))
        .exit(Exit::Usage, || format!("no tag {} in {}", git.tag, place.display()))?;
    Ok((repository, tag))
}

/// Downloads the tag, what it leads to and nothing older, into a repository in the workshop.
fn fetch(workshop: &Workshop, git: &Git) -> Result<(Repository, Oid)> {
    let dir = workshop.downloads.join("repository");
    folder::remove(&dir)?;
    let pack = workshop.downloads.join("pack");
    let tag = upload_pack::fetch(&git.url, &git.tag, &pack)
        .or_else(|failure| http::failed(&git.tag, vec![(&git.url, failure)]))?;
    let repository = Repository::init_bare(&dir)?;
    upload_pack::index(&pack, &repository)?;
    Ok((repository, tag))
}

/// Puts the commit that the tag leads to into the workshop's tree, if that is the one that was promised.
fn check_out(repository: &Repository, tag: Oid, git: &Git, workshop: &Workshop) -> Result<()> {
    let commit = repository.find_object(tag, None)?.peel_to_commit()?;
    if commit.id().to_string() != git.commit.as_str() {
        let (expected, got) = (git.commit.as_str(), commit.id());
        let message = format!("{}: tag {}: expected commit {expected}, got {got}", git.url, git.tag);
        return Err(exit::error(Exit::Network, message));
    }
    let progress = Progress::start(&format!("checking out {}", git.tag), Unit::Steps, None);
    let mut options = CheckoutBuilder::new();
    // Into the empty tree alone: a local repository's own index and files stay as they are.
    options.target_dir(&workshop.tree).force().update_index(false).disable_filters(true);
    options.progress(|_, done, total| {
        progress.expect(total as u64);
        progress.set(done as u64);
    });
    repository.checkout_tree(commit.as_object(), Some(&mut options)).context("checking out")
}
