//! The README's path for who only wants the packages, as far as it runs on a host.

use crate::github::Host;
use crate::packages::packages;
use crate::script;
use crate::world::Outcome;
#[path = "../readme/mod.rs"]
mod commands;

#[test]
fn the_packages_are_downloaded_and_verified_as_the_readme_says() {
    let commands = commands::of_section("Only the packages");
    assert!(commands.len() <= 5, "{commands:#?}");
    let [download, verify, install, reboot, check] = commands.as_slice() else { panic!("{commands:#?}") };
    let name = download.split_whitespace().nth(4).unwrap();

    let mut host = Host::new()
        .run(1, |run| run["head_branch"] = "v0.1.0".into())
        .artifact(1, 7, name, &packages(1000), |_| ())
        .artifact(1, 8, "guest-runs", b"no packages", |_| ());
    host.tags = [("v0.1.0", crate::github::SHA)].into();
    let github = host.start();
    script::put(
        github.world.path("bin/cargo"),
        format!("#!/bin/sh\nshift\nexec '{}' \"$@\"\n", env!("CARGO_BIN_EXE_xtask")),
    );
    let run = |line: &str| {
        let mut shell = github.world.program("sh");
        github.log_in(&mut shell).env("GITHUB_API_URL", github.api.url(""));
        Outcome::of(shell.args(["-euc", line]).current_dir(github.world.path("root")).output().unwrap())
    };
    run(download).passed();
    let verified = run(verify);
    verified.passed();
    assert_eq!(verified.stdout.matches(": OK\n").count(), 2, "{}", verified.stdout);

    // The rest needs a machine of its own; here only that it installs what was downloaded.
    let files = install.split_whitespace().find(|word| word.contains("linux-image-")).unwrap();
    let found = run(&format!("ls {files}"));
    assert!(found.passed().ends_with("linux-image-6.12.117-fastnet_1_amd64.deb"), "{}", found.stdout);
    assert!(reboot.contains("reboot") && check.contains("remember_mmsghdr"), "{commands:#?}");

    // A package that was altered after the download is seen.
    let image = github.world.path("root").join(found.stdout.trim());
    std::fs::write(image, "altered").unwrap();
    assert_eq!(run(verify).code, Some(1));
}
