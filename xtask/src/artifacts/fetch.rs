//! Archives come here, some at the same time, each as the API promised it.

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::thread;

use anyhow::{Result, anyhow};
use indicatif::HumanBytes;

use super::api::Api;
use super::artifact::Artifact;
use super::repository::Repository;
use crate::download::http::{self, Failure};
use crate::download::part::Part;
use crate::download::room;
use crate::download::{self, Address};
use crate::exit::{Classify, Exit};
use crate::folder;
use crate::lock::FileLock;
use crate::progress::{Group, Progress, Unit};
use crate::workspace::Workspace;

/// The archive's name in its slot.
const ARCHIVE: &str = "archive.zip";

/// An artifact and its folder in the cache, which is ours until this is dropped.
pub struct Slot {
    /// The artifact.
    pub artifact: Artifact,
    folder: PathBuf,
    _lock: FileLock,
}

impl Slot {
    /// Takes the slot of an artifact, with what an earlier run left there.
    pub fn take(workspace: &Workspace, artifact: Artifact) -> Result<Self> {
        let folder = workspace.cache.join("downloads").join(format!("artifact-{}", artifact.id));
        let context =
            || format!("cannot use {} (FASTNET_CACHE=DIR puts the cache elsewhere)", folder.display());
        fs::create_dir_all(&folder).exit(Exit::Host, context)?;
        let lock = FileLock::take(&folder.with_extension("lock"), &format!("fetching {}", artifact.name))
            .exit(Exit::Host, context)?;
        // Whoever had it before us may have cleared it away.
        fs::create_dir_all(&folder).exit(Exit::Host, context)?;
        Ok(Self { artifact, folder, _lock: lock })
    }

    /// Where the archive is, once it is fetched.
    pub fn archive(&self) -> PathBuf {
        Part::place(&self.folder.join(ARCHIVE))
    }

    /// Removes what was kept to go on with.
    pub fn clear(&self) -> Result<()> {
        folder::remove(&self.folder)
    }

    /// Downloads the archive, if it is not there already; only what has the promised digest stays.
    fn fetch(&self, api: &Api, repository: &Repository, progress: &Progress) -> Result<()> {
        let artifact = &self.artifact;
        let promised = artifact.sha256()?;
        let mut part = Part::open(&self.folder.join(ARCHIVE))?;
        if promised == Some(part.sha256().as_str()) {
            return Ok(());
        }
        let url = artifact.url(api, repository);
        let address = Address::Lent { name: url.as_str(), ask: &|| api.lend(&url) };
        let failure = match download::download(&address, &mut part, progress) {
            Ok(()) => {
                let got = part.sha256();
                let Some(promised) = promised.filter(|promised| *promised != got) else { return Ok(()) };
                part.restart(None)?;
                Failure::Refused(format!(
                    "the API promised sha256 {promised}, this has {got}; none of it is kept"
                ))
            }
            Err(Failure::Local(error)) if room::ran_out(&error) => {
                let size = HumanBytes(artifact.size_in_bytes);
                return Err(error)
                    .exit(Exit::Host, || format!("no room for {size} in {}", self.folder.display()));
            }
            Err(failure) => failure,
        };
        http::failed(&format!("artifact {}", artifact.name), vec![(url.as_str(), failure)])
    }
}

/// Downloads every slot's archive, up to `jobs` at a time.
///
/// What was cut off stays in its slot, and the next run goes on there.
pub fn fetch(api: &Api, repository: &Repository, slots: &[Slot], jobs: usize) -> Result<()> {
    let (group, queue) = (Group::default(), Mutex::new(slots.iter()));
    let next = || queue.lock().ok()?.next();
    let work = || -> Result<()> {
        while let Some(slot) = next() {
            let progress = group.start(&slot.artifact.name, Unit::Bytes, slot.artifact.size_in_bytes);
            if let Err(error) = slot.fetch(api, repository, &progress) {
                // What the others are at they finish; nothing new is begun.
                while next().is_some() {}
                return Err(error);
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().map_err(|_| anyhow!("a download panicked"))?)
    })
}
