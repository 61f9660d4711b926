//! A series as commits, for editing with git: out to a repository, and back.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use git2::{
    Commit, DiffOptions, IndexAddOption, Oid, Repository, RepositoryInitOptions, ResetType, Signature, Sort,
    Time,
};
use xshell::cmd;

use super::series::{self, Patch, Series};
use super::source::SourceTree;
use super::{changes, layout, mail};
use crate::cli::Flavor;
use crate::digest::atomic_write;
use crate::exit::{Exit, error};
use crate::process;
use crate::progress::{Progress, Unit};

/// The tag on the commit that holds the source without a patch.
pub const PRISTINE: &str = "pristine";

/// In the repository's config: which kernel's series this is.
const KERNEL: &str = "fastnet.kernel";

/// Makes a repository in `dir`: the source as one commit, and each patch as one more on the branch `fastnet`.
pub fn export(source: &SourceTree, series: &Series, dir: &Path) -> Result<()> {
    let free = fs::read_dir(dir).map_or(!dir.exists(), |mut entries| entries.next().is_none());
    if !free {
        return Err(error(Exit::Usage, format!("{} is not empty; name a new folder", dir.display())));
    }
    fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
    let shell = process::shell(dir)?;
    let (from, ours) = (&source.dir, layout::OURS.map(|name| format!("--exclude=/{name}*")));
    process::run(cmd!(shell, "rsync -rlpt --exclude=.git {ours...} {from}/ ./"))?;

    let repo = Repository::init_opts(dir, RepositoryInitOptions::new().initial_head("fastnet"))?;
    repo.config()?.set_str(KERNEL, &source.kernel)?;
    let base = repo.find_commit(commit_all(&repo, &source.release)?)?;
    repo.reference(&format!("refs/tags/{PRISTINE}"), base.id(), true, "")?;
    let mut head = base;
    for patch in series.all() {
        head = commit(&repo, &head, patch)?;
    }
    repo.reset(head.as_object(), ResetType::Hard, None)?;
    Ok(())
}

/// Commits every file of the work tree, ignored or not, the same on every machine.
fn commit_all(repo: &Repository, release: &str) -> Result<Oid> {
    let progress = Progress::start("committing files", Unit::Steps, None);
    let mut index = repo.index()?;
    let mut files = 0;
    let mut count = |_: &Path, _: &[u8]| {
        files += 1;
        progress.set(files);
        0
    };
    index.add_all(["*"], IndexAddOption::FORCE, Some(&mut count))?;
    index.write()?;
    let tree = repo.find_tree(index.write_tree()?)?;
    let author = Signature::new("fastnet", "fastnet@localhost", &Time::new(0, 0))?;
    Ok(repo.commit(Some("HEAD"), &author, &author, &format!("Linux {release}\n"), &tree, &[])?)
}

/// The commit of a patch, on `parent`; on no branch yet.
fn commit<'r>(repo: &'r Repository, parent: &Commit<'_>, patch: &Patch) -> Result<Commit<'r>> {
    let tree = repo.find_tree(changes::apply(repo, &parent.tree()?, patch)?)?;
    let author = patch.mail.author()?;
    // The author's date as the committer's, so that the ids are the same in every export.
    let id = repo.commit(None, &author, &author, &patch.mail.message(), &tree, &[parent])?;
    Ok(repo.find_commit(id)?)
}

/// What a refresh did to the patch files.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Refreshed {
    /// Written, new or with another content.
    pub written: Vec<String>,
    /// No longer in the series.
    pub removed: Vec<String>,
    /// Left as they were.
    pub kept: usize,
}

/// Which kernel's series a repository made by [`export`] holds.
pub fn kernel(dir: &Path) -> Result<String> {
    let config = Repository::open(dir).and_then(|repo| repo.config()?.snapshot()?.get_string(KERNEL));
    config.map_err(|cause| {
        error(Exit::Usage, format!("{} was not made by `cargo xtask patch export`: {cause}", dir.display()))
    })
}

/// Writes the commits above the pristine one to `folder`, as its series.
///
/// A patch whose commit is as it was exported keeps its file, byte for byte. A commit that is new joins the
/// last flavor, or that of the patches after it.
pub fn refresh(dir: &Path, folder: &Path) -> Result<Refreshed> {
    let repo = Repository::open(dir)?;
    let base = repo.find_reference(&format!("refs/tags/{PRISTINE}"))?.peel_to_commit()?;
    let above = above(&repo, &base, dir)?;
    let old = if folder.join("series").exists() { Series::load(folder)? } else { Series::empty(folder) };
    let known = known(&repo, &base, old.all())?;

    let mut files = Vec::new();
    for (index, commit) in above.iter().enumerate() {
        let text = mail::write(&repo, commit)?;
        let subject = commit.summary()?.unwrap_or_default().to_owned();
        let same = known.get(&text).copied();
        let flavor = same
            .or_else(|| old.all().iter().position(|patch| patch.mail.subject == subject))
            .map_or(Flavor::Fastnet, |at| old.all()[at].flavor);
        let name = match same {
            Some(at) if at == index => old.all()[at].name.clone(),
            _ => format!("{:04}-{}.patch", index + 1, slug(&subject)),
        };
        let content = same.map_or(text, |at| old.all()[at].mail.raw.clone());
        files.push((name, flavor, content));
    }
    // A section ends where the last of its patches does.
    let mut flavor = Flavor::Fastnet;
    for file in files.iter_mut().rev() {
        flavor = flavor.min(file.1);
        file.1 = flavor;
    }
    write(&old, &files)
}

/// The commits above `base`, oldest first: a line of them, with nothing left uncommitted.
fn above<'r>(repo: &'r Repository, base: &Commit<'_>, dir: &Path) -> Result<Vec<Commit<'r>>> {
    let usage = |what: &str| error(Exit::Usage, format!("{}: {what}", dir.display()));
    let head = repo.head()?.peel_to_commit()?;
    let mut options = DiffOptions::new();
    options.include_untracked(true);
    let changed = repo.diff_tree_to_workdir_with_index(Some(&head.tree()?), Some(&mut options))?;
    if changed.deltas().len() > 0 {
        return Err(usage("there are uncommitted changes; commit or stash them first"));
    }
    let mut walk = repo.revwalk()?;
    walk.set_sorting(Sort::TOPOLOGICAL | Sort::REVERSE)?;
    walk.push(head.id())?;
    walk.hide(base.id())?;
    let commits = walk.map(|id| Ok(repo.find_commit(id?)?)).collect::<Result<Vec<_>>>()?;
    let mut below = base.id();
    for commit in &commits {
        if commit.parent_ids().ne([below]) {
            return Err(usage(&format!(
                "the commits above the tag {PRISTINE} are not one line; rebase them"
            )));
        }
        below = commit.id();
    }
    Ok(commits)
}

/// The mails that the patches' commits would give, each with its patch's place; as far as the patches apply.
fn known(repo: &Repository, base: &Commit<'_>, patches: &[Patch]) -> Result<HashMap<Vec<u8>, usize>> {
    let mut known = HashMap::new();
    let mut head = base.clone();
    for (at, patch) in patches.iter().enumerate() {
        let Ok(next) = commit(repo, &head, patch) else { break };
        known.insert(mail::write(repo, &next)?, at);
        head = next;
    }
    Ok(known)
}

/// Writes patch files and series where they differ, and removes the files no longer listed.
fn write(old: &Series, files: &[(String, Flavor, Vec<u8>)]) -> Result<Refreshed> {
    let mut done = Refreshed::default();
    for (name, _, content) in files {
        let path = old.folder.join(name);
        if fs::read(&path).is_ok_and(|there| there == *content) {
            done.kept += 1;
        } else {
            fs::create_dir_all(&old.folder).with_context(|| format!("making {}", old.folder.display()))?;
            atomic_write(&path, content)?;
            done.written.push(name.clone());
        }
    }
    let listed: Vec<_> = files.iter().map(|(name, flavor, _)| (name.as_str(), *flavor)).collect();
    let before: Vec<_> = old.all().iter().map(|patch| (patch.name.as_str(), patch.flavor)).collect();
    if listed != before {
        atomic_write(&old.folder.join("series"), series::text(&old.preface, &listed))?;
    }
    for (name, _) in before {
        if !listed.iter().any(|(listed, _)| *listed == name) {
            let path: PathBuf = old.folder.join(name);
            fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
            done.removed.push(name.to_owned());
        }
    }
    Ok(done)
}

/// A subject as part of a file's name, as git makes it.
fn slug(subject: &str) -> String {
    let words = subject.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.');
    let mut slug = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-");
    slug.truncate(52);
    slug.trim_end_matches(['-', '.']).to_owned()
}
