//! The kernel that tests boot guests with.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// `FASTNET_BZIMAGE`, else any `vm` kernel built in `target/kernel`.
pub fn kernel() -> PathBuf {
    let built = || {
        let kernels = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/kernel");
        let trees = fs::read_dir(kernels).ok()?.filter_map(Result::ok);
        trees.map(|tree| tree.path().join("O-vm/arch/x86/boot/bzImage")).find(|image| image.exists())
    };
    env::var_os("FASTNET_BZIMAGE")
        .map(PathBuf::from)
        .or_else(built)
        .expect("no kernel: run `cargo xtask build-kernel`, or set FASTNET_BZIMAGE")
}
