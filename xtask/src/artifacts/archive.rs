//! A zip archive that is trusted in nothing: looked through whole before the first of its files is written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use zip::ZipArchive;
use zip::read::ZipFile;

use super::sums::{self, Digests};
use crate::digest::Hasher;
use crate::download::room;
use crate::exit::{Classify, Exit};

/// Packages hardly shrink, and a log to a fiftieth; zip can pack a thousand bytes in one.
const RATIO: u64 = 100;
/// What an archive may unpack to however small it is, in bytes.
const SMALL: u64 = 16 << 20;
/// Files and folders in an archive.
const MEMBERS: usize = 10_000;
/// Of a list of digests, in bytes.
const LIST: u64 = 1 << 20;
/// The bits of a Unix mode that tell a file's type, and the only two types there may be; 0 is unsaid.
const TYPE: u32 = 0o170_000;
const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;

/// An archive that was found sound.
pub struct Archive {
    zip: ZipArchive<File>,
    /// What it unpacks to, in bytes; before that is known, what it may.
    size: u64,
}

impl Archive {
    /// Looks through the archive at `path`: every name, size and checksum, and what its lists of digests say.
    ///
    /// Where `vouched`, the whole of it is known to be what was promised; else every file in it must be on a list.
    pub fn check(path: &Path, vouched: bool) -> Result<Self> {
        let mut archive = Self::open(path)?;
        archive.check_members(vouched)?;
        Ok(archive)
    }

    fn open(path: &Path) -> Result<Self> {
        let file = File::open(path)?;
        let most = SMALL.max(file.metadata()?.len().saturating_mul(RATIO));
        let zip = ZipArchive::new(file).context("it is no sound zip archive")?;
        ensure!(zip.len() <= MEMBERS, "it has {} members, more than {MEMBERS}", zip.len());
        Ok(Self { zip, size: most })
    }

    fn check_members(&mut self, vouched: bool) -> Result<()> {
        let (mut there, mut promised) = (Digests::new(), Digests::new());
        let mut size = 0;
        self.each(|path, mut member| {
            let mut hasher = Hasher::default();
            if path.ends_with(sums::NAME) {
                let mut list = String::new();
                size += member.take(LIST).read_to_string(&mut list)? as u64;
                ensure!((list.len() as u64) < LIST, "is too long for a list");
                io::Write::write_all(&mut hasher, list.as_bytes())?;
                promised.extend(sums::parse(path.parent().unwrap_or(Path::new("")), &list)?);
            } else {
                size += hasher.read(&mut member)?;
            }
            ensure!(there.insert(path.to_owned(), hasher.hex()).is_none(), "is in it twice");
            Ok(())
        })?;
        let unsaid = sums::check(&promised, &there)?;
        if let (Some(path), false) = (unsaid.first(), vouched) {
            bail!(
                "nothing vouches for {}: the API gives no digest, and no {} lists it",
                path.display(),
                sums::NAME
            );
        }
        self.size = size;
        Ok(())
    }

    /// Unpacks into the empty folder `into`.
    pub fn unpack(mut self, into: &Path) -> Result<()> {
        let full = || format!("no room for {}", into.display());
        room::require(into, self.size).exit(Exit::Host, full)?;
        let written = self.each(|path, member| {
            let place = into.join(path);
            fs::create_dir_all(place.parent().unwrap_or(into))?;
            io::copy(member, &mut OpenOptions::new().write(true).create_new(true).open(place)?)?;
            Ok(())
        });
        match written {
            Err(error) if room::ran_out(&error) => Err(error).exit(Exit::Host, full),
            written => written.exit(Exit::Network, || format!("cannot unpack to {}", into.display())),
        }
    }

    /// Shows every file to `visit`, and no more bytes in all than the archive may unpack to.
    fn each(&mut self, mut visit: impl FnMut(&Path, &mut dyn Read) -> Result<()>) -> Result<()> {
        let mut left = self.size;
        for index in 0..self.zip.len() {
            let mut member = self.zip.by_index(index)?;
            let name = member.name()?.into_owned();
            left = one(&mut member, &name, left, &mut visit)
                .with_context(|| format!("its member `{}`", name.escape_debug()))?;
        }
        Ok(())
    }
}

/// Shows one member to `visit` if it is a file; returns how many bytes the others may have.
fn one(
    member: &mut ZipFile<'_, File>,
    name: &str,
    left: u64,
    visit: &mut impl FnMut(&Path, &mut dyn Read) -> Result<()>,
) -> Result<u64> {
    let path = place(name)?;
    let kind = member.unix_mode().unwrap_or_default() & TYPE;
    let folder = member.is_dir();
    ensure!([0, if folder { FOLDER } else { FILE }].contains(&kind), "is neither a file nor a folder");
    if folder {
        return Ok(left);
    }
    // One byte more than there may be, to see that there is one.
    let mut limited = member.take(left.saturating_add(1));
    visit(&path, &mut limited)?;
    let rest = limited.limit().checked_sub(1);
    rest.context("is a zip bomb: the archive grows more than a hundredfold")
}

/// Where a member goes, below the folder that is unpacked to.
fn place(name: &str) -> Result<PathBuf> {
    let path = Path::new(name);
    let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
    ensure!(inside && !name.is_empty() && !name.contains('\\'), "leads out of the folder");
    ensure!(!name.contains(char::is_control), "has a name that no terminal can show");
    Ok(path.components().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_stay_inside_have_a_place() {
        for name in ["a.deb", "packages/a.deb", "packages/", "..a", "a..b/c"] {
            assert!(place(name).is_ok(), "{name}");
        }
        for name in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "../a",
            "a/../../b",
            "a/..",
            "./a/../..",
            "a\\..\\b",
            "C:\\a",
            "a\0b",
            "a\nb",
            "\u{1b}[2J",
        ] {
            assert!(place(name).is_err(), "{name}");
        }
    }
}
