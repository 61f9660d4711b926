//! A Debian source package, by an apt-get and a dpkg-deb of the test's own.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::archive::{assert_kernel, kernel, sha256};
use crate::world::World;

/// A world with an apt-get that has the package, as long as `apt-works` exists.
fn world() -> World {
    let world = World::with_source("apt = { package = \"linux-source-6.11\" }");
    let archive = kernel(1000);
    world.write("linux-source-6.11.deb", &archive);
    world.write("apt-works", "");
    let dir = world.path("").display().to_string();
    let answer = format!("'http://x/l.deb' l.deb {} SHA256:{}", archive.len(), sha256(&archive));
    tool(
        &world,
        "apt-get",
        &format!(
            "[ -e {dir}/apt-works ] || {{ echo 'E: Unable to locate package' >&2; exit 100; }}\n\
             case \"$*\" in *print-uris*) echo \"{answer}\";; *) cp {dir}/linux-source-6.11.deb l.deb;; esac"
        ),
    );
    // dpkg-deb -x FILE DIR
    tool(&world, "dpkg-deb", "mkdir -p $3/usr/src && cp $2 $3/usr/src/linux-source-6.11.tar.xz");
    world
}

fn tool(world: &World, name: &str, script: &str) {
    let path = world.write(&format!("bin/{name}"), format!("#!/bin/sh\n{script}\n"));
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn the_archive_in_the_package_becomes_the_tree() {
    let world = world();
    assert_kernel(&world.run(&[]).tree(), 1000);
    world.assert_no_leftovers();
}

#[test]
fn what_is_cached_serves_where_apt_has_no_answer() {
    let world = world();
    let tree = world.run(&[]).tree();
    fs::remove_file(world.path("apt-works")).unwrap();
    assert_eq!(world.run(&[]).tree(), tree);
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
