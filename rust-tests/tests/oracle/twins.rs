//! Two sockets of a kind that get the same traffic.

use std::ffi::c_int;
use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;

use rust_tests::skip;
use rust_tests::sys::messages::{Messages, Shape};
use rust_tests::sys::net::{bind4, next_len, option, socket, take_error, udp4, unsent};
use rust_tests::sys::process::wait_until;
use rust_tests::sys::raw::RawUdp;

/// What the sockets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Udp4,
    Udp6,
    UdpLite,
    Unix,
    Tcp,
}

impl Kind {
    /// Options that bring control messages, the same ones to both.
    pub fn options(self) -> &'static [(c_int, c_int)] {
        match self {
            Self::Udp4 | Self::UdpLite => &[
                (libc::IPPROTO_IP, libc::IP_PKTINFO),
                (libc::IPPROTO_IP, libc::IP_RECVTTL),
                (libc::IPPROTO_IP, libc::IP_RECVTOS),
                (libc::SOL_SOCKET, libc::SO_RXQ_OVFL),
            ],
            Self::Udp6 => &[
                (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
                (libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT),
                (libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS),
            ],
            Self::Unix => &[(libc::SOL_SOCKET, libc::SO_PASSCRED)],
            Self::Tcp => &[],
        }
    }
}

/// The one sender, or a stream to each.
enum Sender {
    Udp { from: UdpSocket, to: [SocketAddr; 2], corrupt: Option<RawUdp> },
    Unix(UnixDatagram),
    Tcp([TcpStream; 2]),
}

/// The two sockets, and who sends to them.
pub struct Twins {
    /// Receives as ever.
    pub plain: OwnedFd,
    /// Receives into what it remembers.
    pub remembered: OwnedFd,
    sender: Sender,
    /// What comes out here last had been sent last.
    fence: (UdpSocket, UdpSocket),
}

const NAMES: [&str; 2] = ["plain", "remembered"];

impl Twins {
    pub fn new(kind: Kind) -> Self {
        let ([plain, remembered], sender) = match kind {
            Kind::Udp4 => udp([(); 3].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap()), RawUdp::new()),
            Kind::Udp6 => udp([(); 3].map(|()| UdpSocket::bind("[::1]:0").unwrap()), None),
            Kind::UdpLite => udp([(); 3].map(|()| udplite()), None),
            Kind::Unix => unix(),
            Kind::Tcp => tcp(),
        };
        Self { plain, remembered, sender, fence: udp4() }
    }

    /// Sends to both; now and then, on request and where it can be done, with a bad checksum.
    pub fn send(&self, payload: &[u8], corrupt: bool) {
        let [plain, remembered] = [0, 1].map(|i| {
            match &self.sender {
                Sender::Udp { to, corrupt: Some(raw), .. } if corrupt => raw.send_corrupt(payload, to[i]),
                Sender::Udp { from, to, .. } => from.send_to(payload, to[i]),
                // Where the queue is full, it must be so for both.
                Sender::Unix(from) => from.send_to(payload, NAMES[i]),
                Sender::Tcp(streams) => (&streams[i]).write(payload),
            }
            .map_err(|error| error.kind())
        });
        assert_eq!(plain, remembered);
    }

    /// Waits until all that was sent has arrived.
    pub fn settle(&self) {
        match &self.sender {
            Sender::Udp { .. } => {
                self.fence.1.send(b"!").unwrap();
                self.fence.0.recv(&mut [0]).unwrap();
            }
            Sender::Unix(_) => (),
            Sender::Tcp(streams) => wait_until(|| streams.iter().all(|stream| unsent(stream) == 0)),
        }
    }

    /// How many datagrams each socket dropped; a stream counts other things there, not the same each time.
    pub fn drops(&self) -> [c_int; 2] {
        if let Sender::Tcp(_) = self.sender {
            return [0; 2];
        }
        [&self.plain, &self.remembered].map(drops)
    }

    /// Throws away what is left; it must be as much for both.
    pub fn drain(&self) {
        let rest = Messages::new(64, &Shape::payload(400));
        let [plain, remembered] = [&self.plain, &self.remembered].map(|socket| {
            take_error(socket);
            rest.reset();
            let n = rest.recv_unchecked(&(0..rest.len()), None, socket, libc::MSG_DONTWAIT).unwrap_or(0);
            (0..n).map(|i| rest.payload(i)).collect::<Vec<_>>()
        });
        assert!(plain == remembered, "{} and {} messages are left", plain.len(), remembered.len());
        assert_eq!(next_len(&self.plain), 0);
    }
}

fn udp([plain, remembered, from]: [UdpSocket; 3], corrupt: Option<RawUdp>) -> ([OwnedFd; 2], Sender) {
    let to = [&plain, &remembered].map(|socket| socket.local_addr().unwrap());
    ([plain.into(), remembered.into()], Sender::Udp { from, to, corrupt })
}

fn udplite() -> UdpSocket {
    let Some(socket) = socket(libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_UDPLITE) else {
        skip!("this kernel has no UDP-Lite");
    };
    bind4(&socket);
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

fn drops(socket: &OwnedFd) -> c_int {
    let info: [c_int; 9] = option(socket, libc::SOL_SOCKET, libc::SO_MEMINFO).unwrap();
    info[8]
}
