//! Thin, safe wrappers over the system calls that the tests need.
//!
//! What the kernel writes to goes to a [`memory::Mapping`] only, which Rust never refers to across a call; so bad
//! pointers, which the tests are full of, are bad for the kernel alone. A wrapper that fails where a test did not
//! expect it panics: that is a failed test.

// Each of them says so above, once for all.
#![allow(clippy::missing_panics_doc)]

pub mod abi;
pub mod audit;
pub mod bpf;
pub mod calls;
pub mod cgroup;
pub mod inject;
pub mod link;
pub mod memory;
pub mod messages;
pub mod net;
pub mod netlink;
pub mod process;
pub mod raw;
mod receive;
pub mod shape;
pub mod stall;
pub mod stamps;
pub mod switches;
pub mod uring;
pub mod veth;
pub mod witness;
pub mod xdp;
pub mod xsk;

use std::ffi::c_long;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use crate::sys::abi::Abi;
use crate::sys::messages::Messages;

/// The number of `remember_mmsghdr()`, the same on every architecture.
pub const SYS_REMEMBER_MMSGHDR: c_long = 600;
/// Forgets the array that starts at `msgvec`.
pub const MMSGHDR_FORGET: u32 = 1;
/// Forgets all arrays of this address space on this socket.
pub const MMSGHDR_FORGET_ALL: u32 = 2;

/// `remember_mmsghdr()` with any arguments at all: it only reads what it is given.
///
/// # Errors
/// Those of the system call.
pub fn remember_mmsghdr(fd: RawFd, msgvec: usize, vlen: u32, flags: u32) -> io::Result<()> {
    Abi::Native.remember(fd, msgvec, vlen, flags)
}

/// Whether this kernel has `remember_mmsghdr()`, found out as an application should: by a bad descriptor.
pub fn has_remember() -> bool {
    errno(remember_mmsghdr(-1, 0, 0, 0)) != libc::ENOSYS
}

/// Whether this kernel says by its release that it was patched.
pub fn is_fastnet() -> bool {
    std::fs::read_to_string("/proc/sys/kernel/osrelease")
        .is_ok_and(|release| release.trim().ends_with("-fastnet"))
}

/// Skips this test on a kernel without the system call. One that calls itself fastnet must have it: there, a missing
/// call is a failure.
#[macro_export]
macro_rules! needs_remember {
    () => {
        if !$crate::sys::has_remember() {
            assert!(!$crate::sys::is_fastnet(), "a fastnet kernel without remember_mmsghdr()");
            $crate::skip!("this kernel has no remember_mmsghdr()");
        }
    };
}

/// The error number that a call ended with.
#[track_caller]
pub fn errno<T: std::fmt::Debug>(result: io::Result<T>) -> i32 {
    let error = result.expect_err("the call should have failed");
    error.raw_os_error().unwrap_or_else(|| panic!("{error} has no number"))
}

/// Remembers and forgets whole arrays on a socket.
pub trait Remember: AsRawFd {
    /// Remembers all of `messages`.
    ///
    /// # Errors
    /// Those of the system call.
    fn remember(&self, messages: &Messages) -> io::Result<()> {
        messages.abi().remember(self.as_raw_fd(), messages.address(0), messages.vlen(), 0)
    }

    /// Forgets the array that starts where `messages` does.
    ///
    /// # Errors
    /// Those of the system call.
    fn forget(&self, messages: &Messages) -> io::Result<()> {
        messages.abi().remember(self.as_raw_fd(), messages.address(0), 0, MMSGHDR_FORGET)
    }

    /// Forgets every array of this process on the socket.
    ///
    /// # Errors
    /// Those of the system call.
    fn forget_all(&self) -> io::Result<()> {
        remember_mmsghdr(self.as_raw_fd(), 0, 0, MMSGHDR_FORGET_ALL)
    }
}

impl<T: AsRawFd> Remember for T {}

/// How many times longer than on most kernels everything takes; the host knows.
pub fn slowness() -> u32 {
    std::env::var("SLOWNESS").map_or(1, |text| text.parse().expect("a number"))
}

/// Longer than anything takes that a test waits for.
pub fn patience() -> Duration {
    Duration::from_secs(8) * slowness()
}

/// The result of a system call that returns nothing but success.
pub(crate) fn zero(result: c_long) -> io::Result<()> {
    count(result).map(drop)
}

/// The result of a system call that returns a count.
pub(crate) fn count(result: c_long) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}
