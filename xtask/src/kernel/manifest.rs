//! `manifest.json`: what a build made, and of what. Written last, so where it is, the build is whole.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::digest::{atomic_write, sha256_file};

/// A finished build.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Manifest {
    /// The kernel's name in the catalog: `6.12`.
    pub kernel: String,
    /// What the kernel calls itself: `6.12.117-fastnet`.
    pub release: String,
    /// The flavor, as on the command line.
    pub flavor: String,
    /// The configuration, as on the command line.
    pub config: String,
    /// What it was made from.
    pub sha256: Inputs,
    /// The first line of the compiler's `--version`.
    pub compiler: String,
    /// The sha256 of all inputs together: equal keys mean that nothing needs to be made again.
    pub key: String,
    /// The image that boots.
    pub bzimage: Artifact,
    /// The same kernel with its symbols.
    pub vmlinux: Artifact,
    /// The packages, if any were made.
    pub packages: Vec<Artifact>,
}

/// The sha256 of what a build was made from.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Inputs {
    /// The pristine source's identity.
    pub source: String,
    /// The patches applied to it.
    pub series: String,
    /// The `.config`.
    pub config: String,
}

/// A file that a build made.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Artifact {
    /// Where it is, absolute.
    pub path: PathBuf,
    /// The sha256 of its content.
    pub sha256: String,
}

impl Artifact {
    /// The file at `path` as it is now.
    pub fn of(path: PathBuf) -> Result<Self> {
        Ok(Self { sha256: sha256_file(&path)?, path })
    }

    /// The file's name.
    pub fn name(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    fn is_intact(&self) -> bool {
        sha256_file(&self.path).is_ok_and(|sha256| sha256 == self.sha256)
    }
}

impl Manifest {
    /// Where the manifest of a build in `objtree` is.
    pub fn path(objtree: &Path) -> PathBuf {
        objtree.join("manifest.json")
    }

    /// The manifest in the file at `path`.
    pub fn read(path: &Path) -> Result<Self> {
        let context = || format!("reading {}", path.display());
        serde_json::from_slice(&fs::read(path).with_context(context)?).with_context(context)
    }

    /// All that was made.
    pub fn files(&self) -> impl Iterator<Item = &Artifact> {
        [&self.bzimage, &self.vmlinux].into_iter().chain(&self.packages)
    }

    /// The manifest in `objtree`, if the build there is of `key` and every file it made is still there.
    pub fn intact(objtree: &Path, key: &str) -> Option<Self> {
        let manifest = Self::read(&Self::path(objtree)).ok()?;
        let kernel = [&manifest.bzimage, &manifest.vmlinux];
        // A copy of the checkout names the first one's files.
        let here = kernel.iter().all(|artifact| artifact.path.starts_with(objtree));
        let whole = manifest.files().all(Artifact::is_intact);
        (manifest.key == key && here && whole).then_some(manifest)
    }

    /// Writes the manifest to the file at `path`.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        atomic_write(path, text)
    }

    /// The same without a word of this machine's folders, to be handed out: of each file its name is left.
    pub fn portable(mut self) -> Self {
        for file in [&mut self.bzimage, &mut self.vmlinux].into_iter().chain(&mut self.packages) {
            file.path = file.name().into();
        }
        self
    }

    /// Takes the manifest away, before what it tells of changes.
    pub fn remove(objtree: &Path) -> Result<()> {
        let path = Self::path(objtree);
        match fs::remove_file(&path) {
            Err(cause) if cause.kind() != ErrorKind::NotFound => {
                Err(cause).with_context(|| format!("removing {}", path.display()))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_intact_until_key_or_file_change() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| {
            let path = dir.path().join(name);
            fs::write(&path, name).unwrap();
            Artifact::of(path).unwrap()
        };
        let text = || "text".to_owned();
        let manifest = Manifest {
            kernel: text(),
            release: text(),
            flavor: text(),
            config: text(),
            sha256: Inputs { source: text(), series: text(), config: text() },
            compiler: text(),
            key: "key".to_owned(),
            bzimage: file("bzImage"),
            vmlinux: file("vmlinux"),
            packages: vec![file("a.deb")],
        };
        assert_eq!(Manifest::intact(dir.path(), "key"), None);
        manifest.write(&Manifest::path(dir.path())).unwrap();
        assert_eq!(Manifest::intact(dir.path(), "key"), Some(manifest));
        assert_eq!(Manifest::intact(dir.path(), "another"), None);
        fs::write(dir.path().join("a.deb"), "altered").unwrap();
        assert_eq!(Manifest::intact(dir.path(), "key"), None);
    }
}
