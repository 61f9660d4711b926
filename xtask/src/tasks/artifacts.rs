//! `cargo xtask artifacts`: what workflow runs made, listed and brought here.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Result;
use indicatif::HumanBytes;

use crate::artifacts::{self, Artifact, Found};
use crate::cli::{ArtifactsAction, ArtifactsArgs};
use crate::host::{self, Purpose};
use crate::workspace::Workspace;

/// Runs the subcommand.
pub fn run(workspace: &Workspace, action: &ArtifactsAction) -> Result<()> {
    host::require(&[Purpose::Fetch], false)?;
    match action {
        ArtifactsAction::List { which } => list(&find(workspace, which)?),
        ArtifactsAction::Download { which, out, jobs } => {
            download(workspace, find(workspace, which)?, out.clone(), (*jobs).into())
        }
    }
}

/// Finds the artifacts and says on stderr whose they are.
fn find(workspace: &Workspace, which: &ArtifactsArgs) -> Result<Found> {
    let found = artifacts::find(workspace, &which.into())?;
    eprintln!("{}", found.run);
    if let Some(caution) = found.run.caution() {
        eprintln!("CAUTION: {caution}");
    }
    Ok(found)
}

fn list(found: &Found) -> Result<()> {
    // Not println!: that panics where the reader is `head`.
    let mut screen = io::stdout().lock();
    for artifact in &found.artifacts {
        let until = if artifact.expired { "expired" } else { "kept until" };
        let Artifact { name, size_in_bytes, .. } = artifact;
        let size = HumanBytes(*size_in_bytes).to_string();
        writeln!(screen, "{name:<40} {size:>12}  {until} {}", artifact.last_day())?;
    }
    Ok(())
}

/// Prints the folder of each artifact, one a line on stdout.
fn download(workspace: &Workspace, found: Found, out: Option<PathBuf>, jobs: usize) -> Result<()> {
    let out = out.unwrap_or_else(|| workspace.target.join("artifacts").join(found.run.id.to_string()));
    for artifact in found.artifacts.iter().filter(|artifact| artifact.digest.is_none()) {
        eprintln!("NOTE: the API has no digest of {}: its SHA256SUMS alone must tell", artifact.name);
    }
    for folder in found.download(workspace, &out, jobs)? {
        println!("{}", folder.display());
    }
    Ok(())
}
