//! What is sent, and when: a file that both guests have.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// Where the initramfs has it.
const FILE: &str = "/feed";

/// A datagram begins with its number and with how late it was sent, in nanoseconds.
pub const HEADER: usize = size_of::<u32>() + size_of::<u64>();

/// One datagram of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// When it is to be sent, counted from the first one's time.
    pub at: Duration,
    /// How many bytes it has.
    pub size: usize,
}

/// A whole feed.
#[derive(Debug)]
pub struct Script(Vec<Datagram>);

impl Script {
    /// Reads the guest's.
    pub fn read() -> Result<Self> {
        let bytes = fs::read(FILE).with_context(|| format!("reading {FILE}"))?;
        Self::parse(&bytes).with_context(|| format!("reading {FILE}"))
    }

    /// Reads the time in nanoseconds and the size of each datagram, in little endian: ten bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let (datagrams, rest) = bytes.as_chunks::<10>();
        ensure!(rest.is_empty() && !datagrams.is_empty(), "{} bytes are no feed", bytes.len());
        let datagram = |&[a, b, c, d, e, f, g, h, low, high]: &[u8; 10]| {
            let at = Duration::from_nanos(u64::from_le_bytes([a, b, c, d, e, f, g, h]));
            let size = usize::from(u16::from_le_bytes([low, high]));
            ensure!(size >= HEADER, "a datagram of {size} bytes has no room for its number");
            Ok(Datagram { at, size })
        };
        datagrams.iter().map(datagram).collect::<Result<_>>().map(Self)
    }

    /// Its datagrams, in the order of their numbers.
    pub fn datagrams(&self) -> &[Datagram] {
        &self.0
    }

    /// The most bytes that a datagram has.
    pub fn largest(&self) -> usize {
        self.0.iter().map(|datagram| datagram.size).max().unwrap_or(0)
    }

    /// The longest time in which nothing is sent.
    pub fn longest_pause(&self) -> Duration {
        self.0.windows(2).map(|pair| pair[1].at.saturating_sub(pair[0].at)).max().unwrap_or_default()
    }

    /// Writes datagram `number`, sent so `late`, and returns it.
    pub fn write<'a>(&self, number: usize, late: Duration, buffer: &'a mut Vec<u8>) -> Result<&'a [u8]> {
        buffer.clear();
        buffer.extend_from_slice(&u32::try_from(number)?.to_le_bytes());
        buffer.extend_from_slice(&u64::try_from(late.as_nanos())?.to_le_bytes());
        buffer.resize(self.0[number].size, filling(number));
        Ok(buffer)
    }

    /// Checks that `payload` is one of the feed's datagrams, and tells its number and how late it was sent.
    pub fn check(&self, payload: &[u8]) -> Result<(usize, Duration)> {
        let (header, rest) = payload
            .split_first_chunk::<HEADER>()
            .with_context(|| format!("a datagram came with {} bytes", payload.len()))?;
        let &[a, b, c, d, late @ ..] = header;
        let number = u32::from_le_bytes([a, b, c, d]) as usize;
        let sent =
            self.0.get(number).with_context(|| format!("datagram {number} came, which was never sent"))?;
        let (came, size) = (payload.len(), sent.size);
        ensure!(came == size, "datagram {number} came with {came} bytes of {size}");
        let whole = rest.iter().all(|&byte| byte == filling(number));
        ensure!(whole, "datagram {number} is not what was sent");
        Ok((number, Duration::from_nanos(u64::from_le_bytes(late))))
    }
}

/// What a datagram has behind its header.
fn filling(number: usize) -> u8 {
    number.to_le_bytes()[0]
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A feed of datagrams of these sizes, one each microsecond.
    pub fn script(sizes: &[u16]) -> Script {
        let bytes = (0_u64..).zip(sizes);
        let bytes = bytes.flat_map(|(i, size)| [&(1000 * i).to_le_bytes()[..], &size.to_le_bytes()].concat());
        Script::parse(&bytes.collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn a_feed_is_read() {
        let script = script(&[20, 76]);
        let last = Datagram { at: Duration::from_micros(1), size: 76 };
        assert_eq!((script.datagrams().len(), script.datagrams()[1]), (2, last));
        assert_eq!((script.largest(), script.longest_pause()), (76, Duration::from_micros(1)));
        for broken in [&[][..], &[0; 9], &[0; 11], &[0; 10]] {
            assert!(Script::parse(broken).is_err(), "{broken:?}");
        }
    }

    #[test]
    fn what_was_sent_is_known_again_and_nothing_else_is() {
        let script = script(&[20, 76]);
        let (late, mut buffer) = (Duration::from_nanos(77), Vec::new());
        for number in [0, 1] {
            let sent = script.write(number, late, &mut buffer).unwrap();
            assert_eq!(script.check(sent).unwrap(), (number, late));
        }
        let complaint = |payload: &[u8]| script.check(payload).unwrap_err().to_string();
        assert_eq!(complaint(&buffer[..75]), "datagram 1 came with 75 bytes of 76");
        assert_eq!(complaint(&buffer[..HEADER - 1]), "a datagram came with 11 bytes");
        buffer[75] ^= 1;
        assert_eq!(complaint(&buffer), "datagram 1 is not what was sent");
        buffer[0] = 2;
        assert_eq!(complaint(&buffer), "datagram 2 came, which was never sent");
    }
}
