//! Bad patches stop everything and say where; good ones survive export and refresh.

use std::fs;

use crate::world::World;

const BOTH: &str = "# flavor: hints\n0001-two.patch\n# flavor: fastnet\n0002-three.patch\n";

fn world() -> World {
    let world = World::new();
    world.series(BOTH);
    world.returning("0001-two.patch", "1", "2");
    world.returning("0002-three.patch", "2", "3");
    world
}

#[test]
fn a_series_that_applies_is_checked_and_listed() {
    let world = world();
    let source = world.files("linux");
    assert!(world.run("patch check").stdout.contains("6.12: 2 patches apply to Linux 6.12.1"));
    let listed = world.run("patch list").stdout;
    assert!(listed.contains("1  hints      1 files     +1     -1  net: 0001-two.patch"), "{listed}");
    assert_eq!(world.files("linux"), source, "the source was modified");
}

#[test]
fn moved_lines_are_found() {
    let world = world();
    let moved = "/* new */\n".repeat(7) + &world.read("linux/net/a.c");
    world.write("linux/net/a.c", moved);
    world.run("patch check").passed();
}

#[test]
fn a_wrong_context_names_patch_file_hunk_and_line() {
    let world = world();
    world.returning("0002-three.patch", "1", "3");
    let said = [
        "0002-three.patch does not apply",
        "net/a.c, hunk 1 of 1",
        "line 5 expected `\treturn 1;`, found `\treturn 2;`",
    ];
    world.run("patch check").failed(6, &said);
    world.run("build-kernel").failed(6, &said);
    assert!(!world.path("root/target/kernel/6.12-fastnet").exists(), "a tree was begun");
    world.run("build-kernel --flavor hints").passed();
}

#[test]
fn a_patch_stays_inside_the_source() {
    for path in ["../out", ".git/hooks/out", "net/../../out", "O-vm/out"] {
        let world = world();
        world.mail("0002-three.patch", &format!(
            "diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+x\n"
        ));
        world.run("patch check").failed(6, &["0002-three.patch"]);
        assert!(!world.path("out").exists() && !world.path("linux/out").exists(), "{path}");
    }
}

#[test]
fn a_file_that_is_there_is_not_added_again() {
    let world = world();
    world.mail(
        "0002-three.patch",
        "diff --git a/net/b.c b/net/b.c\nnew file mode 100644\n--- /dev/null\n+++ b/net/b.c\n@@ -0,0 +1 @@\n+x\n",
    );
    world.run("patch check").failed(6, &["0002-three.patch", "net/b.c is to be added, but exists"]);
}

#[test]
fn a_mail_cut_short_is_refused() {
    let world = world();
    let mail = world.read("root/linux-patches/6.12/0002-three.patch");
    for end in [40, mail.find("@@").unwrap(), mail.find("+\treturn").unwrap(), mail.len() - 10] {
        world.write("root/linux-patches/6.12/0002-three.patch", &mail[..end]);
        world.run("patch check").failed(6, &["0002-three.patch", "is not a whole patch mail"]);
    }
}

#[test]
fn a_bad_series_names_its_line() {
    let world = world();
    world.series(&BOTH.replace("fastnet", "quick"));
    world.run("patch check").failed(6, &["linux-patches/6.12/series:3:", "quick"]);
    world.series(&(BOTH.to_owned() + "0003-gone.patch\n"));
    world.run("patch check").failed(6, &["0003-gone.patch"]);
}

#[test]
fn export_and_refresh_keep_every_byte() {
    let world = world();
    let before = world.files("root/linux-patches");
    world.run("patch export tree").passed();
    assert_eq!(world.git("tree", &["log", "--format=%s|%an|%aI"]).lines().count(), 3);
    assert!(world.git("tree", &["log", "-1", "--format=%aI"]).starts_with("2005-04-07T15:13:13-07:00"));
    assert_eq!(world.git("tree", &["status", "--porcelain"]), "");
    assert!(world.run("patch refresh tree").stdout.contains("2 patches unchanged"));
    assert_eq!(world.files("root/linux-patches"), before);
    world.run("patch export tree").failed(2, &["is not empty"]);
}

#[test]
fn refresh_takes_new_commits_and_keeps_the_sections() {
    let world = world();
    world.run("patch export tree").passed();
    world.write("tree/net/b.c", "int four;\n");
    world.run("patch refresh tree").failed(2, &["uncommitted changes"]);
    world.git("tree", &["commit", "-qam", "net: four\n\nWhy not."]);
    world.run("patch refresh tree").passed();
    assert_eq!(world.read("root/linux-patches/6.12/series"), BOTH.to_owned() + "0003-net-four.patch\n");
    let mail = world.read("root/linux-patches/6.12/0003-net-four.patch");
    assert!(mail.contains("\nSubject: [PATCH] net: four\n\nWhy not.\n---\n net/b.c | 2 +-\n"), "{mail}");
    world.run("patch check").passed();

    world.git("tree", &["reset", "-q", "--hard", "HEAD~2"]);
    world.run("patch refresh tree").passed();
    assert_eq!(world.read("root/linux-patches/6.12/series"), "# flavor: hints\n0001-two.patch\n");
    assert_eq!(fs::read_dir(world.path("root/linux-patches/6.12")).unwrap().count(), 2);
}
