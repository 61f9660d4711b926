//! What a command needs of the host: seen in milliseconds before the work starts, not by make an hour later.

mod check;
mod distribution;
mod install;
pub mod room;
mod tools;

use std::io::{self, IsTerminal, Write};

use anyhow::{Context, Result};

use crate::exit::{self, Exit};

pub use check::Folders;
pub use distribution::Distribution;
pub use install::install;
pub use tools::{Purpose, TOOLS, Tool};

/// Fails with [`Exit::Host`] unless the host has all that `purposes` need.
///
/// What is missing is installed first where `yes` says so, or the user does when asked on a terminal.
pub fn require(purposes: &[Purpose], yes: bool) -> Result<()> {
    let folders = Folders::of_host();
    let missing = folders.missing(purposes);
    if missing.iter().all(|tool| tool.optional) {
        return Ok(());
    }
    let distribution = Distribution::of_host();
    let screen = screen(&missing, distribution);
    if !yes && !agreed(&screen)? {
        return Err(exit::error(Exit::Host, screen));
    }
    install(&missing, distribution)
}

/// What is missing and how to get it, to be read at one glance.
fn screen(missing: &[&Tool], distribution: Distribution) -> String {
    let rows: Vec<_> = missing
        .iter()
        .map(|tool| {
            let optional = if tool.optional { " (optional)" } else { "" };
            format!("  {:<20} package {}{optional}", tool.name, distribution.package(tool))
        })
        .collect();
    format!(
        "this host lacks what this command needs:\n{}\n\
         `cargo xtask doctor --install` installs all of it, and so does --yes on any command",
        rows.join("\n")
    )
}

/// Whether the user wants the missing installed; never asked where nobody can answer.
fn agreed(screen: &str) -> Result<bool> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(false);
    }
    eprint!("{screen}\nInstall it now? [y/N] ");
    io::stderr().flush().context("asking on the terminal")?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).context("reading the answer")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_screen_names_tool_and_package() {
        let missing: Vec<_> = TOOLS.iter().filter(|tool| tool.name == "libelf headers").collect();
        let text = |family| screen(&missing, family);
        assert!(text(Distribution::Debian).contains("libelf headers       package libelf-dev\n"));
        assert!(text(Distribution::Fedora).contains("package elfutils-libelf-devel\n"));
        assert!(text(Distribution::Other).contains("libelf-dev (Debian) or elfutils-libelf-devel (Fedora)"));
    }
}
