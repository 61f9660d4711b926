//! What the catalog and the command line may say, and what they may not.

use std::fs;

use crate::archive::MAKEFILE;
use crate::world::World;

#[test]
fn a_kernel_that_is_not_there_is_a_usage_error() {
    let world = World::with_source("path = \"tree\"");
    world.run(&["--kernel", "5.4"]).fails(2, &["`5.4` is not in the catalog", "has 6.11"]);
}

#[test]
fn a_bad_catalog_is_named_by_file_and_line() {
    let bad = |text: &str, said: &[&str]| {
        let outcome = World::with_catalog(text).run(&[]);
        outcome.fails(2, &[&["configs/kernels.toml"], said].concat());
    };
    let kernel = "[kernels.\"6.11\"]\npatches = \"p\"\n";
    bad("preferred = [\"6.11\"\n", &["line 1", "unclosed"]);
    bad("preferred = []\n[kernels]\n", &["preferred names no kernel"]);
    bad("preferred = [\n  \"6.11\",\n]\n[kernels]\n", &["kernels.toml:2", "preferred names `6.11`"]);
    bad(&format!("preferred = []\n{kernel}source.path = \"x\"\ncolour = 1\n"), &["line 5", "colour"]);
    bad(&format!("preferred = []\n{kernel}source.ftp = \"x\"\n"), &["line 4", "ftp"]);
    bad(&format!("preferred = []\n{kernel}source.apt = {{ packag = 1 }}\n"), &["line 4", "packag"]);
    let source = "source.tarball = { url = \"u\", sha256 = \"AB\" }";
    bad(&format!("preferred = []\n{kernel}{source}\n"), &["line 4", "not 64 lower-case hexadecimal"]);
}

#[test]
fn a_missing_catalog_is_a_usage_error() {
    let world = World::with_source("path = \"tree\"");
    fs::remove_file(world.path("root/configs/kernels.toml")).unwrap();
    world.run(&[]).fails(2, &["cannot read", "configs/kernels.toml"]);
}

#[test]
fn a_directory_is_used_in_place_and_known_by_its_files() {
    let world = World::with_source("path = \"tree\"");
    let file = world.write("root/tree/Makefile", MAKEFILE);
    let tree = fs::canonicalize(file.parent().unwrap()).unwrap();
    let identity = || {
        let outcome = world.run(&["--source", tree.to_str().unwrap()]);
        assert_eq!(outcome.tree(), tree);
        outcome.stderr
    };
    let first = identity();
    assert_eq!(world.run(&["--kernel", "6.11"]).stderr, first);
    world.write("root/tree/.git/HEAD", "ref: x");
    assert_eq!(identity(), first, ".git is no part of the tree");
    world.write("root/tree/net/socket.c", "int x;");
    assert_ne!(identity(), first);
    world.assert_no_trees();
}

#[test]
fn a_tree_that_was_built_in_is_refused() {
    for left in [".config", "include/config/auto.conf"] {
        let world = World::with_source("path = \"tree\"");
        world.write("root/tree/Makefile", MAKEFILE);
        world.write(&format!("root/tree/{left}"), "");
        world.run(&[]).fails(2, &["was built in", "mrproper"]);
    }
}

#[test]
fn a_source_must_be_the_kernel_it_is_taken_for() {
    let world = World::with_source("path = \"tree\"");
    let source = |name: &str, makefile: &str| {
        let file = world.write(&format!("{name}/Makefile"), makefile);
        file.parent().unwrap().to_str().unwrap().to_owned()
    };
    let unknown = source("unknown", &MAKEFILE.replace("11", "99"));
    world.run(&["--source", &unknown]).fails(2, &["Linux 6.99", "`6.99` is not in the catalog"]);
    world.run(&["--source", &unknown, "--kernel", "6.11"]).fails(2, &["is a tree of 6.99, not of 6.11"]);
    let other = source("other", "all:\n\techo hello\n");
    world.run(&["--source", &other]).fails(2, &["is not a kernel tree", "VERSION"]);
    world.run(&["--source", "/not/there"]).fails(2, &["no source at /not/there"]);
}

#[test]
fn an_archive_that_is_no_kernel_is_not_kept() {
    let world = World::with_source("path = \"tree\"");
    let archive = crate::archive::Archive::empty().file("hello-1.0/README", "hello").xz();
    let file = world.write("hello.tar.xz", archive);
    world.run(&["--source", file.to_str().unwrap()]).fails(2, &["is not a kernel tree"]);
    world.assert_no_trees();
}
