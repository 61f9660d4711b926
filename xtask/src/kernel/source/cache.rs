//! The cache of pristine trees: `sources/<key>/` is a whole tree or not there.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::download::room;
use crate::exit::{Classify, Exit};
use crate::folder;
use crate::lock::FileLock;
use crate::workspace::Workspace;

use super::makefile;

const ELSEWHERE: &str = "FASTNET_CACHE=DIR puts the cache elsewhere";

/// Where a tree is made, seen by its maker alone.
pub struct Workshop {
    /// Outlives a run that fails or dies, so that a download can resume; goes away once the tree stands.
    pub downloads: PathBuf,
    /// Becomes the tree; empty at the start, whatever an earlier run left.
    pub tree: PathBuf,
}

/// Whether the cache has the tree of that key.
pub fn has(workspace: &Workspace, key: &str) -> bool {
    workspace.cache.join("sources").join(key).is_dir()
}

/// The tree of that key, made by `make` where the cache has none.
///
/// Two commands that want the same key wait for each other. A `kill -9` leaves a workshop, never half a tree:
/// the next run cleans it under the lock.
pub fn tree(
    workspace: &Workspace,
    key: &str,
    what: &str,
    make: impl FnOnce(&Workshop) -> Result<()>,
) -> Result<PathBuf> {
    let (sources, parent) = (workspace.cache.join("sources"), workspace.cache.join("downloads"));
    let (place, downloads) = (sources.join(key), parent.join(key));
    // Where both are, a run died between making the tree and cleaning up.
    if place.is_dir() && !downloads.exists() {
        return Ok(place);
    }
    create(&sources)?;
    create(&parent)?;
    let _lock = FileLock::take(&downloads.with_added_extension("lock"), what)
        .exit(Exit::Host, || format!("cannot use {} ({ELSEWHERE})", parent.display()))?;
    if place.is_dir() {
        folder::remove(&downloads)?;
        return Ok(place);
    }
    let workshop = Workshop { tree: downloads.join("tree"), downloads };
    folder::remove(&workshop.tree)?;
    create(&workshop.tree)?;
    if let Err(error) = make(&workshop).and_then(|()| makefile::version(&workshop.tree)) {
        folder::remove(&workshop.tree)?;
        if room::ran_out(&error) {
            // What a full disk needs most is room: not even a download to resume is worth it.
            folder::remove(&workshop.downloads)?;
            return Err(error)
                .exit(Exit::Host, || format!("no room in {} ({ELSEWHERE})", workspace.cache.display()));
        }
        return Err(error);
    }
    fs::rename(&workshop.tree, &place).with_context(|| format!("moving a tree to {}", place.display()))?;
    folder::remove(&workshop.downloads)?;
    Ok(place)
}

/// Makes a folder of the cache.
pub fn create(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).exit(Exit::Host, || format!("cannot make {} ({ELSEWHERE})", dir.display()))
}
