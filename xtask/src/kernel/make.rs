//! The kernel's own make, in a settled environment, with a quiet screen and everything it says in a file.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xshell::cmd;

use super::diagnostics;
use super::launcher::Compilers;
use super::shims::Shims;
use crate::exit::{Exit, error};
use crate::process;
use crate::progress::{Progress, Unit};

/// What tools need from our environment. All else (ARCH, KCFLAGS, LOCALVERSION, MAKEFLAGS, ...) would
/// change what is built without a trace in the manifest.
const KEPT: [&str; 6] = ["PATH", "HOME", "USER", "TMPDIR", "TERM", "XDG_CACHE_HOME"];

/// How the names begin that launchers take their own settings from, and a build that is made again its date.
const SETTINGS: [&str; 6] = ["CCACHE_", "SCCACHE_", "DISTCC_", "ICECC_", "LD_PRELOAD", "FAKETIME"];

/// The moment, in seconds since 1970, at which packages and all in them were made as far as they tell: the first of
/// the year 2000, as dpkg takes 0 for none and rpm no year before 1990.
pub const EPOCH: &str = "946684800";

/// Settled so that equal inputs give equal bytes.
const SETTLED: [(&str, &str); 11] = [
    // Not LC_ALL, which kbuild unsets for what it starts.
    ("LANG", "C.UTF-8"),
    ("TZ", "UTC"),
    ("KBUILD_BUILD_USER", "fastnet"),
    ("KBUILD_BUILD_HOST", "localhost"),
    ("KBUILD_BUILD_VERSION", "1"),
    ("KBUILD_BUILD_TIMESTAMP", "Thu Jan  1 00:00:00 UTC 1970"),
    ("SOURCE_DATE_EPOCH", EPOCH),
    // The objtree's path stays out of ccache's keys: paths in the objects are relative.
    ("CCACHE_NOHASHDIR", "1"),
    // objtool, in the headers' packages, is compiled by absolute paths; its debug info would tell them.
    ("HOSTLDFLAGS", "-Wl,--strip-debug"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
];

/// The compilers, whatever else a host has. Not one for Rust, which our kernels have none of: the configuration would
/// name its version, and rustup's installs itself where it finds none.
const TOOLS: [&str; 3] = ["CC=gcc", "HOSTCC=gcc", "RUSTC=false"];

/// make for one objtree.
pub struct Make<'a> {
    /// The patched tree.
    pub tree: &'a Path,
    /// The objtree, a direct subfolder of it.
    pub objtree: &'a Path,
    jobs: usize,
    path: OsString,
    log: PathBuf,
    output: File,
}

/// What a run of make that went well had to say.
#[derive(Debug)]
pub struct Said {
    /// How many steps there were.
    pub steps: u64,
    /// Everything else, warnings among it.
    pub lines: Vec<String>,
}

impl<'a> Make<'a> {
    /// Prepares to run make in `objtree`, and starts its log anew.
    pub fn new(tree: &'a Path, objtree: &'a Path, compilers: Compilers) -> Result<Self> {
        let log = objtree.join("build.log");
        let context = || format!("cannot write {}", log.display());
        fs::create_dir_all(objtree).with_context(context)?;
        let output = File::create(&log).with_context(context)?;
        let shims = Shims::of(objtree)?;
        compilers.masquerade(&shims)?;
        // Packages have a changelog, of the day they are made.
        shims.put("date", &format!("date --date=@{EPOCH}"))?;
        Ok(Self { tree, objtree, jobs: compilers.jobs, path: shims.path()?, log, output })
    }

    /// Runs make for `targets`, showing `what` and how many steps of `total` are done. `variables` are put in
    /// its environment.
    ///
    /// The error holds the compiler's own lines and names the log.
    pub fn run(
        &mut self,
        what: &str,
        total: Option<u64>,
        targets: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<Said> {
        let shell = process::shell(self.tree)?;
        let (objtree, jobs) = (self.objtree, self.jobs.to_string());
        let command = cmd!(
            shell,
            "make --no-print-directory --output-sync=target -j{jobs} O={objtree} {TOOLS...} {targets...}"
        )
        .env_clear()
        .envs(environment())
        .env("PATH", &self.path)
        .env("GIT_CEILING_DIRECTORIES", self.tree.parent().unwrap_or(self.tree))
        .envs(variables.iter().copied());

        let progress = Progress::start(what, Unit::Steps, total);
        let (mut steps, mut lines) = (0, Vec::new());
        let status = process::stream(command, |line| {
            writeln!(self.output, "{line}")
                .with_context(|| format!("cannot write {}", self.log.display()))?;
            if is_step(line) {
                steps += 1;
                progress.set(steps);
            } else {
                lines.push(line.to_owned());
            }
            Ok(())
        })?;
        drop(progress);
        if status.success() {
            return Ok(Said { steps, lines });
        }
        let said = diagnostics::extract(&lines);
        let message = format!("{what} failed; the whole log is {}\n{said}", self.log.display());
        Err(error(Exit::Kernel, message))
    }
}

/// What else than its inputs decides what comes out of a build.
pub fn settings() -> String {
    format!("{SETTLED:?}{TOOLS:?}")
}

/// The first line of what the compiler says of its version.
pub fn compiler_version() -> Result<String> {
    let shell = process::shell(".")?;
    let said = process::read(cmd!(shell, "gcc --version"))?;
    Ok(said.lines().next().unwrap_or_default().to_owned())
}

fn environment() -> impl Iterator<Item = (OsString, OsString)> {
    let kept = |name: &OsString| {
        name.to_str().is_some_and(|n| KEPT.contains(&n) || SETTINGS.iter().any(|start| n.starts_with(start)))
    };
    let settled = SETTLED.iter().map(|&(name, value)| (name.into(), value.into()));
    env::vars_os().filter(move |(name, _)| kept(name)).chain(settled)
}

/// Whether a line is kbuild's for one step, as `  CC      net/ipv4/udp.o`.
fn is_step(line: &str) -> bool {
    let Some(word) = line.strip_prefix("  ").and_then(|line| line.split(' ').next()) else { return false };
    word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_told_from_what_tools_say() {
        assert!(is_step("  CC      net/ipv4/udp.o"));
        assert!(is_step("  LD [M]  drivers/misc/lkdtm/lkdtm.ko"));
        assert!(is_step("  HOSTCC  scripts/kallsyms"));
        assert!(!is_step("  123 |         return x;"));
        assert!(!is_step("net/ipv4/udp.c:1:2: error: no"));
        assert!(!is_step("      |         ^"));
    }
}
