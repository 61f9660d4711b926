//! What sends: a feed's datagrams in their order, one at a time or in trains.

use std::net::UdpSocket;

use anyhow::{Context, Result};
use rust_tests::sys::net::set_option;

use crate::feed::{Feed, Size};

/// A socket that is connected to the receiver's, and what it sends next.
#[derive(Debug)]
pub struct Source {
    /// The socket.
    pub socket: UdpSocket,
    size: Size,
    feed: Feed,
    /// Number of the next datagram.
    next: u64,
    /// Datagrams in a message.
    train: usize,
    message: Vec<u8>,
}

impl Source {
    /// One that begins with datagram 0.
    pub fn new(socket: UdpSocket, size: Size) -> Self {
        Self { socket, size, feed: Feed::new(size), next: 0, train: 1, message: Vec::new() }
    }

    /// How many datagrams it sends at once.
    pub fn train(&self) -> usize {
        self.train
    }

    /// Sends datagrams of one size as trains of so many as the kernel takes at once: generic segmentation offload.
    pub fn make_trains(&mut self) -> Result<()> {
        /// `UDP_MAX_SEGMENTS` of Linux 6.11, and less than 64 KiB with all headers.
        const LONGEST: (usize, usize) = (64, 65_000);
        let Size::Fixed(size) = self.size else { return Ok(()) };
        self.train = LONGEST.0.min(LONGEST.1 / size);
        let size = i32::try_from(size).context("a datagram's size")?;
        set_option(&self.socket, libc::SOL_UDP, libc::UDP_SEGMENT, size).context("UDP_SEGMENT")
    }

    /// Sends the next message.
    pub fn send(&mut self) -> Result<()> {
        self.message.clear();
        for _ in 0..self.train {
            self.feed.write(self.next, &mut self.message);
            self.next += 1;
        }
        self.socket.send(&self.message).context("sending")?;
        Ok(())
    }
}
