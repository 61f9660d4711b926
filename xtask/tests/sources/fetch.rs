//! What `cargo xtask fetch` is asked, and what it leaves in the cache.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::world::{Outcome, World};

impl World {
    /// A world whose only kernel is 6.11, with that source.
    pub fn with_source(source: &str) -> Self {
        Self::with_catalog(&format!(
            "preferred = [\"6.11\"]\n[kernels.\"6.11\"]\npatches = \"linux-patches/6.11\"\nsource.{source}\n"
        ))
    }

    /// `cargo xtask fetch`, not yet started.
    pub fn fetch(&self, args: &[&str]) -> Command {
        let mut command = self.xtask();
        command.arg("fetch").args(args);
        command
    }

    /// `cargo xtask fetch`, run.
    pub fn run(&self, args: &[&str]) -> Outcome {
        Outcome::of(self.fetch(args).output().unwrap())
    }

    /// The cached trees.
    pub fn trees(&self) -> Vec<PathBuf> {
        let mut trees = list(&self.path("cache/sources"));
        trees.retain(|path| path.is_dir());
        trees
    }

    #[track_caller]
    pub fn assert_no_trees(&self) {
        let trees = self.trees();
        assert!(trees.is_empty(), "{trees:?}");
    }

    /// Asserts that nothing of a fetch under way is left but its lock file.
    #[track_caller]
    pub fn assert_no_leftovers(&self) {
        let mut left = list(&self.path("cache/downloads"));
        left.retain(|path| path.extension().is_none_or(|extension| extension != "lock"));
        assert!(left.is_empty(), "{left:?}");
    }
}

impl Outcome {
    /// The tree that a fetch printed, and nothing else.
    #[track_caller]
    pub fn tree(&self) -> PathBuf {
        let tree = self.passed();
        assert_eq!(self.stdout, format!("{}\n", tree.display()));
        tree.to_owned()
    }

    /// Asserts that the command failed with that exit code, said all those things, and printed no tree.
    #[track_caller]
    pub fn fails(&self, code: i32, said: &[&str]) {
        self.failed(code, said);
        assert_eq!(self.stdout, "");
    }
}

fn list(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = dir.read_dir() else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).collect()
}
