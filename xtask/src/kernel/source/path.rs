//! A tree on this machine: a directory, used in place, or a tarball.

use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result};
use walkdir::WalkDir;

use crate::digest::{self, Hasher};
use crate::exit::{self, Classify, Exit};
use crate::workspace::Workspace;

use super::{Origin, Tree, cache, unpack};

/// The tree at `path`.
pub fn tree(workspace: &Workspace, path: &Path) -> Result<Tree> {
    let path = path.canonicalize().exit(Exit::Usage, || format!("no source at {}", path.display()))?;
    if path.is_dir() {
        return Ok(Tree { identity: identity(&path)?, dir: path, origin: Origin::Here });
    }
    let identity = digest::sha256_file(&path)?;
    let dir = cache::tree(workspace, &identity, &format!("unpacking {}", path.display()), |workshop| {
        unpack::unpack(&path, &workshop.tree)
    })?;
    Ok(Tree { dir, identity, origin: Origin::Here })
}

/// Digests what a directory holds by its files' names, sizes and times: content would take minutes to read.
fn identity(dir: &Path) -> Result<String> {
    if dir.join(".config").exists() || dir.join("include/config").exists() {
        let message = format!(
            "{dir} was built in, so a build outside it would mix the two; `make -C {dir} mrproper` cleans it",
            dir = dir.display()
        );
        return Err(exit::error(Exit::Usage, message));
    }
    let mut hasher = Hasher::default();
    let entries = WalkDir::new(dir).sort_by_file_name().into_iter();
    for entry in entries.filter_entry(|entry| entry.file_name() != ".git") {
        let entry = entry.context("walking the source")?;
        if entry.file_type().is_dir() {
            continue;
        }
        let name = entry.path().strip_prefix(dir).unwrap_or(entry.path());
        let facts = fs::symlink_metadata(entry.path()).context("walking the source")?;
        let numbers = [facts.size().cast_signed(), facts.mtime(), facts.mtime_nsec()];
        hasher.write_all(name.as_os_str().as_bytes())?;
        hasher.write_all(&[0])?;
        for number in numbers {
            hasher.write_all(&number.to_le_bytes())?;
        }
    }
    Ok(hasher.hex())
}
