//! What workflow runs made: found by GitHub's API, downloaded, checked, and only then unpacked.

mod api;
mod archive;
mod artifact;
mod fetch;
mod limit;
mod repository;
mod run;
mod sums;
mod token;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::exit::{self, Classify, Exit};
use crate::folder;
use crate::workspace::Workspace;
use api::Api;
use archive::Archive;
use fetch::Slot;

pub use artifact::Artifact;
pub use repository::Repository;
pub use run::{Run, Which};

/// So many runs are looked at, each by a request: one a night for as long as what CI makes is kept, and some to spare.
const RUNS: usize = 20;

/// Which artifacts are asked for.
#[derive(Clone, Debug)]
pub struct Query {
    /// The checkout's own where none is named.
    pub repository: Option<Repository>,
    /// The address of the API, where it is not the repository's own.
    pub api: Option<String>,
    /// Of which run.
    pub run: Which,
    /// Only of runs of this workflow, a file's name.
    pub workflow: Option<String>,
    /// Only those whose name contains this.
    pub filter: String,
}

/// A run and those of its artifacts that were asked for.
pub struct Found {
    api: Api,
    repository: Repository,
    /// The run.
    pub run: Run,
    /// At least one, by name.
    pub artifacts: Vec<Artifact>,
}

/// Asks the API for what `query` says.
pub fn find(workspace: &Workspace, query: &Query) -> Result<Found> {
    let (repository, root) =
        repository::find(&workspace.root, query.repository.as_ref(), query.api.as_deref())?;
    let token = token::find(&root)?;
    let api = Api::new(root, token);
    let (run, artifacts) = newest(&api, &repository, query)?;
    Ok(Found { api, repository, run, artifacts })
}

/// The newest run that has what is asked for: a workflow of another purpose may have been the last to run.
fn newest(api: &Api, repository: &Repository, query: &Query) -> Result<(Run, Vec<Artifact>)> {
    let filter = &query.filter;
    let mut without = Vec::new();
    for run in run::find(api, repository, &query.run, query.workflow.as_deref())?.take(RUNS) {
        let run = run?;
        let mut artifacts = artifact::of_run(api, repository, &run)?;
        let names: Vec<_> = artifacts.iter().map(|artifact| artifact.name.clone()).collect();
        artifacts.retain(|artifact| artifact.name.contains(filter));
        if !artifacts.is_empty() {
            return Ok((run, artifacts));
        }
        without.push((run.id, if names.is_empty() { "none at all".to_owned() } else { names.join(", ") }));
    }
    let (id, has) = without.first().context("no run was looked at")?;
    let nor = match without.len() - 1 {
        0 => String::new(),
        older => format!(", nor has any of the {older} before it"),
    };
    let message = format!(
        "run {id} has no artifact whose name contains `{filter}`{nor}: it has {has}; --workflow FILE and --run ID lead to \
         others"
    );
    Err(exit::error(Exit::Usage, message))
}

impl Found {
    /// Downloads the artifacts, up to `jobs` at a time, and unpacks each to a folder of its name in `out`; returns
    /// these folders.
    ///
    /// All of them come out or none: nothing is unpacked before everything is here and checked.
    pub fn download(self, workspace: &Workspace, out: &Path, jobs: usize) -> Result<Vec<PathBuf>> {
        self.refuse_expired()?;
        let places: Vec<_> = self.artifacts.iter().map(|artifact| out.join(&artifact.name)).collect();
        if let Some(place) = places.iter().find(|place| place.symlink_metadata().is_ok()) {
            let message =
                format!("{} is there already: remove it, or name another folder by --out", place.display());
            return Err(exit::error(Exit::Usage, message));
        }
        fs::create_dir_all(out).exit(Exit::Host, || format!("cannot make {}", out.display()))?;

        let mut artifacts = self.artifacts;
        // Two commands that want the same must not hold what the other waits for.
        artifacts.sort_by_key(|artifact| artifact.id);
        let slots = artifacts.into_iter().map(|artifact| Slot::take(workspace, artifact));
        let slots = slots.collect::<Result<Vec<_>>>()?;
        fetch::fetch(&self.api, &self.repository, &slots, jobs)?;
        let archives = slots.iter().map(check).collect::<Result<Vec<_>>>()?;
        unpack(archives, &slots, out)?;
        slots.iter().try_for_each(Slot::clear)?;
        Ok(places)
    }

    fn refuse_expired(&self) -> Result<()> {
        let named = |artifact: &Artifact| format!("{} (on {})", artifact.name, artifact.last_day());
        let gone: Vec<_> = self.artifacts.iter().filter(|artifact| artifact.expired).map(named).collect();
        if gone.is_empty() {
            return Ok(());
        }
        let message = format!(
            "expired in run {}: {}; choose a newer run, or name only what is left",
            self.run.id,
            gone.join(", ")
        );
        Err(exit::error(Exit::Network, message))
    }
}

/// Looks through an archive; what is refused is not kept.
fn check(slot: &Slot) -> Result<Archive> {
    let archive = Archive::check(&slot.archive(), slot.artifact.digest.is_some());
    if archive.is_err() {
        slot.clear()?;
    }
    archive.exit(Exit::Network, || format!("artifact {} is refused, and not kept", slot.artifact.name))
}

/// Unpacks each archive beside its place, and moves all there when all are whole.
fn unpack(archives: Vec<Archive>, slots: &[Slot], out: &Path) -> Result<()> {
    let names = slots.iter().map(|slot| &slot.artifact.name);
    let moves: Vec<_> = names.map(|name| (out.join(format!(".{name}.partial")), out.join(name))).collect();
    let unpacked = archives.into_iter().zip(&moves).try_for_each(|(archive, (partial, _))| {
        folder::remove(partial)?;
        fs::create_dir(partial).exit(Exit::Host, || format!("cannot make {}", partial.display()))?;
        archive.unpack(partial)
    });
    if unpacked.is_err() {
        moves.iter().try_for_each(|(partial, _)| folder::remove(partial))?;
        return unpacked;
    }
    for (partial, place) in &moves {
        fs::rename(partial, place).with_context(|| format!("moving {}", place.display()))?;
    }
    Ok(())
}
