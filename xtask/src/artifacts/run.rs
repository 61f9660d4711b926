//! Which run of a workflow.

use std::{fmt, iter};

use anyhow::Result;
use serde::Deserialize;

use super::api::Api;
use super::repository::Repository;
use crate::exit::{self, Exit};

/// Which run is asked for; where several are, the newest that has the artifacts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// The newest green one on the default branch.
    #[default]
    Latest,
    /// The newest green one on this branch.
    OfBranch(String),
    /// The newest green one that was started for this tag, on the commit where the tag is now.
    OfTag(String),
    /// That one, green or not.
    Id(u64),
}

/// A run, as far as the API's answer matters here.
#[derive(Clone, Debug, Deserialize)]
pub struct Run {
    /// Unique on its host.
    pub id: u64,
    name: Option<String>,
    head_branch: Option<String>,
    head_sha: String,
    event: String,
    status: Option<String>,
    conclusion: Option<String>,
    created_at: String,
    html_url: String,
    repository: Whose,
    /// Where the commit is; gone where that repository is.
    head_repository: Option<Whose>,
}

#[derive(Clone, Debug, Deserialize)]
struct Whose {
    id: u64,
    full_name: String,
}

#[derive(Deserialize)]
struct Facts {
    default_branch: String,
}

#[derive(Deserialize)]
struct Commit {
    sha: String,
}

/// Finds the runs, the newest first, at least one; of this workflow (a file's name) where one is given.
pub fn find<'a>(
    api: &'a Api,
    repository: &Repository,
    which: &Which,
    workflow: Option<&str>,
) -> Result<Box<dyn Iterator<Item = Result<Run>> + 'a>> {
    let repo = ["repos", &repository.owner, &repository.name];
    let missing = |what: String| {
        let hint = "of a private one, a token must be allowed to see it";
        exit::error(Exit::Usage, format!("{repository} has {what} ({hint})"))
    };
    let (branch, sha) = match which {
        Which::Id(id) => {
            let url = api.url(&[&repo[..], &["actions", "runs", &id.to_string()]].concat(), &[]);
            let run: Run = api.get(url)?.ok_or_else(|| missing(format!("no run {id}")))?;
            return Ok(Box::new(iter::once(Ok(run))));
        }
        Which::Latest => {
            let facts: Option<Facts> = api.get(api.url(&repo, &[]))?;
            (facts.ok_or_else(|| missing("no default branch".to_owned()))?.default_branch, None)
        }
        Which::OfBranch(branch) => (branch.clone(), None),
        Which::OfTag(tag) => {
            let parts: Vec<_> = tag.split('/').collect();
            let url = api.url(&[&repo[..], &["commits", "tags"], &parts].concat(), &[]);
            let commit: Option<Commit> = api.get(url)?;
            (tag.clone(), Some(commit.ok_or_else(|| missing(format!("no tag {tag}")))?.sha))
        }
    };
    let path = match workflow {
        Some(file) => [&repo[..], &["actions", "workflows", file, "runs"]].concat(),
        None => [&repo[..], &["actions", "runs"]].concat(),
    };
    // The API has no word for tags here: of a run that a tag started, the tag is the branch.
    let mut query = vec![("status", "success"), ("branch", branch.as_str())];
    query.extend(sha.as_deref().map(|sha| ("head_sha", sha)));
    let url = api.url(&path, &query);
    let pages = api.pages::<Run>(url, "workflow_runs");
    let runs = pages.flat_map(|page| match page {
        Ok(runs) => runs.into_iter().map(Ok).collect(),
        Err(error) => vec![Err(error)],
    });
    // A fork's branch may have any name, that of our default branch too: what it made is not ours.
    let mut own = runs.filter(|run| run.as_ref().map_or(true, Run::is_own)).peekable();
    if own.peek().is_some() {
        return Ok(Box::new(own));
    }
    let of = workflow.map(|file| format!(" of {file}")).unwrap_or_default();
    let kind = if sha.is_some() { "tag" } else { "branch" };
    let fix = "--run ID takes any run, --branch and --tag another's";
    Err(exit::error(Exit::Usage, format!("{repository} has no green run{of} for the {kind} {branch}: {fix}")))
}

impl Run {
    /// Whether it ran what is in this repository, and not what a fork proposes.
    fn is_own(&self) -> bool {
        self.head_repository.as_ref().is_some_and(|head| head.id == self.repository.id)
    }

    /// What to know before its artifacts are used, if anything.
    pub fn caution(&self) -> Option<String> {
        if !self.is_own() {
            let whose =
                self.head_repository.as_ref().map_or("a repository that is gone", |head| &head.full_name);
            return Some(format!(
                "run {} built the code of {whose}, not of {}",
                self.id, self.repository.full_name
            ));
        }
        let end = self.conclusion.as_ref().or(self.status.as_ref()).map_or("unknown", String::as_str);
        (end != "success").then(|| format!("run {} is not green: {end}", self.id))
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, branch) =
            (self.name.as_deref().unwrap_or("?"), self.head_branch.as_deref().unwrap_or("?"));
        let (sha, date) =
            (self.head_sha.get(..12).unwrap_or_default(), self.created_at.get(..10).unwrap_or_default());
        write!(f, "run {} of {name}: {} on {branch} at {sha}, {date}, {}", self.id, self.event, self.html_url)
    }
}
