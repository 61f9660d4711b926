//! An initramfs: a cpio archive in the "newc" format, the one the kernel unpacks into its first root.
//!
//! See Documentation/driver-api/early-userspace/buffer-format.rst in the kernel.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::exit::{Classify, Exit};

const DIRECTORY: u32 = 0o040_755;
const FILE: u32 = 0o100_644;
const EXECUTABLE: u32 = 0o100_755;
const CHARACTER_DEVICE: u32 = 0o020_600;

/// The archive as far as it is built, in memory: a few megabytes, not compressed, since under TCG unpacking
/// costs the guest more than reading costs QEMU.
pub struct Initramfs {
    archive: Vec<u8>,
    inode: u32,
}

impl Initramfs {
    /// An archive with what a kernel needs to start `/init`: without `/dev/console` it would start deaf and dumb.
    pub fn new() -> Self {
        let mut initramfs = Self { archive: Vec::new(), inode: 0 };
        initramfs.directory("dev");
        initramfs.entry("dev/console", CHARACTER_DEVICE, (5, 1), &[]);
        initramfs
    }

    /// Adds the folder `path`; its parent must be there. Paths have no `/` in front.
    pub fn directory(&mut self, path: &str) {
        self.entry(path, DIRECTORY, (0, 0), &[]);
    }

    /// Adds the executable `path` with what the host's `file` holds.
    pub fn executable(&mut self, path: &str, file: &Path) -> Result<()> {
        let content = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
        self.entry(path, EXECUTABLE, (0, 0), &content);
        Ok(())
    }

    /// Adds the file `path` with this content.
    pub fn file(&mut self, path: &str, content: &[u8]) {
        self.entry(path, FILE, (0, 0), content);
    }

    /// Ends the archive and writes it to `file`.
    pub fn write(mut self, file: &Path) -> Result<()> {
        self.entry("TRAILER!!!", 0, (0, 0), &[]);
        fs::write(file, self.archive).exit(Exit::Host, || format!("writing {}", file.display()))
    }

    fn entry(&mut self, path: &str, mode: u32, device: (u32, u32), content: &[u8]) {
        self.inode += 1;
        let size = u32::try_from(content.len()).expect("a guest executable is smaller than 4 GiB");
        let name_size = u32::try_from(path.len() + 1).expect("a path is short");
        // inode, mode, uid, gid, links, mtime, size, device of the file (2), device it is (2), name size, check.
        let header = [self.inode, mode, 0, 0, 1, 0, size, 0, 0, device.0, device.1, name_size, 0];
        self.archive.extend_from_slice(b"070701");
        for field in header {
            self.archive.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.archive.extend_from_slice(path.as_bytes());
        self.archive.push(0);
        self.pad();
        self.archive.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.archive.resize(self.archive.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an entry says of itself: path, mode, device and content.
    type Entry = (String, u32, (u32, u32), Vec<u8>);

    /// Reads an archive by the format's definition, not by the writer's code.
    fn parse(mut archive: &[u8]) -> Vec<Entry> {
        let total = archive.len();
        let mut entries = Vec::new();
        loop {
            assert_eq!(&archive[..6], b"070701");
            let field = |n: usize| {
                let text = std::str::from_utf8(&archive[6 + 8 * n..14 + 8 * n]).unwrap();
                u32::from_str_radix(text, 16).unwrap()
            };
            let (mode, size, name_size) = (field(1), field(6) as usize, field(11) as usize);
            let device = (field(9), field(10));
            let name = String::from_utf8(archive[110..110 + name_size - 1].to_vec()).unwrap();
            assert_eq!(archive[110 + name_size - 1], 0);
            let content = (110 + name_size).div_ceil(4) * 4;
            entries.push((name.clone(), mode, device, archive[content..content + size].to_vec()));
            archive = &archive[(content + size).div_ceil(4) * 4..];
            assert_eq!((total - archive.len()) % 4, 0);
            if name == "TRAILER!!!" {
                assert!(archive.is_empty());
                return entries;
            }
        }
    }

    #[test]
    fn an_archive_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let mut expected: Vec<Entry> = vec![
            ("dev".into(), DIRECTORY, (0, 0), vec![]),
            ("dev/console".into(), CHARACTER_DEVICE, (5, 1), vec![]),
            ("tests".into(), DIRECTORY, (0, 0), vec![]),
        ];
        let mut initramfs = Initramfs::new();
        initramfs.directory("tests");
        // Every remainder by four, in the name's length and in the content's.
        for length in 0..8 {
            let content = vec![b'x'; length];
            let file = folder.path().join("file");
            fs::write(&file, &content).unwrap();
            let path = format!("tests/{}", "n".repeat(length + 1));
            initramfs.executable(&path, &file).unwrap();
            expected.push((path, EXECUTABLE, (0, 0), content));
        }
        initramfs.file("plan", b"a\nb\n");
        expected.push(("plan".into(), FILE, (0, 0), b"a\nb\n".to_vec()));
        expected.push(("TRAILER!!!".into(), 0, (0, 0), vec![]));
        let image = folder.path().join("initramfs");
        initramfs.write(&image).unwrap();
        assert_eq!(parse(&fs::read(&image).unwrap()), expected);
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Initramfs::new().executable("init", Path::new("/nowhere/init")).unwrap_err();
        assert!(format!("{error:#}").contains("/nowhere/init"));
    }

    /// The first bytes, spelt out: the kernel's parser wants these widths and this order.
    #[test]
    fn the_header_is_newc() {
        let initramfs = Initramfs::new();
        let dev = b"070701000000010000\
            41ed00000000000000000000000100000000000000000000000000000000000000000000000000000004";
        let text = String::from_utf8_lossy(&initramfs.archive[..110]).into_owned();
        assert_eq!(text.as_bytes()[..dev.len()], dev[..]);
        assert_eq!(&initramfs.archive[110..116], b"dev\0\0\0");
    }
}
