//! Who asks, and who is told.

use crate::github::{GitHub, Host, TOKEN, refuse};
use crate::packages::packages;
use crate::world::Outcome;

fn host() -> Host {
    Host::new().run(1, |_| ()).artifact(1, 7, "packages", &packages(100), |_| ())
}

/// `artifacts download` with that in `GITHUB_TOKEN`.
fn download_as(github: &GitHub, token: &str) -> Outcome {
    let out = github.out().display().to_string();
    let mut command = github.artifacts(&["download", "--out", &out]);
    Outcome::of(command.env("GITHUB_TOKEN", token).output().unwrap())
}

#[test]
fn the_token_goes_to_the_api_and_nowhere_else() {
    let github = host().start();
    github.download(&[]).passed();
    let expected = format!("Bearer {TOKEN}");
    assert!(github.api.gets().iter().all(|get| get.headers.get("authorization") == Some(&expected)));
    assert_eq!(github.storage.gets().len(), 1);
    assert!(!github.storage.gets()[0].headers.contains_key("authorization"));
}

#[test]
fn without_one_what_gh_knows_is_taken() {
    let github = host().start();
    github.world.write("gh/hosts.yml", format!("127.0.0.1:\n    oauth_token: {TOKEN}\n    user: someone\n"));
    download_as(&github, "").passed();
}

#[test]
fn without_any_there_is_a_list_and_no_download() {
    let github = host().start();
    let list = github.artifacts(&["list"]).env_remove("GITHUB_TOKEN").output().unwrap();
    Outcome::of(list).passed();
    let said = ["127.0.0.1 wants to know who asks", "Requires authentication", "set GITHUB_TOKEN"];
    download_as(&github, "").failed(3, &said);
    github.assert_nothing_unpacked();
}

#[test]
fn a_token_that_is_not_accepted_is_named_and_not_shown() {
    let github = host().start();
    let refused = download_as(&github, "ghp_expired");
    refused.failed(3, &["the token in GITHUB_TOKEN is not accepted", "Bad credentials", "renew it"]);
    assert!(!refused.stderr.contains("ghp_expired"));
    download_as(&github, "two\nlines")
        .failed(3, &["the token in GITHUB_TOKEN has characters that no token has"]);
}

#[test]
fn a_token_that_may_not_do_this_is_told_what_it_lacks() {
    let mut host = host();
    host.say = Box::new(|request| {
        request
            .path
            .ends_with("/zip")
            .then(|| refuse(403, "Resource not accessible by personal access token"))
    });
    let said = ["the token in GITHUB_TOKEN may not do this", "it needs to read Actions"];
    host.start().download(&[]).failed(3, &said);
}

#[test]
fn a_token_is_not_sent_in_the_clear() {
    let github = Host::new().start();
    let mut command = github.world.xtask();
    github.log_in(&mut command).args(["artifacts", "list", "--api-url", "http://ghe.example.org/api/v3"]);
    Outcome::of(command.output().unwrap()).failed(2, &["must be an https one"]);
}
