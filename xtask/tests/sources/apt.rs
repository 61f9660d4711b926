//! A Debian source package, by an apt-get and a dpkg-deb of the test's own.

use std::fs;
use std::time::SystemTime;

use crate::archive::{assert_kernel, kernel, sha256};
use crate::world::World;

/// A world with an apt-get that has the package, as long as `apt-works` exists.
fn world() -> World {
    let world = World::with_source("apt = { package = \"linux-source-6.11\" }");
    world.write("apt-works", "");
    publish(&world, &kernel(1000));
    // dpkg-deb -x FILE DIR
    tool(&world, "dpkg-deb", "mkdir -p $3/usr/src && cp $2 $3/usr/src/linux-source-6.11.tar.xz");
    world
}

/// Puts a package with that archive where apt finds it.
fn publish(world: &World, archive: &[u8]) {
    let package = world.write("linux-source-6.11.deb", archive).display().to_string();
    let works = world.path("apt-works").display().to_string();
    let answer = format!("'http://x/l.deb' l.deb {} SHA256:{}", archive.len(), sha256(archive));
    let script = format!(
        "[ -e {works} ] || {{ echo 'E: Unable to locate package' >&2; exit 100; }}\n\
         case \"$*\" in *print-uris*) echo \"{answer}\";; *) cp {package} l.deb;; esac"
    );
    tool(world, "apt-get", &script);
}

fn tool(world: &World, name: &str, script: &str) {
    let script = world.write(&format!("{name}.sh"), format!("#!/bin/sh\n{script}\n"));
    // Not written in place: a child of another test could still hold it open for writing when it is to start.
    let place = world.path(&format!("bin/{name}"));
    assert!(world.program("install").arg(script).arg(place).status().unwrap().success());
}

#[test]
fn the_archive_in_the_package_becomes_the_tree() {
    let world = world();
    assert_kernel(&world.run(&[]).tree(), 1000);
    world.assert_no_leftovers();
}

/// Makes apt's remembered answer older than any lists.
fn forget(world: &World) {
    let memo = fs::File::open(world.path("cache/sources/linux-source-6.11.apt")).unwrap();
    memo.set_modified(SystemTime::UNIX_EPOCH).unwrap();
}

#[test]
fn what_is_cached_serves_where_apt_has_no_answer() {
    let world = world();
    let tree = world.run(&[]).tree();
    fs::remove_file(world.path("apt-works")).unwrap();
    forget(&world);
    assert_eq!(world.run(&[]).tree(), tree);
    fs::remove_dir_all(tree).unwrap();
    world.run(&[]).fails(3, &["apt has no linux-source-6.11"]);
}

#[test]
fn a_newer_package_is_another_tree() {
    let world = world();
    let old = world.run(&[]).tree();
    publish(&world, &kernel(2000));
    forget(&world);
    let new = world.run(&[]).tree();
    assert_ne!(new, old);
    assert_kernel(&new, 2000);
}

#[test]
fn without_the_package_the_error_tells_how_to_get_it() {
    let world = world();
    fs::remove_file(world.path("apt-works")).unwrap();
    let said = ["apt has no linux-source-6.11", "apt-get update", "--source", "Unable to locate"];
    world.run(&[]).fails(3, &said);
}

#[test]
fn a_package_that_is_not_what_apt_promised_is_refused() {
    let world = world();
    world.write("linux-source-6.11.deb", kernel(10));
    world.run(&[]).fails(5, &["l.deb: expected sha256"]);
    world.assert_no_trees();
}
