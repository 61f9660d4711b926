//! Archives come here, some at the same time, each as the API promised it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use anyhow::{Context, Result};
use indicatif::HumanBytes;

use super::api::Api;
use super::artifact::Artifact;
use super::repository::Repository;
use crate::download::http::{self, Failure};
use crate::download::part::Part;
use crate::download::{self, Address};
use crate::exit::{Classify, Exit};
use crate::lock::FileLock;
use crate::progress::{Group, Progress, Unit};
use crate::workspace::Workspace;

/// The folder of one archive in the cache, ours until this is dropped.
pub struct Slot {
    folder: PathBuf,
    _lock: FileLock,
}

impl Slot {
    /// Takes the slot of an artifact, with what an earlier run left there.
    pub fn take(workspace: &Workspace, artifact: &Artifact) -> Result<Self> {
        let folder = workspace.cache.join("downloads").join(format!("artifact-{}", artifact.id));
        let context =
            || format!("cannot use {} (FASTNET_CACHE=DIR puts the cache elsewhere)", folder.display());
        fs::create_dir_all(&folder).exit(Exit::Host, context)?;
        let lock = FileLock::take(&folder.with_extension("lock"), &format!("fetching {}", artifact.name))
            .exit(Exit::Host, context)?;
        // Whoever had it before us may have cleared it away.
        fs::create_dir_all(&folder).exit(Exit::Host, context)?;
        Ok(Self { folder, _lock: lock })
    }

    /// Removes what was kept to go on with.
    pub fn clear(&self) -> Result<()> {
        fs::remove_dir_all(&self.folder).with_context(|| format!("removing {}", self.folder.display()))
    }
}

/// Downloads each artifact's archive to its slot, up to `jobs` at a time; returns where they are, in order.
///
/// What was cut off stays in its slot, and the next run goes on there.
pub fn fetch(
    api: &Api,
    repository: &Repository,
    work: &[(Artifact, Slot)],
    jobs: usize,
) -> Result<Vec<PathBuf>> {
    let (group, queue) = (Group::default(), Mutex::new(work.iter().enumerate()));
    let next = || queue.lock().ok()?.next();
    let worker = || -> Result<Vec<(usize, PathBuf)>> {
        let mut done = Vec::new();
        while let Some((index, (artifact, slot))) = next() {
            let progress = group.start(&artifact.name, Unit::Bytes, artifact.size_in_bytes);
            let fetched = one(api, repository, artifact, &slot.folder, &progress);
            if fetched.is_err() {
                // What the others are at they finish; nothing new is begun.
                while next().is_some() {}
            }
            done.push((index, fetched?));
        }
        Ok(done)
    };
    let results: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().map(thread::ScopedJoinHandle::join).collect()
    });
    let mut paths = Vec::new();
    for result in results {
        paths.extend(result.map_err(|_| anyhow::anyhow!("a download panicked"))??);
    }
    paths.sort();
    Ok(paths.into_iter().map(|(_, path)| path).collect())
}

/// Downloads one archive, if it is not there already; returns only what has the promised digest.
fn one(
    api: &Api,
    repository: &Repository,
    artifact: &Artifact,
    folder: &Path,
    progress: &Progress,
) -> Result<PathBuf> {
    let promised = artifact.sha256()?;
    let mut part = Part::open(&folder.join("archive.zip"))?;
    if promised == Some(part.sha256().as_str()) {
        return Ok(part.path().to_owned());
    }
    let url = artifact.url(api, repository);
    let lend = || api.lend(&url);
    let failure =
        match download::download(&Address::Lent { name: url.as_str(), ask: &lend }, &mut part, progress) {
            Ok(()) if promised.is_none_or(|promised| promised == part.sha256()) => {
                return Ok(part.path().to_owned());
            }
            Ok(()) => {
                let got = part.sha256();
                part.restart(None)?;
                let promised = promised.unwrap_or_default();
                Failure::Refused(format!(
                    "the API promised sha256 {promised}, this has {got}; nothing of it is kept"
                ))
            }
            Err(Failure::Local(error)) if crate::download::room::ran_out(&error) => {
                return Err(error)
                    .exit(Exit::Host, || format!("no room for {}", HumanBytes(artifact.size_in_bytes)));
            }
            Err(failure) => failure,
        };
    http::failed(&format!("artifact {}", artifact.name), vec![(url.as_str(), failure)])
}
