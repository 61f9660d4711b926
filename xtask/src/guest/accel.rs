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
    if choice == AccelChoice::Tcg {
        return Ok((Accel::Tcg, None));
    }
    let why = match settle(workspace, choice, || probe(kernel, initramfs))? {
        Proof::Works => return Ok((Accel::Kvm, None)),
        Proof::Hangs => format!("nothing came from a guest in {} s{}", PROBE.as_secs(), why_it_may_hang()),
        Proof::Refused(why) => why,
    };
    if choice == AccelChoice::Kvm {
        let message = format!("KVM runs no guest here: {why}; --accel tcg works everywhere");
        return Err(exit::error(Exit::Host, message));
    }
    Ok((Accel::Tcg, Some(format!("KVM runs no guest here ({why}): using TCG"))))
}

/// What is known of hosts on which KVM hangs.
fn why_it_may_hang() -> &'static str {
    // Its guests have no ring 0: what sets up a CPU is emulated, as far as the emulator goes.
    if Path::new("/sys/module/kvm_pvm").exists() {
        ", as this host's is PVM, on which only kernels with patches for it boot"
    } else {
        ""
    }
}

/// Whether KVM works.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Proof {
    /// A guest has said a word.
    Works,
    /// Nothing came from a guest: so it stays on this host, and each probe would cost seconds.
    Hangs,
    /// Something failed at once: a permission, perhaps, or this kernel. The next probe may find it mended.
    Refused(String),
}

/// For `auto`, what an earlier probe found, if neither the host was booted nor QEMU changed since; else what `probe`
/// does. Who insists on KVM is not put off by what is remembered, and corrects it.
fn settle(
    workspace: &Workspace,
    choice: AccelChoice,
    probe: impl FnOnce() -> Result<Proof>,
) -> Result<Proof> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").context("reading the host's boot id")?;
    let key = format!("{} {}\n", boot.trim(), qemu::version(workspace)?);
    let file = workspace.cache.join("kvm");
    let known = fs::read_to_string(&file).unwrap_or_default();
    match known.strip_prefix(&key).filter(|_| choice == AccelChoice::Auto) {
        Some("works") => return Ok(Proof::Works),
        Some("hangs") => return Ok(Proof::Hangs),
        _ => {}
    }
    let proof = probe()?;
    let answer = match (&proof, choice) {
        (Proof::Works, _) => "works",
        (Proof::Hangs, AccelChoice::Auto) => "hangs",
        _ => return Ok(proof),
    };
    fs::create_dir_all(&workspace.cache)
        .with_context(|| format!("creating {}", workspace.cache.display()))?;
    atomic_write(&file, format!("{key}{answer}"))?;
    Ok(proof)
}

/// Boots the kernel on KVM and waits for init's word.
fn probe(kernel: &Path, initramfs: &Path) -> Result<Proof> {
    if let Err(cause) = File::options().read(true).write(true).open("/dev/kvm") {
        return Ok(Proof::Refused(format!("/dev/kvm: {cause}")));
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
        Ok(true) => Ok(Proof::Works),
        Ok(false) => {
            let mut said = String::new();
            io::Seek::rewind(&mut errors)
                .and_then(|()| errors.read_to_string(&mut said))
                .context("reading")?;
            let line = said.lines().next().unwrap_or("the kernel did not reach init");
            Ok(Proof::Refused(line.to_owned()))
        }
        Err(_) => Ok(Proof::Hangs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(cache: &Path) -> Workspace {
        Workspace { root: "/".into(), target: cache.into(), cache: cache.into() }
    }

    #[test]
    fn what_depends_on_the_host_alone_is_asked_for_once() {
        let cache = tempfile::tempdir().unwrap();
        let workspace = workspace(cache.path());
        for answer in [Proof::Works, Proof::Hangs] {
            let first = settle(&workspace, AccelChoice::Auto, || Ok(answer.clone())).unwrap();
            let second = settle(&workspace, AccelChoice::Auto, || panic!("asked twice")).unwrap();
            assert_eq!((&first, &second), (&answer, &answer));
            // As after a reboot.
            fs::write(cache.path().join("kvm"), "another boot\nworks").unwrap();
        }
    }

    #[test]
    fn what_may_be_mended_is_asked_for_again() {
        let cache = tempfile::tempdir().unwrap();
        let workspace = workspace(cache.path());
        let refused = Proof::Refused("/dev/kvm: Permission denied".to_owned());
        for answer in [refused, Proof::Works] {
            assert_eq!(settle(&workspace, AccelChoice::Auto, || Ok(answer.clone())).unwrap(), answer);
        }
    }

    #[test]
    fn who_insists_asks_anew_and_corrects_what_is_remembered_by_a_success_alone() {
        let cache = tempfile::tempdir().unwrap();
        let workspace = workspace(cache.path());
        let auto = |probe: &dyn Fn() -> Proof| settle(&workspace, AccelChoice::Auto, || Ok(probe())).unwrap();
        let insist = |proof: Proof| settle(&workspace, AccelChoice::Kvm, || Ok(proof)).unwrap();
        assert_eq!(auto(&|| Proof::Hangs), Proof::Hangs);
        for proof in [Proof::Works, Proof::Hangs, Proof::Refused(String::new())] {
            assert_eq!(insist(proof.clone()), proof);
            assert_eq!(auto(&|| panic!("asked twice")), Proof::Works);
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
