//! `cargo xtask bench report`: result files as a page, a summary and tables.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::bench::chapter::records;
use crate::bench::lines;
use crate::bench::report::{csv, page, summary};
use crate::bench::result::{self, Line};
use crate::exit::{Classify, Exit, error};

/// Runs the command.
pub fn run(files: &[PathBuf], out: &Path) -> Result<()> {
    let mut lines = Vec::new();
    for file in files {
        lines.extend(read(file)?);
    }
    let lines = lines::newest(lines);
    lines::one_build_each(&lines)?;
    if lines.is_empty() {
        return Err(error(Exit::Usage, "the files hold no results".to_owned()));
    }
    let written = [
        ("index.html", page::page(&lines)?),
        ("summary.md", summary::summary(&lines)?),
        ("cells.csv", csv::cells(&records(&lines).collect::<Vec<_>>())),
    ];
    fs::create_dir_all(out).exit(Exit::Host, || format!("creating {}", out.display()))?;
    for (name, text) in written {
        let file = out.join(name);
        fs::write(&file, text).exit(Exit::Host, || format!("writing {}", file.display()))?;
        println!("{}", file.display());
    }
    Ok(())
}

/// The lines of a result file, each once.
pub fn read(file: &Path) -> Result<Vec<Line>> {
    let context = || format!("{} is no file of results", file.display());
    let text = fs::read_to_string(file).exit(Exit::Usage, context)?;
    let lines = lines::newest(result::read(&text).exit(Exit::Usage, context)?);
    lines::one_build_each(&lines).exit(Exit::Usage, || file.display().to_string())?;
    Ok(lines)
}
