//! An archive becomes a tree, and nothing outside that tree changes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail, ensure};
use liblzma::read::XzDecoder;
use tar::{Archive, Entry, EntryType};

use crate::download::room;
use crate::exit::{Classify, Exit};
use crate::progress::{Progress, Unit};

/// Unpacks the .tar.xz at `path` into the empty folder `tree`, without its leading component.
pub fn unpack(path: &Path, tree: &Path) -> Result<()> {
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let length = file.metadata()?.len();
    let name = path.file_name().unwrap_or_default().display();
    let progress = Progress::start(&format!("unpacking {name}"), Unit::Bytes, Some(length));
    let mut decoder = XzDecoder::new_multi_decoder(progress.reading(file));
    let result = members(&mut decoder, tree);
    if result.as_ref().is_err_and(room::ran_out) {
        // The part that was read tells how large the whole would have become.
        return room::needs(result, || decoder.total_out() * length / decoder.total_in().max(1));
    }
    result.exit(Exit::Network, || format!("{} is not a sound archive", path.display()))
}

fn members(decoder: &mut impl Read, tree: &Path) -> Result<()> {
    let mut unpacker = Unpacker { tree, links: Vec::new() };
    let mut archive = Archive::new(&mut *decoder);
    for member in archive.entries()? {
        let mut member = member?;
        let name = member.path()?.into_owned();
        unpacker.member(&mut member, &name).with_context(|| format!("member {}", name.display()))?;
    }
    // tar stops at its end mark; the checksums of xz come after it.
    io::copy(decoder, &mut io::sink())?;
    unpacker.make_links()
}

struct Unpacker<'a> {
    tree: &'a Path,
    /// Each symbolic link's place and target. They are made last, so that nothing is written through one.
    links: Vec<(PathBuf, PathBuf)>,
}

impl Unpacker<'_> {
    fn member(&mut self, member: &mut Entry<impl Read>, name: &Path) -> Result<()> {
        let kind = member.header().entry_type();
        if kind.is_pax_global_extensions() {
            return Ok(());
        }
        let place = self.place(name)?;
        if kind.is_dir() {
            return Ok(fs::create_dir_all(place)?);
        }
        ensure!(place != self.tree, "lies beside the archive's folder, not in it");
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent)?;
        }
        let target = member.link_name()?;
        match (kind, target) {
            (EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse, _) => {
                write_file(member, &place)?;
            }
            (EntryType::Symlink, Some(target)) => self.links.push((place, target.into_owned())),
            (EntryType::Link, Some(target)) => fs::hard_link(self.place(&target)?, place)?,
            _ => bail!("is neither a file, a folder nor a link, and no source holds such"),
        }
        Ok(())
    }

    /// Where a member goes: its name without the first component, which must not lead out of the tree.
    fn place(&self, name: &Path) -> Result<PathBuf> {
        let mut place = self.tree.to_owned();
        let parts = name.components().filter(|part| *part != Component::CurDir);
        for (depth, part) in parts.enumerate() {
            let Component::Normal(part) = part else { bail!("leads out of the archive's folder") };
            if depth > 0 {
                place.push(part);
            }
        }
        Ok(place)
    }

    fn make_links(&self) -> Result<()> {
        for (place, target) in &self.links {
            symlink(target, place).with_context(|| format!("making the link {}", place.display()))?;
        }
        // Only now is it known where a link through other links leads.
        let root = self.tree.canonicalize()?;
        for (place, target) in &self.links {
            let inside = match place.canonicalize() {
                Ok(end) => end.starts_with(&root),
                Err(_) => self.stays_inside(place, target),
            };
            ensure!(inside, "the link {} leads out of the tree, to {}", place.display(), target.display());
        }
        Ok(())
    }

    /// For a link to nothing, by its words alone.
    fn stays_inside(&self, place: &Path, target: &Path) -> bool {
        let depth = place.strip_prefix(self.tree).map_or(0, |name| name.components().count()) - 1;
        let end = target.components().try_fold(depth, |depth, part| match part {
            Component::Normal(_) => Some(depth + 1),
            Component::CurDir => Some(depth),
            Component::ParentDir => depth.checked_sub(1),
            Component::RootDir | Component::Prefix(_) => None,
        });
        end.is_some()
    }
}

fn write_file(member: &mut Entry<impl Read>, place: &Path) -> Result<()> {
    let mode = if member.header().mode()? & 0o111 == 0 { 0o644 } else { 0o755 };
    let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(member.header().mtime()?);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(place)?;
    io::copy(member, &mut file)?;
    Ok(file.set_modified(modified)?)
}
