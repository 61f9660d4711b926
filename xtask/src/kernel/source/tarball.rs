//! An archive on the web: its address and mirrors in order, its digest, then its content.

use anyhow::Result;

use crate::download::http::{self, Failure};
use crate::download::part::Part;
use crate::download::{self, Address};
use crate::kernel::catalog::Tarball;
use crate::progress::{Progress, Unit};
use crate::workspace::Workspace;

use super::cache::{self, Workshop};
use super::reach::Reach;
use super::{Origin, Tree, unpack};

/// The tree in the archive.
pub fn tree(workspace: &Workspace, tarball: &Tarball, reach: Reach) -> Result<Tree> {
    let identity = tarball.sha256.as_str();
    let dir = cache::tree(workspace, identity, &format!("fetching {}", tarball.url), |workshop| {
        let archive = reach.fetch(workshop, tarball.urls(), || fetch(workshop, tarball))?;
        unpack::unpack(archive.path(), &workshop.tree)
    })?;
    Ok(Tree { dir, identity: identity.to_owned(), origin: Origin::Tarball(tarball.url.clone()) })
}

/// Downloads the archive; returns only what has the promised digest.
fn fetch(workshop: &Workshop, tarball: &Tarball) -> Result<Part> {
    let mut part = Part::open(&workshop.downloads.join(tarball.file()))?;
    if part.sha256() == tarball.sha256.as_str() {
        return Ok(part);
    }
    let progress = Progress::start(&format!("downloading {}", tarball.file()), Unit::Bytes, None);
    let mut failures = Vec::new();
    for url in tarball.urls() {
        let failure = match download::download(&Address::Fixed(url), &mut part, &progress) {
            Err(Failure::Local(error)) => return Err(error),
            Ok(()) if part.sha256() == tarball.sha256.as_str() => return Ok(part),
            Ok(()) => {
                let (expected, got) = (tarball.sha256.as_str(), part.sha256());
                part.restart(None)?;
                Failure::Refused(format!("expected sha256 {expected}, got {got}"))
            }
            Err(failure) => failure,
        };
        failures.push((url, failure));
    }
    http::failed(tarball.file(), failures)
}
