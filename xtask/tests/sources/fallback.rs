//! Which kernel is taken where the user names none and the network fails.

use crate::archive::{MAKEFILE, kernel, sha256};
use crate::server::{Reply, Server};
use crate::world::World;

/// 6.11 at `url`, then a 6.12 that is always there.
fn world(url: &str, sha256: &str) -> World {
    let world = World::with_catalog(&format!(
        "preferred = [\"6.11\", \"6.12\"]\n\
         [kernels.\"6.11\"]\npatches = \"p\"\nsource.tarball = {{ url = {url:?}, sha256 = {sha256:?} }}\n\
         [kernels.\"6.12\"]\npatches = \"p\"\nsource.path = \"tree\"\n"
    ));
    world.write("root/tree/Makefile", MAKEFILE.replace("11", "12"));
    world
}

const NOTE: &str = "NOTE: this is Linux 6.12.0, not 6.11 (127.0.0.1:";

#[test]
fn without_a_server_the_next_kernel_is_taken_loudly() {
    let world = world("http://127.0.0.1:1/linux-6.11.tar.xz", &sha256(b"another"));

    let outcome = world.run(&[]);
    assert!(outcome.tree().ends_with("root/tree"));
    assert!(outcome.stderr.contains(NOTE), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("`--kernel 6.11` insists"), "{}", outcome.stderr);
    world.run(&["--kernel", "6.11"]).fails(5, &["cannot download linux-6.11.tar.xz"]);
}

#[test]
fn a_broken_server_is_not_asked_again_within_the_hour() {
    let server = Server::start(|_| Reply::new(503, b""));
    let world = world(&server.url("linux-6.11.tar.xz"), &sha256(b"another"));

    assert!(world.run(&[]).stderr.contains(NOTE));
    let asked = server.count();
    assert!(asked > 0);
    let again = world.run(&[]);
    assert!(again.stderr.contains("was out of reach 0 min ago"), "{}", again.stderr);
    assert_eq!(server.count(), asked);
    world.run(&["--kernel", "6.11"]).fails(5, &["503"]);
    assert!(server.count() > asked, "who insists is served");
}

#[test]
fn an_integrity_failure_never_falls_back() {
    let altered = Server::of(kernel(10), "\"v1\"");
    world(&altered.url("linux-6.11.tar.xz"), &sha256(b"another")).run(&[]).fails(5, &["expected sha256"]);
    let missing = Server::start(|_| Reply::new(404, b""));
    world(&missing.url("linux-6.11.tar.xz"), &sha256(b"another")).run(&[]).fails(5, &["404"]);
}
