//! The experiment: fill the queue, empty it, five times over.

use std::fs;
use std::io::ErrorKind;
use std::net::UdpSocket;

use anyhow::{Context, Result, bail, ensure};
use rust_tests::skip;
use rust_tests::sys::net::{self, option, set_option};

use crate::cell::Cell;
use crate::clock::Clock;
use crate::feed::{Checker, Feed, Size};
use crate::receiver::Receiver;

/// Rounds that are not counted: page faults, slabs and branch targets settle.
pub const WARM_UP: usize = 2;
/// Rounds that are.
pub const COUNTED: usize = 5;
/// A queue has at least so many messages, or what is left of them by whole calls.
pub const DEPTH: usize = 4096;
/// Bytes beside its buffer that a message takes at most: header, iovec and name.
const BESIDE: usize = 128;

/// One round's sum.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// Spent in the receiver's calls.
    pub ticks: u64,
    /// Received and found right.
    pub datagrams: usize,
    /// How many calls brought them.
    pub calls: usize,
}

/// All that a receiver needs around it.
pub struct Bench {
    cell: Cell,
    clock: Clock,
    socket: UdpSocket,
    sender: UdpSocket,
    feed: Feed,
    /// Number of the next datagram to send.
    next: u64,
    /// Datagrams in a message.
    train: usize,
}

impl Bench {
    /// A receiver's socket with all the room there can be, and a sender.
    pub fn new(cell: &Cell, clock: Clock) -> Result<Self> {
        // The loopback's queue is the socket's alone to bound.
        let file = "/proc/sys/net/ipv4/udp_mem";
        fs::write(file, "99999999 99999999 99999999").with_context(|| format!("writing {file}"))?;
        let (socket, sender) = if cell.ipv6 { net::udp6() } else { net::udp4() };
        set_option(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, i32::MAX).context("SO_RCVBUFFORCE")?;
        Ok(Self { cell: *cell, clock, socket, sender, feed: Feed::new(cell.size), next: 0, train: 1 })
    }

    /// The receiver's socket.
    pub fn socket(&self) -> Result<UdpSocket> {
        self.socket.try_clone().context("sharing the socket")
    }

    /// Messages a call.
    pub fn messages(&self) -> usize {
        self.cell.messages
    }

    /// Whether each message has room for the sender's address.
    pub fn name(&self) -> bool {
        self.cell.name
    }

    /// Bytes that a message has room for.
    pub fn buffer_len(&self) -> usize {
        self.cell.size.largest() * self.train
    }

    /// Sends datagrams of one size as trains of so many as the kernel takes at once: generic segmentation offload.
    pub fn send_trains(&mut self) -> Result<()> {
        /// `UDP_MAX_SEGMENTS` of Linux 6.11, and less than 64 KiB with all headers.
        const LONGEST: (usize, usize) = (64, 65_000);
        let Size::Fixed(size) = self.cell.size else { return Ok(()) };
        self.train = LONGEST.0.min(LONGEST.1 / size);
        let size = i32::try_from(size).context("a datagram's size")?;
        set_option(&self.sender, libc::SOL_UDP, libc::UDP_SEGMENT, size).context("UDP_SEGMENT")
    }

    /// Measures the receiver that `make` makes for this bench's socket, once there is known to be room for all of it.
    pub fn measure<R: Receiver>(mut self, make: impl FnOnce(&Self) -> Result<R>) -> Result<Vec<Round>> {
        let calls = (DEPTH / self.cell.messages).max(1);
        let (fills, depth) = if R::TAKES_ALL { (calls, 1) } else { (1, calls) };
        let depth = depth * self.cell.messages;
        self.make_sure_of_room(depth)?;
        let mut receiver = make(&self)?;
        let mut checker = Checker::new(Feed::new(self.cell.size), net::local_name(&self.sender)?);
        let mut rounds = Vec::new();
        for _ in 0..WARM_UP + COUNTED {
            let mut round = Round { ticks: 0, datagrams: 0, calls: 0 };
            for _ in 0..fills {
                self.fill(depth)?;
                self.empty(depth, &mut receiver, &mut checker, &mut round)?;
            }
            let (came, sent) = (round.datagrams, fills * depth * self.train);
            ensure!(came == sent, "{came} of {sent} datagrams came");
            rounds.push(round);
        }
        ensure!(net::next_len(&self.socket) == 0, "more arrived than was sent");
        Ok(rounds.split_off(WARM_UP))
    }

    fn fill(&mut self, depth: usize) -> Result<()> {
        let mut message = Vec::new();
        for _ in 0..depth {
            message.clear();
            for _ in 0..self.train {
                self.feed.write(self.next, &mut message);
                self.next += 1;
            }
            self.sender.send(&message).context("sending")?;
        }
        Ok(())
    }

    fn empty<R: Receiver>(
        &self,
        depth: usize,
        receiver: &mut R,
        checker: &mut Checker,
        round: &mut Round,
    ) -> Result<()> {
        let mut left = depth;
        while left > 0 {
            let (result, ticks) = self.clock.time(|| receiver.receive());
            let count = match result {
                Ok(count @ 1..) if count <= left => count,
                Ok(count) => bail!("{count} messages came where {left} were left"),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    bail!("{left} of {depth} messages were lost")
                }
                Err(error) => return Err(error).context("receiving"),
            };
            round.ticks += ticks;
            round.calls += 1;
            receiver.inspect(count, &mut |message| {
                round.datagrams += checker.check(message)?;
                Ok(())
            })?;
            left -= count;
        }
        Ok(())
    }

    /// Skips what would not fit into the socket's buffer or the guest's memory.
    fn make_sure_of_room(&self, depth: usize) -> Result<()> {
        let queued = depth * self.truesize()?;
        let [limit] = option(&self.socket, libc::SOL_SOCKET, libc::SO_RCVBUF).context("SO_RCVBUF")?;
        if queued > usize::try_from(limit)? {
            skip!("{depth} messages take {} MiB, a receive buffer has {}", queued >> 20, limit >> 20);
        }
        let needed = queued + self.cell.messages * (self.buffer_len() + BESIDE);
        let available = available()?;
        // A tenth is left to whatever else there is.
        if needed > available / 10 * 9 {
            skip!("{depth} messages take {} MiB in all, the guest has {}", needed >> 20, available >> 20);
        }
        Ok(())
    }

    /// What the kernel charges a socket for one message.
    fn truesize(&self) -> Result<usize> {
        self.sender.send(&vec![0; self.buffer_len()]).context("sending")?;
        let [charged] = option(&self.socket, libc::SOL_SOCKET, libc::SO_MEMINFO).context("SO_MEMINFO")?;
        self.socket.recv(&mut vec![0; self.buffer_len()]).context("receiving")?;
        usize::try_from(charged).context("SO_MEMINFO")
    }
}

/// Bytes of memory that can be had.
fn available() -> Result<usize> {
    let file = "/proc/meminfo";
    let text = fs::read_to_string(file).with_context(|| format!("reading {file}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).context("no MemAvailable")?;
    Ok(kib.parse::<usize>().context("MemAvailable")? << 10)
}
