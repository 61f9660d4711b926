//! sha256 digests, and files that are either whole or not there.

use std::fmt::Write as _;
use std::fs::{File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// A sha256 digest in the making; what is written to it is digested.
#[derive(Clone, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// Digests all that `reader` still has and returns how many bytes that was.
    pub fn read(&mut self, reader: &mut impl Read) -> io::Result<u64> {
        io::copy(&mut io::BufReader::with_capacity(1 << 20, reader), self)
    }

    /// The digest, 64 lower-case hexadecimal digits.
    pub fn hex(self) -> String {
        self.0.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The sha256 of `bytes`, in hexadecimal.
pub fn sha256(bytes: impl AsRef<[u8]>) -> String {
    let mut hasher = Hasher::default();
    hasher.0.update(bytes);
    hasher.hex()
}

/// The sha256 of the file at `path`, in hexadecimal.
pub fn sha256_file(path: &Path) -> Result<String> {
    let context = || format!("reading {}", path.display());
    let mut hasher = Hasher::default();
    hasher.read(&mut File::open(path).with_context(context)?).with_context(context)?;
    Ok(hasher.hex())
}

/// Writes `path` so that a reader, or a run after `kill -9`, finds the old content or the new, never half.
pub fn atomic_write(path: &Path, bytes: impl AsRef<[u8]>) -> Result<()> {
    let context = || format!("writing {}", path.display());
    let dir = path.parent().with_context(context)?;
    // As any other file's: the umask takes away what it should.
    let mode = Permissions::from_mode(0o666);
    let mut file = tempfile::Builder::new().permissions(mode).tempfile_in(dir).with_context(context)?;
    file.write_all(bytes.as_ref()).with_context(context)?;
    file.persist(path).with_context(context)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-2, appendix B.1.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn digests_agree_with_the_standard() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("abc");
        atomic_write(&path, "abc").unwrap();
        assert_eq!(sha256("abc"), ABC);
        assert_eq!(sha256_file(&path).unwrap(), ABC);
    }

    #[test]
    fn a_write_replaces_and_leaves_nothing_beside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        atomic_write(&path, "old and long").unwrap();
        atomic_write(&path, "new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
