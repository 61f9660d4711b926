//! A series: the patches of one kernel, in order, in sections named after the flavors.
//!
//! `linux-patches/<kernel>/series` is a quilt series: one file a line, `#` starts a comment. The comment
//! `# flavor: NAME` opens the section of patches which that flavor adds to those above it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::ValueEnum;

use super::mail::Mail;
use crate::cli::{self, Flavor};
use crate::digest;
use crate::exit::{Classify, Exit, error};

/// How the line begins that opens a flavor's section.
const HEADING: &str = "# flavor:";

/// The patches of one kernel, in the order they apply.
#[derive(Debug)]
pub struct Series {
    /// `linux-patches/<kernel>`.
    pub folder: PathBuf,
    /// What the series file says above its first section.
    pub preface: String,
    patches: Vec<Patch>,
}

/// One patch of a series.
#[derive(Debug)]
pub struct Patch {
    /// Its file's name in the series' folder.
    pub name: String,
    /// The smallest flavor that includes it.
    pub flavor: Flavor,
    /// What the file says.
    pub mail: Mail,
}

impl Series {
    /// Reads the `series` file in `folder` and every patch it lists.
    ///
    /// Errors name the file and, in the series file, the line.
    pub fn load(folder: &Path) -> Result<Self> {
        let file = folder.join("series");
        let text = fs::read_to_string(&file).exit(Exit::Kernel, || {
            format!("cannot read {}: a kernel's patches are listed there, one a line", file.display())
        })?;
        let mut patches: Vec<Patch> = Vec::new();
        for (name, flavor) in entries(&text)
            .map_err(|(line, cause)| error(Exit::Kernel, format!("{}:{line}: {cause}", file.display())))?
        {
            let mail = Mail::read(&folder.join(&name))?;
            patches.push(Patch { name, flavor, mail });
        }
        let sections = text.find(HEADING).unwrap_or(text.len());
        Ok(Self { folder: folder.to_path_buf(), preface: text[..sections].to_owned(), patches })
    }

    /// A series without a patch, to be kept in `folder`.
    pub fn empty(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf(), preface: String::new(), patches: Vec::new() }
    }

    /// The patches of a flavor: all up to the end of its section, so none for stock.
    pub fn flavor(&self, flavor: Flavor) -> &[Patch] {
        &self.patches[..self.patches.partition_point(|patch| patch.flavor <= flavor)]
    }

    /// Every patch.
    pub fn all(&self) -> &[Patch] {
        &self.patches
    }
}

/// The sha256 of a series' patch files, in order.
pub fn sha256(patches: &[Patch]) -> String {
    digest::sha256(patches.iter().map(|patch| digest::sha256(&patch.mail.raw)).collect::<String>())
}

/// A series file that lists `patches`, which are in the order of their flavors.
pub fn text(preface: &str, patches: &[(&str, Flavor)]) -> String {
    let mut text = preface.to_owned();
    for section in patches.chunk_by(|(_, one), (_, next)| one == next) {
        text.extend([HEADING, " ", &cli::name(&section[0].1), "\n"]);
        text.extend(section.iter().flat_map(|(name, _)| [name, "\n"]));
    }
    text
}

/// The (file name, flavor) pairs of a series file; the error is a line number and its cause.
fn entries(text: &str) -> std::result::Result<Vec<(String, Flavor)>, (usize, String)> {
    let mut entries: Vec<(String, Flavor)> = Vec::new();
    let mut section = None;
    for (index, line) in text.lines().enumerate() {
        let at = |cause: String| (index + 1, cause);
        let line = line.trim();
        if let Some(name) = line.strip_prefix(HEADING) {
            let flavor = Flavor::from_str(name.trim(), false).map_err(at)?;
            if flavor == Flavor::Stock || section.is_some_and(|above| flavor <= above) {
                return Err(at(format!(
                    "a section of {name} cannot stand here: hints come first, then fastnet"
                )));
            }
            section = Some(flavor);
        } else if !line.is_empty() && !line.starts_with('#') {
            let flavor = section.ok_or_else(|| at(format!("{line} comes before any `# flavor:` line")))?;
            if line.contains(['/', '\\']) || line.starts_with('.') || line.contains(char::is_whitespace) {
                return Err(at(format!("`{line}` is not the plain name of a file beside the series")));
            }
            if entries.iter().any(|(name, _)| name == line) {
                return Err(at(format!("{line} is listed twice")));
            }
            entries.push((line.to_owned(), flavor));
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_name_the_smallest_flavor() {
        let found =
            entries("# a comment\n# flavor: hints\n0001-a.patch\n\n# flavor: fastnet\n0002-b.patch\n")
                .unwrap();
        assert_eq!(
            found,
            [("0001-a.patch".to_owned(), Flavor::Hints), ("0002-b.patch".to_owned(), Flavor::Fastnet)]
        );
    }

    #[test]
    fn what_is_written_is_read_the_same() {
        let listed = [("0001-a.patch", Flavor::Hints), ("0002-b.patch", Flavor::Fastnet)];
        let text = text("# why\n\n", &listed);
        assert_eq!(text, "# why\n\n# flavor: hints\n0001-a.patch\n# flavor: fastnet\n0002-b.patch\n");
        assert_eq!(entries(&text).unwrap(), listed.map(|(name, flavor)| (name.to_owned(), flavor)));
    }

    #[test]
    fn an_error_has_its_line() {
        let line = |text| entries(text).unwrap_err().0;
        assert_eq!(line("# flavor: hints\na\n# flavor: quick\n"), 3);
        assert_eq!(line("# flavor: fastnet\n# flavor: hints\n"), 2);
        assert_eq!(line("\na.patch\n"), 2);
        assert_eq!(line("# flavor: hints\n../a.patch\n"), 2);
        assert_eq!(line("# flavor: hints\na\na\n"), 3);
    }
}
