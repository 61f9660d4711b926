//! Network namespaces, and their loopback.

use std::ffi::c_int;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use crate::sys::zero;

/// A network namespace, which lives as long as this.
#[derive(Debug)]
pub struct Namespace(File);

impl Namespace {
    /// A new one, in which this thread is from now on, with nothing but a loopback that is up.
    ///
    /// # Errors
    /// Those of the system calls.
    pub fn unshare() -> io::Result<Self> {
        // SAFETY: takes no pointer.
        zero(unsafe { libc::unshare(libc::CLONE_NEWNET) }.into())?;
        loopback_up()?;
        File::open("/proc/thread-self/ns/net").map(Self)
    }

    /// Moves this thread there.
    ///
    /// # Errors
    /// Those of the system call.
    pub fn enter(&self) -> io::Result<()> {
        // SAFETY: only numbers go in.
        zero(unsafe { libc::setns(self.0.as_raw_fd(), libc::CLONE_NEWNET) }.into())
    }
}

/// Brings the loopback of this thread's namespace up. Safe to call between fork and exec.
///
/// # Errors
/// Those of the system calls.
#[expect(clippy::cast_possible_truncation, reason = "IFF_UP is 1")]
pub fn loopback_up() -> io::Result<()> {
    request(libc::SIOCSIFFLAGS, |request| request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short)
}

/// Sets the longest packet that is not sent in fragments; IPv6 wants 1280 at least.
///
/// # Errors
/// Those of the system calls.
pub fn set_mtu(bytes: c_int) -> io::Result<()> {
    request(libc::SIOCSIFMTU, |request| request.ifr_ifru.ifru_mtu = bytes)
}

fn request(number: libc::Ioctl, fill: impl FnOnce(&mut libc::ifreq)) -> io::Result<()> {
    // SAFETY: an all-zero ifreq is valid, and `lo` fits its name with a NUL to spare; both requests read no more
    // than that.
    unsafe {
        let socket = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        zero(socket.min(0).into())?;
        let mut request: libc::ifreq = std::mem::zeroed();
        request.ifr_name[0] = b'l'.cast_signed();
        request.ifr_name[1] = b'o'.cast_signed();
        fill(&mut request);
        let done = zero(libc::ioctl(socket, number, &raw const request).into());
        libc::close(socket);
        done
    }
}
