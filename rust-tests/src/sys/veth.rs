//! A pair of virtual network cards: what is sent by one is received by the other.

use std::ffi::CStr;
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};

use crate::sys::link::{Namespace, address_up, ethtool};
use crate::sys::netlink::Netlink;
use crate::sys::patience;

/// What each card is called in its namespace.
const CARD: &CStr = c"veth0";
/// Of the card that receives, and of the one that sends.
const RECEIVER: Ipv4Addr = Ipv4Addr::new(192, 168, 78, 1);
const SENDER: Ipv4Addr = Ipv4Addr::new(192, 168, 78, 2);

/// The length of a packet on Ethernet, and with jumbo frames.
const MTUS: [usize; 2] = [1500, 9000];
/// What of it IPv4 and UDP take.
const HEADERS: usize = 28;

/// `VETH_INFO_PEER` of Linux.
const PEER: u16 = 1;
/// `ETHTOOL_*` of Linux: is there a link; split TCP's large packets late; join packets that arrive.
const GET_LINK: u32 = 0x0a;
const SET_TSO: u32 = 0x1f;
const SET_GRO: u32 = 0x2c;

/// A receiver behind one card of a new pair, and a sender behind the other that is connected to it, each in a namespace
/// of its own. This thread is in the receiver's from now on. Datagrams of so many bytes are sent whole; they come by a
/// queue that has a number and can be polled (NAPI), as other cards have one.
///
/// # Errors
/// Those of the system calls: `EOPNOTSUPP` where the kernel has no such cards.
pub fn udp4(datagram: usize) -> io::Result<(UdpSocket, UdpSocket)> {
    let mtu = MTUS.into_iter().find(|mtu| datagram + HEADERS <= *mtu).ok_or(io::ErrorKind::InvalidInput)?;
    let theirs = Namespace::unshare()?;
    let ours = Namespace::unshare()?;
    create(mtu, theirs.as_raw_fd())?;
    // What may join packets has a queue to find them in.
    ethtool(CARD, SET_GRO, 1)?;
    address_up(CARD, RECEIVER)?;
    let receiver = UdpSocket::bind((RECEIVER, 0))?;
    theirs.enter()?;
    address_up(CARD, SENDER)?;
    // Else the driver takes past the queue what is never joined there.
    ethtool(CARD, SET_TSO, 0)?;
    let sender = UdpSocket::bind((SENDER, 0))?;
    sender.connect(receiver.local_addr()?)?;
    link_is_there()?;
    ours.enter()?;
    link_is_there()?;
    for socket in [&receiver, &sender] {
        socket.set_read_timeout(Some(patience()))?;
    }
    // The first one waits until the card's address is known. Others arrive before the call that sends them ends.
    sender.send(&[])?;
    receiver.recv(&mut [0])?;
    Ok((receiver, sender))
}

/// The number of the card in this thread's namespace.
///
/// # Errors
/// Those of the system call.
pub fn card() -> io::Result<u32> {
    // SAFETY: a name that is only read.
    match unsafe { libc::if_nametoindex(CARD.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index),
    }
}

/// Makes sure of it. To be asked brings the kernel up to date, too: a card whose link is new drops what it is to send.
fn link_is_there() -> io::Result<()> {
    match ethtool(CARD, GET_LINK, 0)? {
        1 => Ok(()),
        _ => Err(io::ErrorKind::NotConnected.into()),
    }
}

/// Makes a pair, one card here and one in another namespace.
fn create(mtu: usize, there: RawFd) -> io::Result<()> {
    let flags = libc::NLM_F_CREATE | libc::NLM_F_EXCL;
    Netlink::new(libc::NETLINK_ROUTE, 0)?.ask(libc::RTM_NEWLINK, flags, &pair(mtu, there))
}

/// `ip link add veth0 mtu MTU type veth peer name veth0 mtu MTU netns THERE`.
fn pair(mtu: usize, there: RawFd) -> Vec<u8> {
    let name = || attribute(libc::IFLA_IFNAME, CARD.to_bytes_with_nul());
    let mtu = || attribute(libc::IFLA_MTU, &u32::try_from(mtu).expect("a small number").to_ne_bytes());
    // Nothing of a `struct ifinfomsg` is asked for.
    let any = || vec![0; 16];
    let there = attribute(libc::IFLA_NET_NS_FD, &there.to_ne_bytes());
    let peer = attribute(PEER, &[any(), name(), mtu(), there].concat());
    let kind = attribute(libc::IFLA_INFO_KIND, b"veth");
    let info = attribute(libc::IFLA_LINKINFO, &[kind, attribute(libc::IFLA_INFO_DATA, &peer)].concat());
    [any(), name(), mtu(), info].concat()
}

/// A netlink attribute: its length, its kind, its value, filled up to whole words.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let len = u16::try_from(4 + value.len()).expect("a short attribute");
    let mut bytes = [&len.to_ne_bytes(), &kind.to_ne_bytes(), value].concat();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_whole_words_and_tell_their_own_length() {
        assert_eq!(attribute(3, b"veth0\0"), [&[10, 0, 3, 0], &b"veth0\0\0\0"[..]].concat());
        assert_eq!(attribute(18, &attribute(1, b"veth")), *b"\x0c\0\x12\0\x08\0\x01\0veth");
    }

    #[test]
    fn a_pair_is_told_by_its_name_first() {
        assert_eq!(pair(1500, 7)[16..][..4], [10, 0, 3, 0]);
    }
}
