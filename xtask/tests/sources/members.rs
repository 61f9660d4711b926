//! Archives whose members want to be elsewhere, or are no files at all.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use tar::EntryType;

use crate::archive::Archive;
use crate::world::World;

#[test]
fn files_links_and_modes_survive() {
    let world = World::with_source("path = \"unused\"");
    let archive = Archive::new()
        .member(EntryType::XGlobalHeader, "pax_global_header", "", b"")
        .member(EntryType::Directory, "linux-6.11/empty/", "", b"")
        .file("linux-6.11/scripts/run.sh", "#!/bin/sh")
        .link(EntryType::Symlink, "linux-6.11/scripts/top", "../Makefile")
        .link(EntryType::Symlink, "linux-6.11/scripts/later", "nowhere/yet")
        .link(EntryType::Link, "linux-6.11/same.sh", "linux-6.11/scripts/run.sh")
        .xz();
    let file = world.write("mine.tar.xz", archive);

    let tree = world.run(&["--source", file.to_str().unwrap()]).tree();
    assert!(tree.join("empty").is_dir());
    let script = fs::metadata(tree.join("scripts/run.sh")).unwrap();
    assert_eq!(script.permissions().mode() & 0o111, 0o111);
    assert_eq!(script.mtime(), 1_700_000_000);
    assert_eq!(fs::metadata(tree.join("same.sh")).unwrap().ino(), script.ino());
    assert_eq!(fs::metadata(tree.join("Makefile")).unwrap().permissions().mode() & 0o111, 0);
    assert_eq!(fs::read_link(tree.join("scripts/top")).unwrap().to_str(), Some("../Makefile"));
    assert!(file.is_file(), "the source is not the cache's to remove");
}

/// Fetches an archive with something bad in it: it is refused, and nothing of it stays anywhere.
#[track_caller]
fn refused(archive: Archive, said: &str) {
    let world = World::with_source("path = \"unused\"");
    let file = world.write("bad.tar.xz", archive.xz());
    world.run(&["--source", file.to_str().unwrap()]).fails(5, &[said, "bad.tar.xz is not a sound archive"]);
    world.assert_no_trees();
    let kept = walkdir::WalkDir::new(world.path(".")).into_iter().map(|entry| entry.unwrap());
    let kept: Vec<_> = kept.filter(|entry| entry.file_name() == "evil").collect();
    assert!(kept.is_empty(), "{kept:?}");
}

#[test]
fn a_member_above_the_tree_is_refused() {
    refused(Archive::new().file("linux-6.11/../../evil", "x"), "leads out of the archive's folder");
    refused(Archive::new().file("../evil", "x"), "leads out of the archive's folder");
}

#[test]
fn an_absolute_member_is_refused() {
    refused(Archive::new().file("/tmp/evil", "x"), "leads out of the archive's folder");
}

#[test]
fn a_link_out_of_the_tree_is_refused() {
    let link = |target| Archive::new().link(EntryType::Symlink, "linux-6.11/evil", target);
    refused(link("/etc/hostname"), "leads out of the tree");
    refused(link("/not/there"), "leads out of the tree");
    refused(link("../../.."), "leads out of the tree");
    refused(link("../not-there"), "leads out of the tree");
}

#[test]
fn a_link_out_of_the_tree_by_way_of_another_is_refused() {
    let archive = Archive::new()
        .file("linux-6.11/a/b/file", "x")
        .link(EntryType::Symlink, "linux-6.11/a/b/up", "../..")
        .link(EntryType::Symlink, "linux-6.11/evil", "a/b/up/..");
    refused(archive, "leads out of the tree");
}

#[test]
fn nothing_is_written_through_a_link() {
    let archive =
        Archive::new().link(EntryType::Symlink, "linux-6.11/door", "/tmp").file("linux-6.11/door/evil", "x");
    refused(archive, "making the link");
}

#[test]
fn a_hard_link_out_of_the_tree_is_refused() {
    let link = |target| Archive::new().link(EntryType::Link, "linux-6.11/evil", target);
    refused(link("/etc/hostname"), "leads out of the archive's folder");
    refused(link("linux-6.11/../../../evil"), "leads out of the archive's folder");
}

#[test]
fn a_device_is_refused() {
    for kind in [EntryType::Char, EntryType::Block, EntryType::Fifo] {
        refused(Archive::new().link(kind, "linux-6.11/evil", ""), "neither a file, a folder nor a link");
    }
}

#[test]
fn a_member_beside_the_tree_or_twice_is_refused() {
    refused(Archive::new().file("evil", "x"), "lies beside the archive's folder");
    refused(Archive::new().file("linux-6.11/Makefile", "x"), "member linux-6.11/Makefile");
}

#[test]
fn what_is_no_archive_is_refused() {
    let world = World::with_source("path = \"unused\"");
    let file = world.write("linux.tar.xz", "<html>Not Found</html>");
    world.run(&["--source", file.to_str().unwrap()]).fails(5, &["linux.tar.xz is not a sound archive"]);
}
