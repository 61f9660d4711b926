//! Datagrams that no honest sender makes: their headers are written here.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};

use crate::sys::count;
use crate::sys::net::{Address, socket};

/// What a datagram says its checksum is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// What it is; only the receiver finds that out.
    Right,
    /// Something else.
    Wrong,
    /// That it has none: to IPv4 that is fine, to IPv6 it is not.
    None,
}

/// Sends UDP datagrams in IP packets of its own making. Receives nothing, so that other sockets' packets stay theirs.
#[derive(Debug)]
pub struct RawUdp {
    socket: OwnedFd,
    from: SocketAddr,
}

impl RawUdp {
    /// Where the process may; its datagrams come from `from`.
    pub fn new(from: SocketAddr) -> Option<Self> {
        let domain = if from.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
        socket(domain, libc::SOCK_RAW, libc::IPPROTO_RAW).map(|socket| Self { socket, from })
    }

    /// Sends one, to an address of the same family.
    ///
    /// # Errors
    /// Those of the system call.
    pub fn send(&self, payload: &[u8], to: SocketAddr, checksum: Checksum) -> io::Result<usize> {
        let packet = packet(self.from, to, payload, checksum);
        // A port would be taken for a protocol.
        let address = Address::new(SocketAddr::new(to.ip(), 0));
        // SAFETY: a packet and an address of those lengths, only read.
        let sent = unsafe {
            let (address, len) = address.raw();
            libc::sendto(self.socket.as_raw_fd(), packet.as_ptr().cast(), packet.len(), 0, address, len)
        };
        count(sent as i64).map(|sent| sent - (packet.len() - payload.len()))
    }
}

/// An IP packet with a UDP datagram in it, between addresses of the same family.
pub fn packet(from: SocketAddr, to: SocketAddr, payload: &[u8], checksum: Checksum) -> Vec<u8> {
    let len = u16::try_from(8 + payload.len()).expect("a datagram");
    let mut pseudo = [octets(from.ip()), octets(to.ip())].concat();
    pseudo.extend([0, 17]);
    pseudo.extend(len.to_be_bytes());
    let header = |sum: u16| [from.port(), to.port(), len, sum].map(u16::to_be_bytes).concat();
    let right = match internet_checksum(&[&pseudo, &header(0), payload].concat()) {
        0 => 0xffff,
        right => right,
    };
    let sum = match checksum {
        Checksum::Right => right,
        // Neither none at all nor the other name of the right one.
        Checksum::Wrong => right % 0xfffe + 1,
        Checksum::None => 0,
    };
    [&ip_header(from.ip(), to.ip(), len), &header(sum), payload].concat()
}

fn ip_header(from: IpAddr, to: IpAddr, len: u16) -> Vec<u8> {
    let addresses = [octets(from), octets(to)].concat();
    if to.is_ipv6() {
        let [high, low] = len.to_be_bytes();
        return [&[0x60, 0, 0, 0, high, low, 17, 64][..], &addresses].concat();
    }
    let [high, low] = (20 + len).to_be_bytes();
    let mut header = [&[0x45, 0, high, low, 0, 0, 0, 0, 64, 17, 0, 0][..], &addresses].concat();
    let sum = internet_checksum(&header).to_be_bytes();
    header[10..12].copy_from_slice(&sum);
    header
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// Of the Internet, RFC 1071.
fn internet_checksum(bytes: &[u8]) -> u16 {
    let words =
        bytes.chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], *word.get(1).unwrap_or(&0)])));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded")
}
