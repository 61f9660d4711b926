//! What is made, what is made again, and what is said when it cannot be.
#![expect(clippy::disallowed_methods, reason = "the test makes a pipe with a name")]

use std::fs::{self, File, TryLockError};
use std::io::{Read, Write};
use std::process::Command;
use std::time::SystemTime;

use crate::kernel::within_a_minute;
use crate::world::World;

const TREE: &str = "root/target/kernel/6.12-fastnet";

fn modified(world: &World, name: &str) -> SystemTime {
    fs::metadata(world.path(TREE).join(name)).unwrap().modified().unwrap()
}

fn compiled(world: &World) -> String {
    let path = world.path(TREE).join("O-vm/compiled");
    let text = fs::read_to_string(&path).unwrap_or_default();
    let _ = fs::remove_file(path);
    text
}

#[test]
fn a_manifest_tells_of_the_build_and_nothing_is_made_twice() {
    let world = World::new();
    let outcome = world.run("build-kernel");
    let manifest = outcome.passed();
    let text: serde_json::Value = serde_json::from_slice(&fs::read(manifest).unwrap()).unwrap();
    assert_eq!(text["kernel"], "6.12");
    assert_eq!(text["release"], "6.12.1-test");
    assert_eq!((text["flavor"].as_str(), text["config"].as_str()), (Some("fastnet"), Some("vm")));
    assert!(fs::exists(text["bzimage"]["path"].as_str().unwrap()).unwrap());
    let log = modified(&world, "O-vm/build.log");
    assert_eq!(world.run("build-kernel").passed(), manifest);
    assert_eq!(modified(&world, "O-vm/build.log"), log, "make ran again");

    fs::remove_file(text["bzimage"]["path"].as_str().unwrap()).unwrap();
    world.run("build-kernel").passed();
    assert!(modified(&world, "O-vm/build.log") > log, "a lost bzImage was not noticed");
}

#[test]
fn only_what_a_patch_changes_is_compiled() {
    let world = World::new();
    world.run("build-kernel").passed();
    assert_eq!(compiled(&world).lines().count(), 2);
    let untouched = modified(&world, "net/b.c");

    world.series("# flavor: fastnet\n1.patch\n");
    world.returning("1.patch", "1", "2");
    world.run("build-kernel").passed();
    assert_eq!(compiled(&world), "a\n");
    assert!(world.read(&format!("{TREE}/net/a.c")).contains("return 2;"));

    world.series("");
    world.run("build-kernel").passed();
    assert_eq!(compiled(&world), "a\n");
    assert_eq!(world.read(&format!("{TREE}/net/a.c")), world.read("linux/net/a.c"));
    assert_eq!(modified(&world, "net/b.c"), untouched);
}

#[test]
fn half_a_tree_is_made_whole() {
    let world = World::new();
    world.series("# flavor: fastnet\n1.patch\n");
    world.returning("1.patch", "1", "2");
    world.run("build-kernel").passed();
    let untouched = modified(&world, "Kconfig");
    // As kill -9 leaves it: the state comes last.
    fs::remove_file(world.path(TREE).join(".fastnet-tree")).unwrap();
    world.write(&format!("{TREE}/net/b.c"), "int tw");
    world.write(&format!("{TREE}/net/a.c"), "int");
    world.write(&format!("{TREE}/net/stray.c"), "");
    world.run("build-kernel").passed();
    assert_eq!(world.read(&format!("{TREE}/net/b.c")), world.read("linux/net/b.c"));
    assert!(world.read(&format!("{TREE}/net/a.c")).contains("return 2;"));
    assert!(!world.path(TREE).join("net/stray.c").exists());
    assert_eq!(modified(&world, "Kconfig"), untouched);
}

#[test]
fn a_changed_source_reaches_the_tree() {
    let world = World::new();
    world.run("build-kernel").passed();
    compiled(&world);
    world.write("linux/net/b.c", "int three, four;\n");
    world.run("build-kernel").passed();
    assert_eq!(compiled(&world), "b\n");
}

#[test]
fn options_that_do_not_take_are_all_named() {
    let world = World::new();
    world.write("root/configs/vm.config", "CONFIG_NET=y\n\nCONFIG_NO_SUCH=y\nCONFIG_NET=m\nCONFIG_GONE=3\n");
    world.run("build-kernel").failed(
        6,
        &[
            "2 of the options asked for did not take",
            "configs/vm.config:3: CONFIG_NO_SUCH=y: no Kconfig file of this kernel knows it",
            "configs/vm.config:5: CONFIG_GONE=3",
        ],
    );
    world.write("root/configs/vm.config", "CONFIG_NET=y\nNET=y\n");
    world.run("build-kernel").failed(6, &["configs/vm.config:2", "NET=y"]);
}

#[test]
fn the_compilers_own_lines_are_shown() {
    let world = World::new();
    world.write("linux/net/a.c", "int one(void)\n{\n\treturn nowhere;\n}\n");
    let outcome = world.run("build-kernel");
    outcome.failed(6, &["net/a.c:3:16: error: ", "nowhere", "return nowhere;", "O-vm/build.log"]);
    assert!(!outcome.stderr.contains("***"), "make's lines are shown:\n{}", outcome.stderr);
    world.write("linux/net/a.c", "int one;\n");
    world.run("build-kernel").passed();
}

#[test]
fn a_make_that_outlives_us_keeps_the_tree_locked() {
    let world = World::new();
    let (begun, gate) = (world.path("begun"), world.path("gate"));
    assert!(Command::new("mkfifo").args([&begun, &gate]).status().unwrap().success());
    // Last of all, so that make has nothing more to say to a screen that is gone.
    let rule = format!(
        "modules: $(O)/arch/x86/boot/bzImage\n\t@echo > {}; read line < {}\n",
        begun.display(),
        gate.display()
    );
    world.write("linux/Makefile", world.read("linux/Makefile").replace("modules:\n", &rule));

    let mut xtask = world.command("build-kernel").spawn().unwrap();
    within_a_minute(move || File::open(begun).unwrap().read(&mut [0]).unwrap());
    xtask.kill().unwrap();
    xtask.wait().unwrap();
    let lock = File::open(world.path("root/target/kernel/6.12-fastnet.lock")).unwrap();
    assert!(matches!(lock.try_lock(), Err(TryLockError::WouldBlock)), "the lock went with xtask");
    // For reading too, as else this would wait for the reader.
    let mut gate = File::options().read(true).write(true).open(&gate).unwrap();
    gate.write_all(b"\n").unwrap();
    within_a_minute(move || lock.lock().unwrap());
}

/// Kconfig asks for its version, which would be in the configuration; and rustup's takes a long way to answer where it
/// has not been installed.
#[test]
fn a_hosts_rust_is_not_asked() {
    let world = World::new();
    world.tool("rustc", &format!("echo >{}", world.path("asked").display()));
    let makefile =
        world.read("linux/Makefile").replace("tinyconfig:\n", "tinyconfig:\n\t-@$(RUSTC) --version\n");
    world.write("linux/Makefile", format!("RUSTC = rustc\n{makefile}"));
    world.run("build-kernel").passed();
    assert!(!world.path("asked").exists());
}

/// scripts/build-version counts the packagings of an objtree in .version, and what it says is linked into the kernel.
#[test]
fn an_rpm_after_another_has_the_same_kernel() {
    let world = World::new();
    world.tool("packager", "echo /usr/include/linux/socket.h\necho /usr/include/asm/unistd_64.h");
    world.tool("rpm", "cat \"$2\"");
    world.run("build-kernel --package rpm").passed();

    world.series("# flavor: fastnet\n1.patch\n");
    world.returning("1.patch", "1", "2");
    world.run("build-kernel --package rpm").passed();
}

#[test]
fn packages_come_with_their_manifest_and_what_they_are_made_of() {
    let world = World::new();
    world.tool("packager", "echo /usr/include/linux/socket.h; echo /asm/unistd_64.h");
    world.tool("dpkg-deb", "cat \"$2\"");
    world.series("# flavor: fastnet\n1.patch\n");
    world.returning("1.patch", "1", "2");
    world.run("build-kernel --package deb").passed();

    let folder = world.path(TREE).join("packages-vm");
    let checked =
        Command::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(&folder).output();
    let checked = String::from_utf8(checked.unwrap().stdout).unwrap();
    assert_eq!(
        checked,
        "linux-libc-dev_1.deb: OK\nlinux-6.12.1-test.manifest.json: OK\nlinux-6.12.1-test.cdx.json: OK\n"
    );

    let json = |kind| {
        let name = format!("linux-6.12.1-test.{kind}.json");
        serde_json::from_slice(&fs::read(folder.join(name)).unwrap()).unwrap()
    };
    let (manifest, bill): (serde_json::Value, serde_json::Value) = (json("manifest"), json("cdx"));
    assert_eq!(manifest["packages"][0]["path"], "linux-libc-dev_1.deb");
    let parts: Vec<_> =
        bill["components"].as_array().unwrap().iter().map(|part| part["bom-ref"].as_str().unwrap()).collect();
    assert_eq!(parts, ["source", "1.patch", "config-6.12.1-test", "gcc", "linux-libc-dev_1.deb"]);
    assert_eq!(bill["components"][4]["hashes"][0]["content"], manifest["packages"][0]["sha256"]);
}
