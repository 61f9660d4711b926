//! A host, by way of the system's own ssh: its configuration, keys and agent are the user's.

use std::ffi::OsStr;
use std::io::{Cursor, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use super::far::{self, Script};
use crate::process;

/// A host, as ssh knows it: a name, an alias of ssh's configuration, user@name.
#[derive(Clone, Debug)]
pub struct Host {
    /// The word for ssh.
    pub name: String,
    /// ssh's configuration, in place of the user's.
    pub config: Option<PathBuf>,
}

/// Why a host did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// ssh did not reach it, or lost it on the way.
    #[error("no connection: {0}")]
    Lost(String),
    /// It answered, and would not or could not.
    #[error("{why}")]
    Refused {
        /// How the command there ended.
        code: i32,
        /// What it said.
        why: String,
    },
    /// It never got as far as the host.
    #[error("{0:#}")]
    Here(#[from] anyhow::Error),
}

/// Nobody answers questions; a host that is gone is noticed within seconds.
const OPTIONS: &[&str] = &[
    "-T",
    "-oBatchMode=yes",
    "-oConnectTimeout=15",
    "-oConnectionAttempts=1",
    "-oServerAliveInterval=5",
    "-oServerAliveCountMax=4",
];

/// ssh's own exit code for what is not the far command's, and timeout's for what took too long.
const LOST: [i32; 2] = [255, 124];

impl Host {
    /// Runs a script there as root, and returns what it said.
    pub fn run(&self, script: Script, arguments: &[String], limit: Duration) -> Result<String, Trouble> {
        self.converse(&far::script_line(arguments), Cursor::new(script.text()), limit)
    }

    /// Runs a command there as the user that ssh logs in.
    pub fn command(&self, command: &str, limit: Duration) -> Result<String, Trouble> {
        // The command's own limit ends it; ours is for a host that says nothing any more.
        let line = far::command_line(command, limit.as_secs());
        self.converse(&line, std::io::empty(), limit + Duration::from_secs(15))
    }

    /// Sends a package there, where `accept` looks for it.
    pub fn send(&self, package: impl Read, limit: Duration) -> Result<String, Trouble> {
        self.converse(&far::take_line(), package, limit)
    }

    fn converse(&self, line: &str, input: impl Read, limit: Duration) -> Result<String, Trouble> {
        let shell = process::shell(Path::new("/"))?;
        let limit = limit.as_secs().to_string();
        let config = self.config.iter().flat_map(|path| [OsStr::new("-F"), path.as_os_str()]);
        let command = shell
            .cmd("timeout")
            .args(["--foreground", "--kill-after=5", &limit, "ssh"])
            .args(OPTIONS)
            .args(config)
            .args(["--", &self.name, line]);
        let output = process::converse(command, input)?;
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        match output.status.code() {
            Some(0) => Ok(said(&output.stdout)),
            Some(code) if LOST.contains(&code) => {
                let why = said(&output.stderr);
                Err(Trouble::Lost(if code == 124 { format!("no answer within {limit} s") } else { why }))
            }
            Some(code) => {
                let why = [said(&output.stdout), said(&output.stderr)].join("\n").trim().to_owned();
                Err(Trouble::Refused { code, why })
            }
            None => Err(Trouble::Lost(format!("ssh was ended by signal {:?}", output.status.signal()))),
        }
    }
}
