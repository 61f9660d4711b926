//! A host that lacks something is told so at once, by a program that runs none of what it looks for.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a black-box test starts the program itself"
)]

mod script;

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

/// Runs `doctor` on a host whose PATH is `programs` alone.
fn doctor(programs: &Path, options: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("doctor")
        .args(options)
        .env("PATH", programs)
        .env("FASTNET_CACHE", programs)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn an_empty_path_ends_with_3_naming_tool_and_package() {
    let empty = tempfile::tempdir().unwrap();
    let output = doctor(empty.path(), &[]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    let screen = text(&output.stdout);
    for (tool, package) in [("flex", "flex"), ("qemu-system-x86_64", "qemu-system-x86"), ("rpmbuild", "rpm")]
    {
        let line = screen.lines().find(|line| line.contains(&format!(" {tool} "))).unwrap_or(&screen);
        assert!(line.starts_with("!!") && line.contains(&format!("package {package}")), "{line}");
    }
    assert!(screen.lines().count() < 60, "more than a tall screen:\n{screen}");
    assert!(text(&output.stderr).contains("doctor --install"), "{}", text(&output.stderr));
}

#[test]
fn what_is_looked_for_is_not_run() {
    let programs = tempfile::tempdir().unwrap();
    script::put(programs.path().join("fake"), "#!/bin/sh\n: >\"$0.ran\"\n");
    for line in text(&doctor(programs.path(), &[]).stdout).lines() {
        if let Some((tool, _)) = line.split_once(" missing: ") {
            symlink("fake", programs.path().join(tool[3..].trim())).unwrap();
        }
    }
    let screen = text(&doctor(programs.path(), &[]).stdout);
    assert!(screen.contains(programs.path().join("flex").to_str().unwrap()), "{screen}");
    let mut names = programs.path().read_dir().unwrap().map(|entry| entry.unwrap().path());
    assert_eq!(names.find(|path| path.extension().is_some_and(|kind| kind == "ran")), None);
}

#[test]
fn a_failing_package_manager_is_quoted() {
    let programs = tempfile::tempdir().unwrap();
    for name in ["env", "sudo", "dnf"] {
        script::put(
            programs.path().join(name),
            "#!/bin/sh\necho Reading package lists\necho 'E: the disk is on fire' >&2\necho Goodbye\nexit 100\n",
        );
    }
    let output = doctor(programs.path(), &["--install"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    let said = text(&output.stderr);
    let error = said.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
    assert!(error.contains("E: the disk is on fire"), "{said}");
}
