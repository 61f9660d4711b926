//! A checkout and a cache of a test's own, shared by the tests that run xtask as a user does.
#![expect(clippy::disallowed_methods, reason = "the tests run xtask as a user does")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// The checkout in `root/`, the cache in `cache/`, and what else a test wants.
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
    /// A checkout with nothing but this catalog.
    pub fn with_catalog(catalog: &str) -> Self {
        let world = Self { dir: tempfile::tempdir().unwrap() };
        world.write("root/configs/kernels.toml", catalog);
        fs::create_dir(world.path("bin")).unwrap();
        world
    }

    /// A path in the world.
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
            .env_remove("CARGO_TARGET_DIR")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// `cargo xtask`, not yet started.
    pub fn xtask(&self) -> Command {
        self.program(env!("CARGO_BIN_EXE_xtask"))
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

    /// Asserts that the command passed; its last line on stdout.
    #[track_caller]
    pub fn passed(&self) -> &Path {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        Path::new(self.stdout.trim_end().lines().next_back().unwrap_or_default())
    }

    /// Asserts that the command failed with that exit code, and said all those things.
    #[track_caller]
    pub fn failed(&self, code: i32, said: &[&str]) {
        assert_eq!(self.code, Some(code), "{}{}", self.stdout, self.stderr);
        for part in said {
            assert!(self.stderr.contains(part), "no `{part}` in:\n{}", self.stderr);
        }
    }
}
