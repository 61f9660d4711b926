//! Where the logs of runs are kept.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::mem;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::exit::{Classify, Exit};
use crate::workspace::Workspace;

/// Logs of so many runs are kept, and those of commands that still run.
const RUNS_KEPT: u64 = 20;

/// Makes `target/runs/<n>`, the next number free, and removes the logs that have grown old.
pub fn new_folder(workspace: &Workspace) -> Result<PathBuf> {
    let runs = &workspace.target.join("runs");
    fs::create_dir_all(runs).exit(Exit::Host, || format!("creating {}", runs.display()))?;
    let numbers: Vec<u64> = fs::read_dir(runs)
        .with_context(|| format!("reading {}", runs.display()))?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    let mut number = numbers.iter().copied().max().unwrap_or(0);
    loop {
        number += 1;
        let folder = runs.join(number.to_string());
        match fs::create_dir(&folder) {
            Ok(()) => {
                // Never let go of: as long as this command runs, the folder is in use.
                mem::forget(in_use(&folder));
                numbers.iter().filter(|&old| old + RUNS_KEPT <= number).for_each(|old| {
                    remove_unused(&runs.join(old.to_string()));
                });
                return Ok(folder);
            }
            // Another command was quicker.
            Err(cause) if cause.kind() == ErrorKind::AlreadyExists => {}
            Err(cause) => return Err(cause).exit(Exit::Host, || format!("creating {}", folder.display())),
        }
    }
}

/// Copies a file to a run's folder: built anew while the run lasts, it would be another.
pub fn keep(folder: &Path, file: &Path, name: &str) -> Result<PathBuf> {
    let copy = folder.join(name);
    fs::copy(file, &copy).exit(Exit::Host, || format!("copying {} to {}", file.display(), copy.display()))?;
    Ok(copy)
}

/// Says of a folder that it is in use, until what is returned is dropped: nothing if another command says so already.
fn in_use(folder: &Path) -> Option<File> {
    let folder = File::open(folder).ok()?;
    folder.try_lock().ok().map(|()| folder)
}

fn remove_unused(folder: &Path) {
    if let Some(_removing) = in_use(folder) {
        // Where that fails the disk will bear it.
        let _ = fs::remove_dir_all(folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_logs_go_but_not_those_of_a_command_that_runs() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().to_path_buf();
        let workspace = Workspace { root: "/".into(), target: path.clone(), cache: path };
        let runs = workspace.target.join("runs");
        for n in 1..=RUNS_KEPT {
            fs::create_dir_all(runs.join(n.to_string())).unwrap();
        }
        let running = in_use(&runs.join("1")).unwrap();
        assert_eq!(new_folder(&workspace).unwrap(), runs.join("21"));
        assert!(runs.join("1").exists());
        assert_eq!(new_folder(&workspace).unwrap(), runs.join("22"));
        assert!(!runs.join("2").exists());
        drop(running);
        new_folder(&workspace).unwrap();
        assert!(!runs.join("1").exists());
        assert!(!runs.join("3").exists());
        assert!(runs.join("4").exists());
    }
}
