//! Where the logs of runs are kept.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::exit::{Classify, Exit};
use crate::workspace::Workspace;

/// Logs of so many runs are kept.
const RUNS_KEPT: u64 = 20;

/// Makes `target/runs/<n>`, the next number free, and removes the logs that have grown old.
pub fn new_folder(workspace: &Workspace) -> Result<PathBuf> {
    let runs = &workspace.target.join("runs");
    fs::create_dir_all(runs).exit(Exit::Host, || format!("creating {}", runs.display()))?;
    let numbers = fs::read_dir(runs)
        .with_context(|| format!("reading {}", runs.display()))?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u64>().ok());
    let mut number = numbers.max().unwrap_or(0);
    loop {
        number += 1;
        let folder = runs.join(number.to_string());
        match fs::create_dir(&folder) {
            Ok(()) => {
                if let Some(old) = number.checked_sub(RUNS_KEPT) {
                    // Not there, or in use: the disk will bear it.
                    let _ = fs::remove_dir_all(runs.join(old.to_string()));
                }
                return Ok(folder);
            }
            // Another command was quicker.
            Err(cause) if cause.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(cause) => return Err(cause).exit(Exit::Host, || format!("creating {}", folder.display())),
        }
    }
}
