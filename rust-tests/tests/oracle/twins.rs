//! Two sockets of a kind that get the same traffic.

use std::ffi::c_int;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::{fs, io, iter};

use rust_tests::skip;
use rust_tests::sys::calls;
use rust_tests::sys::link::{self, Namespace};
use rust_tests::sys::messages::{Messages, Shape};
use rust_tests::sys::net::{charged, drops, next_len, set_option, socket, take_error, udp4};
use rust_tests::sys::raw::RawUdp;

use crate::counters::Counters;
use crate::traffic::{NAMES, Sender, UdpSender};

/// What the sockets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Udp4,
    Udp6,
    /// An IPv6 socket that hears IPv4.
    Mapped,
    UdpLite,
    UdpLite6,
    Unix,
    Tcp,
}

impl Kind {
    /// Whether it is some sort of UDP.
    pub fn is_udp(self) -> bool {
        !matches!(self, Self::Unix | Self::Tcp)
    }

    /// Whether it is UDP-Lite.
    pub fn is_lite(self) -> bool {
        matches!(self, Self::UdpLite | Self::UdpLite6)
    }

    /// How its sockets call a peer.
    pub fn sees(self, peer: SocketAddr) -> SocketAddr {
        match peer.ip() {
            IpAddr::V4(ip) if self == Self::Mapped => (ip.to_ipv6_mapped(), peer.port()).into(),
            _ => peer,
        }
    }
}

/// A network namespace that a twin has to itself. So its address and its port can be the other's too, and what the
/// kernel counts there is its own.
struct Home {
    namespace: Namespace,
    counters: Counters,
    /// What comes out here last had been sent last.
    fence: (UdpSocket, UdpSocket),
}

impl Home {
    fn new() -> Self {
        let namespace = Namespace::unshare().unwrap();
        Self { namespace, counters: Counters::open(), fence: udp4() }
    }

    fn tap(&self) -> OwnedFd {
        const ALL: u16 = 3;
        self.namespace.enter().unwrap();
        socket(libc::AF_PACKET, libc::SOCK_DGRAM, ALL.to_be().into()).unwrap()
    }
}

/// The two sockets, and who sends to them.
pub struct Twins {
    /// Receives as ever.
    pub plain: OwnedFd,
    /// Receives into what it remembers.
    pub remembered: OwnedFd,
    /// Who sends.
    pub sender: Sender,
    homes: [Home; 2],
    /// Sees all packets while it is there: then nobody has a packet to himself.
    tap: Option<[OwnedFd; 2]>,
    /// Room for all that a round leaves behind.
    rest: Messages,
}

impl Twins {
    pub fn new(kind: Kind) -> Self {
        let homes = [(); 2].map(|()| Home::new());
        let ([plain, remembered], sender) = sockets(kind, &homes, FIRST_PORT);
        Self { plain, remembered, sender, homes, tap: None, rest: Messages::new(130, &Shape::payload(400)) }
    }

    /// Makes the sockets anew, so that a round depends on nothing before it.
    pub fn renew(&mut self, kind: Kind, seed: u64) {
        // Some rounds in a row: the kernel takes its time to close a tap.
        let tapped = kind.is_udp() && (seed / TAPPED).is_multiple_of(8);
        if tapped != self.tap.is_some() {
            self.tap = tapped.then(|| self.homes.each_ref().map(Home::tap));
        }
        // Each connection leaves a port behind that is not free for a minute: there would soon be none left.
        if kind != Kind::Tcp {
            // The sockets of the round before still live.
            let port = FIRST_PORT + 2 + u16::try_from(seed % PORTS * 2).unwrap();
            ([self.plain, self.remembered], self.sender) = sockets(kind, &self.homes, port);
        }
    }

    /// Makes fragments of packets that are longer.
    pub fn set_mtu(&self, bytes: c_int) {
        for home in &self.homes {
            home.namespace.enter().unwrap();
            link::set_mtu(bytes).unwrap();
        }
    }

    /// The plain one, then the other.
    pub fn pair(&self) -> [&OwnedFd; 2] {
        [&self.plain, &self.remembered]
    }

    /// Does something to both; it must come to the same.
    #[track_caller]
    pub fn both<T: PartialEq + std::fmt::Debug>(&self, act: impl Fn(&OwnedFd) -> io::Result<T>) -> Option<T> {
        let [plain, remembered] = self.pair().map(|socket| act(socket).map_err(|error| error.raw_os_error()));
        assert_eq!(remembered, plain);
        plain.ok()
    }

    /// Waits until all that was sent has arrived.
    pub fn settle(&self) {
        self.sender.flush();
        for Home { fence: (receiver, sender), .. } in &self.homes {
            sender.send(b"!").unwrap();
            receiver.recv(&mut [0]).unwrap();
        }
    }

    /// How many datagrams each socket dropped; a stream counts other things there, not the same each time.
    pub fn drops(&self) -> [c_int; 2] {
        if let Sender::Tcp(_) = self.sender {
            return [0; 2];
        }
        self.pair().map(drops)
    }

    /// Throws away what is left; it must be as much for both, as must all that was counted.
    pub fn drain(&self) {
        let [plain, remembered] = self.pair().map(|socket| {
            take_error(socket);
            iter::from_fn(|| self.some_of_the_rest(socket)).take(RESTS).flatten().collect::<Vec<_>>()
        });
        assert!(plain == remembered, "{} and {} messages are left", plain.len(), remembered.len());
        assert_eq!(next_len(&self.plain), 0);
        if let Sender::Udp(_) = self.sender {
            let [plain, remembered] = self.pair().map(charged);
            assert_eq!(remembered, plain, "memory charged to empty sockets");
            let [plain, remembered] = self.homes.each_ref().map(|home| home.counters.read());
            assert_eq!(remembered, plain);
        }
    }

    /// The lengths of messages, and how they begin.
    fn some_of_the_rest(&self, socket: &OwnedFd) -> Option<Vec<(usize, Vec<u8>)>> {
        let rest = &self.rest;
        rest.reset();
        let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
        let n = rest.recv_unchecked(&(0..rest.len()), None, socket, flags).ok()?;
        Some((0..n).map(|i| (rest.received(i), rest.payload(i))).collect())
    }
}

/// The receivers'; senders have the next.
const FIRST_PORT: u16 = 2000;
/// Pairs of ports; those from 32768 on the kernel gives away itself.
const PORTS: u64 = 15_000;

/// So many rounds have a tap, and seven times as many have none.
const TAPPED: u64 = 8;

/// More than fit any receive buffer, 130 at a time.
const RESTS: usize = 10;

fn sockets(kind: Kind, homes: &[Home; 2], port: u16) -> ([OwnedFd; 2], Sender) {
    let (sockets, sender) = match kind {
        Kind::Unix => unix(),
        Kind::Tcp => tcp(),
        _ => udp(kind, homes, port),
    };
    // Now and then a round waits, and then not for long.
    let moment = libc::timeval { tv_sec: 0, tv_usec: 1000 };
    for socket in &sockets {
        set_option(socket, libc::SOL_SOCKET, libc::SO_RCVTIMEO, moment).unwrap();
    }
    (sockets, sender)
}

fn udp(kind: Kind, homes: &[Home; 2], port: u16) -> ([OwnedFd; 2], Sender) {
    let (at, ip): (IpAddr, IpAddr) = match kind {
        Kind::Udp6 | Kind::UdpLite6 => (Ipv6Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()),
        Kind::Mapped => (Ipv6Addr::UNSPECIFIED.into(), Ipv4Addr::LOCALHOST.into()),
        _ => (Ipv4Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()),
    };
    let bound = |address: SocketAddr| {
        if kind.is_lite() { udplite(address) } else { UdpSocket::bind(address).unwrap() }
    };
    let pairs = homes.each_ref().map(|home| {
        home.namespace.enter().unwrap();
        let from = (ip, port + 1).into();
        let raw = (!kind.is_lite()).then(|| RawUdp::new(from).unwrap());
        (OwnedFd::from(bound((at, port).into())), UdpSender { from: bound(from), to: (ip, port).into(), raw })
    });
    let [(plain, to_plain), (remembered, to_remembered)] = pairs;
    ([plain, remembered], Sender::Udp([to_plain, to_remembered]))
}

fn udplite(address: SocketAddr) -> UdpSocket {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let Some(socket) = socket(family, libc::SOCK_DGRAM, libc::IPPROTO_UDPLITE) else {
        skip!("this kernel has no UDP-Lite");
    };
    calls::bind(&socket, address).unwrap();
    socket.into()
}

fn unix() -> ([OwnedFd; 2], Sender) {
    let [plain, remembered] = NAMES.map(|name| {
        let _ = fs::remove_file(name);
        UnixDatagram::bind(name).unwrap().into()
    });
    let _ = fs::remove_file("sender");
    let sender = UnixDatagram::bind("sender").unwrap();
    sender.set_nonblocking(true).unwrap();
    ([plain, remembered], Sender::Unix(sender))
}

fn tcp() -> ([OwnedFd; 2], Sender) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let pairs = [(); 2].map(|()| {
        let sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        sender.set_nodelay(true).unwrap();
        (OwnedFd::from(listener.accept().unwrap().0), sender)
    });
    let [(plain, to_plain), (remembered, to_remembered)] = pairs;
    ([plain, remembered], Sender::Tcp([to_plain, to_remembered]))
}
