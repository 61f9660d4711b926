//! What is set on both sockets, and on the sender: nearly all that bears on what is received, and how.

use std::ffi::c_int;
use std::os::fd::AsRawFd;

use rust_tests::sys::net::set_option;

use crate::random::Random;
use crate::twins::Kind;

/// Level, name, and the values to choose from.
type Choice = (c_int, c_int, &'static [c_int]);

const ON: &[c_int] = &[1];
const TINY: &[c_int] = &[1];
const HUGE: &[c_int] = &[8 << 20];
/// Software stamps of what is received; the same with all that can be asked for beside them; none at all.
const STAMPING: &[c_int] = &[0x18, 0x18 | 0x40 | 1 << 10, 0x10];
/// ESP, of which a kernel may know nothing, and L2TP, which leaves all datagrams to the socket.
const ENCAPSULATED: &[c_int] = &[2, 3];

/// Not in libc.
const SO_RCVMARK: c_int = 75;
pub const SO_TIMESTAMP_NEW: c_int = 63;
pub const SO_TIMESTAMPNS_NEW: c_int = 64;
pub const SO_TIMESTAMPING_NEW: c_int = 65;
pub const IP_CHECKSUM: c_int = 23;
const IP_RECVFRAGSIZE: c_int = 25;
const IPV6_2292PKTINFO: c_int = 2;
const IPV6_2292HOPLIMIT: c_int = 8;
const IPV6_RECVPATHMTU: c_int = 60;
const IPV6_DONTFRAG: c_int = 62;
const IPV6_RECVFRAGSIZE: c_int = 77;
const UDP_ENCAP: c_int = 100;
const UDP_NO_CHECK6_RX: c_int = 102;
const UDPLITE_SEND_CSCOV: c_int = 10;
const UDPLITE_RECV_CSCOV: c_int = 11;

const OF_SOCKETS: &[Choice] = &[
    (libc::SOL_SOCKET, libc::SO_TIMESTAMP, ON),
    (libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, ON),
    (libc::SOL_SOCKET, libc::SO_TIMESTAMPING, STAMPING),
    (libc::SOL_SOCKET, SO_TIMESTAMP_NEW, ON),
    (libc::SOL_SOCKET, SO_TIMESTAMPNS_NEW, ON),
    (libc::SOL_SOCKET, SO_TIMESTAMPING_NEW, STAMPING),
    (libc::SOL_SOCKET, libc::SO_RXQ_OVFL, ON),
    (libc::SOL_SOCKET, SO_RCVMARK, ON),
    (libc::SOL_SOCKET, libc::SO_BUSY_POLL, &[1, 50]),
    (libc::SOL_SOCKET, libc::SO_PREFER_BUSY_POLL, ON),
    (libc::SOL_SOCKET, libc::SO_PEEK_OFF, &[0, 1, 7, 300]),
    (libc::SOL_SOCKET, libc::SO_SELECT_ERR_QUEUE, ON),
    (libc::SOL_SOCKET, libc::SO_PASSCRED, ON),
];

const OF_IPV4: &[Choice] = &[
    (libc::IPPROTO_IP, libc::IP_PKTINFO, ON),
    (libc::IPPROTO_IP, libc::IP_RECVTTL, ON),
    (libc::IPPROTO_IP, libc::IP_RECVTOS, ON),
    (libc::IPPROTO_IP, libc::IP_RECVOPTS, ON),
    (libc::IPPROTO_IP, libc::IP_RETOPTS, ON),
    (libc::IPPROTO_IP, libc::IP_PASSSEC, ON),
    (libc::IPPROTO_IP, libc::IP_RECVORIGDSTADDR, ON),
    (libc::IPPROTO_IP, libc::IP_RECVERR, ON),
    (libc::IPPROTO_IP, IP_CHECKSUM, ON),
    (libc::IPPROTO_IP, IP_RECVFRAGSIZE, ON),
];

const OF_IPV6: &[Choice] = &[
    (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, ON),
    (libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT, ON),
    (libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS, ON),
    (libc::IPPROTO_IPV6, libc::IPV6_FLOWINFO, ON),
    (libc::IPPROTO_IPV6, libc::IPV6_RECVHOPOPTS, ON),
    (libc::IPPROTO_IPV6, libc::IPV6_RECVRTHDR, ON),
    (libc::IPPROTO_IPV6, libc::IPV6_RECVDSTOPTS, ON),
    (libc::IPPROTO_IPV6, IPV6_RECVPATHMTU, ON),
    (libc::IPPROTO_IPV6, libc::IPV6_RECVERR, ON),
    (libc::IPPROTO_IPV6, libc::IPV6_RECVORIGDSTADDR, ON),
    (libc::IPPROTO_IPV6, IPV6_RECVFRAGSIZE, ON),
    (libc::IPPROTO_IPV6, IPV6_2292PKTINFO, ON),
    (libc::IPPROTO_IPV6, IPV6_2292HOPLIMIT, ON),
];

const OF_UDP: &[Choice] = &[
    (libc::SOL_UDP, libc::UDP_GRO, ON),
    (libc::SOL_UDP, UDP_ENCAP, ENCAPSULATED),
    (libc::SOL_UDP, UDP_NO_CHECK6_RX, ON),
];
const OF_UDPLITE: &[Choice] = &[(libc::IPPROTO_UDPLITE, UDPLITE_RECV_CSCOV, &[8, 20])];
const OF_UNIX: &[Choice] =
    &[(libc::SOL_SOCKET, libc::SO_PASSCRED, ON), (libc::SOL_SOCKET, libc::SO_PEEK_OFF, &[0, 1, 7, 300])];

fn of(kind: Kind) -> Vec<Choice> {
    match kind {
        Kind::Udp4 => [OF_SOCKETS, OF_IPV4, OF_UDP].concat(),
        Kind::Udp6 => [OF_SOCKETS, OF_IPV6, OF_UDP].concat(),
        Kind::Mapped => [OF_SOCKETS, OF_IPV4, OF_IPV6, OF_UDP].concat(),
        Kind::UdpLite => [OF_SOCKETS, OF_IPV4, OF_UDPLITE].concat(),
        Kind::UdpLite6 => [OF_SOCKETS, OF_IPV6, OF_UDPLITE].concat(),
        Kind::Unix => OF_UNIX.to_vec(),
        Kind::Tcp => Vec::new(),
    }
}

fn set(sockets: [&impl AsRawFd; 2], (level, name, values): Choice, random: &mut Random) {
    let value = random.pick(values);
    crate::tell(|| format!("{value}:"));
    on(sockets, level, name, value);
}

/// Sets nothing, one of the options, or some; and the receive buffer to its smallest, or so large that it never fills.
/// At sizes between, what stock gives back by the message and a batch gives back at once decides what fits.
pub fn set_some(kind: Kind, sockets: [&impl AsRawFd; 2], random: &mut Random) {
    if kind.is_udp() {
        let room = (libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, if random.once_in(8) { TINY } else { HUGE });
        set(sockets, room, random);
    }
    let all = of(kind);
    match random.below(5) {
        0 | 1 => (),
        2 => set_one(kind, sockets, random),
        _ => {
            for option in all {
                if random.once_in(4) {
                    set(sockets, option, random);
                }
            }
        }
    }
}

/// Sets one of the options, if there are any.
pub fn set_one(kind: Kind, sockets: [&impl AsRawFd; 2], random: &mut Random) {
    let all = of(kind);
    if !all.is_empty() {
        let option = random.pick(&all);
        set(sockets, option, random);
    }
}

/// Makes errors known at once, and keeps them in the error queue.
pub fn hear_of_errors(sockets: [&impl AsRawFd; 2]) {
    on(sockets, libc::IPPROTO_IP, libc::IP_RECVERR, 1);
    on(sockets, libc::IPPROTO_IPV6, libc::IPV6_RECVERR, 1);
}

/// Keeps packets whole, and tells of the path that is too narrow for one.
pub fn hear_of_narrow_paths(sockets: [&impl AsRawFd; 2]) {
    on(sockets, libc::IPPROTO_IPV6, IPV6_RECVPATHMTU, 1);
    on(sockets, libc::IPPROTO_IPV6, IPV6_DONTFRAG, 1);
}

/// Makes IPv4 sockets of those that are connected to an IPv4 peer.
pub fn become_ipv4(sockets: [&impl AsRawFd; 2]) {
    on(sockets, libc::IPPROTO_IPV6, libc::IPV6_ADDRFORM, libc::AF_INET);
}

/// Changes the headers that senders send from now on.
pub fn dress(senders: [&impl AsRawFd; 2], ipv4: bool, random: &mut Random) {
    // Four times no operation; and a pad of four bytes, for the next header to be put in front of.
    let (nop, pad) = (u32::from_ne_bytes([1; 4]), u64::from_ne_bytes([0, 0, 1, 4, 0, 0, 0, 0]));
    let number = c_int::try_from(1 + random.below(255)).unwrap();
    match (random.below(7), ipv4) {
        (0, _) => on(senders, libc::SOL_SOCKET, libc::SO_MARK, number),
        (1, _) => on(senders, libc::SOL_SOCKET, libc::SO_NO_CHECK, number % 2),
        (2, _) => on(senders, libc::IPPROTO_UDPLITE, UDPLITE_SEND_CSCOV, 8 + number % 60),
        (3, true) => on(senders, libc::IPPROTO_IP, libc::IP_TTL, number),
        (4, true) => on(senders, libc::IPPROTO_IP, libc::IP_TOS, number),
        (_, true) => on(senders, libc::IPPROTO_IP, libc::IP_OPTIONS, nop),
        (3, false) => on(senders, libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS, number),
        (4, false) => on(senders, libc::IPPROTO_IPV6, libc::IPV6_TCLASS, number),
        (5, false) => on(senders, libc::IPPROTO_IPV6, libc::IPV6_DSTOPTS, pad),
        (_, false) => on(senders, libc::IPPROTO_IPV6, libc::IPV6_HOPOPTS, pad),
    }
}

/// Sets the same on both, or is refused the same: not all options are for every protocol.
fn on<T: Copy>(sockets: [&impl AsRawFd; 2], level: c_int, name: c_int, value: T) {
    crate::tell(|| format!("option {level}, {name}, of {} bytes", size_of::<T>()));
    let [one, other] =
        sockets.map(|socket| set_option(socket, level, name, value).map_err(|error| error.raw_os_error()));
    assert_eq!(one, other, "option {level}, {name}");
}
