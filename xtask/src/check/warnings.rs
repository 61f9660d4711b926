//! What the compiler and sparse say of the files that a series touches, and what of it is new.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::kernel::changes;
use crate::kernel::make::Make;
use crate::kernel::series::Patch;

/// Who warns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checker {
    /// The compiler, with what kbuild's W=1 adds; and kernel-doc.
    Compiler,
    /// sparse.
    Sparse,
}

impl Checker {
    /// Each of them.
    pub const ALL: [Self; 2] = [Self::Compiler, Self::Sparse];

    fn variable(self) -> &'static str {
        match self {
            Self::Compiler => "W=1",
            // Not C=1: that would pass over files that are compiled already.
            Self::Sparse => "C=2",
        }
    }
}

impl fmt::Display for Checker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Compiler => "gcc with W=1",
            Self::Sparse => "sparse",
        })
    }
}

/// Warnings without their lines' numbers, which a patch moves, and how often each came up.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Warnings(BTreeMap<String, usize>);

impl Warnings {
    fn of(lines: &[String]) -> Self {
        let mut warnings = BTreeMap::new();
        for line in lines.iter().filter_map(|line| without_place(line)) {
            *warnings.entry(line).or_default() += 1;
        }
        Self(warnings)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.values().sum()
    }

    /// Those that `before` has not, or has less often.
    pub fn beyond(&self, before: &Self) -> Vec<&str> {
        let more = |(text, count): &(&String, &usize)| **count > before.0.get(*text).copied().unwrap_or(0);
        self.0.iter().filter(more).map(|(text, _)| text.as_str()).collect()
    }
}

/// A warning's file and text, if the line is one: sparse calls some of its own errors.
fn without_place(line: &str) -> Option<String> {
    let (place, text) = [": warning: ", ": error: "].iter().find_map(|kind| line.split_once(kind))?;
    let file = place.split(':').next().unwrap_or_default().trim_start_matches("../");
    Some(format!("{file}: {text}"))
}

/// What kbuild makes of the C files that the patches touch.
pub fn objects(patches: &[Patch]) -> Result<BTreeSet<PathBuf>> {
    // Built by makefiles of their own, for user space or as examples.
    let elsewhere =
        |path: &Path| ["tools", "samples", "Documentation"].iter().any(|top| path.starts_with(top));
    let mut objects = BTreeSet::new();
    for patch in patches {
        let files = changes::paths(patch)?.into_iter();
        let files = files.filter(|path| path.extension().is_some_and(|kind| kind == "c") && !elsewhere(path));
        objects.extend(files.map(|path| path.with_extension("o")));
    }
    Ok(objects)
}

/// Compiles the objects anew and returns what the checker says.
pub fn collect(make: &mut Make<'_>, checker: Checker, objects: &[&PathBuf]) -> Result<Warnings> {
    if objects.is_empty() {
        return Ok(Warnings::default());
    }
    for object in objects {
        let object = make.objtree.join(object);
        if object.exists() {
            fs::remove_file(&object).with_context(|| format!("removing {}", object.display()))?;
        }
    }
    let names: Vec<_> = objects.iter().map(|object| object.to_string_lossy()).collect();
    let targets: Vec<&str> =
        [checker.variable()].into_iter().chain(names.iter().map(AsRef::as_ref)).collect();
    let said = make.run(&format!("asking {checker}"), None, &targets, &[])?;
    Ok(Warnings::of(&said.lines))
}

/// What objtool said in a kernel's build: nothing, if all code can be unwound and no window of user access leaks.
pub fn of_objtool(objtree: &Path) -> Result<Vec<String>> {
    let log = objtree.join("build.log");
    let log = fs::read_to_string(&log).with_context(|| format!("reading {}", log.display()))?;
    Ok(log.lines().filter(|line| line.contains(": warning: objtool: ")).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objtool_is_heard_behind_a_link() {
        let objtree = tempfile::tempdir().unwrap();
        let complaint = "vmlinux.o: warning: objtool: udp_copy+0x4: call to memcpy() with UACCESS enabled";
        let log = format!("  INSTALL tools/objtool/libsubcmd\n  LD      vmlinux.o\n{complaint}\n");
        fs::write(objtree.path().join("build.log"), log).unwrap();
        assert_eq!(of_objtool(objtree.path()).unwrap(), [complaint]);
    }

    fn warnings(lines: &[&str]) -> Warnings {
        Warnings::of(&lines.iter().map(|&line| line.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn only_what_is_more_than_before_is_new() {
        let before = warnings(&[
            "In file included from ../net/a.c:1:",
            "../net/a.c:3:7: warning: unused variable 'x' [-Wunused-variable]",
            "    3 |     int x;",
            "../net/a.c:9:1: warning: symbol 'f' was not declared. Should it be static?",
        ]);
        assert_eq!(before.count(), 2);
        let after = warnings(&[
            "../net/a.c:5:7: warning: unused variable 'x' [-Wunused-variable]",
            "../net/a.c:8:7: warning: unused variable 'x' [-Wunused-variable]",
            "../net/b.c:9:1: error: incompatible types in comparison",
        ]);
        assert!(before.beyond(&before).is_empty());
        assert_eq!(
            after.beyond(&before),
            ["net/a.c: unused variable 'x' [-Wunused-variable]", "net/b.c: incompatible types in comparison"]
        );
    }
}
