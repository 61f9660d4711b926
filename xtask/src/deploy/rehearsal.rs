//! Deploys to a machine that boots from a disk, with a real boot loader and a real sshd. The bad kernels are the good
//! one in a package that does something to it.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use xshell::cmd;

use super::run::Report;
use super::way::Way;
use super::*;
use crate::cli::Format;
use crate::exit::Exit;
use crate::guest::qemu::Accel;
use crate::kernel::package::is_image;
use crate::machine::disk::{self, Loader};
use crate::machine::running::Machine;
use crate::machine::ssh::HOST;
use crate::process;
use crate::workspace::Workspace;

/// Of an emulated machine on a busy host.
const PATIENCE: Duration = Duration::from_mins(10);

/// The seconds that a new kernel has there.
const WITHIN: u64 = 600;

/// A machine to deploy to.
struct Rehearsal {
    machine: Machine,
    host: Host,
    folder: TempDir,
}

impl Rehearsal {
    /// A machine that `loader` boots, up and running, set up to boot its newest kernel as Debian's are.
    fn start(loader: Loader) -> Self {
        let disk = disk::obtain(&Workspace::locate().unwrap(), loader).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let machine = Machine::start(&disk, Accel::Tcg, folder.path()).unwrap();
        machine.wait_for_ssh(PATIENCE).unwrap();
        if loader == Loader::Grub {
            machine
                .ssh()
                .run(
                    "sed -i s/^GRUB_DEFAULT=.*/GRUB_DEFAULT=0/ /etc/default/grub; update-grub 2>&1",
                    PATIENCE,
                )
                .unwrap();
        }
        let host = Host { name: HOST.to_owned(), config: Some(machine.ssh().config.clone()) };
        Self { machine, host, folder }
    }

    fn shell(&self, script: &str) -> String {
        self.machine.ssh().run(script, PATIENCE).unwrap()
    }

    /// Deploys a package; the error's exit code and words, if it fails.
    fn deploy(&self, package: &Path, within: u64, health: &str) -> Result<(), (u8, String)> {
        self.deploy_telling(package, within, health, &|line| println!("{line}"))
    }

    /// The same, telling each step before it is done.
    fn deploy_telling(
        &self,
        package: &Path,
        within: u64,
        health: &str,
        report: Report,
    ) -> Result<(), (u8, String)> {
        let package = Package::open(package).unwrap();
        let trial = Trial { health: Some(health.to_owned()), within };
        let plan = Plan::deploy(&package, &trial, PATIENCE);
        deploy(&self.host, &plan, &package, PATIENCE, report).map_err(|error| {
            println!("error: {error:#}");
            (Exit::of(&error), format!("{error:#}"))
        })
    }

    /// What tells whether a machine is as it was: what boots it, what is installed, what is kept.
    fn image(&self) -> String {
        self.shell(
            "uname -r; ls /boot /etc/grub.d /etc/systemd/system /var/lib/fastnet /etc/default/grub.d /boot/efi/loader/entries 2>&1
             grub-editenv - list; grep -v ^# /boot/grub/grub.cfg
             cd /boot/efi/loader/entries && cat ./* /sys/firmware/efi/efivars/LoaderEntry[DO]* | tr -d '\\000'
             rpm --query --all; dpkg-query --show 'linux-image*' || :",
        )
    }

    /// Puts a way on which connections can be lost between us and the machine.
    fn lose_connections(&mut self) -> Way {
        let direct = fs::read_to_string(&self.machine.ssh().config).unwrap();
        let port = direct.lines().find_map(|line| line.trim().strip_prefix("Port ")).unwrap();
        let way = Way::to(port.parse().unwrap());
        let config = self.folder.path().join("ssh_config.lossy");
        fs::write(&config, direct.replace(&format!("Port {port}"), &format!("Port {}", way.port))).unwrap();
        self.host.config = Some(config);
        way
    }

    /// Leaves the machine to rpm, which then knows one package: what kernels' packages ask for.
    fn give_to_rpm(&self) {
        self.shell(
            "mv /var/lib/dpkg/status /var/lib/dpkg/status.away
             printf '%s\\n' 'Name: base' 'Version: 1' 'Release: 1' 'Summary: A shell' 'License: MIT' 'BuildArch: noarch' \
                 'Provides: /bin/sh' %description %files >base.spec
             rpmbuild -bb --define '_rpmdir /root' base.spec && rpm --install noarch/base-1-1.noarch.rpm",
        );
    }

    /// The good kernel's package, with a root folder's files added to it.
    fn worse(&self, files: &[(&str, &str)]) -> PathBuf {
        let root = self.folder.path().join("worse");
        let shell = process::shell(self.folder.path()).unwrap();
        let good = good(Format::Deb);
        process::run(cmd!(shell, "rm -rf {root}")).unwrap();
        process::run(cmd!(shell, "dpkg-deb --raw-extract {good} {root}")).unwrap();
        for (name, content) in files {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content.replace("RELEASE", &release())).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let package = self.folder.path().join(good.file_name().unwrap());
        process::run(cmd!(shell, "dpkg-deb --build --root-owner-group -Znone {root} {package}")).unwrap();
        package
    }
}

/// A package of any `disk` kernel built in `target/kernel`; or in `FASTNET_PACKAGES`, a folder.
pub fn good(format: Format) -> PathBuf {
    let built = || {
        let kernels = fs::read_dir(Workspace::locate().unwrap().target.join("kernel")).into_iter().flatten();
        kernels.map(|tree| tree.unwrap().path().join("packages-disk")).collect()
    };
    let given = std::env::var_os("FASTNET_PACKAGES").map(|folder| vec![PathBuf::from(folder)]);
    let folders = given.unwrap_or_else(built);
    let mut files = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
    files.find_map(|file| Some(file.unwrap().path()).filter(|path| is_image(path, format))).expect(
        "no kernel: run `cargo xtask build-kernel --config disk --package deb,rpm`, or set FASTNET_PACKAGES",
    )
}

/// The good kernel's release.
pub fn release() -> String {
    let name = good(Format::Deb).file_name().unwrap().to_string_lossy().into_owned();
    name["linux-image-".len()..name.find('_').unwrap()].to_owned()
}

/// The good kernel, whose first program ends at once.
const PANICS: &[(&str, &str)] = &[(
    "etc/initramfs-tools/hooks/zz-rehearsal",
    "#!/bin/sh\n[ \"$1\" = prereqs ] && exit\n[ \"$version\" = RELEASE ] || exit 0\n\
     printf '#!/bin/sh\\nexit 1\\n' >\"$DESTDIR/init\"\n",
)];

/// The good kernel, with no driver for its network card.
const NO_NETWORK: &[(&str, &str)] = &[
    ("etc/systemd/system/sysinit.target.d/rehearsal.conf", "[Unit]\nWants=rehearsal.service\n"),
    (
        "etc/systemd/system/rehearsal.service",
        "[Unit]\nDefaultDependencies=no\nConditionKernelVersion=RELEASE\n[Service]\n\
         ExecStart=/bin/sh -c 'cd /sys/bus/virtio/drivers/virtio_net && echo virtio* | tee unbind'\n",
    ),
];

/// A full /boot first, which is refused before anything is copied; then a kernel that stays until it is taken back.
fn proves_itself(rehearsal: &Rehearsal, good: &Path) {
    let (before, release) = (rehearsal.image(), release());
    let fill = "fallocate --length $(($(df --output=avail -B1 /boot | tail -n 1) - 5000000)) /boot/filler";
    rehearsal.shell(fill);
    let (code, why) = rehearsal.deploy(good, WITHIN, "true").unwrap_err();
    assert_eq!(code, 3);
    assert!(why.contains("MiB free, a kernel needs") && why.contains("remove an old kernel"), "{why}");
    rehearsal.shell("rm /boot/filler");
    assert_eq!(rehearsal.image(), before);

    rehearsal.deploy(good, WITHIN, &format!("test $(uname -r) = {release}")).unwrap();
    let said = status(&rehearsal.host).unwrap();
    assert!(said.contains(&format!("{release} is confirmed")), "{said}");
    roll_back(&rehearsal.host, &Plan::roll_back(PATIENCE), &|line| println!("{line}")).unwrap();
    assert_eq!(rehearsal.image(), before);
}

/// A kernel that comes to nothing: the error has `code` and `why`, the console said `console`, and without a hand the
/// machine is as it was.
fn gives_way(package: &[(&str, &str)], within: u64, health: &str, code: u8, why: &str, console: &str) {
    let rehearsal = Rehearsal::start(Loader::Grub);
    let before = rehearsal.image();
    let (ended, said) = rehearsal.deploy(&rehearsal.worse(package), within, health).unwrap_err();
    assert_eq!(ended, code);
    assert!(said.contains(why) && said.contains("as it was before"), "{said}");
    rehearsal.machine.wait_for(console, PATIENCE).unwrap();
    assert_eq!(rehearsal.image(), before);
}

#[test]
#[ignore = "boots a machine: minutes"]
fn a_good_kernel_stays_until_it_is_taken_back() {
    proves_itself(&Rehearsal::start(Loader::Grub), &good(Format::Deb));
}

#[test]
#[ignore = "boots a machine: minutes"]
fn a_good_kernel_stays_with_systemd_boot() {
    proves_itself(&Rehearsal::start(Loader::SystemdBoot), &good(Format::Deb));
}

#[test]
#[ignore = "boots a machine: minutes"]
fn a_good_kernel_stays_where_rpm_installs() {
    let rehearsal = Rehearsal::start(Loader::SystemdBoot);
    rehearsal.give_to_rpm();
    proves_itself(&rehearsal, &good(Format::Rpm));
}

/// Each step's connection is lost once: in the middle of what takes long, before anything else is done.
#[test]
#[ignore = "boots a machine: minutes"]
fn a_connection_lost_at_each_step_is_taken_up_again() {
    let mut rehearsal = Rehearsal::start(Loader::Grub);
    let (before, way) = (rehearsal.image(), rehearsal.lose_connections());
    let (good, lost) = (good(Format::Deb), RefCell::new(Vec::new()));
    let tell = |line: &str| {
        println!("{line}");
        let step = line.strip_prefix("  ").filter(|line| !line.starts_with(' '));
        let Some(step) = step.and_then(|line| line.split(' ').next()) else { return };
        if !lost.borrow().iter().any(|name| name == step) {
            way.lose_next(Duration::from_secs(match step {
                "copy" => 1,
                "install" => 5,
                _ => 0,
            }));
            lost.borrow_mut().push(step.to_owned());
        }
    };
    let mut ended = Vec::new();
    while let Err((code, said)) = rehearsal.deploy_telling(&good, WITHIN, "true", &tell) {
        assert_eq!(code, 5, "{said}");
        ended.push(said.split(": ").nth(1).unwrap().to_owned());
    }
    let steps =
        ["check", "copy", "accept", "install", "arm", "depart", "await", "prove", "health", "confirm"];
    assert_eq!(*lost.borrow(), steps);
    // Who waits for a host that reboots looks again.
    assert!(ended.iter().eq(steps.iter().filter(|step| **step != "await")), "{ended:?}");
    let said = status(&rehearsal.host).unwrap();
    assert!(said.contains(&format!("{} is confirmed", release())), "{said}");
    roll_back(&rehearsal.host, &Plan::roll_back(PATIENCE), &|line| println!("{line}")).unwrap();
    assert_eq!(rehearsal.image(), before);
}

#[test]
#[ignore = "boots a machine: minutes"]
fn a_kernel_that_panics_gives_way() {
    let panic = "Kernel panic - not syncing: Attempted to kill init";
    gives_way(PANICS, WITHIN, "true", 4, "the new kernel did not come up", panic);
}

#[test]
#[ignore = "boots a machine: minutes"]
fn a_kernel_without_network_gives_way() {
    let (why, console) = ("could not be reached for 30 s", "fastnet: not confirmed within 30 s");
    gives_way(NO_NETWORK, 30, "true", 4, why, console);
}

#[test]
#[ignore = "boots a machine: minutes"]
fn a_kernel_that_fails_its_check_gives_way() {
    let why = format!("no feed on {}", release());
    gives_way(&[], WITHIN, "echo no feed on $(uname -r); false", 1, &why, "reboot: Restarting system");
}
