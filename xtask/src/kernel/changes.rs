//! What a series changes: its patches applied one after the other in memory, by git2.
//!
//! Only the files that the patches touch are read, so a whole series takes milliseconds on a whole kernel.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use git2::build::TreeUpdateBuilder;
use git2::{Delta, Diff, FileMode, ObjectType, Oid, Repository, Tree};

use super::series::Patch;
use super::{hunk, layout};
use crate::exit::{Classify, Exit};

/// The files that a series touches, as they are after it; none for a file it deletes.
pub type Changes = BTreeMap<PathBuf, Option<File>>;

/// A file's content and whether it can be run.
#[derive(Debug, PartialEq, Eq)]
pub struct File {
    /// Its bytes.
    pub content: Vec<u8>,
    /// Whether its owner may run it.
    pub executable: bool,
}

impl File {
    /// Reads `path`; none where there is no file. A link or a folder there is an error.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let about = match fs::symlink_metadata(path) {
            Err(cause) if matches!(cause.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            about => about.with_context(|| format!("cannot look at {}", path.display()))?,
        };
        ensure!(about.is_file(), "{} is not a plain file", path.display());
        let content = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Some(Self { content, executable: about.permissions().mode() & 0o100 != 0 }))
    }
}

/// Applies `patches` in order to the source in `pristine`, which is only read.
///
/// The error names patch, file and hunk.
pub fn of(patches: &[Patch], pristine: &Path) -> Result<Changes> {
    let scratch = tempfile::tempdir().context("making a temporary folder")?;
    let repo = Repository::init_bare(scratch.path()).context("making a temporary repository")?;
    repo.odb()?.add_new_mempack_backend(i32::MAX)?;

    let mut touched = BTreeSet::new();
    for patch in patches {
        touched.extend(paths(patch).exit(Exit::Kernel, || format!("{} is refused", patch.name))?);
    }
    let mut base = TreeUpdateBuilder::new();
    for path in &touched {
        if let Some(file) = File::read(&pristine.join(path))? {
            let mode = if file.executable { FileMode::BlobExecutable } else { FileMode::Blob };
            base.upsert(path.as_path(), repo.blob(&file.content)?, mode);
        }
    }
    let empty = repo.find_tree(repo.treebuilder(None)?.write()?)?;
    let mut tree = repo.find_tree(base.create_updated(&repo, &empty)?)?;
    for patch in patches {
        tree = repo.find_tree(apply(&repo, &tree, patch)?)?;
    }
    touched.into_iter().map(|path| Ok((path.clone(), file_in(&repo, &tree, &path)?))).collect()
}

/// The tree that `patch` makes of `tree`. The error names patch, file and hunk.
pub fn apply(repo: &Repository, tree: &Tree<'_>, patch: &Patch) -> Result<Oid> {
    let refused = || format!("{} does not apply", patch.name);
    paths(patch).exit(Exit::Kernel, refused)?;
    let diff = anchored(repo, tree, patch).exit(Exit::Kernel, refused)?;
    let mut index = repo.apply_to_tree(tree, &diff, None).exit(Exit::Kernel, refused)?;
    Ok(index.write_tree_to(repo)?)
}

/// The patch's diff with every hunk's header naming the line at which it fits `tree`.
fn anchored(repo: &Repository, tree: &Tree<'_>, patch: &Patch) -> Result<Diff<'static>> {
    let diff = patch.mail.to_diff()?;
    let text = std::str::from_utf8(&patch.mail.diff).context("its diff is not UTF-8")?;
    let parts = parts(text);
    ensure!(parts.len() == diff.deltas().len(), "its diff has a `diff --git` line that is not one");
    let mut anchored = String::with_capacity(text.len());
    for (delta, part) in diff.deltas().zip(parts) {
        let name =
            |file: git2::DiffFile<'_>| file.path().map(Path::to_path_buf).context("a file without a name");
        let (old, new) = (name(delta.old_file())?, name(delta.new_file())?);
        if delta.status() == Delta::Added {
            ensure!(tree.get_path(&new).is_err(), "{} is to be added, but exists", new.display());
            anchored.push_str(part);
            continue;
        }
        let before =
            file_in(repo, tree, &old)?.with_context(|| format!("{} does not exist", old.display()))?;
        let before = std::str::from_utf8(&before.content)
            .with_context(|| format!("{} is not UTF-8", old.display()))?;
        match hunk::anchor(part, before) {
            Ok(part) => anchored.push_str(&part),
            Err(misfit) => bail!("{}, {misfit}", old.display()),
        }
    }
    Ok(Diff::from_buffer(anchored.as_bytes())?)
}

/// A diff cut into one part a file. Content lines start with a blank, `+` or `-`, so they can't be mistaken.
fn parts(diff: &str) -> Vec<&str> {
    let starts = diff.match_indices("diff --git ").map(|(at, _)| at);
    let starts: Vec<usize> = starts.filter(|&at| at == 0 || diff.as_bytes()[at - 1] == b'\n').collect();
    let ends = starts.iter().skip(1).copied().chain([diff.len()]);
    starts.iter().zip(ends).map(|(&start, end)| &diff[start..end]).collect()
}

/// The files that a patch touches, under its old and new names.
///
/// Refuses what would leave the source or is not a plain file's text.
pub fn paths(patch: &Patch) -> Result<BTreeSet<PathBuf>> {
    let diff = patch.mail.to_diff()?;
    let mut paths = BTreeSet::new();
    for delta in diff.deltas() {
        for side in [delta.old_file(), delta.new_file()] {
            let Some(name) = side.path() else { continue };
            let plain = |part: Component<'_>| matches!(part, Component::Normal(part) if part != ".git");
            ensure!(name.components().all(plain), "it names {}, which is outside the source", name.display());
            ensure!(!layout::is_ours(name), "it names {}, where builds are kept", name.display());
            let text =
                matches!(side.mode(), FileMode::Blob | FileMode::BlobExecutable | FileMode::Unreadable);
            ensure!(text && !side.is_binary(), "{} is a link or binary, not text", name.display());
            paths.insert(name.to_path_buf());
        }
    }
    Ok(paths)
}

/// The file at `path` in `tree`.
fn file_in(repo: &Repository, tree: &Tree<'_>, path: &Path) -> Result<Option<File>> {
    let Ok(entry) = tree.get_path(path) else { return Ok(None) };
    ensure!(entry.kind() == Some(ObjectType::Blob), "{} is not a file", path.display());
    let blob = repo.find_blob(entry.id())?;
    let executable = entry.filemode() == i32::from(FileMode::BlobExecutable);
    Ok(Some(File { content: blob.content().to_vec(), executable }))
}
