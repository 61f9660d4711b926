//! Where a figure comes from: the kernel, the guest, and the host under it.

use std::fmt;
use std::fs;
use std::thread;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use xshell::cmd;

use crate::guest::qemu::Accel;
use crate::kernel::manifest::Manifest;
use crate::process;
use crate::workspace::Workspace;

/// What every line of results begins with.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// What the kernel calls itself: `6.12.117-fastnet`.
    pub release: String,
    /// How much of the series it has.
    pub flavor: String,
    /// Its configuration, as on the command line.
    pub config: String,
    /// The SHA-256 of its image: equal builds are equal kernels.
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
    /// Of what it was made; old lines do not say, and no kernel that was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<Made>,
    /// The guest; old lines do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<Guest>,
}

/// Of what a kernel was made. For readers: equal images are equal kernels, whatever made them.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Made {
    /// The first line of the compiler's `--version`.
    pub compiler: String,
    /// The SHA-256 of the patches.
    pub series: String,
    /// The SHA-256 of the `.config`.
    pub config: String,
    /// This project's commit, if it is in a repository; `-dirty` with changes.
    pub fastnet: Option<String>,
}

impl Made {
    /// As a build tells it.
    pub fn of(workspace: &Workspace, kernel: &Manifest) -> Result<Self> {
        let shell = process::shell(&workspace.root)?;
        let describe = cmd!(shell, "git describe --always --dirty --abbrev=12 --exclude=*");
        Ok(Self {
            compiler: kernel.compiler.clone(),
            series: kernel.sha256.series.clone(),
            config: kernel.sha256.config.clone(),
            fastnet: process::read(describe).ok(),
        })
    }
}

/// What a guest had.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Guest {
    /// In MiB.
    pub memory: u32,
    /// How many.
    pub cpus: u32,
}

impl Origin {
    /// Whose time its figures are, QEMU's and the host's; none if they are instructions, the same on every machine.
    pub fn clock(&self) -> Option<(&str, &Host)> {
        (self.accel != Accel::Icount.to_string()).then_some((&self.qemu, &self.host))
    }

    /// Whether the same boot of the same kernel would have the same figures in both.
    pub fn is_of_the_same(&self, other: &Self) -> bool {
        let of = |origin: &Self| {
            let Self { flavor, config, build, accel, boot, .. } = origin.clone();
            (flavor, config, build, accel, boot)
        };
        of(self) == of(other) && self.clock() == other.clock()
    }

    /// In what the other is not comparable with this one, if in anything: each kernel may be in one build only, and
    /// all else must be the same.
    pub fn conflict(&self, other: &Self) -> Option<String> {
        let of = |origin: &Self| -> [(&str, String); 6] {
            let kernel =
                |field: &str| if self.flavor == other.flavor { field.to_owned() } else { String::new() };
            let (qemu, host) = origin
                .clock()
                .map_or_else(Default::default, |(qemu, host)| (qemu.to_owned(), host.to_string()));
            [
                ("build", kernel(&origin.build)),
                ("config", kernel(&origin.config)),
                ("accel", origin.accel.clone()),
                ("cpu", origin.cpu.clone()),
                ("qemu", qemu),
                ("host", host),
            ]
        };
        let differs = of(self).into_iter().zip(of(other)).find(|(ours, theirs)| ours != theirs);
        differs.map(|((field, ours), (_, theirs))| {
            format!(
                "it has results of {}, {field} {theirs}, and this plan's are of {ours}: name another file",
                other.flavor
            )
        })
    }
}

/// A release without what stands behind Linux's own numbers.
pub fn version(release: &str) -> &str {
    release.split('-').next().unwrap_or(release)
}

/// A release as `--kernel` names it: `6.12`.
pub fn series(release: &str) -> &str {
    let version = version(release);
    version.match_indices('.').nth(1).map_or(version, |(second, _)| &version[..second])
}

/// The machine below the guest.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Hash, Serialize)]
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

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Linux {} on {} x {}", self.kernel, self.cores, self.cpu)
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
            made: None,
            guest: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_not_be_compared_is_told() {
        let ours = Origin::sample("stock", 1);
        let conflict = |change: fn(&mut Origin)| {
            let mut other = Origin::sample("stock", 1);
            change(&mut other);
            ours.conflict(&other)
        };
        assert_eq!(conflict(|other| other.boot = 2), None);
        assert_eq!(conflict(|other| other.release = "6.6".into()), None);
        assert_eq!(conflict(|other| other.guest = Some(Guest { memory: 1024, cpus: 1 })), None);
        // Instructions are the same on every host.
        assert_eq!(conflict(|other| (other.qemu, other.host.cores) = ("QEMU 10".into(), 4)), None);
        assert_eq!(conflict(|other| (other.flavor, other.build) = ("fastnet".into(), "4567".into())), None);
        let said = conflict(|other| other.build = "4567".into()).unwrap();
        assert_eq!(
            said,
            "it has results of stock, build 4567, and this plan's are of 0123: name another file"
        );
        for change in [
            |other: &mut Origin| other.config = "lean".into(),
            |other: &mut Origin| (other.flavor, other.accel) = ("fastnet".into(), "tcg".into()),
            |other: &mut Origin| other.cpu = "host".into(),
        ] {
            assert!(conflict(change).is_some());
        }
        let timed = Origin { accel: "kvm".into(), ..Origin::sample("stock", 1) };
        for other in [
            Origin { qemu: "QEMU 10".into(), ..timed.clone() },
            Origin { host: Host { cores: 4, ..timed.host.clone() }, ..timed.clone() },
        ] {
            assert!(timed.conflict(&other).is_some());
            assert!(!timed.is_of_the_same(&other));
        }
        assert!(timed.is_of_the_same(&timed));
    }

    #[test]
    fn a_series_has_two_numbers() {
        assert_eq!(["6.12.117-stock", "6.12-stock", "7.0.1"].map(series), ["6.12", "6.12", "7.0"]);
    }

    #[test]
    fn a_cpu_has_a_name_or_none() {
        let cpuinfo = "processor\t: 0\nmodel name\t: AMD Ryzen 5 @ 3.2GHz\nmodel name\t: other\n";
        assert_eq!(model(cpuinfo), "AMD Ryzen 5 @ 3.2GHz");
        assert_eq!(model("processor\t: 0\n"), "unknown");
        assert!(Host::here().unwrap().cores > 0);
    }
}
