//! Debian's security archive, asked without a change to the host's apt.
//!
//! A release gets its newer kernels there, and the sources of a bare host (debootstrap's, for one) name only
//! the release.

use anyhow::{Context, Result};
use xshell::cmd;

use crate::digest;
use crate::exit::{Classify, Exit};
use crate::lock::FileLock;
use crate::process;
use crate::workspace::Workspace;

use super::cache;

/// The options that make apt-get look into the security archive beside this host's mirror, by lists of ours
/// that are up to date. The signatures are checked as ever.
pub fn options(workspace: &Workspace) -> Result<Vec<String>> {
    let shell = process::shell(&workspace.root)?;
    let (mirror, release) = process::read(cmd!(shell, "apt-get --print-uris update"))?
        .lines()
        .find_map(|line| mirror(line).map(|(mirror, release)| (mirror.to_owned(), release.to_owned())))
        .context("this host's apt names no mirror of Debian")?;

    let folder = workspace.cache.join("apt");
    cache::create(&folder)?;
    let _lock = FileLock::take(&folder.with_added_extension("lock"), "updating lists of apt")?;
    for part in ["lists/partial", "archives/partial"] {
        cache::create(&folder.join(part))?;
    }
    let sources = folder.join("sources.list");
    digest::atomic_write(&sources, format!("deb {mirror}/debian-security {release}-security main\n"))?;
    let options: Vec<String> = [
        format!("Dir::Etc::SourceList={}", sources.display()),
        "Dir::Etc::SourceParts=/dev/null".to_owned(),
        format!("Dir::State::Lists={}", folder.join("lists").display()),
        format!("Dir::Cache={}", folder.display()),
        // Else apt, as root, complains that its own user cannot write here.
        "APT::Sandbox::User=root".to_owned(),
    ]
    .into_iter()
    .map(|option| format!("--option={option}"))
    .collect();
    let ours = &options;
    process::run(cmd!(shell, "apt-get --quiet {ours...} --error-on=any update"))
        .exit(Exit::Network, || format!("apt cannot list {mirror}/debian-security"))?;
    Ok(options)
}

/// The mirror and the release in a line of `apt-get --print-uris update`, if it is about a release of Debian.
fn mirror(line: &str) -> Option<(&str, &str)> {
    let (mirror, rest) = line.strip_prefix('\'')?.split_once("/debian/dists/")?;
    let (release, _) = rest.split_once("/InRelease'")?;
    (!release.contains(['-', '/'])).then_some((mirror, release))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_release_of_debian_tells_the_mirror() {
        assert_eq!(
            mirror("'http://mirror.test/debian/dists/bookworm/InRelease' mirror.test_InRelease 0 "),
            Some(("http://mirror.test", "bookworm"))
        );
        for other in [
            "'http://mirror.test/debian/dists/bookworm-updates/InRelease' mirror.test_InRelease 0 ",
            "'http://mirror.test/ubuntu/dists/noble/InRelease' mirror.test_InRelease 0 ",
            "",
        ] {
            assert_eq!(mirror(other), None, "{other}");
        }
    }
}
