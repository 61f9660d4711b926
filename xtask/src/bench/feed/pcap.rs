//! A recorded feed: the UDP datagrams of a capture, by their sizes and times.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use etherparse::{LaxSlicedPacket, TransportSlice};
use pcap_parser::traits::PcapReaderIterator;
use pcap_parser::{LegacyPcapBlock, LegacyPcapReader, Linktype, PcapBlockOwned, PcapError};

use super::{Datagram, Feed, LEAST, MOST};
use crate::exit::{self, Exit};

/// No packet of a capture is longer.
const LONGEST_PACKET: usize = 1 << 20;
/// How a pcapng begins, which is another format.
const PCAPNG: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

/// Reads the feed from a capture.
///
/// Errors name the file, the packet, and what is wrong with it.
pub fn read(path: &Path) -> Result<Feed> {
    let feed =
        File::open(path).context("opening it").and_then(|file| parse(file, &path.display().to_string()));
    feed.map_err(|error| exit::error(Exit::Usage, format!("--pcap {}: {error:#}", path.display())))
}

fn parse(mut file: impl Read + Seek, name: &str) -> Result<Feed> {
    let mut magic = [0; 4];
    file.read_exact(&mut magic).context("it is too short for a pcap")?;
    ensure!(magic != PCAPNG, "it is a pcapng; `editcap -F pcap IN OUT` makes a pcap of it");
    file.rewind().context("reading it")?;
    let mut reader = LegacyPcapReader::new(LONGEST_PACKET, file)
        .map_err(|error| anyhow::anyhow!("it is no pcap: {}", explain(&error)))?;
    let (mut datagrams, mut packets, mut short) = (Recorded::default(), 0, 0);
    let (mut link, mut nanoseconds) = (Linktype::ETHERNET, false);
    loop {
        match reader.next() {
            Ok((length, block)) => {
                match block {
                    PcapBlockOwned::LegacyHeader(header) => {
                        (link, nanoseconds) = (header.network, header.is_nanosecond_precision());
                    }
                    PcapBlockOwned::Legacy(packet) => {
                        packets += 1;
                        let at = || format!("packet {packets}");
                        if let Some(size) = udp_size(link, packet.data).with_context(at)? {
                            short += usize::from(size < LEAST);
                            datagrams.add(time(&packet, nanoseconds).with_context(at)?, size.max(LEAST));
                        }
                    }
                    PcapBlockOwned::NG(_) => bail!("it is half a pcapng"),
                }
                reader.consume(length);
                ensure!(datagrams.0.len() <= MOST, "it has more than {MOST} UDP datagrams");
            }
            Err(PcapError::Eof) => break,
            Err(PcapError::Incomplete(_)) => {
                reader.refill().map_err(|error| anyhow::anyhow!("{}", explain(&error)))?;
            }
            Err(error) => bail!("packet {}: {}", packets + 1, explain(&error)),
        }
    }
    ensure!(!datagrams.0.is_empty(), "it has {packets} packets, and no UDP datagram among them");
    let note = match short {
        0 => String::new(),
        short => format!(", of which {short} of less than {LEAST} bytes are sent as {LEAST}"),
    };
    Feed::new(format!("recorded in {name}{note}"), format!("--pcap {name}"), datagrams.since_first())
}

/// Datagrams by the time of day at which they came.
#[derive(Default)]
struct Recorded(Vec<Datagram>);

impl Recorded {
    /// Captures of several queues are now and then a little out of order: what seems to have come earlier is taken to
    /// have come at the same time.
    fn add(&mut self, at: Duration, size: u16) {
        let at = self.0.last().map_or(at, |last| at.max(last.at));
        self.0.push(Datagram { at, size });
    }

    fn since_first(mut self) -> Vec<Datagram> {
        let first = self.0.first().map_or(Duration::ZERO, |datagram| datagram.at);
        for datagram in &mut self.0 {
            datagram.at -= first;
        }
        self.0
    }
}

fn time(packet: &LegacyPcapBlock<'_>, nanoseconds: bool) -> Result<Duration> {
    let parts = if nanoseconds { 1_000_000_000 } else { 1_000_000 };
    let part = packet.ts_usec;
    ensure!(part < parts, "its time has {part} of {parts} parts of a second");
    Ok(Duration::new(packet.ts_sec.into(), part * (1_000_000_000 / parts)))
}

/// The payload's length of a packet that is a whole UDP datagram, as its header tells: the capture may have cut it off.
fn udp_size(link: Linktype, packet: &[u8]) -> Result<Option<u16>> {
    /// Before its IP header a packet of `tcpdump -i any` has so many bytes.
    const COOKED: usize = 16;
    let sliced = match link {
        Linktype::ETHERNET => LaxSlicedPacket::from_ethernet(packet).ok(),
        Linktype::RAW | Linktype::IPV4 | Linktype::IPV6 => LaxSlicedPacket::from_ip(packet).ok(),
        Linktype::LINUX_SLL => packet.get(COOKED..).and_then(|ip| LaxSlicedPacket::from_ip(ip).ok()),
        Linktype(other) => {
            bail!("its link type is {other}, and only Ethernet, Linux cooked and raw IP are known")
        }
    };
    let Some(TransportSlice::Udp(udp)) = sliced.and_then(|sliced| sliced.transport) else { return Ok(None) };
    let size = udp.length().checked_sub(8);
    size.map(Some).with_context(|| format!("its UDP header says that it has {} bytes", udp.length()))
}

fn explain<I: std::fmt::Debug>(error: &PcapError<I>) -> &'static str {
    match error {
        PcapError::UnexpectedEof | PcapError::Incomplete(_) | PcapError::Eof => "it ends in the middle",
        PcapError::BufferTooSmall => "it is longer than any packet",
        PcapError::ReadError => "it can't be read",
        _ => "its header is not that of a pcap",
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// A capture's header: its magic number in the writer's byte order, and its link type.
    fn header(magic: u32, link: u32) -> Vec<u8> {
        [magic, 0x0004_0002, 0, 0, 65_535, link].map(u32::to_le_bytes).concat()
    }

    /// A packet, all of which was captured.
    fn packet(seconds: u32, part: u32, bytes: &[u8]) -> Vec<u8> {
        let length = u32::try_from(bytes.len()).unwrap();
        [[seconds, part, length, length].map(u32::to_le_bytes).concat(), bytes.to_vec()].concat()
    }

    fn udp(size: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        etherparse::PacketBuilder::ethernet2([1; 6], [2; 6])
            .ipv4([192, 0, 2, 1], [233, 252, 0, 1], 4)
            .udp(4000, 4001)
            .write(&mut bytes, &vec![7; size])
            .unwrap();
        bytes
    }

    fn feed(parts: &[Vec<u8>]) -> Result<Feed> {
        parse(Cursor::new(parts.concat()), "feed.pcap")
    }

    fn complaint(parts: &[Vec<u8>]) -> String {
        format!("{:#}", feed(parts).unwrap_err())
    }

    const MICRO: u32 = 0xa1b2_c3d4;
    const NANO: u32 = 0xa1b2_3c4d;

    #[test]
    fn datagrams_keep_their_sizes_and_spacing() {
        for (magic, unit) in [(MICRO, 1000), (NANO, 1)] {
            let other = [&[1; 12][..], &[8, 6], &[0; 28]].concat();
            let parts = [
                header(magic, 1),
                packet(9, 0, &other),
                packet(10, 999_990, &udp(20)),
                packet(10, 999_999, &udp(1400)),
                packet(10, 999_998, &udp(76)),
            ];
            let feed = feed(&parts).unwrap();
            let expected = [(0, 20), (9 * unit, 1400), (9 * unit, 76)];
            let expected = expected.map(|(at, size)| Datagram { at: Duration::from_nanos(at), size });
            assert_eq!(feed.datagrams(), expected);
            assert_eq!((&*feed.name, &*feed.asked), ("recorded in feed.pcap", "--pcap feed.pcap"));
        }
    }

    #[test]
    fn what_the_capture_cut_off_still_has_its_size() {
        let whole = udp(500);
        let mut cut = packet(10, 0, &whole[..60]);
        cut[12..16].copy_from_slice(&u32::try_from(whole.len()).unwrap().to_le_bytes());
        assert_eq!(feed(&[header(MICRO, 1), cut]).unwrap().datagrams()[0].size, 500);
    }

    #[test]
    fn raw_and_cooked_packets_are_read_and_short_ones_told_of() {
        let ip = udp(5)[14..].to_vec();
        let cooked = [&[0; 16][..], &ip].concat();
        for (link, bytes) in [(101, ip), (113, cooked)] {
            let feed = feed(&[header(MICRO, link), packet(1, 0, &bytes)]).unwrap();
            assert_eq!(feed.datagrams()[0].size, LEAST);
            assert!(feed.name.ends_with(", of which 1 of less than 12 bytes are sent as 12"));
        }
    }

    #[test]
    fn a_truncated_capture_is_refused_wherever_it_ends() {
        let whole = [header(MICRO, 1), packet(10, 0, &udp(20))].concat();
        assert!(feed(std::slice::from_ref(&whole)).is_ok());
        for end in 0..whole.len() {
            let said = complaint(&[whole[..end].to_vec()]);
            let expected = match end {
                0..4 => "it is too short for a pcap",
                4..24 => "it is no pcap: it",
                24 => "it has 0 packets, and no UDP",
                _ => "packet 1: it ends in the middle",
            };
            assert!(said.starts_with(expected), "{end}: {said}");
        }
    }

    #[test]
    fn hostile_captures_are_refused() {
        let huge = |length: u32| [1, 0, length, length].map(u32::to_le_bytes).concat();
        for length in [2 << 20, u32::MAX] {
            assert_eq!(
                complaint(&[header(MICRO, 1), huge(length), vec![0; 3 << 20]]),
                "packet 1: it is longer than any packet"
            );
        }
        let mut lying = udp(20);
        lying[38..40].copy_from_slice(&[0, 7]);
        for (parts, said) in [
            (vec![vec![b'x'; 100]], "it is no pcap"),
            (vec![PCAPNG.to_vec(), vec![0; 100]], "it is a pcapng"),
            (vec![header(MICRO, 1), packet(1, 1_000_000, &udp(20))], "packet 1: its time has 1000000 of"),
            (vec![header(MICRO, 105), packet(1, 0, &udp(20))], "packet 1: its link type is 105"),
            (vec![header(MICRO, 1), packet(1, 0, &[0; 5])], "it has 1 packets, and no UDP"),
            (vec![header(MICRO, 1), packet(1, 0, &lying)], "packet 1: its UDP header says that it has 7"),
            (
                vec![header(MICRO, 1), packet(1, 0, &udp(20)), packet(9999, 0, &udp(20))],
                "a feed of 9998 s is longer",
            ),
        ] {
            let came = complaint(&parts);
            assert!(came.starts_with(said), "{came}");
        }
    }

    #[test]
    fn an_error_names_the_file() {
        let error = read(Path::new("/nowhere/feed.pcap")).unwrap_err();
        assert_eq!(Exit::of(&error), 2);
        assert!(format!("{error:#}").starts_with("--pcap /nowhere/feed.pcap: opening it: "));
    }
}
