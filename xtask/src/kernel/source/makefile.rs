//! What a kernel tree says it is, in the first lines of its Makefile.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::exit::{Classify, Exit};

/// A tree's version.
#[derive(Debug, PartialEq, Eq)]
pub struct Version {
    /// `6.12`, as the catalog names kernels.
    pub kernel: String,
    /// `6.12.117`, `6.11.0`, `6.13.0-rc4`: what `make kernelversion` prints.
    pub release: String,
}

/// Reads the version of the tree in `dir`.
pub fn version(dir: &Path) -> Result<Version> {
    let path = dir.join("Makefile");
    let not_a_tree = || format!("{} is not a kernel tree", dir.display());
    let text = fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))
        .exit(Exit::Usage, not_a_tree)?;
    parse(&text).with_context(|| format!("in {}", path.display())).exit(Exit::Usage, not_a_tree)
}

fn parse(text: &str) -> Result<Version> {
    let value = |name: &str| {
        text.lines()
            .filter_map(|line| line.split_once('='))
            .find(|(key, _)| key.trim() == name)
            .map(|(_, value)| value.trim())
            .with_context(|| format!("no line `{name} = ...`"))
    };
    let kernel = format!("{}.{}", value("VERSION")?, value("PATCHLEVEL")?);
    let release = format!("{kernel}.{}{}", value("SUBLEVEL")?, value("EXTRAVERSION")?);
    Ok(Version { kernel, release })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_make_does() {
        let text = "# SPDX\nVERSION = 6\nPATCHLEVEL = 13\nSUBLEVEL = 0\nEXTRAVERSION = -rc4\nNAME = Baby\n";
        let version = parse(text).unwrap();
        assert_eq!((version.kernel.as_str(), version.release.as_str()), ("6.13", "6.13.0-rc4"));
        let missing = parse("VERSION = 6\nPATCHLEVEL = 13\n").unwrap_err();
        assert_eq!(missing.to_string(), "no line `SUBLEVEL = ...`");
    }
}
