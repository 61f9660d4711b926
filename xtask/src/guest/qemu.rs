//! QEMU: its command line, and the three ways out of it.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::PipeReader;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitStatus;

use anyhow::{Context, Result};

use super::gate::Gate;
use super::wire::End;
use crate::process::{self, Child};
use crate::workspace::Workspace;

/// The emulator, as every distribution names it.
pub const PROGRAM: &str = "qemu-system-x86_64";

/// Who runs the guest's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accel {
    /// The host's CPU.
    Kvm,
    /// QEMU's translator.
    Tcg,
    /// QEMU's translator with a clock that ticks once an instruction: a count, the same on every host. One CPU.
    Icount,
}

impl Accel {
    /// The CPU that the guest sees.
    pub fn cpu(self) -> &'static str {
        match self {
            Self::Kvm => "host",
            // A named model, so that a guest is the same on every host. SMAP and SMEP catch a kernel that touches
            // user memory outside its windows; ERMS and FSRM, which `max` has, would turn copies into `rep movsb`,
            // a loop of single bytes to a translator. Without cmpxchg16b, which SLUB is fond of: QEMU 7.2 can leave any
            // bits in EFLAGS behind it (its helper reads them before `gen_update_cc_op()`), and an interrupt that comes
            // right there returns with IOPL, NT or VM set. A busy host's guests died of it, by double faults.
            Self::Tcg => "qemu64,-cx16,+smap,+smep,+rdrand,+rdseed",
            // Figures are of a CPU that has it. It takes one interrupt right behind another, which a clock of
            // instructions keeps a tick apart.
            Self::Icount => "qemu64",
        }
    }
}

impl fmt::Display for Accel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
            Self::Icount => "icount",
        })
    }
}

/// What QEMU calls itself: `QEMU emulator version 7.2.22 (...)`.
pub fn version(workspace: &Workspace) -> Result<String> {
    let shell = process::shell(&workspace.root)?;
    let said = process::read(xshell::cmd!(shell, "{PROGRAM} --version"))?;
    Ok(said.lines().next().unwrap_or_default().to_owned())
}

/// A machine to boot.
#[derive(Clone, Debug)]
pub struct Machine<'a> {
    /// The bzImage.
    pub kernel: &'a Path,
    /// The initramfs.
    pub initramfs: &'a Path,
    /// Who runs its instructions.
    pub accel: Accel,
    /// How many CPUs it has.
    pub smp: u32,
    /// How much memory, in MiB.
    pub memory: u32,
    /// Whether it waits for a debugger before its first instruction.
    pub gdb: bool,
    /// Where measurements mark their beginnings and ends, if somebody looks on.
    pub gate: Option<&'a Gate>,
    /// The network that its card is on, if it has one.
    pub wire: Option<&'a End>,
    /// What init is to do: `tests`, `bench`, `shell` or `probe`, with arguments.
    pub init: String,
}

/// A running machine.
pub struct Running {
    /// QEMU itself.
    pub child: Child,
    /// What the guest's console shows; ends with QEMU.
    pub console: PipeReader,
    /// What the guest's runner reports; ends with QEMU.
    pub ktap: UnixStream,
}

impl Machine<'_> {
    /// Starts the machine; what QEMU itself complains of goes to `errors`.
    pub fn start(&self, errors: File) -> Result<Running> {
        let (console, console_end) = std::io::pipe().context("making a pipe")?;
        // One end of a socket pair as QEMU's stdin: no name in the file system, so nothing to leave behind.
        let (ktap, ktap_end) = UnixStream::pair().context("making a socket pair")?;
        let mut arguments = self.arguments();
        arguments.extend(words(
            "-chardev file,id=console,path=/dev/stdout -serial chardev:console
             -chardev socket,id=ktap,fd=0 -device virtio-serial-pci
             -device virtserialport,chardev=ktap,name=fastnet.ktap",
        ));
        arguments.extend(self.gate.iter().flat_map(|gate| gate.arguments()));
        arguments.extend(self.wire.iter().flat_map(|end| end.arguments()));
        let child = Child::start(PROGRAM, &arguments, OwnedFd::from(ktap_end), console_end, errors)?;
        Ok(Running { child, console, ktap })
    }

    /// Runs the machine with its console on our own terminal.
    pub fn interact(&self) -> Result<ExitStatus> {
        let mut arguments = self.arguments();
        arguments.extend(words("-chardev stdio,id=console,signal=off -serial chardev:console"));
        process::foreground(PROGRAM, &arguments)
    }

    fn arguments(&self) -> Vec<OsString> {
        let mut arguments = words("-nodefaults -no-user-config -display none -no-reboot");
        arguments.extend(words(match self.accel {
            Accel::Kvm => "-machine q35,accel=kvm",
            Accel::Tcg => "-machine q35 -accel tcg,thread=multi",
            Accel::Icount => "-machine q35 -accel tcg,thread=single -icount shift=0,sleep=off",
        }));
        arguments.extend(["-cpu".into(), self.accel.cpu().into()]);
        arguments.extend(words(&format!("-smp {} -m {}", self.smp, self.memory)));
        arguments.extend(["-kernel".into(), self.kernel.into()]);
        arguments.extend(["-initrd".into(), self.initramfs.into()]);
        arguments.extend(["-append".into(), self.command_line().into()]);
        if self.gdb {
            arguments.extend(words("-s -S"));
        }
        arguments
    }

    /// The kernel's command line. An oops is a panic, since nothing after it can be trusted; a panic ends QEMU
    /// at once.
    fn command_line(&self) -> String {
        // Whoever looks on takes addresses for those of the image.
        let nokaslr = if self.gdb || self.gate.is_some() { "nokaslr " } else { "" };
        // A translator that a busy host starves is no kernel that stalls, nor a machine whose timer does not work.
        let patience = match self.accel {
            Accel::Kvm => "",
            Accel::Tcg | Accel::Icount => {
                "no_timer_check rcupdate.rcu_cpu_stall_timeout=60 watchdog_thresh=30 "
            }
        };
        // A CPU of QEMU 7.2's may go on with code that another one has just patched, and a kernel patches its own most
        // of all as it boots: one CPU boots alone, and init starts the others. Each would measure its speed for a second
        // or two on a busy host, for delays that no emulated device needs.
        let alone = if self.accel == Accel::Tcg { "maxcpus=1 lpj=10000000 " } else { "" };
        // On a busy host the last references to a device may take more than the usual ten seconds to go: no leak yet.
        let unregister =
            if self.accel == Accel::Tcg { "sysctl.net.core.netdev_unregister_timeout_secs=30 " } else { "" };
        // What the kernel says for information only would be counted: a character is 87 us to a serial console.
        let loglevel = if self.accel == Accel::Icount { 6 } else { 7 };
        let init = &self.init;
        format!(
            "{nokaslr}{patience}{alone}{unregister}console=ttyS0 loglevel={loglevel} printk.devkmsg=on oops=panic panic=-1 -- {init}"
        )
    }
}

fn words(text: &str) -> Vec<OsString> {
    text.split_whitespace().map(OsString::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_interrupt_returns_with_flags_that_cmpxchg16b_left() {
        let mut features = Accel::Tcg.cpu().split(',');
        assert!(features.any(|feature| feature == "-cx16"));
    }

    #[test]
    fn what_init_is_to_do_ends_the_command_line() {
        let machine = Machine {
            kernel: Path::new("/k/bz Image"),
            initramfs: Path::new("/i"),
            accel: Accel::Tcg,
            smp: 3,
            memory: 512,
            gdb: true,
            gate: None,
            wire: None,
            init: "tests --filter abi".to_owned(),
        };
        let arguments = machine.arguments();
        let after =
            |name: &str| arguments[arguments.iter().position(|word| word == name).unwrap() + 1].clone();
        assert_eq!(after("-kernel"), "/k/bz Image");
        assert_eq!(after("-smp"), "3");
        let append = after("-append").into_string().unwrap();
        assert!(append.starts_with("nokaslr ") && append.ends_with(" -- tests --filter abi"), "{append}");
        assert!(append.contains(" maxcpus=1 "), "{append}");
        assert!(append.contains(" sysctl.net.core.netdev_unregister_timeout_secs=30 "), "{append}");
        assert!(arguments.contains(&"-S".into()));
    }
}
