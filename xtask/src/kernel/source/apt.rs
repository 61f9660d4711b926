//! A Debian source package: apt finds it and checks its signatures.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use xshell::cmd;

use crate::digest;
use crate::download::room;
use crate::exit::{self, Classify, Exit};
use crate::process;
use crate::progress;
use crate::workspace::Workspace;

use super::cache::{self, Workshop};
use super::{Origin, Tree, security, unpack};

/// apt's lists; `apt-get update` renews the folder's time.
const LISTS: &str = "/var/lib/apt/lists";

/// What apt would download.
struct Candidate {
    /// `linux-source-6.12_6.12.117-1_all.deb`.
    file: String,
    /// In bytes.
    size: u64,
    sha256: String,
}

/// The tree in `package`, in the version that apt would install.
pub fn tree(workspace: &Workspace, package: &str) -> Result<Tree> {
    let candidate = candidate(workspace, package)?;
    let dir = cache::tree(workspace, &candidate.sha256, &format!("fetching {package}"), |workshop| {
        download(workspace, workshop, package, &candidate)?;
        unpack_package(workshop, &candidate)
    })?;
    Ok(Tree { dir, identity: candidate.sha256, origin: Origin::Debian(candidate.file) })
}

/// Whether the cache has the version that apt would install.
pub fn is_cached(workspace: &Workspace, package: &str) -> bool {
    candidate(workspace, package).is_ok_and(|candidate| cache::has(workspace, &candidate.sha256))
}

/// Which version apt has. Its last answer stands while its lists are older, since asking takes half a second,
/// and where it has none (no lists, no apt) as long as that version's tree is in the cache.
fn candidate(workspace: &Workspace, package: &str) -> Result<Candidate> {
    let memo = workspace.cache.join("sources").join(package).with_added_extension("apt");
    let remembered = fs::read_to_string(&memo).ok().and_then(|answer| parse(&answer).ok());
    let modified = |path: &Path| fs::metadata(path).and_then(|facts| facts.modified());
    let fresh = match (modified(&memo), modified(Path::new(LISTS))) {
        (Ok(memo), Ok(lists)) => memo > lists,
        _ => false,
    };
    if fresh && let Some(candidate) = remembered {
        return Ok(candidate);
    }
    let cached = remembered.filter(|candidate| cache::has(workspace, &candidate.sha256));
    match (ask(workspace, package), cached) {
        (Ok(answer), _) => {
            let candidate = parse(&answer).with_context(|| format!("apt-get said `{answer}`"))?;
            cache::create(&workspace.cache.join("sources"))?;
            digest::atomic_write(&memo, answer)?;
            Ok(candidate)
        }
        (Err(_), Some(candidate)) => Ok(candidate),
        (Err(error), None) => Err(error),
    }
}

/// apt's answer about a package.
fn ask(workspace: &Workspace, package: &str) -> Result<String> {
    let shell = process::shell(&workspace.root)?;
    let hash = "Acquire::ForceHash=SHA256";
    let asked = lists(workspace, package).and_then(|lists| {
        process::read(cmd!(shell, "apt-get --print-uris {lists...} -o {hash} download {package}"))
    });
    asked.exit(Exit::Host, || {
        format!(
            "apt has no {package}: on Debian or Ubuntu run `apt-get update`; elsewhere name another kernel by \
             `--kernel`, or a tree by `--source`"
        )
    })
}

/// The options for lists that have the package: none where it is among the host's own.
fn lists(workspace: &Workspace, package: &str) -> Result<Vec<String>> {
    let shell = process::shell(&workspace.root)?;
    match process::read(cmd!(shell, "apt-get --print-uris download {package}")) {
        Ok(_) => Ok(Vec::new()),
        Err(_) => security::options(workspace),
    }
}

/// `'URL' FILE SIZE SHA256:DIGEST`
fn parse(answer: &str) -> Result<Candidate> {
    let fields: Vec<_> = answer.split_whitespace().collect();
    let [_, file, size, digest] = fields[..] else { bail!("not four fields") };
    let sha256 = digest.strip_prefix("SHA256:").context("no SHA256 digest")?;
    Ok(Candidate { file: file.to_owned(), size: size.parse()?, sha256: sha256.to_owned() })
}

fn download(workspace: &Workspace, workshop: &Workshop, package: &str, candidate: &Candidate) -> Result<()> {
    let shell = process::shell(&workshop.downloads)?;
    // The package, and the archive out of it.
    room::require(&workshop.downloads, 2 * candidate.size)?;
    progress::line(&format!("downloading {} by apt-get", candidate.file));
    // Else apt, as root, complains that its own user cannot write here.
    let user = "APT::Sandbox::User=root";
    let lists = lists(workspace, package)?;
    process::run(cmd!(shell, "apt-get -q {lists...} -o {user} download {package}"))
        .exit(Exit::Network, || format!("apt cannot download {package}"))?;
    let got = digest::sha256_file(&workshop.downloads.join(&candidate.file))?;
    if got != candidate.sha256 {
        let message = format!("{}: expected sha256 {}, got {got}", candidate.file, candidate.sha256);
        return Err(exit::error(Exit::Network, message));
    }
    Ok(())
}

fn unpack_package(workshop: &Workshop, candidate: &Candidate) -> Result<()> {
    let shell = process::shell(&workshop.downloads)?;
    let (file, content) = (&candidate.file, "content");
    process::run(cmd!(shell, "dpkg-deb -x {file} {content}"))?;
    unpack::unpack(&archive(&workshop.downloads.join(content).join("usr/src"))?, &workshop.tree)
}

/// The one archive in a source package's folder.
fn archive(dir: &Path) -> Result<PathBuf> {
    let context = || format!("looking for an archive in {}", dir.display());
    for entry in dir.read_dir().with_context(context)? {
        let path = entry.with_context(context)?.path();
        if path.to_string_lossy().ends_with(".tar.xz") {
            return Ok(path);
        }
    }
    bail!("no .tar.xz in {}", dir.display())
}
