//! `cargo xtask bench report`: result files as a page, a summary and tables.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use xshell::cmd;

use crate::bench::report::{csv, page, summary};
use crate::bench::result::{self, Line};
use crate::bench::{lines, order};
use crate::exit::{Classify, Exit, error};
use crate::process;

/// Runs the command.
pub fn run(files: &[PathBuf], out: &Path) -> Result<()> {
    let mut lines = read(files)?;
    order::sort(&mut lines);
    if lines.is_empty() {
        return Err(error(Exit::Usage, "the files hold no results".to_owned()));
    }
    let shell = process::shell(".")?;
    let made = cmd!(shell, "cargo xtask bench report {files...} --out {out}").to_string();
    let written =
        [("index.html", page::page(&lines, &made)?), ("summary.md", summary::summary(&lines, &made)?)];
    fs::create_dir_all(out).exit(Exit::Host, || format!("creating {}", out.display()))?;
    for (name, text) in written.into_iter().chain(csv(&lines)) {
        let file = out.join(name);
        fs::write(&file, text).exit(Exit::Host, || format!("writing {}", file.display()))?;
        println!("{}", file.display());
    }
    Ok(())
}

/// The lines of result files together, each once.
pub fn read(files: &[impl AsRef<Path>]) -> Result<Vec<Line>> {
    let mut all = Vec::new();
    for file in files.iter().map(AsRef::as_ref) {
        let context = || format!("{} is no file of results", file.display());
        let text = fs::read_to_string(file).exit(Exit::Usage, context)?;
        all.extend(result::read(&text).exit(Exit::Usage, context)?);
    }
    let lines = lines::newest(all);
    lines::one_build_each(&lines).exit(Exit::Usage, || {
        let names: Vec<_> = files.iter().map(|file| file.as_ref().display().to_string()).collect();
        names.join(", ")
    })?;
    Ok(lines)
}
