//! What a workflow uploads: zip archives of packages.

use std::fs;
use std::io::Write;
use std::path::Path;

use sha2::{Digest, Sha256};
use zip::ZipWriter;
use zip::write::{SimpleFileOptions, StreamWriter};

/// The sha256 of `bytes`, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |digits, byte| digits + &format!("{byte:02x}"))
}

/// An archive in the making, written as it is sent, as the action does that uploads; any member may be in it.
pub struct Zip(ZipWriter<StreamWriter<Vec<u8>>>);

impl Zip {
    pub fn new() -> Self {
        Self(ZipWriter::new_stream(Vec::new()))
    }

    pub fn file(mut self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.0.start_file(name, SimpleFileOptions::default()).unwrap();
        self.0.write_all(content.as_ref()).unwrap();
        self
    }

    pub fn link(mut self, name: &str, target: &str) -> Self {
        self.0.add_symlink(name, target, SimpleFileOptions::default()).unwrap();
        self
    }

    pub fn bytes(self) -> Vec<u8> {
        self.0.finish().unwrap().into_inner()
    }
}

/// Files and their digests, as the builder lists them.
pub fn sums(files: &[(&str, &[u8])]) -> String {
    files.iter().fold(String::new(), |list, (name, content)| list + &format!("{}  {name}\n", sha256(content)))
}

/// Two packages and their SHA256SUMS, packed; the packages are of about `size` bytes, which do not compress.
pub fn packages(size: usize) -> Vec<u8> {
    let files = contents(size);
    let files: Vec<_> = files.iter().map(|(name, content)| (*name, content.as_slice())).collect();
    let zip = files.iter().fold(Zip::new(), |zip, (name, content)| zip.file(name, content));
    zip.file("SHA256SUMS", sums(&files)).bytes()
}

/// Asserts that `folder` holds what [`packages`] packed, and nothing else.
#[track_caller]
pub fn assert_packages(folder: &Path, size: usize) {
    for (name, content) in contents(size) {
        assert_eq!(fs::read(folder.join(name)).unwrap(), content, "{name}");
    }
    assert_eq!(fs::read_dir(folder).unwrap().count(), 3);
}

fn contents(size: usize) -> [(&'static str, Vec<u8>); 2] {
    let mut state = 1_u64;
    let mut noise = |size| -> Vec<u8> {
        std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .take(size)
        .collect()
    };
    [
        ("linux-image-6.12.117-fastnet_1_amd64.deb", noise(size)),
        ("linux-headers-6.12.117-fastnet_1_amd64.deb", noise(size / 8)),
    ]
}
