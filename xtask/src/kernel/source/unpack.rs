//! An archive becomes a tree, and nothing outside that tree changes.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result};
use liblzma::read::XzDecoder;

use crate::progress::{Progress, Unit};

/// Unpacks the archive at `path` into the empty folder `tree`, without its leading component.
pub fn unpack(path: &Path, tree: &Path) -> Result<()> {
    let context = || format!("unpacking {}", path.display());
    let file = File::open(path).with_context(context)?;
    let progress = Progress::start(&context(), Unit::Bytes, Some(file.metadata()?.len()));
    let mut archive = tar::Archive::new(XzDecoder::new(file));
    for member in archive.entries().with_context(context)? {
        let mut member = member.with_context(context)?;
        let name: std::path::PathBuf = member.path()?.components().skip(1).collect();
        if name.as_os_str().is_empty() {
            continue;
        }
        let place = tree.join(name);
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent)?;
        }
        member.unpack(&place).with_context(context)?;
        progress.set(member.raw_file_position());
    }
    Ok(())
}
