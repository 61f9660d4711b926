//! Socket calls that std has not, or not with all of their arguments.

use std::ffi::{c_int, c_void};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd;

use crate::sys::net::{Address, set_option, socklen};
use crate::sys::{count, zero};

/// `bind()`.
///
/// # Errors
/// Those of the system call.
pub fn bind(socket: &impl AsRawFd, to: SocketAddr) -> io::Result<()> {
    let address = Address::new(to);
    let (address, len) = address.raw();
    // SAFETY: an address of that length, only read.
    zero(unsafe { libc::bind(socket.as_raw_fd(), address, len) }.into())
}

/// Binds an IPv4 socket to a free port of the loopback.
pub fn bind4(socket: &impl AsRawFd) {
    bind(socket, (Ipv4Addr::LOCALHOST, 0).into()).expect("bind");
}

/// `connect()`.
///
/// # Errors
/// Those of the system call.
pub fn connect(socket: &impl AsRawFd, to: SocketAddr) -> io::Result<()> {
    let address = Address::new(to);
    let (address, len) = address.raw();
    // SAFETY: an address of that length, only read.
    zero(unsafe { libc::connect(socket.as_raw_fd(), address, len) }.into())
}

/// Takes a socket's peer away.
///
/// # Errors
/// Those of the system call.
pub fn disconnect(socket: &impl AsRawFd) -> io::Result<()> {
    // SAFETY: all zero is a valid sockaddr, and one of no family.
    let nobody: libc::sockaddr = unsafe { std::mem::zeroed() };
    // SAFETY: an address of that length, only read.
    let result = unsafe { libc::connect(socket.as_raw_fd(), &raw const nobody, socklen::<libc::sockaddr>()) };
    zero(result.into())
}

/// `shutdown()` for receiving.
///
/// # Errors
/// Those of the system call.
pub fn shut_down(socket: &impl AsRawFd) -> io::Result<()> {
    // SAFETY: only numbers go in.
    zero(unsafe { libc::shutdown(socket.as_raw_fd(), libc::SHUT_RD) }.into())
}

/// `sendto()`.
///
/// # Errors
/// Those of the system call.
pub fn send_to(socket: &impl AsRawFd, payload: &[u8], to: SocketAddr, flags: c_int) -> io::Result<usize> {
    let address = Address::new(to);
    // SAFETY: bytes and an address of those lengths, only read.
    let sent = unsafe {
        let (address, len) = address.raw();
        libc::sendto(socket.as_raw_fd(), payload.as_ptr().cast(), payload.len(), flags, address, len)
    };
    count(sent as i64)
}

/// `recv()` into a buffer of `room` bytes: what it returned, and all of the buffer.
///
/// # Errors
/// Those of the system call.
pub fn receive(socket: &impl AsRawFd, room: usize, flags: c_int) -> io::Result<(usize, Vec<u8>)> {
    let mut buffer = vec![0_u8; room];
    // SAFETY: a buffer of that length.
    let received =
        unsafe { libc::recv(socket.as_raw_fd(), buffer.as_mut_ptr().cast::<c_void>(), room, flags) };
    count(received as i64).map(|received| (received, buffer))
}

/// Lets through the first `len` bytes of what comes, UDP's header included; none at all if that is 0.
///
/// # Errors
/// Those of the system call.
pub fn filter_to(socket: &impl AsRawFd, len: u32) -> io::Result<()> {
    let code = u16::try_from(libc::BPF_RET | libc::BPF_K).expect("a small number");
    let mut program = libc::sock_filter { code, jt: 0, jf: 0, k: len };
    let program = libc::sock_fprog { len: 1, filter: &raw mut program };
    set_option(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, program)
}

/// Not in libc.
const SIOCGSTAMPNS: libc::Ioctl = 0x8907;

/// When the last message came, in seconds and nanoseconds; asking makes the kernel keep that from now on.
///
/// # Errors
/// Those of the system call.
pub fn last_stamp(socket: &impl AsRawFd) -> io::Result<[i64; 2]> {
    let mut stamp = [0; 2];
    // SAFETY: writes one timespec, which is two words.
    zero(unsafe { libc::ioctl(socket.as_raw_fd(), SIOCGSTAMPNS, stamp.as_mut_ptr()) }.into())?;
    Ok(stamp)
}

/// What `poll()` says of a descriptor at once.
pub fn readiness(file: &impl AsRawFd) -> i16 {
    let events = libc::POLLIN | libc::POLLPRI | libc::POLLRDHUP;
    let mut poll = libc::pollfd { fd: file.as_raw_fd(), events, revents: 0 };
    // SAFETY: one pollfd.
    let result = unsafe { libc::poll(&raw mut poll, 1, 0) };
    assert!(result >= 0, "poll: {}", io::Error::last_os_error());
    poll.revents
}
