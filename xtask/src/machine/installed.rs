//! Packages proved by installing them: from Debian's own kernel to ours and back, as a user goes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::disk::{Disk, Loader};
use super::runner;
use super::running::Machine;
use crate::cli::{self, Format};
use crate::exit::Exit;
use crate::guest::executables::Executables;
use crate::guest::qemu::Accel;
use crate::guest::session::Outcome;
use crate::guest::splat::{self, Meaning};
use crate::guest::verdict::{self, Case, Verdict};
use crate::kernel::manifest::Manifest;
use crate::kernel::package::{are_headers, is_image};

/// From power-on or reboot to a login, emulated, on a busy host: ten times what it takes on an idle one.
const BOOT: Duration = Duration::from_mins(10);

/// For what a package's scripts do, or a compiler: the same.
const WORK: Duration = Duration::from_mins(15);

/// Where the sources of the module are, for DKMS and for make.
const MODULE: &str = "/usr/src/fastnet-probe-1.0";

/// The number of `remember_mmsghdr()`, called with a file that is none, and what it answers: EBADF where it is,
/// ENOSYS where it is not.
const CALL: &str = "perl -e 'syscall(600, -1, 0, 0, 0); print $! + 0'";
const EBADF: &str = "9";
const ENOSYS: &str = "38";

/// What is installed, and on what.
pub struct Installation<'a> {
    /// The packages, and what they hold.
    pub manifest: &'a Manifest,
    /// Which of them.
    pub format: Format,
    /// Whom the machine boots by.
    pub disk: &'a Disk,
    /// Who runs its instructions.
    pub accel: Accel,
    /// The tests that are run on it.
    pub executables: &'a Executables,
    /// What their runner is told.
    pub tests: String,
    /// How long that may be silent.
    pub silence: Duration,
}

/// A part of the way, which ends well or tells what went wrong.
type Step<'a> = fn(&Installation<'a>, &Machine) -> Result<()>;

/// The loader of distributions that install `format`.
pub fn loader(format: Format) -> Loader {
    match format {
        Format::Deb => Loader::Grub,
        Format::Rpm => Loader::SystemdBoot,
    }
}

impl<'a> Installation<'a> {
    /// Goes all the way, a verdict a step; a step that fails is the last. The machine's logs go to `folder`.
    pub fn test(&self, folder: &Path, on_case: &dyn Fn(&Case)) -> Result<Outcome> {
        let machine = Machine::start(self.disk, self.accel, folder)?;
        let mut outcome = Outcome::default();
        let steps: [(&str, Step<'a>); 4] = [
            ("old_kernel", Self::boot_of_old),
            ("install", Self::install),
            ("boot", Self::boot_of_new),
            ("module", Self::module),
        ];
        for (name, step) in steps {
            if !self.step(&machine, name, step, &mut outcome, on_case)? {
                return Ok(outcome);
            }
        }
        runner::copy(&machine, self.executables)?;
        let tests = runner::run(&machine, &self.tests, self.silence, on_case)?;
        let dead = tests.not_run > 0 || verdict::exit(&tests.cases).is_some_and(|exit| exit.code() > 1);
        outcome.cases.extend(tests.cases);
        outcome.not_run += tests.not_run;
        if !dead {
            self.step(&machine, "remove", Self::remove, &mut outcome, on_case)?;
        }
        Ok(outcome)
    }

    /// Makes a case of a step; whether it passed.
    fn step(
        &self,
        machine: &Machine,
        name: &str,
        step: Step<'a>,
        outcome: &mut Outcome,
        on_case: &dyn Fn(&Case),
    ) -> Result<bool> {
        let started = Instant::now();
        let done = step(self, machine);
        let passed = done.is_ok();
        let (verdict, why) = done.map_or_else(judge, |()| Ok((Verdict::Pass, String::new())))?;
        let name = format!("{}::{name}", cli::name(&self.format));
        let duration = started.elapsed();
        let case = Case { name, verdict, why, duration, output: Vec::new(), console: Vec::new() };
        outcome.add([case], on_case);
        Ok(passed)
    }

    fn boot_of_old(&self, machine: &Machine) -> Result<()> {
        machine.wait_for_ssh(BOOT)?;
        let release = machine.ssh().run("uname -r", BOOT)?;
        ensure!(release != self.manifest.release, "{release} is on the disk before it is installed");
        answers(machine, ENOSYS)
    }

    fn boot_of_new(&self, machine: &Machine) -> Result<()> {
        reboot(machine)?;
        let (release, wanted) = (machine.ssh().run("uname -r", BOOT)?, &self.manifest.release);
        ensure!(release == *wanted, "the loader booted {release}, not {wanted}");
        answers(machine, if self.manifest.flavor == "fastnet" { EBADF } else { ENOSYS })?;
        let said = machine.ssh().run("dmesg", BOOT)?;
        let complaint = said.lines().find(|line| splat::meaning(line) != Meaning::Quiet);
        complaint.map_or(Ok(()), |line| bail!("the kernel complains: {line}"))
    }

    /// Copies the kernel's and the headers' packages and has the distribution's tool install them.
    fn install(&self, machine: &Machine) -> Result<()> {
        let packages = packages(self.manifest, self.format)?;
        machine.ssh().run("mkdir -p /packages", WORK)?;
        machine.ssh().copy(&packages, "/packages/", WORK)?;
        let install = match self.format {
            Format::Deb => "DEBIAN_FRONTEND=noninteractive apt-get --quiet --yes install /packages/*.deb",
            // The shell and the like, which rpm would ask for, are there, but came by dpkg.
            Format::Rpm => "rpm --install --nodeps /packages/*.rpm",
        };
        machine.ssh().run(install, WORK).map(drop)
    }

    /// Builds a module against the headers, once by hand and once by DKMS, and loads it.
    fn module(&self, machine: &Machine) -> Result<()> {
        let folder = tempfile::tempdir().context("making a temporary folder")?;
        let files = [
            ("fastnet-probe.c", include_str!("probe/fastnet-probe.c")),
            ("Kbuild", include_str!("probe/Kbuild")),
            ("dkms.conf", include_str!("probe/dkms.conf")),
        ];
        let paths = files.map(|(name, _)| folder.path().join(name));
        for (path, (_, text)) in paths.iter().zip(files) {
            fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
        }
        let ssh = machine.ssh();
        ssh.run(&format!("mkdir {MODULE}"), WORK)?;
        ssh.copy(&paths.each_ref().map(PathBuf::as_path), MODULE, WORK)?;
        let by_hand = format!(
            "cp -r {MODULE} /root/probe && make -C /lib/modules/$(uname -r)/build M=/root/probe modules &&
             insmod /root/probe/fastnet-probe.ko && rmmod fastnet-probe"
        );
        ssh.run(&by_hand, WORK).context("building a module by hand")?;
        ssh.run("dkms install fastnet-probe/1.0 && modprobe fastnet-probe", WORK)
            .context("building a module by DKMS")?;
        let status = ssh.run("dkms status fastnet-probe", WORK)?;
        let release = &self.manifest.release;
        ensure!(status.contains(release) && status.contains("installed"), "dkms status says {status}");
        let file = ssh.run("modinfo -n fastnet-probe", WORK)?;
        ensure!(file.contains("/updates/dkms/"), "modprobe loads {file}");
        ssh.run("rmmod fastnet-probe && dkms remove fastnet-probe/1.0 --all", WORK).map(drop)
    }

    /// Has the tool remove the packages, and boots what is left.
    fn remove(&self, machine: &Machine) -> Result<()> {
        let release = &self.manifest.release;
        let remove = match self.format {
            Format::Deb => format!(
                "DEBIAN_FRONTEND=noninteractive apt-get --quiet --yes purge \
                 linux-image-{release} linux-headers-{release}"
            ),
            Format::Rpm => "rpm --erase kernel kernel-devel".to_owned(),
        };
        machine.ssh().run(&remove, WORK)?;
        let left = machine.ssh().run(&format!("find /boot -name '*{release}*'"), WORK)?;
        ensure!(left.is_empty(), "removal leaves {}", left.replace('\n', ", "));
        reboot(machine)?;
        let now = machine.ssh().run("uname -r", BOOT)?;
        ensure!(now != *release, "{now} boots although it was removed");
        answers(machine, ENOSYS)
    }
}

/// What the error of a step says of the kernel; the host's, as of a tool that is not there, says nothing of it.
fn judge(error: anyhow::Error) -> Result<(Verdict, String)> {
    let verdict = match Exit::class(&error) {
        // What the step looked at, or had done on the machine, is not as it should be.
        None | Some(Exit::Tests) => Verdict::Fail,
        // No login: it panicked, hangs, or QEMU ended.
        Some(Exit::Guest) => Verdict::Hang,
        Some(_) => return Err(error),
    };
    Ok((verdict, format!("{error:#}")))
}

/// The packages that hold the kernel and its headers.
fn packages(manifest: &Manifest, format: Format) -> Result<Vec<&Path>> {
    let paths = manifest.packages.iter().map(|package| package.path.as_path());
    let packages: Vec<_> = paths.filter(|path| is_image(path, format) || are_headers(path, format)).collect();
    ensure!(packages.len() == 2, "{} packages are a kernel's or its headers', not 2", packages.len());
    Ok(packages)
}

fn reboot(machine: &Machine) -> Result<()> {
    machine.ssh().run("systemctl reboot", BOOT)?;
    machine.wait_for_ssh(BOOT)
}

fn answers(machine: &Machine, wanted: &str) -> Result<()> {
    let errno = machine.ssh().run(CALL, BOOT)?;
    ensure!(errno == wanted, "system call 600 answers error {errno}, not {wanted}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;
    use serde_json::json;

    use super::*;
    use crate::exit;
    use crate::kernel::manifest::Artifact;
    use crate::machine::disk;
    use crate::workspace::Workspace;

    /// A manifest of a kernel that nobody has built, with no packages.
    fn manifest() -> Manifest {
        let artifact = json!({ "path": "/nowhere", "sha256": "" });
        serde_json::from_value(json!({
            "kernel": "6.12", "release": "6.12.0-none", "flavor": "fastnet", "config": "disk",
            "compiler": "", "key": "",
            "sha256": { "source": "", "series": "", "config": "" },
            "bzimage": artifact, "vmlinux": artifact, "packages": [],
        }))
        .unwrap()
    }

    #[test]
    #[ignore = "boots a machine: three minutes"]
    fn a_machine_on_which_nothing_was_installed_fails_every_step_but_the_first() {
        let manifest = manifest();
        let disk = disk::obtain(&Workspace::locate().unwrap(), Loader::Grub).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let executables = Executables::default();
        let installation = Installation {
            manifest: &manifest,
            format: Format::Deb,
            disk: &disk,
            accel: Accel::Tcg,
            executables: &executables,
            tests: String::new(),
            silence: Duration::ZERO,
        };
        let machine = Machine::start(&disk, Accel::Tcg, folder.path()).unwrap();
        installation.boot_of_old(&machine).unwrap();
        let says = |done: Result<()>, what: &str| {
            let error = format!("{:#}", done.unwrap_err());
            assert!(error.contains(what), "{error}");
        };
        says(installation.install(&machine), "0 packages");
        says(installation.module(&machine), "building a module by hand");
        says(installation.remove(&machine), "linux-image-6.12.0-none");
        says(answers(&machine, EBADF), "error 38, not 9");
        says(installation.boot_of_new(&machine), "-cloud-amd64, not 6.12.0-none");
    }

    #[test]
    fn who_dies_has_not_failed_a_test_and_the_hosts_faults_are_no_verdict() {
        let error = |exit| exit::error(exit, "odd").context("rebooting");
        let exit_of = |error| judge(error).map(|(verdict, why)| (verdict.exit(), why)).unwrap();
        let said = || "rebooting: odd".to_owned();
        assert_eq!(exit_of(error(Exit::Guest)), (Some(Exit::Guest), said()));
        assert_eq!(exit_of(anyhow!("odd").context("rebooting")), (Some(Exit::Tests), said()));
        for exit in [Exit::Host, Exit::Network] {
            assert_eq!(Exit::class(&judge(error(exit)).unwrap_err()), Some(exit));
        }
    }

    #[test]
    fn the_packages_of_a_kernel_and_its_headers_are_taken() {
        let mut manifest = manifest();
        let names = [
            "kernel-6.12.0_none-1.x86_64.rpm",
            "kernel-devel-6.12.0_none-1.x86_64.rpm",
            "kernel-headers-6.12.0_none-1.x86_64.rpm",
            "linux-headers-6.12.0-none_1_amd64.deb",
            "linux-image-6.12.0-none_1_amd64.deb",
            "linux-libc-dev_1_amd64.deb",
        ];
        manifest.packages =
            names.iter().map(|name| Artifact { path: name.into(), sha256: String::new() }).collect();
        let taken = |format| packages(&manifest, format).unwrap();
        assert_eq!(taken(Format::Rpm), [Path::new(names[0]), Path::new(names[1])]);
        assert_eq!(taken(Format::Deb), [Path::new(names[3]), Path::new(names[4])]);
    }
}
