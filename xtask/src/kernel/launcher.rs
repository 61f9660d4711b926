//! Who starts the compiler, and how many of them at once. What comes out is the same whoever does.

use std::thread;

use anyhow::Result;
use xshell::cmd;

use super::shims::Shims;
use crate::cli::Launcher;
use crate::exit::{Classify, Exit, error};
use crate::process;

/// How compilers are started.
#[derive(Clone, Copy, Debug)]
pub struct Compilers {
    /// The program that starts them, if any does.
    launcher: Option<&'static str>,
    /// How many may run at once.
    pub jobs: usize,
}

impl Compilers {
    /// By ccache where there is one, as many as this host has CPUs.
    pub fn of_host() -> Result<Self> {
        Self::asked(None, None)
    }

    /// As the command line has it.
    ///
    /// Fails with [`Exit::Host`] where the launcher is not on this host, or distcc knows no other.
    pub fn asked(launcher: Option<Launcher>, jobs: Option<usize>) -> Result<Self> {
        let launcher = match launcher {
            None => is_there("ccache")?.then_some("ccache"),
            Some(Launcher::None) => None,
            Some(Launcher::Ccache) => Some("ccache"),
            Some(Launcher::Sccache) => Some("sccache"),
            Some(Launcher::Distcc) => Some("distcc"),
            Some(Launcher::Icecc) => Some("icecc"),
        };
        if let Some(name) = launcher
            && !is_there(name)?
        {
            let message =
                format!("--launcher {name}: there is no {name} on PATH; the distribution has a package");
            return Err(error(Exit::Host, message));
        }
        let jobs = match (jobs, launcher) {
            (Some(jobs), _) => jobs,
            (None, Some("distcc")) => distcc_jobs()?,
            (None, _) => thread::available_parallelism().map_or(1, usize::from),
        };
        if launcher == Some("sccache") {
            // Started by the first compiler, its server would hold the tree's lock for as long as it lives.
            let shell = process::shell("/")?;
            process::read(cmd!(shell, "sccache --show-stats"))
                .exit(Exit::Host, || "sccache's server does not start".to_owned())?;
        }
        Ok(Self { launcher, jobs })
    }

    /// Has make's `gcc` started by the launcher.
    ///
    /// kbuild compiles again what another command line made. Under the one name it is always `gcc`, so that another
    /// launcher than last time makes nothing twice.
    pub fn masquerade(&self, shims: &Shims) -> Result<()> {
        match self.launcher {
            Some(launcher) => shims.put("gcc", &format!("{launcher} gcc")),
            None => shims.remove("gcc"),
        }
    }
}

fn is_there(launcher: &str) -> Result<bool> {
    let shell = process::shell("/")?;
    Ok(process::read(cmd!(shell, "{launcher} --version")).is_ok())
}

/// How many compilers distcc's hosts run at once, by its own count.
fn distcc_jobs() -> Result<usize> {
    let shell = process::shell("/")?;
    let said = process::read(cmd!(shell, "distcc -j"))?;
    said.trim().parse().ok().filter(|&jobs| jobs > 0).ok_or_else(|| {
        error(Exit::Host, "distcc knows no hosts: name them in DISTCC_HOSTS or ~/.distcc/hosts".to_owned())
    })
}
