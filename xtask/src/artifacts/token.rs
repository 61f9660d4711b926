//! Who asks: a token from the environment or from `gh`'s own file, or nobody.

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::Result;
use reqwest::Url;

use crate::exit::{Classify, Exit};

/// A token and where it is from. It has no `Debug`: it belongs in no log.
pub struct Token {
    /// What is sent.
    pub secret: String,
    /// Where to look for it if it is refused.
    pub place: String,
}

/// The token for the API at `api`: `GITHUB_TOKEN`, else what `gh auth login` left for that host in hosts.yml.
pub fn find(api: &Url) -> Result<Option<Token>> {
    if let Some(secret) = env::var("GITHUB_TOKEN").ok().filter(|secret| !secret.is_empty()) {
        return Ok(Some(Token { secret, place: "GITHUB_TOKEN".to_owned() }));
    }
    let Some(path) = config_of_gh().map(|folder| folder.join("hosts.yml")) else { return Ok(None) };
    let hosts = match fs::read_to_string(&path) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(None),
        hosts => hosts.exit(Exit::Host, || format!("cannot read {}", path.display()))?,
    };
    let secret = in_hosts(&hosts, host_of_gh(api));
    Ok(secret.map(|secret| Token { secret: secret.to_owned(), place: path.display().to_string() }))
}

fn config_of_gh() -> Option<PathBuf> {
    let folder = |name| env::var_os(name).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    folder("GH_CONFIG_DIR")
        .or_else(|| Some(folder("XDG_CONFIG_HOME")?.join("gh")))
        .or_else(|| Some(folder("HOME")?.join(".config/gh")))
}

/// The name that `gh` has for the host whose API that is.
fn host_of_gh(api: &Url) -> &str {
    let host = api.host_str().unwrap_or_default();
    match host.strip_prefix("api.") {
        Some(host) if host == "github.com" || host.ends_with(".ghe.com") => host,
        _ => host,
    }
}

/// The `oauth_token` of a host, in the few lines of YAML that `gh` writes: hosts at the margin, what is known of each
/// below it, deeper still what is known of each of its users.
fn in_hosts<'a>(hosts: &'a str, host: &str) -> Option<&'a str> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let heading = |line: &&str| line.trim_end().strip_suffix(':').is_some_and(|name| unquoted(name) == host);
    let mut below = hosts
        .lines()
        .filter(|line| !line.trim().is_empty())
        .skip_while(|line| !heading(line))
        .skip(1)
        .take_while(|line| indent(line) > 0)
        .peekable();
    let depth = indent(below.peek()?);
    let secret = below
        .filter(|line| indent(line) == depth)
        .find_map(|line| line.trim().strip_prefix("oauth_token:"))
        .map(|value| unquoted(value.trim()))?;
    (!secret.is_empty()).then_some(secret)
}

fn unquoted(text: &str) -> &str {
    text.trim_matches(['"', '\''])
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTS: &str = "\
github.com:
    users:
        someone:
            oauth_token: gho_of_a_user
    oauth_token: gho_active
    user: someone
\"ghe.example.org\":
    user: other
    oauth_token: 'ghp_quoted'
kept.example.org:
    user: third
";

    #[test]
    fn each_host_has_its_own_token() {
        assert_eq!(in_hosts(HOSTS, "github.com"), Some("gho_active"));
        assert_eq!(in_hosts(HOSTS, "ghe.example.org"), Some("ghp_quoted"));
        assert_eq!(in_hosts(HOSTS, "kept.example.org"), None, "gh keeps it in the system's keyring");
        assert_eq!(in_hosts(HOSTS, "user"), None);
        assert_eq!(in_hosts("", "github.com"), None);
    }

    #[test]
    fn gh_names_a_host_and_not_its_api() {
        let name = |api: &str| host_of_gh(&Url::parse(api).unwrap()).to_owned();
        assert_eq!(name("https://api.github.com"), "github.com");
        assert_eq!(name("https://api.octocorp.ghe.com"), "octocorp.ghe.com");
        assert_eq!(name("https://ghe.example.org/api/v3"), "ghe.example.org");
        assert_eq!(name("https://api.example.org/v3"), "api.example.org");
    }
}
