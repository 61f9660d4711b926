//! Where a figure comes from: the kernel, the guest, and the host under it.

use std::fs;
use std::thread;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// What every line of results begins with.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// What the kernel calls itself: `6.12.117-fastnet`.
    pub release: String,
    /// How much of the series it has.
    pub flavor: String,
    /// Its configuration, as on the command line.
    pub config: String,
    /// The `key` of its manifest, or the SHA-256 of an image that was given: equal builds are equal kernels.
    pub build: String,
    /// `icount`, `tcg` or `kvm`.
    pub accel: String,
    /// The CPU model that the guest saw.
    pub cpu: String,
    /// What QEMU calls itself.
    pub qemu: String,
    /// What QEMU ran on.
    pub host: Host,
    /// Which boot of this kernel it was, counted from 1.
    pub boot: u32,
}

/// The machine below the guest.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Host {
    /// As many threads can run at once.
    pub cores: usize,
    /// What the first of its CPUs calls itself.
    pub cpu: String,
    /// Its kernel's release.
    pub kernel: String,
}

impl Host {
    /// This machine.
    pub fn here() -> Result<Self> {
        let read = |file: &str| fs::read_to_string(file).with_context(|| format!("reading {file}"));
        Ok(Self {
            cores: thread::available_parallelism().context("counting cores")?.get(),
            cpu: model(&read("/proc/cpuinfo")?),
            kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
        })
    }
}

fn model(cpuinfo: &str) -> String {
    let line = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
    line.map_or("unknown", |line| line.trim_start_matches([' ', '\t', ':'])).to_owned()
}

#[cfg(test)]
impl Origin {
    /// One for tests.
    pub fn sample(flavor: &str, boot: u32) -> Self {
        let text = |text: &str| text.to_owned();
        Self {
            release: format!("6.12.117-{flavor}"),
            flavor: text(flavor),
            config: text("vm"),
            build: text("0123"),
            accel: text("icount"),
            cpu: text("qemu64"),
            qemu: text("QEMU"),
            host: Host { cores: 2, cpu: text("A CPU"), kernel: text("6.1") },
            boot,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cpu_has_a_name_or_none() {
        let cpuinfo = "processor\t: 0\nmodel name\t: AMD Ryzen 5 @ 3.2GHz\nmodel name\t: other\n";
        assert_eq!(model(cpuinfo), "AMD Ryzen 5 @ 3.2GHz");
        assert_eq!(model("processor\t: 0\n"), "unknown");
        assert!(Host::here().unwrap().cores > 0);
    }
}
