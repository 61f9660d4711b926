//! The initramfs of a guest that measures.

use std::path::Path;

use anyhow::Result;
use tempfile::TempPath;

use super::cell::Cell;
use crate::guest::executables::Receivers;
use crate::guest::initramfs::Initramfs;

/// Writes one to `file`: init, the receivers, and a line a cell, which names the unit to measure in, or what looks on.
/// It is large, and goes when it is dropped.
pub fn write(file: &Path, built: &Receivers, cells: &[Cell], unit: &str) -> Result<TempPath> {
    let lines: Vec<_> = cells.iter().map(|cell| format!("{cell} {unit}\n")).collect();
    let mut initramfs = Initramfs::new();
    initramfs.executable("init", &built.init)?;
    initramfs.executable("receivers", &built.receivers)?;
    initramfs.file("cells", lines.concat().as_bytes());
    let written = TempPath::try_from_path(file)?;
    initramfs.write(file)?;
    Ok(written)
}
