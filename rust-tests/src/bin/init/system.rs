//! The system calls PID 1 and the runner need beside what std has.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use anyhow::{Context, Result};

/// Writes a line to the kernel's log, and so to the console, in order with the kernel's own.
pub fn kmsg(line: &str) -> Result<()> {
    let mut kmsg = File::options().write(true).open("/dev/kmsg").context("opening /dev/kmsg")?;
    // One write is one record; <5> keeps the level whatever the default is.
    kmsg.write_all(format!("<5>{line}\n").as_bytes()).context("writing /dev/kmsg")
}

/// Reaps every orphan until the process `id` has ended, and tells how it did.
pub fn reap_until(id: u32) -> Result<ExitStatus> {
    loop {
        let mut status = 0;
        // SAFETY: `status` is a valid place for the result.
        let pid = unsafe { libc::wait(&raw mut status) };
        if pid < 0 {
            return Err(io::Error::last_os_error()).context("waiting for the runner");
        }
        if u32::try_from(pid) == Ok(id) {
            return Ok(ExitStatus::from_raw(status));
        }
    }
}

/// Lets every process open many sockets.
pub fn raise_limits() -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: 65_536, rlim_max: 65_536 };
    // SAFETY: `limit` outlives the call.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) })
}

/// Starts the CPUs that have not booted with the first.
pub fn start_cpus() -> Result<()> {
    for cpu in 1.. {
        let online = format!("/sys/devices/system/cpu/cpu{cpu}/online");
        match fs::write(&online, "1") {
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            started => started.with_context(|| format!("writing {online}"))?,
        }
    }
    Ok(())
}

/// Kills every process of the group `id`.
pub fn kill_group(id: u32) {
    if let Ok(pid) = i32::try_from(id) {
        // SAFETY: kill takes no pointer. The group may be gone already: that is what is wanted.
        unsafe { libc::kill(-pid, libc::SIGKILL) };
    }
}

/// Gives this process network and mount namespaces of its own. Safe to call between fork and exec.
pub fn unshare() -> io::Result<()> {
    // SAFETY: unshare takes no pointer.
    check(unsafe { libc::unshare(libc::CLONE_NEWNET | libc::CLONE_NEWNS) })
}

/// Powers the machine off; where that does nothing, resets it, which ends QEMU as well.
pub fn power_off() -> ! {
    // SAFETY: reboot takes no pointer.
    unsafe {
        libc::reboot(libc::RB_POWER_OFF);
        libc::reboot(libc::RB_AUTOBOOT);
    }
    loop {
        std::thread::park();
    }
}

fn check(result: i32) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
