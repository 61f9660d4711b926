//! Whether the network reaches a kernel's source, for users who would as well take the next kernel.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::Result;

use crate::digest;
use crate::download::http::{self, Unreachable};

use super::cache::Workshop;

/// How long a source that could not be reached is not asked again.
const REMEMBERED: Duration = Duration::from_hours(1);

/// How hard to try to reach a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The user named this kernel: with all patience.
    Insist,
    /// Another would do: a few seconds, and not again within the hour.
    Probe,
}

impl Reach {
    /// Runs `fetch`, which gets a source from one of `urls`, as hard as `self` says.
    pub fn fetch<'a, T>(
        self,
        workshop: &Workshop,
        urls: impl Iterator<Item = &'a str> + Clone,
        fetch: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        if self == Self::Insist {
            return fetch();
        }
        let name = urls.clone().next().and_then(|url| url.split('/').nth(2)).unwrap_or("its server");
        let memo = workshop.downloads.join("unreachable");
        if let Some(ago) = age(&memo).filter(|ago| *ago < REMEMBERED) {
            let minutes = ago.as_secs() / 60;
            let message =
                format!("{name} was out of reach {minutes} min ago, not asked again within an hour");
            return Err(Unreachable(message).into());
        }
        let result = match http::probe(urls) {
            Ok(()) => fetch(),
            Err(Unreachable(reason)) => Err(Unreachable(format!("{name} is out of reach: {reason}")).into()),
        };
        if result.as_ref().is_err_and(anyhow::Error::is::<Unreachable>) {
            digest::atomic_write(&memo, "")?;
        }
        result
    }
}

fn age(path: &Path) -> Option<Duration> {
    SystemTime::now().duration_since(fs::metadata(path).ok()?.modified().ok()?).ok()
}
