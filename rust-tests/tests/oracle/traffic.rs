//! What is sent to both sockets: the same to each, one after the other.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;

use rust_tests::sys::calls::send_to;
use rust_tests::sys::net::{set_option, unsent};
use rust_tests::sys::process::wait_until;
use rust_tests::sys::raw::{Checksum, RawUdp};

use crate::options;
use crate::random::Random;

/// The names of the two, where sockets have names.
pub const NAMES: [&str; 2] = ["plain", "remembered"];
/// The longest datagram over IPv4.
const LONGEST: usize = 65507;
/// The most segments of a train.
const SEGMENTS: usize = 64;

/// One sender, or one to each, which then does the same as the other.
pub enum Sender {
    Udp([UdpSender; 2]),
    Unix(UnixDatagram),
    Tcp([TcpStream; 2]),
}

/// Sends datagrams to `to`.
pub struct UdpSender {
    pub from: UdpSocket,
    pub to: SocketAddr,
    /// Writes headers of its own; where it can't be, datagrams are as others.
    pub raw: Option<RawUdp>,
}

/// A message, and how it comes to be one.
enum Parcel {
    /// By one call.
    Whole(Vec<u8>),
    /// In a packet of our own making: nobody has vouched for its checksum.
    Raw(Vec<u8>, Checksum),
    /// As many messages of this length; the receiver may want them in one.
    Train(Vec<u8>, i32),
    /// By several calls: its pieces lie in pages of their own.
    Pieces(Vec<Vec<u8>>),
}

impl Parcel {
    fn random(random: &mut Random, large: bool) -> Self {
        let len = match random.below(if large { 8 } else { 16 }) {
            0..3 => 0,
            // Beyond what any buffer of a small array holds, and long enough for fragments.
            3 => 1000 + random.below(3000),
            4.. if large => random.below(LONGEST),
            _ => random.below(350),
        };
        let payload = random.bytes(len);
        match random.below(12) {
            0 => Self::Raw(payload, random.pick(&[Checksum::Right, Checksum::Wrong, Checksum::None])),
            1 => Self::Raw(payload, Checksum::Right),
            2 if len > 0 => {
                let segment = (len / (1 + random.below(SEGMENTS))).max(1);
                Self::Train(payload, i32::try_from(segment).unwrap())
            }
            3 if len > 0 => {
                Self::Pieces(payload.chunks(1 + random.below(len)).take(20).map(<[u8]>::to_vec).collect())
            }
            _ => Self::Whole(payload),
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Whole(payload) => format!("{} bytes", payload.len()),
            Self::Raw(payload, checksum) => format!("{} raw bytes, checksum {checksum:?}", payload.len()),
            Self::Train(payload, segment) => format!("{} bytes in segments of {segment}", payload.len()),
            Self::Pieces(pieces) => format!("{} pieces", pieces.len()),
        }
    }

    fn payload(self) -> Vec<u8> {
        match self {
            Self::Whole(payload) | Self::Raw(payload, _) | Self::Train(payload, _) => payload,
            Self::Pieces(pieces) => pieces.concat(),
        }
    }
}

impl Sender {
    /// Sends to both, or fails to; where a queue is full, it must be so for both.
    pub fn send(&self, random: &mut Random, large: bool) {
        let parcel = Parcel::random(random, large);
        crate::tell(|| parcel.describe());
        match self {
            Self::Udp(senders) => {
                if random.once_in(8) {
                    let ipv4 = senders[0].to.is_ipv4();
                    options::dress(senders.each_ref().map(|sender| &sender.from), ipv4, random);
                }
                same(senders.each_ref().map(|sender| sender.send(&parcel)));
            }
            Self::Unix(from) => {
                let mut payload = parcel.payload();
                // It is charged for what lies in both queues.
                payload.truncate(4000);
                same(NAMES.map(|name| from.send_to(&payload, name)));
            }
            Self::Tcp(streams) => {
                let mut payload = parcel.payload();
                payload.truncate(350);
                same(streams.each_ref().map(|mut stream| stream.write(&payload)));
            }
        }
    }

    /// Waits until streams have sent all.
    pub fn flush(&self) {
        if let Self::Tcp(streams) = self {
            wait_until(|| streams.iter().all(|stream| unsent(stream) == 0));
        }
    }
}

impl UdpSender {
    fn send(&self, parcel: &Parcel) -> io::Result<usize> {
        let Self { from, to, raw } = self;
        match (parcel, raw) {
            (Parcel::Raw(payload, checksum), Some(raw)) => raw.send(payload, *to, *checksum),
            (Parcel::Whole(payload) | Parcel::Raw(payload, _), _) => from.send_to(payload, to),
            (Parcel::Train(payload, segment), _) => {
                let segments = |len: i32| set_option(from, libc::SOL_UDP, libc::UDP_SEGMENT, len);
                segments(*segment)?;
                let sent = from.send_to(payload, to);
                segments(0)?;
                sent
            }
            (Parcel::Pieces(pieces), _) => {
                let (last, pieces) = pieces.split_last().unwrap();
                for piece in pieces {
                    send_to(from, piece, *to, libc::MSG_MORE)?;
                }
                send_to(from, last, *to, 0)
            }
        }
    }
}

#[track_caller]
fn same(sent: [io::Result<usize>; 2]) {
    let [plain, remembered] = sent.map(|sent| sent.map_err(|error| error.raw_os_error()));
    assert_eq!(remembered, plain, "what was sent");
}
