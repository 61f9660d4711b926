//! The guest's executables: init and the tests, linked statically, found through cargo's own messages.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cargo_metadata::{Artifact, Message, TargetKind};

use super::runs;
use crate::exit::{Classify, Exit};
use crate::process;
use crate::workspace::Workspace;

/// The triple is named, though it is the host's: without it RUSTFLAGS would reach build scripts too, and
/// proc macros can't be linked statically.
const TRIPLE: &str = "x86_64-unknown-linux-gnu";

/// What cargo built for the guest.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Executables {
    /// PID 1 and the runner.
    pub init: PathBuf,
    /// Each test executable by the name of its file in `rust-tests/tests`.
    pub tests: Vec<(String, PathBuf)>,
}

/// Builds init and the tests of `rust-tests`, and tells where they are.
pub fn build(workspace: &Workspace) -> Result<Executables> {
    read(&cargo(workspace, &["test", "--no-run", "--tests", "--bin", "init"])?)
}

/// What measures cells, and what boots it.
#[derive(Debug)]
pub struct Receivers {
    /// PID 1 and the runner.
    pub init: PathBuf,
    /// What it runs for each cell.
    pub receivers: PathBuf,
}

impl Receivers {
    /// Copies of them in a run's folder.
    pub fn kept_in(&self, folder: &Path) -> Result<Self> {
        let init = runs::keep(folder, &self.init, "init")?;
        Ok(Self { init, receivers: runs::keep(folder, &self.receivers, "receivers")? })
    }
}

/// Builds init and the receivers, optimised as an application would be.
pub fn build_receivers(workspace: &Workspace) -> Result<Receivers> {
    let [init, receivers] = build_optimised(workspace, ["init", "receivers"])?;
    Ok(Receivers { init, receivers })
}

/// The same for both ends of a feed.
pub fn build_feed(workspace: &Workspace) -> Result<Receivers> {
    let [init, receivers] = build_optimised(workspace, ["init", "feed"])?;
    Ok(Receivers { init, receivers })
}

/// Builds these executables, and tells where they are, in the same order.
fn build_optimised<const N: usize>(workspace: &Workspace, names: [&str; N]) -> Result<[PathBuf; N]> {
    let bins = names.iter().flat_map(|name| ["--bin", name]);
    let messages = cargo(workspace, &["build", "--release"].into_iter().chain(bins).collect::<Vec<_>>())?;
    let all = artifacts(&messages)?;
    let mut found = names.map(|_| PathBuf::new());
    for (name, place) in names.iter().zip(&mut found) {
        let artifact = all.iter().find(|(artifact, _)| artifact.target.name == *name);
        let (_, executable) = artifact.with_context(|| format!("cargo built no executable named {name}"))?;
        place.clone_from(executable);
    }
    Ok(found)
}

/// Has cargo build parts of `rust-tests` for the guest, and returns its messages.
fn cargo(workspace: &Workspace, what: &[&str]) -> Result<String> {
    let shell = process::shell(&workspace.root)?;
    let target = workspace.target.join("guest");
    let command = xshell::cmd!(
        shell,
        "cargo {what...} --quiet --package rust-tests --target {TRIPLE}
            --target-dir {target} --message-format json-render-diagnostics"
    )
    .env("RUSTFLAGS", "-C target-feature=+crt-static")
    // The size of the initramfs, and code for TCG to translate, are time in every boot.
    .env("CARGO_PROFILE_DEV_STRIP", "symbols")
    .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1");
    told_apart(process::read(command))
}

/// Gives a failure of cargo's its class. Its exit code is the same for all: what went wrong, it tells in words.
fn told_apart(built: Result<String>) -> Result<String> {
    let said = built.as_ref().err().map(ToString::to_string).unwrap_or_default();
    if said.contains("could not compile") {
        built.exit(Exit::Usage, || "what runs in the guest does not compile".to_owned())
    } else if said.contains("failed to download") || said.contains("failed to verify the checksum") {
        built.exit(Exit::Network, || "cargo did not get what the guest's executables are made of".to_owned())
    } else {
        built
    }
}

/// What cargo built that can be run.
fn artifacts(messages: &str) -> Result<Vec<(Artifact, PathBuf)>> {
    let mut built = Vec::new();
    for message in Message::parse_stream(messages.as_bytes()) {
        if let Message::CompilerArtifact(artifact) = message.context("reading cargo's messages")?
            && let Some(executable) = artifact.executable.clone()
        {
            built.push((artifact, executable.into_std_path_buf()));
        }
    }
    Ok(built)
}

fn read(messages: &str) -> Result<Executables> {
    let mut init = None;
    let mut tests = Vec::new();
    for (artifact, executable) in artifacts(messages)? {
        if artifact.target.kind.contains(&TargetKind::Test) {
            tests.push((artifact.target.name, executable));
        } else if artifact.target.name == "init" && !artifact.profile.test {
            init = Some(executable);
        }
    }
    let init = init.context("cargo built no executable named init")?;
    Ok(Executables { init, tests })
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;
    use crate::exit;

    fn artifact(kind: &str, name: &str, test: bool, executable: &str) -> String {
        format!(
            r#"{{"reason":"compiler-artifact","package_id":"p","manifest_path":"/m",
            "target":{{"kind":["{kind}"],"crate_types":["bin"],"name":"{name}","src_path":"/s","edition":"2024",
            "doc":false,"doctest":false,"test":true}},
            "profile":{{"opt_level":"0","debuginfo":0,"debug_assertions":true,"overflow_checks":true,"test":{test}}},
            "features":[],"filenames":[],"executable":{executable},"fresh":true}}"#
        )
        .replace('\n', "")
    }

    #[test]
    fn init_and_tests_are_told_apart() {
        let messages = [
            artifact("lib", "rust_tests", false, "null"),
            artifact("lib", "rust_tests", true, r#""/t/rust_tests-1""#),
            artifact("bin", "init", false, r#""/t/init""#),
            artifact("bin", "init", true, r#""/t/init-2""#),
            artifact("test", "abi", true, r#""/t/abi-3""#),
        ]
        .join("\n");
        let expected = Executables { init: "/t/init".into(), tests: vec![("abi".into(), "/t/abi-3".into())] };
        assert_eq!(read(&messages).unwrap(), expected);
    }

    #[test]
    fn only_what_does_not_compile_is_the_sources_fault() {
        let offline = "error: failed to get `libc` as a dependency of package `rust-tests v0.1.0`\n\nCaused by:\n  \
            failed to download from `https://index.example/config.json`";
        let altered = "error: failed to verify the checksum of `libc v0.2.186`";
        let refused = "error[E0425]: cannot find value `download` in this scope\n\n\
            error: could not compile `rust-tests` (test \"abi\") due to 1 previous error";
        let unwritable = "error: Permission denied (os error 13) at path \"/target/guest\"";
        let all = [
            (offline, Exit::Network),
            (altered, Exit::Network),
            (refused, Exit::Usage),
            (unwritable, Exit::Host),
        ];
        for (said, exit) in all {
            let error =
                told_apart(Err(anyhow!("`cargo test` ended with exit status: 101: {said}"))).unwrap_err();
            assert_eq!(Exit::of(&error), exit.code(), "{error:#}");
            assert!(format!("{error:#}").ends_with(said), "{error:#}");
        }
        let missing = told_apart(Err(exit::error(Exit::Host, "cannot start `cargo`"))).unwrap_err();
        assert_eq!(Exit::class(&missing), Some(Exit::Host));
    }

    #[test]
    fn no_init_is_an_error() {
        assert!(read(&artifact("test", "abi", true, r#""/t/abi-3""#)).is_err());
    }
}
