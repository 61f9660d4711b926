//! Room on a disk, asked for before hours of work fill it.

use std::path::Path;

use anyhow::Result;

use crate::exit::{self, Classify, Exit};

/// What a kernel's tree takes, in bytes: unpacked in the cache, or patched with the objects of its vm config.
pub const KERNEL: u64 = 3 << 30;

/// The bytes that are free for this user where `folder` is or will be.
pub fn free(folder: &Path) -> Result<u64> {
    let there = folder.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let stat = rustix::fs::statvfs(there)
        .exit(Exit::Host, || format!("cannot ask how much room {} has", there.display()))?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Fails with [`Exit::Host`] unless `bytes` are free where `folder` is or will be.
pub fn require(folder: &Path, bytes: u64) -> Result<()> {
    let free = free(folder)?;
    if free < bytes {
        return Err(exit::error(
            Exit::Host,
            format!(
                "{} has {} free and {} are needed: make room, or point CARGO_TARGET_DIR (builds) or \
                 FASTNET_CACHE (sources) to another disk",
                folder.display(),
                gigabytes(free),
                gigabytes(bytes)
            ),
        ));
    }
    Ok(())
}

/// `bytes` for people.
pub fn gigabytes(bytes: u64) -> String {
    format!("{}.{} GB", bytes >> 30, ((bytes % (1 << 30)) * 10) >> 30)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_room_is_the_hosts_fault_and_names_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let later = folder.path().join("not/yet/there");
        require(&later, 1).unwrap();
        let error = require(&later, u64::MAX).unwrap_err();
        assert_eq!(Exit::of(&error), 3);
        assert!(error.to_string().contains("not/yet/there"), "{error}");
    }

    #[test]
    fn bytes_are_rounded_down() {
        assert_eq!(gigabytes(KERNEL), "3.0 GB");
        assert_eq!(gigabytes((1 << 30) * 3 / 2), "1.5 GB");
        assert_eq!(gigabytes(0), "0.0 GB");
    }
}
