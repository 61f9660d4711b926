//! A build that is made again: equal where only the circumstances are others, told member by member where not.

use crate::world::World;

/// Makes a package of all that a build may see of its circumstances. `$1` is what it must not look at.
fn world(looking: &str) -> World {
    let world = World::new();
    world.tool("packager", &format!("\
        mkdir -p tmp-pkg/DEBIAN tmp-pkg/usr/include/linux tmp-pkg/usr/include/asm
        printf 'Package: linux-libc-dev\\nVersion: 1\\nArchitecture: all\\nMaintainer: A <a@b>\\nDescription: a\\n' \
            > tmp-pkg/DEBIAN/control
        env | grep -v '^\\(O\\|PATH\\|HOME\\|USER\\|TMPDIR\\|PWD\\|OLDPWD\\|TERM\\|MAKE.*\\|MFLAGS\\|LD_PRELOAD\\|FAKETIME.*\\|GIT_CEILING_DIRECTORIES\\)=' \
            | sort > tmp-pkg/usr/include/linux/socket.h
        date > tmp-pkg/usr/include/asm/unistd_64.h
        {looking}
        dpkg-deb --root-owner-group --build tmp-pkg tmp.deb >&2
        cat tmp.deb
        rm -r tmp-pkg tmp.deb"));
    world
}

#[test]
fn other_circumstances_make_the_same() {
    let world = world("");
    world.run("build-kernel --package deb").passed();
    let outcome = world.run("build-kernel --verify-reproducible");
    outcome.passed();
    for line in ["equal  bzImage", "equal  vmlinux", "equal  linux-libc-dev_1.deb", "400 days later"] {
        assert!(outcome.stderr.contains(line), "no `{line}` in {}", outcome.stderr);
    }
    assert!(
        outcome.stdout.ends_with("/manifest.json\n") && outcome.stdout.lines().count() == 1,
        "{}",
        outcome.stdout
    );
    assert!(!world.path("root/target/made-again/from-nothing").exists());
}

#[test]
fn what_cannot_be_made_again_is_told_member_by_member() {
    let world = world("pwd -P > tmp-pkg/usr/include/asm/unistd_64.h");
    let outcome = world.run("build-kernel --package deb --verify-reproducible");
    outcome.failed(1, &["1 of 3 files cannot be made again", "made-again/from-nothing"]);
    let said = &outcome.stderr;
    let told: Vec<_> = said.lines().filter(|line| line.starts_with("    data ")).collect();
    assert_eq!(told.len(), 1, "{said}");
    assert!(told[0].starts_with("    data ./usr/include/asm/unistd_64.h: sha256 "), "{said}");
    assert!(said.contains("DIFFERS linux-libc-dev_1.deb") && said.contains("equal  bzImage"), "{said}");
}

#[test]
fn each_circumstance_is_another() {
    let world = World::new();
    world.tool(
        "packager",
        &format!(
            "/bin/date +%Y >> {0}; echo $HOME >> {0}; echo $USER >> {0}; uname -n >> {0}; \
        echo /usr/include/linux/socket.h /asm/unistd_64.h",
            world.path("seen").display()
        ),
    );
    world.tool("dpkg-deb", "cat \"$2\"");
    let outcome = world.run("build-kernel --package deb --verify-reproducible");
    outcome.passed();
    let seen = world.read("seen");
    let seen: Vec<_> = seen.lines().collect();
    let (first, second) = seen.split_at(4);
    assert_eq!(second.len(), 4, "{seen:?}");
    let renamed = outcome.stderr.contains("on a host of another name");
    for (one, other) in first.iter().zip(second).take(if renamed { 4 } else { 3 }) {
        assert_ne!(one, other, "{seen:?}");
    }
}
