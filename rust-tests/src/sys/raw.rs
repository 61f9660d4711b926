//! Datagrams that no honest sender makes.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};

use crate::sys::count;
use crate::sys::net::{sockaddr4, socket, socklen};

/// Sends UDP datagrams over IPv4 whose headers it writes itself.
#[derive(Debug)]
pub struct RawUdp(OwnedFd);

impl RawUdp {
    /// Where the process may.
    pub fn new() -> Option<Self> {
        socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_UDP).map(Self)
    }

    /// Sends a datagram whose checksum is wrong.
    ///
    /// # Errors
    /// Those of the system call.
    pub fn send_corrupt(&self, payload: &[u8], to: SocketAddr) -> io::Result<usize> {
        let IpAddr::V4(ip) = to.ip() else { panic!("{to} is not IPv4") };
        let len = u16::try_from(8 + payload.len()).expect("a datagram");
        // Zero would mean that there is no checksum.
        let wrong = match checksum(payload, to.port(), len).wrapping_add(1) {
            0 => 1,
            wrong => wrong,
        };
        let header = [SOURCE, to.port(), len, wrong].map(u16::to_be_bytes).concat();
        let datagram = [&header, payload].concat();
        let address = sockaddr4(ip, 0);
        // SAFETY: an address and a datagram of those lengths, only read.
        let sent = unsafe {
            let address = (&raw const address).cast();
            let len = socklen::<libc::sockaddr_in>();
            libc::sendto(self.0.as_raw_fd(), datagram.as_ptr().cast(), datagram.len(), 0, address, len)
        };
        count(sent as i64).map(|sent| sent - header.len())
    }
}

/// The port that such datagrams come from.
const SOURCE: u16 = 9;

/// The right checksum of a datagram from and to 127.0.0.1.
fn checksum(payload: &[u8], port: u16, len: u16) -> u16 {
    let loopback = 0x7f00_u32 + 1;
    let mut sum = 2 * loopback + 17 + 2 * u32::from(len) + u32::from(SOURCE) + u32::from(port);
    for word in payload.chunks(2) {
        sum += u32::from(u16::from_be_bytes([word[0], *word.get(1).unwrap_or(&0)]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded")
}
