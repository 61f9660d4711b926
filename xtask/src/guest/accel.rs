//! Who runs the guest's instructions, and the proof that KVM does.
//!
//! `/dev/kvm` may exist, open, and still never run a guest (in a virtual machine whose own host forbids it, for
//! one). So a kernel is booted on it, under a short deadline, before it is trusted.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::qemu::{self, Accel, Machine, Running};
use crate::cli::AccelChoice;
use crate::digest::atomic_write;
use crate::exit::{self, Exit};
use crate::workspace::Workspace;

/// A boot on a working KVM takes a tenth of this.
const PROBE: Duration = Duration::from_secs(4);

/// Settles who runs the guest: the reason comes with it if it is not what one would hope.
pub fn choose(
    workspace: &Workspace,
    choice: AccelChoice,
    kernel: &Path,
    initramfs: &Path,
) -> Result<(Accel, Option<String>)> {
    let proof = match choice {
        AccelChoice::Tcg => return Ok((Accel::Tcg, None)),
        AccelChoice::Kvm => probe(kernel, initramfs)?,
        AccelChoice::Auto => remembered(workspace, || probe(kernel, initramfs))?,
    };
    match (proof, choice) {
        (Ok(()), _) => Ok((Accel::Kvm, None)),
        (Err(why), AccelChoice::Kvm) => Err(exit::error(
            Exit::Host,
            format!("KVM runs no guest here: {why}; --accel tcg works everywhere"),
        )),
        (Err(why), _) => Ok((Accel::Tcg, Some(format!("KVM runs no guest here ({why}): using TCG")))),
    }
}

/// Whether KVM works, and if not, why.
type Proof = std::result::Result<(), String>;

/// The answer of the last probe, if neither the host was booted nor QEMU changed since.
fn remembered(workspace: &Workspace, probe: impl FnOnce() -> Result<Proof>) -> Result<Proof> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").context("reading the host's boot id")?;
    let key = format!("{} {}", boot.trim(), qemu::version(workspace)?);
    let file = workspace.cache.join("kvm");
    let known = fs::read_to_string(&file).unwrap_or_default();
    if let Some((_, answer)) = known.split_once('\n').filter(|(of, _)| *of == key) {
        return Ok(if answer == "works" { Ok(()) } else { Err(answer.to_owned()) });
    }
    let proof = probe()?;
    let answer = proof.as_ref().err().map_or("works", String::as_str);
    fs::create_dir_all(&workspace.cache)
        .with_context(|| format!("creating {}", workspace.cache.display()))?;
    atomic_write(&file, format!("{key}\n{answer}"))?;
    Ok(proof)
}

/// Boots the kernel on KVM and waits for init's word.
fn probe(kernel: &Path, initramfs: &Path) -> Result<Proof> {
    if let Err(cause) = File::options().read(true).write(true).open("/dev/kvm") {
        return Ok(Err(format!("/dev/kvm: {cause}")));
    }
    let init = "probe".to_owned();
    let machine = Machine {
        kernel,
        initramfs,
        accel: Accel::Kvm,
        smp: 1,
        memory: 512,
        gdb: false,
        gate: None,
        wire: None,
        init,
    };
    let mut errors = tempfile::tempfile().context("making a temporary file")?;
    let Running { child: _kvm, console: mut stream, ktap: _unused } =
        machine.start(errors.try_clone().context("sharing a file")?)?;
    let (sender, ended) = mpsc::channel();
    thread::spawn(move || {
        let mut console = Vec::new();
        let read = stream.read_to_end(&mut console);
        sender.send(read.is_ok() && String::from_utf8_lossy(&console).contains("fastnet: probe"))
    });
    match ended.recv_timeout(PROBE) {
        Ok(true) => Ok(Ok(())),
        Ok(false) => {
            let mut said = String::new();
            io::Seek::rewind(&mut errors)
                .and_then(|()| errors.read_to_string(&mut said))
                .context("reading")?;
            let line = said.lines().next().unwrap_or("the kernel did not reach init");
            Ok(Err(line.to_owned()))
        }
        Err(_) => Ok(Err(format!("nothing came from a guest in {} s", PROBE.as_secs()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(cache: &Path) -> Workspace {
        Workspace { root: "/".into(), target: cache.into(), cache: cache.into() }
    }

    #[test]
    fn an_answer_is_asked_for_once() {
        let cache = tempfile::tempdir().unwrap();
        let workspace = workspace(cache.path());
        for answer in [Ok(()), Err("it hangs".to_owned())] {
            let first = remembered(&workspace, || Ok(answer.clone())).unwrap();
            let second = remembered(&workspace, || panic!("asked twice")).unwrap();
            assert_eq!((&first, &second), (&answer, &answer));
            // As after a reboot.
            fs::write(cache.path().join("kvm"), "another boot\nworks").unwrap();
        }
    }

    #[test]
    fn tcg_needs_no_proof() {
        let cache = tempfile::tempdir().unwrap();
        let nowhere = Path::new("/nowhere");
        let chosen = choose(&workspace(cache.path()), AccelChoice::Tcg, nowhere, nowhere).unwrap();
        assert_eq!(chosen, (Accel::Tcg, None));
    }
}
