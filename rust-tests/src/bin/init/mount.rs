//! The file systems every Linux program expects, mounted on the initramfs.

use std::ffi::CStr;
use std::fs;
use std::io;
use std::ptr;

use anyhow::{Context, Result};

/// What is mounted where, in this order.
const MOUNTS: [(&CStr, &CStr); 10] = [
    (c"proc", c"/proc"),
    (c"sysfs", c"/sys"),
    (c"devtmpfs", c"/dev"),
    (c"devpts", c"/dev/pts"),
    (c"tmpfs", c"/dev/shm"),
    (c"tmpfs", c"/tmp"),
    (c"debugfs", c"/sys/kernel/debug"),
    (c"cgroup2", c"/sys/fs/cgroup"),
    (c"securityfs", c"/sys/kernel/security"),
    (c"tracefs", c"/sys/kernel/tracing"),
];

/// How many of them any kernel has. Without one of the rest, most tests still run; those that need it say so.
const NEEDED: usize = 6;

/// Mounts them all, as far as the kernel has them.
pub fn all() -> Result<()> {
    for (i, (kind, target)) in MOUNTS.into_iter().enumerate() {
        let path = target.to_string_lossy();
        // Fails where a pseudo file system provides the folder itself, or should have: mount tells which.
        let _ = fs::create_dir_all(&*path);
        let mounted = mount(kind, target).with_context(|| format!("mounting {path}"));
        if i < NEEDED {
            mounted?;
        }
    }
    Ok(())
}

/// Gives this process mounts of its own and an empty `/tmp`. Safe to call between fork and exec.
pub fn private_tmp() -> io::Result<()> {
    // SAFETY: the strings are NUL-terminated and outlive the call, as are the null pointers allowed.
    let private = unsafe {
        libc::mount(ptr::null(), c"/".as_ptr(), ptr::null(), libc::MS_REC | libc::MS_PRIVATE, ptr::null())
    };
    if private != 0 {
        return Err(io::Error::last_os_error());
    }
    mount(c"tmpfs", c"/tmp")?;
    // SAFETY: the path is NUL-terminated.
    if unsafe { libc::chdir(c"/tmp".as_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn mount(kind: &CStr, target: &CStr) -> io::Result<()> {
    // SAFETY: all strings are NUL-terminated and outlive the call; no data is passed.
    let done = unsafe { libc::mount(kind.as_ptr(), target.as_ptr(), kind.as_ptr(), 0, ptr::null()) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
