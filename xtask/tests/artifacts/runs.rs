//! Which run is found, and which of its artifacts.

use serde_json::{Value, json};

use crate::github::{GitHub, Host, SHA, refuse};
use crate::packages::packages;
use crate::server::{Reply, Server};
use crate::world::Outcome;

const RELEASED: &str = "fedcba9876543210fedcba9876543210fedcba98";

/// A host where every run has an artifact named after it.
fn named_after(runs: &[u64], host: Host) -> GitHub {
    let name = |id: &u64| format!("of-run-{id}");
    runs.iter().fold(host, |host, id| host.artifact(*id, *id, &name(id), b"zip", |_| ())).start()
}

/// Asserts that `list` with these arguments shows the artifacts of that run.
#[track_caller]
fn assert_finds(github: &GitHub, args: &[&str], id: u64) {
    let list = github.run(&[&["list"], args].concat());
    let line = list.passed().to_str().unwrap();
    assert!(line.starts_with(&format!("of-run-{id} ")), "{line}{}", list.stderr);
}

fn fork(run: &mut Value) {
    run["head_repository"] = json!({ "id": 2, "full_name": "stranger/fastnet" });
    run["event"] = "pull_request".into();
}

#[test]
fn latest_is_green_on_the_default_branch_and_no_forks() {
    let host = Host::new()
        .run(1, |_| ())
        .run(2, |_| ())
        .run(3, fork)
        .run(4, |run| run["head_repository"] = Value::Null)
        .run(5, |run| run["conclusion"] = "failure".into())
        .run(6, |run| run["head_branch"] = "topic".into());
    let github = named_after(&[1, 2, 3, 4, 5, 6], host);
    assert_finds(&github, &[], 2);
    assert_finds(&github, &["--run", "latest"], 2);
    assert_finds(&github, &["--branch", "topic"], 6);
    assert_finds(&github, &["--run", "1"], 1);
}

#[test]
fn a_newer_run_without_what_is_asked_for_is_passed_over() {
    let nightly = |run: &mut Value| run["name"] = "Nightly".into();
    let host = Host::new().run(1, |_| ()).artifact(1, 1, "packages-6.12", &packages(10), |_| ());
    let github = host.run(2, nightly).artifact(2, 2, "report", b"zip", |_| ()).run(3, |_| ()).start();
    for (args, said) in [
        (&["list", "packages"][..], "run 1 of CI: "),
        (&["list", "packages", "--branch", "main"], "run 1 of CI: "),
        (&["list", "report"], "run 2 of Nightly: "),
        (&["list"], "run 2 of Nightly: "),
    ] {
        let list = github.run(args);
        list.passed();
        assert!(list.stderr.starts_with(said), "{args:?}: {}", list.stderr);
    }
    github.download(&["packages"]).passed();
    let none = ["run 2 has no artifact whose name contains `packages`: it has report"];
    github.download(&["packages", "--run", "2"]).failed(2, &none);
}

#[test]
fn no_more_than_twenty_runs_are_looked_at() {
    let host = Host::new().run(1, |_| ()).artifact(1, 1, "packages", b"zip", |_| ());
    let host =
        (2..=22).fold(host, |host, id| host.run(id, |_| ()).artifact(id, id, "report", b"zip", |_| ()));
    let github = host.start();
    let none = "run 22 has no artifact whose name contains `packages`, nor has any of the 19 before it: it has report";
    github.run(&["list", "packages"]).failed(2, &[none]);
    assert_eq!(github.api.gets().len(), 1 + 1 + 20, "the default branch, runs, artifacts of each");
}

#[test]
fn a_tag_is_found_where_it_is_now() {
    let tagged = |sha: &'static str| {
        move |run: &mut Value| {
            run["head_branch"] = "v0.1.0".into();
            run["head_sha"] = sha.into();
        }
    };
    let mut host = Host::new()
        .run(1, tagged(RELEASED))
        .run(2, tagged(SHA))
        .run(3, |run| run["head_sha"] = RELEASED.into());
    host.tags = [("v0.1.0", RELEASED), ("nightly/1", SHA)].into();
    let github = named_after(&[1, 2, 3], host);
    assert_finds(&github, &["--tag", "v0.1.0"], 1);
    github.run(&["list", "--tag", "v9"]).failed(2, &["owner/fastnet has no tag v9"]);
    github
        .run(&["list", "--tag", "nightly/1"])
        .failed(2, &["owner/fastnet has no green run for the tag nightly/1"]);
}

#[test]
fn a_workflow_is_named_by_its_file() {
    let host = Host::new().run(1, |run| run["path"] = ".github/workflows/release.yml".into()).run(2, |_| ());
    let github = named_after(&[1, 2], host);
    assert_finds(&github, &["--workflow", "release.yml"], 1);
    assert_finds(&github, &["--workflow", "ci.yml"], 2);
    let none = ["owner/fastnet has no green run of nightly.yml for the branch main", "--run ID"];
    github.run(&["list", "--workflow", "nightly.yml"]).failed(2, &none);
    let unknown = ["/actions/workflows/other.yml/runs", "answered 404 Not Found"];
    github.run(&["list", "--workflow", "other.yml"]).failed(2, &unknown);
}

#[test]
fn pages_are_turned_until_the_last() {
    let host = (2..=150).fold(Host::new().run(1, |_| ()), |host, id| host.run(id, fork));
    let host =
        (1..=250).fold(host, |host, id| host.artifact(1, id, &format!("part-{id:03}"), b"zip", |_| ()));
    let github = host.start();
    let list = github.run(&["list"]);
    list.passed();
    let names: Vec<_> = list.stdout.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(names.len(), 250);
    assert_eq!((names[0], names[249]), ("part-001", "part-250"));
    assert_eq!(github.api.gets().len(), 1 + 2 + 3, "the default branch, runs, artifacts");
}

#[test]
fn the_name_filter_and_the_newest_of_a_name() {
    let expired = |artifact: &mut Value| {
        artifact["expired"] = true.into();
        artifact["expires_at"] = "2026-01-02T00:00:00Z".into();
    };
    let github = Host::new()
        .run(1, |_| ())
        .artifact(1, 12, "packages-6.12", &[0; 3000], |_| ())
        .artifact(1, 11, "packages-6.12", b"of the first attempt", |_| ())
        .artifact(1, 13, "packages-6.11", b"zip", expired)
        .artifact(1, 14, "guest-runs", b"zip", |_| ())
        .start();
    let list = github.run(&["list", "packages"]);
    list.passed();
    let rows: Vec<Vec<_>> = list.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["packages-6.11", "3", "B", "expired", "2026-01-02"]);
    assert_eq!(rows[1], ["packages-6.12", "2.93", "KiB", "kept", "until", "2027-02-20"]);
    assert_eq!(rows.len(), 2);
    assert!(
        list.stderr.starts_with("run 1 of CI: push on main at 0123456789ab, 2026-11-22, https://"),
        "{}",
        list.stderr
    );

    let none = ["no artifact whose name contains `rpm`: it has guest-runs, packages-6.11, packages-6.12"];
    github.download(&["rpm"]).failed(2, &none);
    github.download(&["packages"]).failed(5, &["expired in run 1: packages-6.11 (on 2026-01-02)"]);
    github.assert_nothing_unpacked();
    assert_eq!(github.lendings(), 0);
}

#[test]
fn a_run_by_number_is_taken_with_a_caution() {
    let host = Host::new().run(1, |run| run["conclusion"] = "failure".into()).run(2, fork);
    let github = named_after(&[1, 2], host);
    let red = github.run(&["list", "--run", "1"]);
    red.passed();
    assert!(red.stderr.contains("CAUTION: run 1 is not green: failure"), "{}", red.stderr);
    let foreign = github.run(&["list", "--run", "2"]);
    foreign.passed();
    assert!(
        foreign.stderr.contains("CAUTION: run 2 built the code of stranger/fastnet, not of owner/fastnet")
    );
    github.run(&["list", "--run", "3"]).failed(2, &["owner/fastnet has no run 3"]);
    github.run(&["list", "--run", "1", "--tag", "v1"]).failed(2, &["--tag"]);
    github.run(&["list", "--run", "first"]).failed(2, &["neither `latest` nor a run's number"]);
}

#[test]
fn a_repository_that_was_renamed_is_followed() {
    let mut host = Host::new().run(1, |_| ()).artifact(1, 1, "of-run-1", &packages(100), |_| ());
    host.say = Box::new(|request| {
        let new = request.path.strip_prefix("/repos/old/name")?;
        Some(Reply::new(301, b"{}").header("Location", format!("/repos/owner/fastnet{new}")))
    });
    let github = host.start();
    github.download(&["--repo", "old/name"]).passed();
}

#[test]
fn no_token_follows_a_redirect_to_another_host() {
    let stranger = Server::of(b"{}".to_vec(), "\"v1\"");
    let elsewhere = stranger.url("repos");
    let mut host = Host::new();
    host.say = Box::new(move |_| Some(Reply::new(301, b"{}").header("Location", elsewhere.clone())));
    host.start().run(&["list"]).failed(5, &["answered 301"]);
    assert_eq!(stranger.count(), 0);
}

#[test]
fn the_repository_is_origins_or_is_named() {
    let github = named_after(&[1], Host::new().run(1, |_| ()));
    assert_finds(&github, &["--repo", "owner/fastnet"], 1);
    github.run(&["list", "--repo", "owner/other"]).failed(2, &["owner/other has no default branch"]);
    github.run(&["list", "--repo", "fastnet"]).failed(2, &["OWNER/NAME"]);

    let checkout = git2::Repository::open(github.world.path("root")).unwrap();
    checkout.remote_set_url("origin", "https://git.example.org/owner/fastnet").unwrap();
    assert_finds(&github, &[], 1);
    let mut without = github.world.xtask();
    github.log_in(&mut without).args(["artifacts", "list"]);
    let said = ["origin is at git.example.org: name its API by --api-url, as https://git.example.org/api/v3"];
    Outcome::of(without.output().unwrap()).failed(2, &said);
    checkout.remote_delete("origin").unwrap();
    github.run(&["list"]).failed(2, &["name the repository by --repo OWNER/NAME"]);
}

#[test]
fn an_answer_that_is_none_is_named() {
    let html: fn() -> Reply = || Reply::new(200, b"<html>");
    let list: fn() -> Reply = || Reply::new(200, b"[]");
    let short: fn() -> Reply = || Reply::new(200, b"{\"default_branch\":\"main\"}");
    let broken: fn() -> Reply = || refuse(502, "Bad Gateway");
    for (reply, said) in [
        (html, "something else than GitHub's API"),
        (list, "something else than GitHub's API"),
        (short, "answered with no workflow_runs"),
        (broken, "502 Bad Gateway"),
    ] {
        let mut host = Host::new();
        host.say = Box::new(move |_| Some(reply()));
        host.start().run(&["list"]).failed(5, &[said]);
    }
    let github = Host::new().start();
    let nowhere = ["list", "--repo", "owner/fastnet", "--api-url", "http://127.0.0.1:1"];
    let mut command = github.world.xtask();
    github.log_in(&mut command).arg("artifacts").args(nowhere);
    Outcome::of(command.output().unwrap()).failed(5, &["GitHub's API does not answer: "]);
}
