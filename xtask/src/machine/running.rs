//! A machine under way: QEMU with firmware, a throwaway layer over a disk, a network of its own.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use xshell::cmd;

use super::disk::Disk;
use super::recipe::READY;
use super::ssh::Ssh;
use crate::exit::{Classify, Exit, error};
use crate::guest::monitor::Monitor;
use crate::guest::qemu::{self, Accel};
use crate::guest::session;
use crate::process::{self, Child};

/// The firmware's code and an empty store of its variables, where Debian and Fedora keep them.
const FIRMWARE: [[&str; 2]; 3] = [
    ["/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"],
    ["/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"],
    ["/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"],
];

/// A line that a machine says.
#[derive(Debug)]
pub enum Said {
    /// On its console.
    Console(String),
    /// On the port of the tests' runner.
    Ktap(String),
}

/// A running machine. It is cut off power when dropped, and what it wrote to its disk is gone.
pub struct Machine {
    ssh: Ssh,
    said: Receiver<Said>,
    log: PathBuf,
    _qemu: Child,
    _monitor: Monitor,
}

impl Machine {
    /// Switches on a machine with this disk. Its logs, its layer and its keys go to `folder`.
    ///
    /// Nothing of the network is within its reach; we reach its sshd.
    pub fn start(disk: &Disk, accel: Accel, folder: &Path) -> Result<Self> {
        let create = |name: &str| {
            let path = folder.join(name);
            File::create(&path).exit(Exit::Host, || format!("creating {}", path.display()))
        };
        let (log, console_log) = (folder.join("console.log"), create("console.log")?);
        let (ktap_log, errors) = (create("ktap.log")?, create("qemu.log")?);
        // QEMU comes to us. Not in `folder`: the name of a socket must be short.
        let port = tempfile::tempdir().context("making a temporary folder")?;
        let socket = port.path().join("ktap");
        let ktap = UnixListener::bind(&socket).context("listening on a socket")?;
        let arguments = arguments(disk, accel, folder, &socket)?;
        let (stream, console_end) = std::io::pipe().context("making a pipe")?;
        let (monitor, monitor_end) = UnixStream::pair().context("making a socket pair")?;
        let qemu = Child::start(qemu::PROGRAM, &arguments, OwnedFd::from(monitor_end), console_end, errors)?;
        let mut monitor = Monitor::new(monitor).exit(Exit::Host, || {
            let said = fs::read_to_string(folder.join("qemu.log")).unwrap_or_default();
            format!("QEMU did not start: {}", said.trim())
        })?;
        let forwarded = monitor.forwarded_port()?;
        let (ktap, _) = ktap.accept().context("waiting for a machine's port")?;
        // Never full, so that a machine never waits for whoever should listen to it.
        let (sender, said) = mpsc::channel();
        listen(stream, console_log, sender.clone(), Said::Console);
        listen(ktap, ktap_log, sender, Said::Ktap);
        let ssh = Ssh::new(disk, forwarded, folder)?;
        Ok(Self { ssh, said, log, _qemu: qemu, _monitor: monitor })
    }

    /// The way in.
    pub fn ssh(&self) -> &Ssh {
        &self.ssh
    }

    /// What it says next, if it does within `patience`.
    pub fn hear(&self, patience: Duration) -> std::result::Result<Said, RecvTimeoutError> {
        self.said.recv_timeout(patience)
    }

    /// Waits until one can log in: behind the power-on, or behind the reboot after the last such wait.
    pub fn wait_for_ssh(&self, patience: Duration) -> Result<()> {
        self.wait_for(READY, patience).map(drop)
    }

    /// Waits until the console shows `text`, and returns that line. What it showed earlier, up to where the last such
    /// wait ended, counts too.
    ///
    /// Fails with [`Exit::Guest`] when `patience` is over, or the machine switches itself off.
    pub fn wait_for(&self, text: &str, patience: Duration) -> Result<String> {
        let deadline = Instant::now() + patience;
        loop {
            let why = match self.hear(deadline.saturating_duration_since(Instant::now())) {
                Ok(Said::Console(line)) if line.contains(text) => return Ok(line),
                Ok(_) => continue,
                Err(RecvTimeoutError::Timeout) => format!("in {} s", patience.as_secs()),
                Err(RecvTimeoutError::Disconnected) => "up to the end of QEMU".to_owned(),
            };
            let log = self.log.display();
            return Err(error(Exit::Guest, format!("the machine did not say `{text}` {why}: see {log}")));
        }
    }
}

/// Logs a stream and passes its lines on, in a thread that ends with it.
fn listen(stream: impl Read + Send + 'static, log: File, sender: Sender<Said>, said: fn(String) -> Said) {
    // Gone is only who no longer wants to know; a log that can't be written tells of itself by its end.
    thread::spawn(move || session::copy(stream, log, |line| drop(sender.send(said(line)))));
}

/// Makes the layer and the firmware's store in `folder`, and tells what QEMU is to be told.
fn arguments(disk: &Disk, accel: Accel, folder: &Path, ktap: &Path) -> Result<Vec<OsString>> {
    let [code, store] = FIRMWARE.into_iter().find(|[code, _]| Path::new(code).exists()).ok_or_else(|| {
        error(Exit::Host, "OVMF, a firmware for QEMU, is not there: install the package ovmf")
    })?;
    let shell = process::shell(folder)?;
    let image = &disk.image;
    process::run(cmd!(shell, "qemu-img create -q -f qcow2 -F raw -b {image} layer.qcow2"))?;
    let variables = folder.join("firmware.fd");
    fs::copy(store, &variables).exit(Exit::Host, || format!("copying {store}"))?;
    let (variables, layer) = (variables.display(), folder.join("layer.qcow2"));
    let layer = layer.display();
    let machine = match accel {
        Accel::Kvm => "q35,accel=kvm",
        // A small cache of translations: QEMU keeps the last kernel's over a reset, and to be rid of many, one by one, as
        // the memory is written anew, takes minutes.
        Accel::Tcg | Accel::Icount => "q35 -accel tcg,tb-size=64",
    };
    let words = [
        "-nodefaults -no-user-config -display none -smp 2 -m 1024",
        &format!("-machine {machine} -cpu {}", accel.cpu()),
        "-chardev file,id=console,path=/dev/stdout -serial chardev:console",
        "-chardev socket,id=monitor,fd=0 -mon chardev=monitor,mode=control",
        "-device virtio-rng-pci -device virtio-serial-pci -device virtserialport,chardev=ktap,name=fastnet.ktap",
        // Nothing to boot from but the disk: the firmware would try, and lose time.
        "-netdev user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:0-:22 -device virtio-net-pci,netdev=net,romfile=",
    ];
    let drives = [
        format!("if=pflash,format=raw,readonly=on,file={code}"),
        format!("if=pflash,format=raw,file={variables}"),
        // What is lost with the power is thrown away anyway.
        format!("if=none,id=disk,format=qcow2,cache=unsafe,file={layer}"),
    ];
    let mut arguments: Vec<OsString> =
        words.iter().flat_map(|line| line.split_whitespace()).map(OsString::from).collect();
    for drive in drives {
        arguments.extend(["-drive".into(), drive.into()]);
    }
    arguments.extend(["-chardev".into(), format!("socket,id=ktap,path={}", ktap.display()).into()]);
    arguments.extend(["-device", "virtio-blk-pci,drive=disk,bootindex=0"].map(OsString::from));
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::disk::{self, Loader};
    use crate::workspace::Workspace;

    /// Of an emulated machine on a busy host.
    const PATIENCE: Duration = Duration::from_mins(5);

    fn boots(loader: Loader) {
        let disk = disk::obtain(&Workspace::locate().unwrap(), loader).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let machine = Machine::start(&disk, Accel::Tcg, folder.path()).unwrap();
        machine.wait_for_ssh(PATIENCE).unwrap();
        let boot = |machine: &Machine| {
            machine.ssh().run("uname -r; cat /proc/sys/kernel/random/boot_id", PATIENCE).unwrap()
        };
        let first = boot(&machine);
        assert!(first.contains("-cloud-amd64\n"), "{first}");
        machine.ssh().run("systemctl reboot", PATIENCE).unwrap();
        machine.wait_for_ssh(PATIENCE).unwrap();
        let second = boot(&machine);
        assert!(second.contains("-cloud-amd64\n") && second != first, "{first} {second}");
        machine.ssh().run("systemctl poweroff", PATIENCE).unwrap();
        let error = machine.wait_for("never said", PATIENCE).unwrap_err();
        assert!(error.to_string().contains("up to the end of QEMU"), "{error}");
    }

    #[test]
    #[ignore = "boots a machine: two minutes"]
    fn grub_boots_the_disk() {
        boots(Loader::Grub);
    }

    #[test]
    #[ignore = "boots a machine: two minutes"]
    fn systemd_boot_boots_the_disk() {
        boots(Loader::SystemdBoot);
    }
}
