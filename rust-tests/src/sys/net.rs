//! Sockets beyond what `std::net` offers.

use std::ffi::c_int;
use std::io;
use std::mem::{MaybeUninit, size_of};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixDatagram;
use std::ptr;

use crate::sys::{count, patience, zero};

/// A receiver on a free port of the loopback and a sender connected to it, IPv4.
pub fn udp4() -> (UdpSocket, UdpSocket) {
    udp(Ipv4Addr::LOCALHOST.into())
}

/// The same for IPv6.
pub fn udp6() -> (UdpSocket, UdpSocket) {
    udp(Ipv6Addr::LOCALHOST.into())
}

fn udp(address: std::net::IpAddr) -> (UdpSocket, UdpSocket) {
    let receiver = UdpSocket::bind((address, 0)).expect("bind");
    let sender = UdpSocket::bind((address, 0)).expect("bind");
    sender.connect(receiver.local_addr().expect("its address")).expect("connect");
    for socket in [&receiver, &sender] {
        socket.set_read_timeout(Some(patience())).expect("SO_RCVTIMEO");
    }
    (receiver, sender)
}

/// A socket of any kind; `None` where this kernel has no such protocol.
pub fn socket(domain: c_int, kind: c_int, protocol: c_int) -> Option<OwnedFd> {
    // SAFETY: only numbers go in.
    let fd = unsafe { libc::socket(domain, kind | libc::SOCK_CLOEXEC, protocol) };
    // SAFETY: a descriptor that nobody else knows.
    (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) })
}

/// An address as system calls want it.
pub(crate) struct Address(libc::sockaddr_in6, libc::socklen_t);

impl Address {
    pub(crate) fn new(address: SocketAddr) -> Self {
        // SAFETY: all zero is a valid sockaddr_in6.
        let mut room: libc::sockaddr_in6 = unsafe { std::mem::zeroed() };
        match address {
            SocketAddr::V4(v4) => {
                let address = libc::sockaddr_in {
                    sin_family: libc::AF_INET.try_into().expect("a small number"),
                    sin_port: v4.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: u32::from(*v4.ip()).to_be() },
                    sin_zero: [0; 8],
                };
                // SAFETY: a sockaddr_in is smaller and no more aligned.
                unsafe { ptr::write((&raw mut room).cast(), address) };
                Self(room, socklen::<libc::sockaddr_in>())
            }
            SocketAddr::V6(v6) => {
                room.sin6_family = libc::AF_INET6.try_into().expect("a small number");
                room.sin6_port = v6.port().to_be();
                room.sin6_addr.s6_addr = v6.ip().octets();
                Self(room, socklen::<libc::sockaddr_in6>())
            }
        }
    }

    pub(crate) fn raw(&self) -> (*const libc::sockaddr, libc::socklen_t) {
        ((&raw const self.0).cast(), self.1)
    }
}

pub(crate) fn socklen<T>() -> libc::socklen_t {
    size_of::<T>().try_into().expect("a small type")
}

/// The address of a socket as the kernel writes it.
///
/// # Errors
/// Those of the system call.
pub fn local_name(socket: &impl AsRawFd) -> io::Result<Vec<u8>> {
    let mut name = vec![0; size_of::<libc::sockaddr_storage>()];
    let mut len = socklen::<libc::sockaddr_storage>();
    // SAFETY: room of that length.
    let result = unsafe { libc::getsockname(socket.as_raw_fd(), name.as_mut_ptr().cast(), &raw mut len) };
    name.truncate(len as usize);
    zero(result.into()).map(|()| name)
}

/// Sets an option that is a plain value.
///
/// # Errors
/// Those of the system call.
pub fn set_option<T: Copy>(socket: &impl AsRawFd, level: c_int, name: c_int, value: T) -> io::Result<()> {
    let len = socklen::<T>();
    // SAFETY: a value of that length, only read.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const value).cast(), len) };
    zero(result.into())
}

/// The words of an option: one, or an array of them.
///
/// # Errors
/// Those of the system call.
pub fn option<const N: usize>(socket: &impl AsRawFd, level: c_int, name: c_int) -> io::Result<[c_int; N]> {
    let mut value = [0; N];
    let mut len = socklen::<[c_int; N]>();
    // SAFETY: room of that length.
    let result =
        unsafe { libc::getsockopt(socket.as_raw_fd(), level, name, (&raw mut value).cast(), &raw mut len) };
    zero(result.into()).map(|()| value)
}

/// How much of its receive buffer is taken, in bytes, as the kernel counts.
pub fn charged(socket: &impl AsRawFd) -> c_int {
    memory(socket, libc::SK_MEMINFO_RMEM_ALLOC)
}

/// How many datagrams it has dropped.
pub fn drops(socket: &impl AsRawFd) -> c_int {
    memory(socket, libc::SK_MEMINFO_DROPS)
}

fn memory(socket: &impl AsRawFd, what: c_int) -> c_int {
    let info: [c_int; 9] = option(socket, libc::SOL_SOCKET, libc::SO_MEMINFO).expect("SO_MEMINFO");
    info[usize::try_from(what).expect("an index")]
}

/// `SO_ERROR`, which it also clears.
pub fn take_error(socket: &impl AsRawFd) -> c_int {
    let [error] = option(socket, libc::SOL_SOCKET, libc::SO_ERROR).expect("SO_ERROR");
    error
}

/// How many bytes the next datagram has (of a stream: all bytes), 0 if there is none.
pub fn next_len(socket: &impl AsRawFd) -> c_int {
    queue_len(socket, libc::FIONREAD)
}

/// Not in libc.
const SIOCOUTQNSD: libc::Ioctl = 0x894b;

/// How many bytes of a stream have not been sent yet.
pub fn unsent(socket: &impl AsRawFd) -> c_int {
    queue_len(socket, SIOCOUTQNSD)
}

fn queue_len(socket: &impl AsRawFd, request: libc::Ioctl) -> c_int {
    let mut len = 0;
    // SAFETY: both requests write one int.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), request, &raw mut len) };
    assert_eq!(result, 0, "ioctl {request:#x}: {}", io::Error::last_os_error());
    len
}

/// Sends a byte out of band.
pub fn send_urgent(stream: &impl AsRawFd, byte: u8) {
    // SAFETY: one byte, only read.
    let sent = unsafe { libc::send(stream.as_raw_fd(), (&raw const byte).cast(), 1, libc::MSG_OOB) };
    assert_eq!(sent, 1, "send: {}", io::Error::last_os_error());
}

/// Passes a descriptor to whoever holds the other end.
pub fn send_fd(socket: &UnixDatagram, fd: RawFd) {
    let mut byte = [0_u8];
    let mut iov = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
    let mut control = [0_usize; 3];
    // SAFETY: all zero is a valid msghdr, a struct of integers and pointers.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_iov = &raw mut iov;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control);
    // SAFETY: there is room for one header and one descriptor, and sendmsg() only reads what it points to.
    let result = unsafe {
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(socklen::<RawFd>()) as usize;
        ptr::write_unaligned(libc::CMSG_DATA(header).cast(), fd);
        libc::sendmsg(socket.as_raw_fd(), &raw const message, 0)
    };
    assert_eq!(count(result as i64).expect("sendmsg"), 1);
}

/// Whether a descriptor is closed by exec.
pub fn closes_on_exec(socket: &impl AsRawFd) -> bool {
    // SAFETY: only numbers go in.
    let flags = unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_GETFD) };
    assert!(flags >= 0, "F_GETFD: {}", io::Error::last_os_error());
    flags & libc::FD_CLOEXEC != 0
}

/// Closes descriptor `fd` and makes it `socket`'s at the same moment.
pub fn replace_fd(fd: RawFd, socket: &impl AsRawFd) {
    // SAFETY: whoever owns `fd` still owns an open descriptor.
    let result = unsafe { libc::dup2(socket.as_raw_fd(), fd) };
    assert_eq!(result, fd, "dup2: {}", io::Error::last_os_error());
}

/// A control message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// Its level and its type.
    pub kind: (c_int, c_int),
    /// What follows the header.
    pub data: Vec<u8>,
}

impl Control {
    /// The number that it begins with.
    pub fn int(&self) -> c_int {
        c_int::from_ne_bytes(self.data[..4].try_into().expect("four bytes"))
    }
}

/// Takes a control buffer of this ABI's words apart.
pub fn controls(mut buffer: &[u8], word: usize) -> Vec<Control> {
    let header = word + 8;
    let mut controls = Vec::new();
    while buffer.len() >= header {
        let int = |at: usize| c_int::from_ne_bytes(buffer[at..at + 4].try_into().expect("four bytes"));
        let len = usize::try_from(int(0)).expect("a length");
        assert!((header..=buffer.len()).contains(&len), "a control message of {len} in {}", buffer.len());
        controls.push(Control { kind: (int(word), int(word + 4)), data: buffer[header..len].to_vec() });
        buffer = &buffer[len.next_multiple_of(word).min(buffer.len())..];
    }
    controls
}

/// Takes an address of IPv4 or IPv6 apart.
#[track_caller]
pub fn address(name: &[u8]) -> SocketAddr {
    let port = u16::from_be_bytes([name[2], name[3]]);
    match (i32::from(u16::from_ne_bytes([name[0], name[1]])), name.len()) {
        (libc::AF_INET, 16) => (<[u8; 4]>::try_from(&name[4..8]).expect("four bytes"), port).into(),
        (libc::AF_INET6, 28) => (<[u8; 16]>::try_from(&name[8..24]).expect("sixteen bytes"), port).into(),
        odd => panic!("address family and length are {odd:?}"),
    }
}
