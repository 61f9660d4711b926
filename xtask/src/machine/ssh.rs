//! How a machine is reached, and what is done there.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use xshell::cmd;

use super::disk::Disk;
use crate::process;

/// What `ssh` calls the machine, by the configuration in [`Ssh::config`].
pub const HOST: &str = "machine";

/// The way into a machine, as root.
#[derive(Clone, Debug)]
pub struct Ssh {
    /// For `ssh -F` and `scp -F`: it knows [`HOST`], with its port, its key and ours, and nothing of the user's.
    pub config: PathBuf,
}

impl Ssh {
    /// Writes into `folder` what ssh has to know of a machine with this disk, whose sshd is behind our `port`.
    pub fn new(disk: &Disk, port: u16, folder: &Path) -> Result<Self> {
        let (key, known) = (disk.key.display(), folder.join("known_hosts"));
        let config = folder.join("ssh_config");
        fs::write(&known, format!("{HOST} {}\n", disk.host_key))
            .with_context(|| format!("writing {}", known.display()))?;
        let known = known.display();
        let text = format!(
            "Host {HOST}\n HostName 127.0.0.1\n HostKeyAlias {HOST}\n Port {port}\n User root\n \
             IdentityFile \"{key}\"\n IdentitiesOnly yes\n UserKnownHostsFile \"{known}\"\n GlobalKnownHostsFile none\n \
             StrictHostKeyChecking yes\n BatchMode yes\n ConnectTimeout 60\n ServerAliveInterval 15\n"
        );
        fs::write(&config, text).with_context(|| format!("writing {}", config.display()))?;
        Ok(Self { config })
    }

    /// Has the machine's shell run `script`, and returns what that wrote to stdout.
    ///
    /// Fails if it fails, with its stderr, or takes longer than `patience`.
    pub fn run(&self, script: &str, patience: Duration) -> Result<String> {
        let (config, seconds) = (&self.config, patience.as_secs().to_string());
        let shell = process::shell("/")?;
        process::read(cmd!(shell, "timeout {seconds} ssh -F {config} {HOST} {script}"))
    }

    /// Copies files of ours into `folder` of the machine.
    pub fn copy(&self, files: &[&Path], folder: &str, patience: Duration) -> Result<()> {
        let (config, seconds) = (&self.config, patience.as_secs().to_string());
        let shell = process::shell("/")?;
        process::run(cmd!(shell, "timeout {seconds} scp -q -F {config} {files...} {HOST}:{folder}"))
    }
}
