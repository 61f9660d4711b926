//! A feed from one guest to another: what is sent when, who receives it how, and what came of it.

pub mod latency;
pub mod pcap;
pub mod pillar;
pub mod result;
pub mod run;
mod said;
pub mod table;

use std::fmt;
use std::time::Duration;

use anyhow::{Result, ensure};

/// Where a datagram has its number and how late it was sent.
pub const LEAST: u16 = 12;
/// More would not fit into a small guest.
pub const MOST: usize = 10_000_000;
/// No run shall take longer.
pub const LONGEST: Duration = Duration::from_mins(10);

/// One datagram of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// When it is to be sent, counted from the first one's time.
    pub at: Duration,
    /// How many bytes it has.
    pub size: u16,
}

/// What is sent, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// What it is, for a reader.
    pub name: String,
    /// The options of `bench real-world` that have it sent.
    pub asked: String,
    datagrams: Vec<Datagram>,
}

impl Feed {
    /// A feed of datagrams in the order of their times.
    ///
    /// Errors say what is wrong with them.
    pub fn new(name: String, asked: String, datagrams: Vec<Datagram>) -> Result<Self> {
        ensure!(!datagrams.is_empty(), "a feed has at least one datagram");
        ensure!(datagrams.len() <= MOST, "{} datagrams are more than {MOST}", datagrams.len());
        let feed = Self { name, asked, datagrams };
        let (took, longest) = (feed.duration().as_secs(), LONGEST.as_secs());
        ensure!(feed.duration() <= LONGEST, "a feed of {took} s is longer than {longest} s");
        Ok(feed)
    }

    /// Its datagrams.
    pub fn datagrams(&self) -> &[Datagram] {
        &self.datagrams
    }

    /// From the first datagram to the last.
    pub fn duration(&self) -> Duration {
        self.datagrams.last().map_or(Duration::ZERO, |datagram| datagram.at)
    }

    /// As the guests read it: `rust-tests/src/bin/feed/script.rs`.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(10 * self.datagrams.len());
        for Datagram { at, size } in &self.datagrams {
            bytes.extend_from_slice(&u64::try_from(at.as_nanos())?.to_le_bytes());
            bytes.extend_from_slice(&size.to_le_bytes());
        }
        Ok(bytes)
    }
}

impl fmt::Display for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, seconds) = (self.datagrams.len(), self.duration().as_secs_f64());
        let sizes = self.datagrams.iter().map(|datagram| datagram.size);
        let (least, most) =
            sizes.fold((u16::MAX, 0), |(least, most), size| (least.min(size), most.max(size)));
        write!(f, "{}: {count} datagrams of {least} to {most} bytes in {seconds:.1} s", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_is_written_as_the_guests_read_it() {
        let datagrams = [(0, 20), (0x0102, 0x0304)];
        let datagrams = datagrams.map(|(at, size)| Datagram { at: Duration::from_nanos(at), size }).to_vec();
        let feed = Feed::new("a feed".into(), String::new(), datagrams).unwrap();
        assert_eq!(feed.encode().unwrap(), [0, 0, 0, 0, 0, 0, 0, 0, 20, 0, 2, 1, 0, 0, 0, 0, 0, 0, 4, 3]);
        assert_eq!(feed.to_string(), "a feed: 2 datagrams of 20 to 772 bytes in 0.0 s");
    }

    #[test]
    fn a_feed_has_a_beginning_and_an_end() {
        let feed = |seconds| {
            let datagrams = [0, seconds].map(|at| Datagram { at: Duration::from_secs(at), size: 20 });
            Feed::new("a feed".into(), String::new(), datagrams.to_vec())
        };
        assert!(feed(600).is_ok());
        assert!(feed(601).unwrap_err().to_string().contains("601 s is longer than 600 s"));
        assert!(Feed::new("nothing".into(), String::new(), Vec::new()).is_err());
    }
}
