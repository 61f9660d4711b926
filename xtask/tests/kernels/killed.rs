//! `kill -9` in mid work, in every stage that runs a tool; the next run must make everything whole.
#![expect(clippy::disallowed_methods, reason = "the test makes pipes with a name")]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::process::Command;

use crate::kernel::within_a_minute;
use crate::world::World;

const TREE: &str = "root/target/kernel/6.12-fastnet";

/// Starts xtask and kills it while `tool`, having done half its work, waits. What xtask started outlives it and fails.
fn kill_while(world: &World, tool: &str, half: &str, args: &str) {
    let (begun, gate) = (world.path("begun"), world.path("gate"));
    assert!(Command::new("mkfifo").args([&begun, &gate]).status().unwrap().success());
    let wait = format!("echo > {}; read line < {}; exit 1\n", begun.display(), gate.display());
    world.tool(tool, &format!("{half}\n{wait}"));
    let mut xtask = world.command(args).spawn().unwrap();
    within_a_minute(move || File::open(begun).unwrap().read(&mut [0]).unwrap());
    xtask.kill().unwrap();
    xtask.wait().unwrap();
    within_a_minute(move || File::create(gate).unwrap().write_all(b"\n").unwrap());
    fs::remove_file(world.path("bin").join(tool)).unwrap();
}

#[test]
fn in_mid_copy() {
    let world = World::new();
    world.series("# flavor: fastnet\n1.patch\n");
    world.returning("1.patch", "1", "2");
    kill_while(&world, "rsync", "mkdir net; echo 'int tw' > net/b.c; echo stray > stray.c", "build-kernel");
    assert_eq!(world.read(&format!("{TREE}/net/b.c")), "int tw\n");
    world.run("build-kernel").passed();
    assert_eq!(world.read(&format!("{TREE}/net/b.c")), world.read("linux/net/b.c"));
    assert!(world.read(&format!("{TREE}/net/a.c")).contains("return 2;"));
    assert!(!world.path(TREE).join("stray.c").exists());
}

#[test]
fn in_mid_configuration() {
    let world = World::new();
    kill_while(&world, "awk", "echo CONFIG_NE", "build-kernel");
    let outcome = world.run("build-kernel");
    outcome.passed();
    assert!(outcome.stderr.contains("the last build did not end"), "{}", outcome.stderr);
    assert!(world.read(&format!("{TREE}/O-vm/.config")).contains("CONFIG_NET=y\n"));
}

#[test]
fn in_mid_package() {
    let world = World::new();
    world.run("build-kernel").passed();
    let image = fs::metadata(world.path(TREE).join("O-vm/vmlinux")).unwrap().modified().unwrap();
    kill_while(&world, "packager", "echo /usr/include/li", "build-kernel --package deb");
    world.tool("packager", "echo /usr/include/linux/socket.h\necho /asm/unistd_64.h");
    world.tool("dpkg-deb", "cat \"$2\"");
    let outcome = world.run("build-kernel --package deb");
    let manifest = fs::read_to_string(outcome.passed()).unwrap();
    assert!(manifest.contains("packages-vm/linux-libc-dev_1.deb"), "{manifest}");
    assert!(world.read(&format!("{TREE}/packages-vm/linux-libc-dev_1.deb")).ends_with("unistd_64.h\n"));
    assert!(!world.path(TREE).join("linux-libc-dev_1.deb").exists());
    assert_eq!(fs::metadata(world.path(TREE).join("O-vm/vmlinux")).unwrap().modified().unwrap(), image);
}
