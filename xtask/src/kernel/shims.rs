//! Small programs of our own that make finds before the host's.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::{env, iter};

use anyhow::{Context, Result};

use crate::digest;

/// The folder of an objtree's shims.
pub struct Shims(PathBuf);

impl Shims {
    /// Those of `objtree`; there may be some from an earlier run.
    pub fn of(objtree: &Path) -> Result<Self> {
        let bin = objtree.join(".fastnet-bin");
        fs::create_dir_all(&bin).with_context(|| format!("making {}", bin.display()))?;
        Ok(Self(bin))
    }

    /// Has `name` run `command`, a program of the host's and its first arguments, with the caller's own behind.
    pub fn put(&self, name: &str, command: &str) -> Result<()> {
        let (shim, mode) = (self.0.join(name), Permissions::from_mode(0o755));
        // The host's own PATH: `gcc` in the command is not this folder's.
        let path = env::var("PATH").context("PATH is not set, or not text")?.replace('\'', r"'\''");
        digest::atomic_write(&shim, format!("#!/bin/sh\nPATH='{path}'\nexec {command} \"$@\"\n"))?;
        fs::set_permissions(&shim, mode).with_context(|| format!("making {}", shim.display()))
    }

    /// Leaves `name` to the host.
    pub fn remove(&self, name: &str) -> Result<()> {
        let shim = self.0.join(name);
        if shim.exists() {
            fs::remove_file(&shim).with_context(|| format!("removing {}", shim.display()))?;
        }
        Ok(())
    }

    /// A PATH on which the shims come first.
    pub fn path(&self) -> Result<OsString> {
        let host = env::var_os("PATH").unwrap_or_default();
        Ok(env::join_paths(iter::once(self.0.clone()).chain(env::split_paths(&host)))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process;
    use xshell::cmd;

    #[test]
    fn a_shim_finds_the_hosts_program_of_its_name() {
        let dir = tempfile::tempdir().unwrap();
        Shims::of(dir.path()).unwrap().put("echo", "echo 'it is'").unwrap();
        let shell = process::shell(dir.path()).unwrap();
        // What this process writes is open in whatever other tests fork meanwhile, and can't be started: ETXTBSY.
        process::run(cmd!(shell, "cp -r .fastnet-bin copy")).unwrap();
        let shims = Shims(dir.path().join("copy"));
        let said =
            || process::read(cmd!(shell, "env echo 'the  shim'").env("PATH", shims.path().unwrap())).unwrap();
        assert_eq!(said(), "it is the  shim");
        shims.remove("echo").unwrap();
        assert_eq!(said(), "the  shim");
    }
}
