//! SHA256SUMS: what the builder says of the files beside it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};

/// The name of the list, in whichever folder it is.
pub const NAME: &str = "SHA256SUMS";

/// Files and their sha256, in hexadecimal.
pub type Digests = BTreeMap<PathBuf, String>;

/// Reads a list as `sha256sum` writes it; `folder` is where it and its files are.
pub fn parse(folder: &Path, text: &str) -> Result<Digests> {
    let mut digests = Digests::new();
    for line in text.lines() {
        let (digest, rest) = line.split_at_checked(64).unwrap_or_default();
        let name = rest.strip_prefix("  ").or_else(|| rest.strip_prefix(" *")).unwrap_or_default();
        let sound = digest.bytes().all(|digit| digit.is_ascii_hexdigit());
        ensure!(
            sound && !name.is_empty(),
            "{NAME} has a line that sha256sum does not write: `{}`",
            line.escape_debug()
        );
        let name = name.strip_prefix("./").unwrap_or(name);
        digests.insert(folder.join(name), digest.to_ascii_lowercase());
    }
    ensure!(!digests.is_empty(), "{NAME} is empty");
    Ok(digests)
}

/// Checks what is there against what was promised: all of it there, and equal. Returns the files nothing is said of.
pub fn check<'a>(promised: &Digests, there: &'a Digests) -> Result<Vec<&'a Path>> {
    for (path, expected) in promised {
        match there.get(path) {
            None => bail!("{NAME} lists {}, which is not there", path.display()),
            Some(got) if got != expected => {
                bail!("{}: {NAME} says sha256 {expected}, it has {got}", path.display())
            }
            Some(_) => {}
        }
    }
    let unsaid = there.keys().filter(|path| !promised.contains_key(*path) && !path.ends_with(NAME));
    Ok(unsaid.map(PathBuf::as_path).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn both_of_sha256sums_forms_are_read() {
        let upper = A.to_uppercase();
        let list = parse(Path::new("deb"), &format!("{A}  one.deb\n{upper} *two words.deb\n{A}  ./three\n"))
            .unwrap();
        let names = ["deb/one.deb", "deb/two words.deb", "deb/three"];
        assert_eq!(list, names.into_iter().map(|name| (name.into(), A.to_owned())).collect());
    }

    #[test]
    fn another_line_is_not_skipped() {
        for line in [
            A,
            &format!("{A} one"),
            &format!("{A}  "),
            "one.deb",
            &format!("{}  one", &A[1..]),
            &A.replace('b', "x"),
        ] {
            assert!(parse(Path::new(""), line).is_err(), "{line}");
        }
        assert!(parse(Path::new(""), "").is_err());
    }

    #[test]
    fn a_file_is_equal_missing_different_or_unsaid() {
        let digests = |names: &[(&str, &str)]| -> Digests {
            names.iter().map(|(name, digest)| (name.into(), (*digest).to_owned())).collect()
        };
        let promised = digests(&[("a", "1"), ("b", "2")]);
        assert!(check(&promised, &digests(&[("a", "1")])).is_err());
        assert!(check(&promised, &digests(&[("a", "1"), ("b", "3")])).is_err());
        let there = digests(&[("a", "1"), ("b", "2"), (NAME, "4"), ("c", "5")]);
        assert_eq!(check(&promised, &there).unwrap(), [Path::new("c")]);
    }
}
