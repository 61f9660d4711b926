//! What has passed, by the sha256 of all that it depends on: one line each in a file.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// What has passed, in this run and in those before it.
#[derive(Debug)]
pub struct Record {
    file: PathBuf,
    keys: BTreeSet<String>,
}

impl Record {
    /// Reads the record called `name` in `folder`; an empty one where there is none.
    pub fn load(folder: &Path, name: &str) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        let file = folder.join(format!("{name}.passed"));
        // A line that a kill cut short is no key, so what it stood for is done again.
        let keys = fs::read_to_string(&file).unwrap_or_default().lines().map(str::to_owned).collect();
        Ok(Self { file, keys })
    }

    /// Whether this has passed.
    pub fn has(&self, key: &str) -> bool {
        self.keys.contains(key)
    }

    /// Keeps that this has passed.
    pub fn add(&mut self, key: String) -> Result<()> {
        let context = || format!("writing {}", self.file.display());
        let mut file = File::options().append(true).create(true).open(&self.file).with_context(context)?;
        // In front of the key, so that the rest of a line cut short does not spoil it.
        writeln!(file, "\n{key}").with_context(context)?;
        self.keys.insert(key);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passed_is_known_to_the_next_run_whatever_was_cut_short() {
        let dir = tempfile::tempdir().unwrap();
        let mut record = Record::load(dir.path(), "6.12-check").unwrap();
        record.add("one".to_owned()).unwrap();
        File::options()
            .append(true)
            .open(dir.path().join("6.12-check.passed"))
            .unwrap()
            .write_all(b"\ntw")
            .unwrap();
        let mut record = Record::load(dir.path(), "6.12-check").unwrap();
        assert!(record.has("one") && !record.has("two"));
        record.add("two".to_owned()).unwrap();
        let record = Record::load(dir.path(), "6.12-check").unwrap();
        assert!(record.has("one") && record.has("two") && !record.has("three"));
    }
}
