//! A tag of a git repository, on this machine and over HTTP.

use std::io::Write;
use std::path::Path;

use git2::{Repository, Signature};

use crate::archive::MAKEFILE;
use crate::server::{Reply, Request, Server};
use crate::world::World;

const FIRST: &str = "all:\n";

/// Makes a repository of two commits, the second tagged v6.11; returns the tagged commit.
///
/// The first one's file is gone: who asks for history gets an error.
fn repository(dir: &Path) -> String {
    let repository = Repository::init_bare(dir).unwrap();
    let who = Signature::now("Tester", "tester@example.org").unwrap();
    let mut parent = None;
    for content in [FIRST, MAKEFILE] {
        let blob = repository.blob(content.as_bytes()).unwrap();
        let mut tree = repository.treebuilder(None).unwrap();
        tree.insert("Makefile", blob, 0o100_644).unwrap();
        let tree = repository.find_tree(tree.write().unwrap()).unwrap();
        let parents: Vec<_> = parent.iter().collect();
        let id = repository.commit(Some("refs/heads/main"), &who, &who, "work", &tree, &parents).unwrap();
        drop(parents);
        parent = Some(repository.find_commit(id).unwrap());
    }
    let gone = git2::Oid::hash_object(git2::ObjectType::Blob, FIRST.as_bytes()).unwrap().to_string();
    std::fs::remove_file(dir.join("objects").join(&gone[..2]).join(&gone[2..])).unwrap();
    let commit = parent.unwrap();
    repository.tag("v6.11", commit.as_object(), &who, "Linux 6.11", false).unwrap();
    commit.id().to_string()
}

fn world(url: &str, tag: &str, commit: &str) -> World {
    World::with_source(&format!("git = {{ url = {url:?}, tag = {tag:?}, commit = {commit:?} }}"))
}

#[track_caller]
fn assert_fetched(world: &World) {
    let tree = world.run(&["--kernel", "6.11"]).tree();
    assert_eq!(std::fs::read_to_string(tree.join("Makefile")).unwrap(), MAKEFILE);
    assert!(!tree.join(".git").exists());
    world.assert_no_leftovers();
}

/// git's own server side, behind the tests' web server.
fn http_backend(root: &Path, request: &Request) -> Reply {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let header = |name: &str| request.headers.get(name).cloned().unwrap_or_default();
    let mut git = World::with_source("path = \"unused\"").program("git");
    git.arg("http-backend").env("GIT_PROJECT_ROOT", root).env("GIT_HTTP_EXPORT_ALL", "1");
    git.env("PATH_INFO", path).env("QUERY_STRING", query).env("REQUEST_METHOD", &request.method);
    git.env("CONTENT_TYPE", header("content-type")).env("GIT_PROTOCOL", header("git-protocol"));
    git.env("CONTENT_LENGTH", request.body.len().to_string());
    git.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", "safe.directory").env("GIT_CONFIG_VALUE_0", "*");
    let mut child = git.stdin(std::process::Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&request.body).unwrap();
    let output = child.wait_with_output().unwrap().stdout;
    let end = output.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&output[..end]).into_owned();
    let status = head.lines().find_map(|line| line.strip_prefix("Status: ")?.get(..3)?.parse().ok());
    Reply::new(status.unwrap_or(200), &output[end + 4..])
}

/// A repository and a server of it at `/linux.git`.
fn served() -> (tempfile::TempDir, String, Server) {
    let root = tempfile::tempdir().unwrap();
    let commit = repository(&root.path().join("linux.git"));
    let server = Server::start({
        let root = root.path().to_owned();
        move |request| http_backend(&root, request)
    });
    (root, commit, server)
}

#[test]
fn a_tag_over_http_comes_without_history() {
    let (_root, commit, server) = served();
    let world = world(&server.url("linux.git"), "v6.11", &commit);
    assert_fetched(&world);
    let asked = server.count();
    assert_fetched(&world);
    assert_eq!(server.count(), asked, "a cached tree needs no network");
}

#[test]
fn a_tag_of_a_local_repository_needs_no_server() {
    let root = tempfile::tempdir().unwrap();
    let commit = repository(root.path());
    let path = root.path().to_str().unwrap();
    assert_fetched(&world(path, "v6.11", &commit));
    assert_fetched(&world(&format!("file://{path}"), "v6.11", &commit));
}

#[test]
fn a_tag_that_leads_elsewhere_is_refused() {
    let (root, commit, server) = served();
    let wrong = "0123456789012345678901234567890123456789";
    for url in [server.url("linux.git"), root.path().join("linux.git").to_str().unwrap().to_owned()] {
        let world = world(&url, "v6.11", wrong);
        let said = format!("expected commit {wrong}, got {commit}");
        world.run(&["--kernel", "6.11"]).fails(5, &[&url, "tag v6.11", &said]);
        world.assert_no_trees();
    }
}

#[test]
fn a_missing_tag_or_repository_is_named() {
    let (_root, commit, server) = served();
    let (linux, other) = (server.url("linux.git"), server.url("other.git"));
    for (url, tag, code, said) in [
        (&*linux, "v6.1", 5, "has no tag v6.1"),
        (&other, "v6.11", 5, "other.git: 404"),
        ("/not/there", "v6.11", 2, "no git repository at /not/there"),
    ] {
        world(url, tag, &commit).run(&["--kernel", "6.11"]).fails(code, &[said]);
    }
}

#[test]
fn a_server_that_is_no_git_server_is_told_apart() {
    let server = Server::start(|_| Reply::new(200, b"<html>Welcome</html>"));
    let commit = "0123456789012345678901234567890123456789";
    let world = world(&server.url("linux.git"), "v6.11", commit);
    world.run(&["--kernel", "6.11"]).fails(5, &["does not answer as a git server"]);
}
