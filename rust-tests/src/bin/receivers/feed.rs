//! What is sent, and the check that it is what arrives.

use std::str::FromStr;

use anyhow::{Error, Result, bail, ensure};
pub use rust_tests::array::Message;

/// The bytes in a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Every datagram has as many.
    Fixed(usize),
    /// 20 to 76, each size as often as any other, in an order that is the same in every run: as in a market's feed.
    Mixed,
}

impl Size {
    /// The most that a datagram may have.
    pub fn largest(self) -> usize {
        match self {
            Self::Fixed(size) => size,
            Self::Mixed => MIXED.1,
        }
    }
}

impl FromStr for Size {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match (text, text.parse()) {
            ("mixed", _) => Ok(Self::Mixed),
            (_, Ok(size @ SEQUENCE..=LARGEST)) => Ok(Self::Fixed(size)),
            _ => bail!("{text} is neither mixed nor a size from {SEQUENCE} to {LARGEST}"),
        }
    }
}

/// The smallest and the largest of mixed sizes.
const MIXED: (usize, usize) = (20, 76);
/// A datagram begins with its number, of so many bytes.
const SEQUENCE: usize = 8;
const LARGEST: usize = 8192;

/// An endless row of datagrams, no two of them equal.
#[derive(Debug)]
pub struct Feed {
    size: Size,
    /// What follows the number, from a place that the number decides.
    noise: Vec<u8>,
}

impl Feed {
    /// The feed of datagrams of that size.
    pub fn new(size: Size) -> Self {
        let noise = (0..2 * LARGEST as u64).map(|n| scatter(n).to_le_bytes()[0]).collect();
        Self { size, noise }
    }

    /// Appends datagram `number` to `buffer`.
    pub fn write(&self, number: u64, buffer: &mut Vec<u8>) {
        buffer.extend_from_slice(&number.to_le_bytes());
        buffer.extend_from_slice(self.rest(number));
    }

    /// Checks that `datagram` is number `number`, whole and unchanged.
    fn check(&self, number: u64, datagram: &[u8]) -> Result<()> {
        let expected = SEQUENCE + self.rest(number).len();
        ensure!(
            datagram.len() == expected,
            "datagram {number} came with {} bytes of {expected}",
            datagram.len()
        );
        let (sequence, rest) = datagram.split_at(SEQUENCE);
        let came = u64::from_le_bytes(sequence.try_into()?);
        ensure!(came == number, "datagram {came} came where {number} should have");
        if rest != self.rest(number) {
            let differs = rest.iter().zip(self.rest(number)).take_while(|(got, sent)| got == sent).count();
            bail!("byte {} of datagram {number} is not what was sent", SEQUENCE + differs);
        }
        Ok(())
    }

    fn rest(&self, number: u64) -> &[u8] {
        let chance = scatter(number);
        let len = match self.size {
            Size::Fixed(size) => size,
            Size::Mixed => MIXED.0 + below(chance >> 32, MIXED.1 - MIXED.0 + 1),
        };
        &self.noise[below(chance, LARGEST)..][..len - SEQUENCE]
    }
}

/// Checks messages in the order of their arrival.
#[derive(Debug)]
pub struct Checker {
    feed: Feed,
    /// The sender's address.
    sender: Vec<u8>,
    next: u64,
}

impl Checker {
    /// For what comes from `sender`, a `struct sockaddr_*`.
    pub fn new(feed: Feed, sender: Vec<u8>) -> Self {
        Self { feed, sender, next: 0 }
    }

    /// Checks the next message, and tells how many datagrams it held.
    pub fn check(&mut self, message: Message<'_>) -> Result<usize> {
        if let Some(name) = message.name {
            ensure!(
                name == self.sender,
                "datagram {} came from {name:x?}, not {:x?}",
                self.next,
                self.sender
            );
        }
        let train = message.train.unwrap_or(message.payload.len()).max(1);
        let before = self.next;
        // An empty message is a datagram, too: one that the feed never sends.
        let empty = message.payload.is_empty().then_some(message.payload);
        for datagram in message.payload.chunks(train).chain(empty) {
            self.feed.check(self.next, datagram)?;
            self.next += 1;
        }
        Ok(usize::try_from(self.next - before)?)
    }
}

/// A number that looks like chance and is the same every time (the finaliser of splitmix64).
fn scatter(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_add(1).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

fn below(chance: u64, bound: usize) -> usize {
    (chance & 0xffff_ffff) as usize % bound
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENDER: &[u8] = &[2, 0, 0x30, 0x39, 127, 0, 0, 1];

    fn checker(size: Size) -> Checker {
        Checker::new(Feed::new(size), SENDER.to_vec())
    }

    fn datagram(size: Size, number: u64) -> Vec<u8> {
        let mut buffer = Vec::new();
        Feed::new(size).write(number, &mut buffer);
        buffer
    }

    fn message(payload: &[u8]) -> Message<'_> {
        Message { payload, name: None, train: None }
    }

    fn wagons(train: &[u8]) -> Message<'_> {
        Message { train: Some(64), ..message(train) }
    }

    fn complaint(checker: &mut Checker, message: Message<'_>) -> String {
        checker.check(message).unwrap_err().to_string()
    }

    #[test]
    fn what_was_sent_is_accepted() {
        for size in [Size::Fixed(20), Size::Fixed(8192), Size::Mixed] {
            let mut checker = checker(size);
            for number in 0..1000 {
                let payload = datagram(size, number);
                assert_eq!(checker.check(Message { name: Some(SENDER), ..message(&payload) }).unwrap(), 1);
            }
        }
    }

    #[test]
    fn a_corrupted_byte_is_seen_wherever_it_is() {
        let size = Size::Fixed(64);
        for byte in 0..64 {
            for bit in 0..8 {
                let mut payload = datagram(size, 0);
                payload[byte] ^= 1 << bit;
                let said = complaint(&mut checker(size), message(&payload));
                let expected =
                    if byte < SEQUENCE { "where 0 should have" } else { &format!("byte {byte} of") };
                assert!(said.contains(expected), "{said}");
            }
        }
    }

    #[test]
    fn a_lost_a_repeated_and_an_old_datagram_are_seen() {
        let size = Size::Fixed(64);
        for number in [0, 2] {
            let mut checker = checker(size);
            checker.check(message(&datagram(size, 0))).unwrap();
            let said = complaint(&mut checker, message(&datagram(size, number)));
            assert_eq!(said, format!("datagram {number} came where 1 should have"));
        }
    }

    #[test]
    fn a_wrong_length_is_seen() {
        let payload = datagram(Size::Fixed(64), 0);
        let longer = [&payload[..], b"x"].concat();
        for payload in [&payload[..63], &longer, &[]] {
            let said = complaint(&mut checker(Size::Fixed(64)), message(payload));
            assert!(said.ends_with("bytes of 64"), "{said}");
        }
    }

    #[test]
    fn a_wrong_name_is_seen() {
        let payload = datagram(Size::Fixed(64), 0);
        for name in [&SENDER[..7], &[], &[2, 0, 0x30, 0x39, 127, 0, 0, 2]] {
            let message = Message { name: Some(name), ..message(&payload) };
            assert!(complaint(&mut checker(Size::Fixed(64)), message).contains("came from"));
        }
    }

    #[test]
    fn a_train_is_checked_wagon_by_wagon() {
        let size = Size::Fixed(64);
        let mut train: Vec<_> = (0..3).flat_map(|number| datagram(size, number)).collect();
        assert_eq!(checker(size).check(wagons(&train)).unwrap(), 3);
        train[2 * 64 + 63] ^= 1;
        assert!(complaint(&mut checker(size), wagons(&train)).contains("byte 63 of datagram 2"));
        train.truncate(2 * 64 + 1);
        assert!(complaint(&mut checker(size), wagons(&train)).contains("datagram 2 came with 1 bytes"));
    }

    #[test]
    fn the_mix_has_every_size_about_as_often() {
        let feed = Feed::new(Size::Mixed);
        let mut counts = [0; MIXED.1 + 1];
        for number in 0..57_000 {
            counts[SEQUENCE + feed.rest(number).len()] += 1;
        }
        assert!(counts[..MIXED.0].iter().all(|&count| count == 0));
        assert!(counts[MIXED.0..].iter().all(|count| (850..1150).contains(count)), "{counts:?}");
    }
}
