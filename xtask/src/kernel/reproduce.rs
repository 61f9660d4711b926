//! Whether a build can be made again, bit for bit: by another run of ourselves, in which all is otherwise that may be.

use std::collections::BTreeSet;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xshell::cmd;

use super::contents;
use super::launcher::Compilers;
use super::manifest::{Artifact, Manifest};
use crate::cli::KernelArgs;
use crate::exit::{Exit, error};
use crate::folder;
use crate::lock::FileLock;
use crate::process;
use crate::progress;
use crate::workspace::Workspace;

/// What came of building twice.
#[derive(Debug)]
pub struct Verdict {
    /// How the second build was another: where, when, by whom.
    pub otherwise: String,
    /// Each file by its name, and where the two of it differ.
    pub files: Vec<(String, Vec<String>)>,
    /// Where the second build is, if any file differs.
    pub place: PathBuf,
}

/// Builds what `manifest` tells of once more, from nothing, and compares the two.
///
/// The error is that of the second build, or names packages that only one of them has.
pub fn verify(
    workspace: &Workspace,
    args: &KernelArgs,
    compilers: Compilers,
    manifest: &Manifest,
) -> Result<Verdict> {
    // A longer path than the first one's, and at another depth.
    let place = workspace.target.join("made-again/from-nothing");
    let home = place.join("home");
    let lock = workspace.target.join("made-again.lock");
    let _lock = FileLock::take(&lock, "building again")?;
    folder::remove(&place)?;
    fs::create_dir_all(&home).with_context(|| format!("making {}", home.display()))?;

    let jobs = compilers.jobs + 1;
    let shell = process::shell(&place)?;
    let renamed = process::run(cmd!(shell, "unshare --uts true")).is_ok();
    let mut line = circumstances(renamed);
    line.extend(build(args, manifest, jobs)?);
    let again = cmd!(shell, "env {line...}")
        .env("FASTNET_ROOT", &workspace.root)
        .env("FASTNET_CACHE", &workspace.cache)
        .env("CARGO_TARGET_DIR", &place)
        .env("HOME", &home)
        .env("TMPDIR", &home)
        .env("USER", "somebody")
        .env("LC_ALL", "C")
        .env("TZ", "XYZ-13:45");
    let mut last = String::new();
    let status = process::stream(again, |text| {
        progress::line(&format!("again: {text}"));
        text.clone_into(&mut last);
        Ok(())
    })?;
    if !status.success() {
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        let exit = [Exit::Host, Exit::Network].into_iter().find(|exit| Some(exit.code()) == code);
        return Err(error(exit.unwrap_or(Exit::Kernel), format!("the second build failed: {last}")));
    }
    let files = compare(manifest, &Manifest::read(Path::new(&last))?)?;
    if files.iter().all(|(_, differences)| differences.is_empty()) {
        folder::remove(&place)?;
    }
    let named = if renamed { ", on a host of another name" } else { "" };
    let otherwise = format!(
        "400 days later, by gcc alone, {jobs} at once, in another folder, under another umask, user, home, locale \
         and time zone{named}"
    );
    Ok(Verdict { otherwise, files, place })
}

/// What runs a command under other circumstances.
fn circumstances(renamed: bool) -> Vec<OsString> {
    let (unshare, rename): (&[_], _) = if renamed {
        (&["unshare", "--uts"], "echo elsewhere >/proc/sys/kernel/hostname; ")
    } else {
        (&[], "")
    };
    let script = format!("{rename}umask 077; exec \"$@\"");
    let words = ["sh", "-c", &script, "sh", "faketime", "-f", "+400d"];
    unshare.iter().chain(&words).map(OsString::from).collect()
}

/// Ourselves, building the same.
fn build(args: &KernelArgs, manifest: &Manifest, jobs: usize) -> Result<Vec<OsString>> {
    let xtask = env::current_exe().context("finding our own executable")?;
    // Those that an earlier run made are the manifest's, too.
    let formats: BTreeSet<_> =
        manifest.packages.iter().filter_map(|package| package.path.extension()).collect();
    let formats: Vec<_> = formats.into_iter().map(OsStr::to_string_lossy).collect();
    let package = if formats.is_empty() { "none".to_owned() } else { formats.join(",") };
    let mut line = vec![xtask.into_os_string(), "build-kernel".into()];
    let options = [
        ("--kernel", &manifest.kernel),
        ("--flavor", &manifest.flavor),
        ("--config", &manifest.config),
        ("--package", &package),
        ("--launcher", &"none".to_owned()),
        ("--jobs", &jobs.to_string()),
    ];
    for (option, value) in options {
        line.extend([option.into(), value.into()]);
    }
    if let Some(source) = &args.source {
        line.extend(["--source".into(), source.canonicalize()?.into_os_string()]);
    }
    Ok(line)
}

/// Where the files of two builds differ; packages, member by member.
fn compare(one: &Manifest, other: &Manifest) -> Result<Vec<(String, Vec<String>)>> {
    let names = |manifest: &Manifest| manifest.files().map(Artifact::name).collect::<Vec<_>>();
    let (first, second) = (names(one), names(other));
    if first != second {
        let (first, second) = (first.join(", "), second.join(", "));
        return Err(error(Exit::Tests, format!("the first build made {first}, the second {second}")));
    }
    let mut files = Vec::new();
    for (one, other) in one.files().zip(other.files()) {
        let mut differences = Vec::new();
        if one.sha256 != other.sha256 {
            differences.push(format!("sha256 {} -> {}", one.sha256, other.sha256));
            differences.extend(contents::differences(&one.path, &other.path)?);
        }
        files.push((one.name(), differences));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn manifest(packages: &[Value]) -> Manifest {
        let file = |name| json!({ "path": name, "sha256": "" });
        serde_json::from_value(json!({
            "kernel": "6.12", "release": "6.12.0", "flavor": "fastnet", "config": "distro", "compiler": "", "key": "",
            "sha256": { "source": "", "series": "", "config": "" },
            "bzimage": file("/bzImage"), "vmlinux": file("/vmlinux"), "packages": packages,
        }))
        .unwrap()
    }

    #[test]
    fn a_file_that_only_one_build_made_is_a_check_that_failed() {
        let package = json!({ "path": "/a.deb", "sha256": "" });
        let error = compare(&manifest(&[package]), &manifest(&[])).unwrap_err();
        assert_eq!(Exit::of(&error), Exit::Tests.code(), "{error}");
        assert!(error.to_string().contains("a.deb, the second "), "{error}");
    }
}
