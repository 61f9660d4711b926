//! A checkout and a cache of a test's own.
#![expect(clippy::disallowed_methods, reason = "the tests run xtask as a user does")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A checkout with a catalog, and an empty cache.
pub struct World {
    dir: TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub struct Outcome {
    /// `None` where a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl World {
    /// A world whose catalog is `catalog`.
    pub fn new(catalog: &str) -> Self {
        let world = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir_all(world.path("root/configs")).unwrap();
        fs::create_dir_all(world.path("bin")).unwrap();
        fs::write(world.path("root/configs/kernels.toml"), catalog).unwrap();
        world
    }

    /// A world whose only kernel is 6.11, with that source.
    pub fn with_source(source: &str) -> Self {
        Self::new(&format!(
            "preferred = [\"6.11\"]\n[kernels.\"6.11\"]\npatches = \"linux-patches/6.11\"\nsource.{source}\n"
        ))
    }

    /// A path in the world: `root/...`, `cache/...`, or a test's own files.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file of the world.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Any program, where it finds this world; `bin/` comes first in its PATH.
    pub fn program(&self, program: &str) -> Command {
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new(program);
        command
            .env("PATH", format!("{}:{path}", self.path("bin").display()))
            .env("FASTNET_ROOT", self.path("root"))
            .env("FASTNET_CACHE", self.path("cache"))
            .env("FASTNET_IDLE_TIMEOUT", "20")
            .env("NO_PROXY", "127.0.0.1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// `cargo xtask fetch`, not yet started.
    pub fn fetch(&self, args: &[&str]) -> Command {
        let mut command = self.program(env!("CARGO_BIN_EXE_xtask"));
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
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The tree that a fetch printed.
    #[track_caller]
    pub fn tree(&self) -> PathBuf {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        PathBuf::from(self.stdout.strip_suffix('\n').unwrap())
    }

    /// Asserts that the command failed with that exit code, and said all those things.
    #[track_caller]
    pub fn fails(&self, code: i32, said: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        assert_eq!(self.stdout, "");
        for said in said {
            assert!(self.stderr.contains(said), "`{said}` is not in: {}", self.stderr);
        }
    }
}

fn list(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = dir.read_dir() else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).collect()
}
