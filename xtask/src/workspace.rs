//! Where things are: the checkout, the build folder and the cache.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The folders every stage works in.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// The checkout: `configs/`, `linux-patches/`, `rust-tests/`.
    pub root: PathBuf,
    /// Builds and guest runs; `cargo clean` empties it.
    pub target: PathBuf,
    /// Downloads and pristine sources, shared by all checkouts of this user.
    pub cache: PathBuf,
}

impl Workspace {
    /// Finds the folders: the root from `FASTNET_ROOT`, else from cargo; the cache from `FASTNET_CACHE`, else
    /// `$XDG_CACHE_HOME/fastnet`, else `~/.cache/fastnet`.
    pub fn locate() -> Result<Self> {
        let root = env::var_os("FASTNET_ROOT")
            .map(PathBuf::from)
            .or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf))
            .context("xtask has no parent folder")?;
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let cache = env::var_os("FASTNET_CACHE")
            .map(PathBuf::from)
            .or_else(|| Some(PathBuf::from(env::var_os("XDG_CACHE_HOME")?).join("fastnet")))
            .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache/fastnet")))
            .context("set FASTNET_CACHE: neither it, XDG_CACHE_HOME nor HOME is set")?;
        Ok(Self { root, target, cache })
    }
}
