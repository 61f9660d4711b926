//! Bringing what is missing, by the distribution's own packages.

use std::collections::BTreeSet;

use anyhow::Result;

use super::check::Folders;
use super::distribution::Distribution;
use super::tools::Tool;
use crate::exit::{self, Exit};
use crate::process;
use crate::progress::{self, Progress, Unit};

/// Installs the packages of `missing` as root or by sudo, then looks again.
///
/// Fails with [`Exit::Host`], and the package manager's own words, if anything but an optional tool is
/// still not there.
pub fn install(missing: &[&Tool], distribution: Distribution) -> Result<()> {
    let packages: BTreeSet<_> = missing.iter().map(|tool| distribution.package(tool)).collect();
    let packages: Vec<_> = packages.into_iter().collect();
    let lines = distribution.install(&packages, rustix::process::geteuid().is_root());
    if lines.is_empty() {
        return Err(exit::error(
            Exit::Host,
            format!("how this distribution installs packages is not known; it needs {}", packages.join(", ")),
        ));
    }
    for line in lines {
        manage(&line)?;
    }
    let folders = Folders::of_host();
    let still: Vec<_> = missing
        .iter()
        .filter(|tool| !tool.optional && folders.find(tool).is_none())
        .map(|tool| tool.name)
        .collect();
    if !still.is_empty() {
        return Err(exit::error(
            Exit::Host,
            format!("still missing after the packages were installed: {}", still.join(", ")),
        ));
    }
    Ok(())
}

/// Runs one command of the package manager, showing what it does as it does it.
fn manage(line: &[String]) -> Result<()> {
    let shell = process::shell("/")?;
    let (program, arguments) =
        line.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    progress::line(&format!("$ {}", line.join(" ")));
    let progress = Progress::start("packages set up", Unit::Steps, None);
    let mut said = Vec::new();
    let mut set_up = 0;
    let status = process::stream(shell.cmd(program).args(arguments), |text| {
        // apt-get and dnf each have their word for a package that is done.
        set_up += u64::from(text.starts_with("Setting up ") || text.trim_start().starts_with("Installing "));
        progress.set(set_up);
        said.push(text.to_owned());
        Ok(())
    })?;
    if !status.success() {
        let causes: Vec<_> =
            said.iter().filter(|text| text.starts_with("E:") || text.contains("rror")).collect();
        let causes = if causes.is_empty() { said.iter().rev().take(1).collect() } else { causes };
        let causes: Vec<_> = causes.into_iter().map(String::as_str).collect();
        return Err(exit::error(
            Exit::Host,
            format!("`{}` ended with {status}: {}", line.join(" "), causes.join("; ")),
        ));
    }
    Ok(())
}
