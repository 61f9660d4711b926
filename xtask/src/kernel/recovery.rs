//! After a build that did not end: what kbuild would take for finished though it may not be.
//!
//! kbuild writes `.X.cmd` after `X` and trusts an `X` whose `.X.cmd` names the right command. So an `X` newer
//! than its `.X.cmd` was being made, and a `.X.cmd` cut short has lost some of what `X` depends on.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use walkdir::WalkDir;

/// Removes every output in `objtree` whose recipe did not end; returns how many.
pub fn remove_unfinished(objtree: &Path) -> Result<usize> {
    let mut removed = 0;
    for entry in WalkDir::new(objtree) {
        let entry = entry.context("walking the build")?;
        let Some(output) = output_of(entry.path()) else { continue };
        if is_unfinished(entry.path(), &output)? {
            fs::remove_file(&output).with_context(|| format!("removing {}", output.display()))?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// The `X` of a `.X.cmd`.
fn output_of(record: &Path) -> Option<PathBuf> {
    let name = record.file_name()?.to_str()?;
    Some(record.with_file_name(name.strip_prefix('.')?.strip_suffix(".cmd")?))
}

fn is_unfinished(record: &Path, output: &Path) -> Result<bool> {
    let Ok(made) = fs::symlink_metadata(output) else { return Ok(false) };
    if !made.is_file() {
        return Ok(false);
    }
    let recorded = fs::metadata(record)?.modified()?;
    let text = fs::read_to_string(record).with_context(|| format!("reading {}", record.display()))?;
    let cut = !text.ends_with('\n') || text.contains("\ndeps_") && !text.contains("\n$(deps_");
    Ok(made.modified()? > recorded || cut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime};

    #[test]
    fn only_unfinished_outputs_go() {
        let dir = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let put = |name: &str, text: &str, age: u64| {
            let file = fs::File::create(dir.path().join(name)).unwrap();
            fs::write(dir.path().join(name), text).unwrap();
            file.set_modified(now - Duration::from_secs(age)).unwrap();
        };
        let whole = "savedcmd_x := gcc\n\ndeps_x := \\\n  a.h \\\n\nx: $(deps_x)\n\n$(deps_x):\n";
        put("done.o", "", 9);
        put(".done.o.cmd", whole, 8);
        put("half.o", "", 7);
        put(".half.o.cmd", whole, 8);
        put("cut.o", "", 9);
        put(".cut.o.cmd", &whole[..40], 8);
        put("list.a", "", 9);
        put(".list.a.cmd", "savedcmd_list.a := ar\n", 8);
        put("by-hand", "", 0);
        assert_eq!(remove_unfinished(dir.path()).unwrap(), 2);
        let left = |name: &str| dir.path().join(name).exists();
        assert!(left("done.o") && left("list.a") && left("by-hand"));
        assert!(!left("half.o") && !left("cut.o"));
    }
}
