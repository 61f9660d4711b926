//! Tiny kernels in archives, sound and unsound.

use std::io::Write;
use std::path::Path;

use liblzma::write::XzEncoder;
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

/// The start of a kernel's Makefile.
pub const MAKEFILE: &str = "# SPDX\nVERSION = 6\nPATCHLEVEL = 11\nSUBLEVEL = 0\nEXTRAVERSION =\n";

/// An archive in the making; [`Archive::new`] has a Makefile in it.
pub struct Archive(Builder<Vec<u8>>);

impl Archive {
    pub fn new() -> Self {
        Self::empty().file("linux-6.11/Makefile", MAKEFILE)
    }

    pub fn empty() -> Self {
        Self(Builder::new(Vec::new()))
    }

    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.member(EntryType::Regular, name, "", content.as_ref())
    }

    pub fn link(self, kind: EntryType, name: &str, target: &str) -> Self {
        self.member(kind, name, target, b"")
    }

    /// A member as it is: the tar crate's own setters refuse the names these tests are about.
    pub fn member(mut self, kind: EntryType, name: &str, target: &str, content: &[u8]) -> Self {
        let mut header = Header::new_ustar();
        let fields = header.as_ustar_mut().unwrap();
        fields.name[..name.len()].copy_from_slice(name.as_bytes());
        fields.linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(if content.starts_with(b"#!") { 0o775 } else { 0o664 });
        header.set_mtime(1_700_000_000);
        header.set_cksum();
        self.0.append(&header, content).unwrap();
        self
    }

    /// The archive as .tar.xz.
    pub fn xz(self) -> Vec<u8> {
        let mut encoder = XzEncoder::new(Vec::new(), 0);
        encoder.write_all(&self.0.into_inner().unwrap()).unwrap();
        encoder.finish().unwrap()
    }
}

/// A sound archive of at least `size` bytes, which do not compress.
pub fn kernel(size: usize) -> Vec<u8> {
    Archive::new().file("linux-6.11/net/socket.c", noise(size)).xz()
}

/// The sha256 of `bytes`, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |digits, byte| digits + &format!("{byte:02x}"))
}

/// Asserts that `tree` is what [`kernel`] packed.
#[track_caller]
pub fn assert_kernel(tree: &Path, size: usize) {
    assert_eq!(std::fs::read_to_string(tree.join("Makefile")).unwrap(), MAKEFILE);
    assert_eq!(std::fs::read(tree.join("net/socket.c")).unwrap(), noise(size));
}

fn noise(size: usize) -> Vec<u8> {
    let mut state = 1_u64;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(size)
    .collect()
}
