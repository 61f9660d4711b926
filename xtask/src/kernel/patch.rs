//! The patched tree: a copy of the source in which only what the series changes differs.
//!
//! Files are written only where their content differs, so that their times tell make what to rebuild.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use xshell::cmd;

use super::changes::{self, Changes, File};
use super::layout;
use super::series::{self, Patch, Series};
use super::source::SourceTree;
use crate::cli::{self, Flavor};
use crate::digest::{self, atomic_write};
use crate::host::room;
use crate::lock::FileLock;
use crate::process;
use crate::progress;
use crate::workspace::Workspace;

/// A source with patches on it, ours alone while this lives.
#[derive(Debug)]
pub struct PatchedTree {
    /// `target/kernel/<kernel>-<name>`, where the name is the flavor's.
    pub dir: PathBuf,
    /// What it was made from.
    pub source: SourceTree,
    /// What the kernel calls itself after its version: the flavor's name.
    pub flavor: String,
    /// The patches applied, in order: each by its name, and its sha256.
    pub patches: Vec<(String, String)>,
    /// The sha256 of them all.
    pub series_sha256: String,
    /// The sha256 of the Kconfig files they change: with the source, what a `.config` depends on.
    pub kconfig_sha256: String,
    _lock: FileLock,
}

/// What is known of a tree: any file but those in `touched` is as in the source.
#[derive(Debug, Deserialize, Serialize, PartialEq, Eq)]
struct State {
    source: String,
    touched: BTreeSet<PathBuf>,
}

/// Makes the patched tree of a source and a flavor, or brings the one there up to date.
///
/// A patch that does not apply stops everything before the tree is touched; the error names patch, file
/// and hunk.
pub fn apply(workspace: &Workspace, source: SourceTree, flavor: Flavor) -> Result<PatchedTree> {
    let series = if flavor == Flavor::Stock { None } else { Some(Series::load(&source.patches)?) };
    let patches = series.as_ref().map_or(&[][..], |series| series.flavor(flavor));
    let name = cli::name(&flavor);
    apply_in(workspace, source, &name, patches, &name)
}

/// The same for any patches, in the tree called `name`; the kernel is called after `flavor`.
pub fn apply_in(
    workspace: &Workspace,
    source: SourceTree,
    name: &str,
    patches: &[Patch],
    flavor: &str,
) -> Result<PatchedTree> {
    let changes = changes::of(patches, &source.dir)?;
    let name = format!("{}-{name}", source.kernel);
    let trees = workspace.target.join("kernel");
    let dir = trees.join(&name);
    if !dir.exists() {
        room::require(&dir, room::KERNEL)?;
    }
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let lock = FileLock::take(&trees.join(format!("{name}.lock")), &format!("building {name}"))?;
    // make and what it starts keep the lock: should we be killed, they still write to the tree.
    lock.inherit()?;

    materialise(&source.dir, &source.identity, &changes, &dir)
        .with_context(|| format!("cannot bring {} up to date", dir.display()))?;
    Ok(PatchedTree {
        dir,
        source,
        flavor: flavor.to_owned(),
        patches: digests(patches),
        series_sha256: series::sha256(patches),
        kconfig_sha256: kconfig_sha256(&changes),
        _lock: lock,
    })
}

impl PatchedTree {
    /// Puts other patches on the source in place of those there.
    pub fn put(&mut self, patches: &[Patch], flavor: &str) -> Result<()> {
        let changes = changes::of(patches, &self.source.dir)?;
        materialise(&self.source.dir, &self.source.identity, &changes, &self.dir)
            .with_context(|| format!("cannot bring {} up to date", self.dir.display()))?;
        flavor.clone_into(&mut self.flavor);
        self.patches = digests(patches);
        self.series_sha256 = series::sha256(patches);
        self.kconfig_sha256 = kconfig_sha256(&changes);
        Ok(())
    }
}

fn digests(patches: &[Patch]) -> Vec<(String, String)> {
    patches.iter().map(|patch| (patch.name.clone(), digest::sha256(&patch.mail.raw))).collect()
}

fn kconfig_sha256(changes: &Changes) -> String {
    // Kconfig and Kconfig.debug, and the defconfigs.
    let is_kconfig =
        |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().contains("config"));
    let files = changes.iter().filter(|(path, _)| is_kconfig(path));
    let parts = files.map(|(path, file)| {
        let content = file.as_ref().map_or(&[][..], |file| &file.content);
        format!("{} {}\n", digest::sha256(content), path.display())
    });
    digest::sha256(parts.collect::<String>())
}

/// Makes `dir` the source in `pristine` with `changes` on it.
fn materialise(pristine: &Path, identity: &str, changes: &Changes, dir: &Path) -> Result<()> {
    let file = dir.join(layout::STATE);
    let known = fs::read(&file).ok().and_then(|text| serde_json::from_slice::<State>(&text).ok());
    let mut state = if let Some(state) = known.filter(|state| state.source == identity) {
        state
    } else {
        if file.exists() {
            fs::remove_file(&file)?;
        }
        copy(pristine, changes, dir)?;
        State { source: identity.to_owned(), touched: BTreeSet::new() }
    };
    // Written before the files it names, so that a run cut short here is put right by the next.
    let before = state.touched.len();
    state.touched.extend(changes.keys().cloned());
    if !file.exists() || state.touched.len() != before {
        atomic_write(&file, serde_json::to_vec_pretty(&state)?)?;
    }
    for path in &state.touched {
        match changes.get(path) {
            Some(wanted) => put(&dir.join(path), wanted.as_ref())?,
            None => put(&dir.join(path), File::read(&pristine.join(path))?.as_ref())?,
        }
    }
    Ok(())
}

/// Copies the source, leaving alone what is already right, what the changes are about and what is ours.
fn copy(pristine: &Path, changes: &Changes, dir: &Path) -> Result<()> {
    progress::line(&format!("copying {} to {}", pristine.display(), dir.display()));
    let ours = layout::OURS.map(|name| format!("--exclude=/{name}*"));
    let theirs = changes.keys().map(|path| format!("--exclude=/{}", path.display()));
    let excludes = ours.into_iter().chain(theirs).chain(["--exclude=.git".to_owned()]);
    let shell = process::shell(dir)?;
    process::run(cmd!(shell, "rsync -rlp --checksum --delete {excludes...} {pristine}/ ./"))
}

/// Makes the file at `path` what is wanted, touching it only where it differs.
fn put(path: &Path, wanted: Option<&File>) -> Result<()> {
    if File::read(path)?.as_ref() == wanted {
        return Ok(());
    }
    let context = || format!("writing {}", path.display());
    match wanted {
        None => fs::remove_file(path).with_context(context),
        Some(file) => {
            fs::create_dir_all(path.parent().with_context(context)?).with_context(context)?;
            fs::write(path, &file.content).with_context(context)?;
            let mode = if file.executable { 0o755 } else { 0o644 };
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).with_context(context)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    fn file(content: &str, executable: bool) -> File {
        File { content: content.into(), executable }
    }

    #[test]
    fn only_what_differs_is_written_and_what_is_dropped_comes_back() {
        let (pristine, tree) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let dir = tree.path();
        for name in ["same", "changed", "gone"] {
            fs::write(pristine.path().join(name), name).unwrap();
        }
        let changes = Changes::from([
            ("changed".into(), Some(file("anew", false))),
            ("gone".into(), None),
            ("new/script".into(), Some(file("#!", true))),
        ]);
        let read = |name: &str| File::read(&dir.join(name)).unwrap();
        let modified = |name: &str| fs::metadata(dir.join(name)).unwrap().modified().unwrap();
        materialise(pristine.path(), "1", &changes, dir).unwrap();
        assert_eq!(read("same"), Some(file("same", false)));
        for (path, wanted) in &changes {
            assert_eq!(&File::read(&dir.join(path)).unwrap(), wanted);
        }

        // Long ago, so that whatever is written has another time.
        for name in ["same", "changed", "new/script"] {
            fs::File::open(dir.join(name)).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        }
        materialise(pristine.path(), "1", &changes, dir).unwrap();
        materialise(pristine.path(), "2", &changes, dir).unwrap();
        for name in ["same", "changed", "new/script"] {
            assert_eq!(modified(name), SystemTime::UNIX_EPOCH, "{name}");
        }

        materialise(pristine.path(), "2", &Changes::new(), dir).unwrap();
        assert_eq!(modified("same"), SystemTime::UNIX_EPOCH);
        assert_eq!(read("changed"), Some(file("changed", false)));
        assert_eq!(read("gone"), Some(file("gone", false)));
        assert_eq!(read("new/script"), None);
    }
}
