//! The file systems every Linux program expects, mounted on the initramfs.

use std::ffi::CStr;
use std::fs;
use std::io;
use std::ptr;

use anyhow::{Context, Result};

/// What is mounted where, in this order.
const MOUNTS: [(&CStr, &CStr); 8] = [
    (c"proc", c"/proc"),
    (c"sysfs", c"/sys"),
    (c"devtmpfs", c"/dev"),
    (c"devpts", c"/dev/pts"),
    (c"tmpfs", c"/dev/shm"),
    (c"tmpfs", c"/tmp"),
    (c"debugfs", c"/sys/kernel/debug"),
    (c"cgroup2", c"/sys/fs/cgroup"),
];

/// Mounts them all. A kernel without one of the last two still runs most tests; those that need it say so.
pub fn all() -> Result<()> {
    for (kind, target) in MOUNTS {
        let optional = kind == c"debugfs" || kind == c"cgroup2";
        let path = target.to_string_lossy();
        // Fails where a pseudo file system provides the folder itself, or should have: mount tells which.
        let _ = fs::create_dir_all(&*path);
        let mounted = mount(kind, target).with_context(|| format!("mounting {path}"));
        if !optional {
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
