//! Whose artifacts: a repository, and the API that knows it.

use std::env;
use std::fmt;
use std::path::Path;

use anyhow::{Result, bail};
use reqwest::Url;

use crate::exit::{self, Classify, Exit};

/// Where github.com's own API is.
const GITHUB: &str = "https://api.github.com";

/// A repository as its host names it: `OWNER/NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// A user or an organisation.
    pub owner: String,
    /// Without `.git`.
    pub name: String,
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

impl Repository {
    /// What `OWNER/NAME` says.
    pub fn parse(text: &str) -> Result<Self, String> {
        let part = |part: &str| {
            let sound = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            (!part.is_empty() && part.chars().all(sound) && part != "." && part != "..")
                .then(|| part.to_owned())
        };
        let parts = text.split_once('/').and_then(|(owner, name)| Some((part(owner)?, part(name)?)));
        let (owner, name) = parts.ok_or("it is not of the form OWNER/NAME")?;
        Ok(Self { owner, name })
    }
}

/// What the command line names, else the `origin` of the checkout at `root`; and the API: what the command line
/// names, else `GITHUB_API_URL` (which runners set), else github.com's.
pub fn find(root: &Path, repository: Option<&Repository>, api: Option<&str>) -> Result<(Repository, Url)> {
    let variable = env::var("GITHUB_API_URL").ok().filter(|api| !api.is_empty());
    let api = api.or(variable.as_deref());
    let repository = match repository {
        Some(repository) => repository.clone(),
        None => of_checkout(root, api.is_some()).exit(Exit::Usage, || {
            "cannot tell whose artifacts; name the repository by --repo OWNER/NAME".to_owned()
        })?,
    };
    Ok((repository, check(api.unwrap_or(GITHUB))?))
}

fn of_checkout(root: &Path, any_host: bool) -> Result<Repository> {
    let checkout = git2::Repository::discover(root)?;
    let origin = checkout.find_remote("origin")?;
    let address = origin.url().unwrap_or_default();
    let Some((host, repository)) = parse(address) else {
        bail!("origin is at `{address}`, which is no host's")
    };
    if !any_host && !["github.com", "ssh.github.com"].contains(&host.as_str()) {
        bail!(
            "origin is at {host}: name its API by --api-url, as https://{host}/api/v3 for GitHub Enterprise"
        );
    }
    Ok(repository)
}

/// The host and the repository in the address of a remote, be it a URL or ssh's `USER@HOST:PATH`.
fn parse(remote: &str) -> Option<(String, Repository)> {
    let (host, path) = match Url::parse(remote) {
        Ok(url) if url.has_host() => (url.host_str()?.to_owned(), url.path().to_owned()),
        _ => {
            let (host, path) = remote.split_once(':')?;
            (host.rsplit('@').next()?.to_owned(), path.to_owned())
        }
    };
    let path = path.trim_matches('/');
    let repository = Repository::parse(path.strip_suffix(".git").unwrap_or(path)).ok()?;
    (!host.is_empty()).then_some((host, repository))
}

/// The address of an API, if a token may be sent there: over TLS, or not out of this machine.
fn check(api: &str) -> Result<Url> {
    let url = Url::parse(api).exit(Exit::Usage, || format!("`{api}` is no URL of an API"))?;
    let here = ["127.0.0.1", "localhost", "[::1]"];
    let safe = url.scheme() == "https"
        || (url.scheme() == "http" && url.host_str().is_some_and(|host| here.contains(&host)));
    if !safe {
        return Err(exit::error(
            Exit::Usage,
            format!("the API at {api} must be an https one: a token is sent to it"),
        ));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remotes_are_understood_in_every_form_git_has() {
        for remote in [
            "https://github.com/owner/fast.net.git",
            "https://someone:secret@github.com/owner/fast.net",
            "ssh://git@github.com:22/owner/fast.net.git",
            "git@github.com:owner/fast.net.git",
            "github.com:owner/fast.net",
            "git://github.com/owner/fast.net/",
        ] {
            let (host, repository) = parse(remote).unwrap_or_else(|| panic!("{remote}"));
            assert_eq!(
                (host.as_str(), repository.to_string().as_str()),
                ("github.com", "owner/fast.net"),
                "{remote}"
            );
        }
    }

    #[test]
    fn what_names_no_repository_of_a_host_is_none() {
        for remote in [
            "",
            "/srv/git/fastnet.git",
            "../fastnet",
            "file:///srv/owner/fastnet",
            "https://github.com/a/b/c",
        ] {
            assert_eq!(parse(remote), None, "{remote}");
        }
        for name in ["fastnet", "a/b/c", "a/..", "/b", "a/", "a/b?c", "a b/c"] {
            assert!(Repository::parse(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_token_is_never_sent_in_the_clear() {
        for safe in
            ["https://ghe.example.org/api/v3", "http://127.0.0.1:8080", "http://localhost", "http://[::1]:1"]
        {
            assert!(check(safe).is_ok(), "{safe}");
        }
        for unsafe_ in [
            "http://ghe.example.org/api/v3",
            "ftp://127.0.0.1",
            "api.github.com",
            "http://127.0.0.1.example.org",
        ] {
            assert!(check(unsafe_).is_err(), "{unsafe_}");
        }
    }
}
