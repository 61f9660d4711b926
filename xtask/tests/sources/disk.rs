//! A disk that fills up: a small tmpfs in a mount namespace of the test's own, so that none is left behind.

use crate::archive::{kernel, sha256};
use crate::server::Server;
use crate::world::{Outcome, World};

/// Fetches into a cache on a disk of `room`, shows what stayed there, then tries again with 64 MiB.
///
/// `None` on a host that lets this user have no namespace.
fn fetch_into(room: &str, archive: &[u8]) -> Option<Outcome> {
    let server = Server::of(archive.to_vec(), "\"v1\"");
    let url = server.url("linux-6.11.tar.xz");
    let world = World::with_source(&format!("tarball = {{ url = {url:?}, sha256 = {:?} }}", sha256(archive)));
    std::fs::create_dir(world.path("cache")).unwrap();
    let unshare = ["--map-root-user", "--mount"];
    if !world.program("unshare").args(unshare).arg("true").status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: no user namespace here");
        return None;
    }
    let script = "mount -t tmpfs -o size=$ROOM none \"$FASTNET_CACHE\" && cd \"$FASTNET_CACHE\" || exit 99
        \"$XTASK\" fetch --kernel 6.11
        echo \"code $?\"
        find . -type f ! -name '*.lock' -printf 'kept %p\\n'
        mount -t tmpfs -o remount,size=64m none \"$FASTNET_CACHE\" && \"$XTASK\" fetch --kernel 6.11";
    let mut command = world.program("unshare");
    command.args(unshare).args(["sh", "-c", script]);
    command.env("ROOM", room).env("XTASK", env!("CARGO_BIN_EXE_xtask"));
    Some(Outcome::of(command.output().unwrap()))
}

#[track_caller]
fn assert_explained(outcome: &Outcome) {
    assert_eq!(outcome.code, Some(0), "the second try failed: {}", outcome.stderr);
    assert!(outcome.stdout.starts_with("code 3\n"), "{outcome:?}");
    assert!(!outcome.stdout.contains("kept"), "{outcome:?}");
    for said in ["no room in ", "/cache (FASTNET_CACHE=DIR", "this takes about "] {
        assert!(outcome.stderr.contains(said), "`{said}` is not in: {}", outcome.stderr);
    }
}

#[test]
fn an_archive_that_does_not_fit_is_not_begun() {
    let Some(outcome) = fetch_into("512k", &kernel(600 << 10)) else { return };
    assert_explained(&outcome);
    assert!(outcome.stderr.contains("this takes about 60"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("writing"), "{}", outcome.stderr);
}

#[test]
fn a_tree_that_does_not_fit_is_taken_back() {
    let Some(outcome) = fetch_into("512k", &kernel(300 << 10)) else { return };
    assert_explained(&outcome);
    // About 300 KiB, from what was read and written until then.
    assert!(outcome.stderr.contains("this takes about 30"), "{}", outcome.stderr);
}

#[test]
fn a_cache_that_cannot_be_made_is_named() {
    let sha256 = sha256(b"");
    let world =
        World::with_source(&format!("tarball = {{ url = \"http://127.0.0.1:9\", sha256 = {sha256:?} }}"));
    world.write("cache", "a file, where the folder would be");
    world.run(&["--kernel", "6.11"]).fails(3, &["cannot make ", "/cache/sources (FASTNET_CACHE=DIR"]);
}
