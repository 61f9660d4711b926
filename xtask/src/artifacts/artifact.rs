//! What a run made.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use anyhow::Result;
use reqwest::Url;
use serde::Deserialize;

use super::api::Api;
use super::repository::Repository;
use super::run::Run;
use crate::exit::{self, Exit};

/// An artifact: a zip archive at the API's.
#[derive(Clone, Debug, Deserialize)]
pub struct Artifact {
    /// Unique on its host.
    pub id: u64,
    /// What the workflow named it; a sound name of a folder.
    pub name: String,
    /// The archive's, in bytes.
    pub size_in_bytes: u64,
    /// Whether the API has only its name left.
    pub expired: bool,
    /// When it did or will, ISO 8601.
    pub expires_at: Option<String>,
    /// Of the archive, as `sha256:` and 64 hexadecimal digits; hosts and artifacts older than 2025 have none.
    pub digest: Option<String>,
}

impl Artifact {
    /// The day it expires, or did.
    pub fn last_day(&self) -> &str {
        self.expires_at.as_deref().and_then(|time| time.get(..10)).unwrap_or("unknown day")
    }

    /// The sha256 that the API promises, if it does.
    pub fn sha256(&self) -> Result<Option<&str>> {
        let Some(digest) = &self.digest else { return Ok(None) };
        let sound = |hex: &&str| {
            hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        match digest.strip_prefix("sha256:").filter(sound) {
            Some(hex) => Ok(Some(hex)),
            None => Err(exit::error(
                Exit::Network,
                format!(
                    "artifact {}: the API's digest is `{}`, which is no sha256",
                    self.name,
                    digest.escape_debug()
                ),
            )),
        }
    }

    /// Where the API lends the address of the archive.
    pub fn url(&self, api: &Api, repository: &Repository) -> Url {
        let id = self.id.to_string();
        api.url(&["repos", &repository.owner, &repository.name, "actions", "artifacts", &id, "zip"], &[])
    }

    /// Whether the name is one folder's, that a terminal can show: a server may say anything.
    fn is_sound(&self) -> bool {
        let mut parts = Path::new(&self.name).components();
        let folder = matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == self.name.as_str());
        folder
            && !self.name.starts_with('.')
            && !self.name.chars().any(|c| c.is_control() || "/\\".contains(c))
    }
}

/// The artifacts of a run, by name.
pub fn of_run(api: &Api, repository: &Repository, run: &Run) -> Result<Vec<Artifact>> {
    let id = run.id.to_string();
    let url =
        api.url(&["repos", &repository.owner, &repository.name, "actions", "runs", &id, "artifacts"], &[]);
    let mut newest = BTreeMap::new();
    for page in api.pages::<Artifact>(url, "artifacts") {
        for artifact in page? {
            if !artifact.is_sound() {
                let name = artifact.name.escape_debug();
                let message = format!("run {id} has an artifact named `{name}`, which can be no folder here");
                return Err(exit::error(Exit::Network, message));
            }
            // A run that was started again keeps what it made before.
            let kept = newest.entry(artifact.name.clone()).or_insert_with(|| artifact.clone());
            if artifact.id > kept.id {
                *kept = artifact;
            }
        }
    }
    Ok(newest.into_values().collect())
}
