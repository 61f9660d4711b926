//! `cargo xtask doctor`: what the host lacks, each with the package that brings it.

use std::io::{self, Write};

use anyhow::Result;

use crate::exit::{self, Exit};
use crate::host::{self, Distribution, Folders, Purpose, TOOLS, room};
use crate::workspace::Workspace;

/// Shows every tool and where it is; installs the missing if asked, and looks again.
pub fn run(workspace: &Workspace, install: bool) -> Result<()> {
    let distribution = Distribution::of_host();
    let missing = Folders::of_host().missing(&Purpose::ALL);
    if install && !missing.is_empty() {
        host::install(&missing, distribution)?;
    }

    // Not println!: that panics where the reader is `head`.
    let mut screen = io::stdout().lock();
    let folders = Folders::of_host();
    let mut lacking = 0;
    for tool in TOOLS {
        let place = folders.find(tool);
        let mark = match place {
            Some(_) => "ok",
            None if tool.optional => "--",
            None => "!!",
        };
        let place = place.map_or_else(
            || format!("missing: package {}, for {}", distribution.package(tool), tool.needed_for()),
            |path| path.display().to_string(),
        );
        writeln!(screen, "{mark} {:<20} {place}", tool.name)?;
        lacking += usize::from(mark == "!!");
    }
    let rooms = [("room for builds", &workspace.target), ("room for sources", &workspace.cache)];
    for (name, folder) in rooms {
        let free = room::free(folder)?;
        let mark = if free < room::KERNEL { "!!" } else { "ok" };
        writeln!(screen, "{mark} {name:<20} {} free at {}", room::gigabytes(free), folder.display())?;
    }
    if lacking > 0 {
        let lacks =
            format!("the host lacks {lacking} of these; `cargo xtask doctor --install` brings the packages");
        return Err(exit::error(Exit::Host, lacks));
    }
    for (_, folder) in rooms {
        room::require(folder, room::KERNEL)?;
    }
    writeln!(screen, "this host has all that fastnet needs")?;
    Ok(())
}
