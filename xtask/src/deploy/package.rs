//! The package to deploy.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::cli::Format;
use crate::digest::sha256_file;
use crate::exit::{Classify, Exit, error};

/// A kernel image's package, as a plan speaks of it.
#[derive(Clone, Debug)]
pub struct Package {
    /// Where it is.
    pub path: PathBuf,
    /// Whose package manager takes it.
    pub format: Format,
    /// The machine it is for, as `uname -m` says.
    pub machine: String,
    /// The sha256 of its content.
    pub sha256: String,
    /// Its size, in KiB.
    pub kib: u64,
}

impl Package {
    /// The package at `path`, as its name tells.
    pub fn open(path: &Path) -> Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let (format, stem) = if let Some(stem) = name.strip_suffix(".deb") {
            (Format::Deb, stem)
        } else if let Some(stem) = name.strip_suffix(".rpm") {
            (Format::Rpm, stem)
        } else {
            return Err(error(Exit::Usage, format!("{} is neither a .deb nor an .rpm", path.display())));
        };
        let machine = match stem.rsplit(['_', '.']).next() {
            // x86_64 has the very mark in it that parts a .deb's name.
            Some("amd64" | "64") => "x86_64",
            Some("arm64" | "aarch64") => "aarch64",
            _ => {
                let why =
                    format!("{name} does not tell what machine it is for, as _amd64.deb or .x86_64.rpm do");
                return Err(error(Exit::Usage, why));
            }
        };
        let size = fs::metadata(path).exit(Exit::Usage, || format!("reading {}", path.display()))?.len();
        Ok(Self {
            path: path.to_owned(),
            format,
            machine: machine.to_owned(),
            sha256: sha256_file(path)?,
            kib: size.div_ceil(1024),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_format_and_machine() {
        let folder = tempfile::tempdir().unwrap();
        let open = |name: &str| {
            let path = folder.path().join(name);
            fs::write(&path, "content").unwrap();
            Package::open(&path)
        };
        let deb = open("linux-image-6.12.117-fastnet_6.12.117-fastnet-1_amd64.deb").unwrap();
        assert_eq!((deb.format, deb.machine.as_str(), deb.kib), (Format::Deb, "x86_64", 1));
        let rpm = open("kernel-6.12.117_fastnet-1.x86_64.rpm").unwrap();
        assert_eq!((rpm.format, rpm.machine.as_str()), (Format::Rpm, "x86_64"));
        assert_eq!(open("linux-image-6.12_1_arm64.deb").unwrap().machine, "aarch64");
        for name in ["bzImage", "kernel.tar.xz", "linux-image.deb"] {
            assert_eq!(Exit::of(&open(name).unwrap_err()), 2, "{name}");
        }
        assert_eq!(Exit::of(&Package::open(Path::new("/nonexistent/a_amd64.deb")).unwrap_err()), 2);
    }
}
