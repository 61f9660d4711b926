//! Two programs: one sends at its own pace, the other receives and checks. What comes too fast is lost, and counted.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

use crate::clock::nanoseconds;
use crate::feed::{Checker, Size};
use crate::receiver::Receiver;
use crate::round::Round;
use crate::source::Source;

/// An empty datagram: the sender is ready; it may begin; it has sent all there is.
const MARK: &[u8] = &[];

/// The program that sends. It goes when this is dropped.
pub struct Sender {
    child: Child,
    /// The receiver's socket.
    socket: UdpSocket,
    address: SocketAddr,
}

impl Sender {
    /// Starts it, with the source's socket for its stdin, and waits until it is ready to send `datagrams`.
    pub fn start(socket: UdpSocket, source: &Source, size: Size, datagrams: u64) -> Result<Self> {
        let address = source.socket.local_addr().context("the sender's address")?;
        let stdin = OwnedFd::from(source.socket.try_clone().context("sharing the sender's socket")?);
        let arguments = ["send", &size.to_string(), &datagrams.to_string(), &source.train().to_string()];
        let child = Command::new("/proc/self/exe").args(arguments).stdin(Stdio::from(stdin)).spawn();
        let sender = Self { child: child.context("starting the sender")?, socket, address };
        sender.socket.recv(&mut [0]).context("waiting for the sender")?;
        Ok(sender)
    }

    /// Lets it begin.
    pub fn go(&self) -> Result<()> {
        self.socket.send_to(MARK, self.address).context("starting the sender").map(drop)
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        // It may be gone already; then there is nothing left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the other program does: sends all it was told to, then marks for as long as it lives, as the receiver may wait
/// for more than has come.
pub fn send(size: Size, datagrams: u64, trains: bool) -> Result<()> {
    let socket = UdpSocket::from(io::stdin().as_fd().try_clone_to_owned().context("my socket")?);
    let mut source = Source::new(socket, size);
    if trains {
        source.make_trains()?;
    }
    source.socket.send(MARK).context("getting ready")?;
    source.socket.recv(&mut [0]).context("waiting for the start")?;
    for _ in 0..datagrams / source.train() as u64 {
        source.send()?;
    }
    loop {
        source.socket.send(MARK).context("marking the end")?;
    }
}

/// Receives and checks until the last of `datagrams` has come, or the mark behind it; tells how many did not come.
pub fn receive<R: Receiver>(datagrams: u64, receiver: &mut R, checker: &mut Checker) -> Result<(Round, u64)> {
    let start = nanoseconds(libc::CLOCK_MONOTONIC);
    let mut round = Round { ticks: 0, datagrams: 0, calls: 0 };
    let mut lost = 0;
    let mut ended = false;
    while !ended && checker.next() < datagrams {
        let count = receiver.receive().context("receiving")?;
        round.calls += 1;
        receiver.inspect(count, &mut |message| {
            ended |= message.payload == MARK;
            if !ended {
                lost += checker.miss(message.payload)?;
                round.datagrams += checker.check(message)?;
            }
            Ok(())
        })?;
    }
    round.ticks = nanoseconds(libc::CLOCK_MONOTONIC) - start;
    Ok((round, lost + datagrams.saturating_sub(checker.next())))
}

#[cfg(test)]
mod tests {
    use rust_tests::sys::net::{local_name, udp4};

    use super::*;
    use crate::feed::{Feed, Message};

    /// One datagram a call.
    struct OneByOne(UdpSocket, Vec<u8>);

    impl Receiver for OneByOne {
        fn receive(&mut self) -> io::Result<usize> {
            self.1.resize(100, 0);
            let len = self.0.recv(&mut self.1)?;
            self.1.truncate(len);
            Ok(1)
        }

        fn inspect(&mut self, _: usize, check: &mut dyn FnMut(Message<'_>) -> Result<()>) -> Result<()> {
            check(Message { payload: &self.1, name: None, train: None })
        }
    }

    /// Sends these of a feed's datagrams and a mark, and receives up to the 10th.
    fn received(numbers: &[u64]) -> Result<(usize, u64)> {
        let size = Size::Fixed(64);
        let (socket, sender) = udp4();
        for number in numbers {
            let mut datagram = Vec::new();
            Feed::new(size).write(*number, &mut datagram);
            sender.send(&datagram)?;
        }
        sender.send(MARK)?;
        let mut checker = Checker::new(Feed::new(size), local_name(&sender)?);
        let (round, lost) = receive(10, &mut OneByOne(socket, Vec::new()), &mut checker)?;
        Ok((round.datagrams, lost))
    }

    #[test]
    fn what_is_lost_is_counted_wherever_it_was() {
        assert_eq!(received(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]).unwrap(), (10, 0));
        assert_eq!(received(&[2, 3, 7, 9]).unwrap(), (4, 6));
        assert_eq!(received(&[0, 1]).unwrap(), (2, 8));
        assert_eq!(received(&[]).unwrap(), (0, 10));
    }

    #[test]
    fn what_comes_twice_is_an_error() {
        assert!(
            received(&[0, 1, 1]).unwrap_err().to_string().contains("datagram 1 came where 2 should have")
        );
    }
}
