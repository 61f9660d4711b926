//! Network namespaces, their loopback, and the guest's own network card.

use std::ffi::{CStr, c_int};
use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr;

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

    /// The first one, in which init is, and to which some settings of the network belong.
    ///
    /// # Errors
    /// Those of the system call.
    pub fn first() -> io::Result<Self> {
        File::open("/proc/1/ns/net").map(Self)
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

impl AsRawFd for Namespace {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Brings the loopback of this thread's namespace up. Safe to call between fork and exec.
///
/// # Errors
/// Those of the system calls.
pub fn loopback_up() -> io::Result<()> {
    up(c"lo")
}

/// Gives the guest's first network card an address, with the mask of the address's class, and brings it up.
///
/// # Errors
/// Those of the system calls.
pub fn card_up(address: Ipv4Addr) -> io::Result<()> {
    address_up(CARD, address)
}

/// The same for the network card of that name.
pub(super) fn address_up(name: &CStr, address: Ipv4Addr) -> io::Result<()> {
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET.try_into().expect("a small number"),
        sin_port: 0,
        sin_addr: libc::in_addr { s_addr: u32::from(address).to_be() },
        sin_zero: [0; 8],
    };
    request(name, libc::SIOCSIFADDR, |request| {
        // SAFETY: a sockaddr_in is as large as a sockaddr, and no more aligned.
        unsafe { ptr::write((&raw mut request.ifr_ifru.ifru_addr).cast(), address) };
    })?;
    up(name)
}

/// The first network card's name.
const CARD: &CStr = c"eth0";

#[expect(clippy::cast_possible_truncation, reason = "IFF_UP is 1")]
fn up(name: &CStr) -> io::Result<()> {
    request(name, libc::SIOCSIFFLAGS, |request| {
        request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
    })
}

/// Sets the longest packet that is not sent in fragments; IPv6 wants 1280 at least.
///
/// # Errors
/// Those of the system calls.
pub fn set_mtu(bytes: c_int) -> io::Result<()> {
    request(c"lo", libc::SIOCSIFMTU, |request| request.ifr_ifru.ifru_mtu = bytes)
}

/// What ethtool asks of a network card: a command, and a value that may be another afterwards.
#[repr(C)]
struct EthtoolValue {
    command: u32,
    data: u32,
}

/// Has a card do what ethtool's `command` says, and returns what it answers.
///
/// # Errors
/// Those of the system calls.
pub(super) fn ethtool(name: &CStr, command: u32, data: u32) -> io::Result<u32> {
    let mut value = EthtoolValue { command, data };
    request(name, libc::SIOCETHTOOL, |request| {
        request.ifr_ifru.ifru_data = (&raw mut value).cast();
    })?;
    Ok(value.data)
}

fn request(name: &CStr, number: libc::Ioctl, fill: impl FnOnce(&mut libc::ifreq)) -> io::Result<()> {
    // SAFETY: an all-zero ifreq is valid, and its name ends in a NUL; all requests read no more than that, or what it
    // points to.
    unsafe {
        let socket = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        zero(socket.min(0).into())?;
        let mut request: libc::ifreq = std::mem::zeroed();
        for (to, from) in request.ifr_name.iter_mut().zip(name.to_bytes_with_nul()) {
            *to = from.cast_signed();
        }
        fill(&mut request);
        let done = zero(libc::ioctl(socket, number, &raw const request).into());
        libc::close(socket);
        done
    }
}
