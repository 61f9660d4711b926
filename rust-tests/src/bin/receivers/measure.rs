//! The experiments: fill the queue, empty it, five times over; or receive what another program sends.

use std::fs;
use std::io::ErrorKind;
use std::net::UdpSocket;

use anyhow::{Context, Result, bail, ensure};
use rust_tests::skip;
use rust_tests::sys::net::{self, option, set_option};
use rust_tests::sys::veth;

use crate::cell::{Cell, Link};
use crate::clock::{Clock, nanoseconds};
use crate::feed::{Checker, Feed};
use crate::receiver::Receiver;
use crate::round::Round;
use crate::source::Source;
use crate::stream::{self, Sender};

/// Rounds that are not counted: page faults, slabs and branch targets settle.
pub const WARM_UP: usize = 2;
/// Rounds that are.
pub const COUNTED: usize = 5;
/// Where a call brings so many, a few messages warm up, and fewer rounds are counted.
const MANY: usize = 100_000;
/// So many: two have no middle, and once a minute one is disturbed by 3.28 million instructions, as conntrack looks for
/// what has expired in the 65 536 buckets that it has in a guest of 4 GiB.
const COUNTED_OF_MANY: usize = 3;
/// A queue has at least so many messages, or what is left of them by whole calls.
pub const DEPTH: usize = 4096;
/// Bytes beside its buffer that a message takes at most: header, iovec and name.
const BESIDE: usize = 128;

/// How the datagrams come.
#[derive(Clone, Copy, Debug)]
pub enum Drive {
    /// A queue is filled, then emptied, and again; only the calls that receive are timed.
    Queue(Clock),
    /// Another program sends so many; all is timed, from its first to our last.
    Stream(u64),
}

/// All that a receiver needs around it.
pub struct Bench {
    cell: Cell,
    drive: Drive,
    socket: UdpSocket,
    source: Source,
}

impl Bench {
    /// A receiver's socket with all the room there can be, and a sender.
    pub fn new(cell: &Cell, drive: Drive) -> Result<Self> {
        // A card's queue is emptied by whoever sends: nothing would be left to count.
        let queue = matches!(drive, Drive::Queue(_));
        ensure!(!queue || cell.link == Link::Loopback, "over veth, one program receives what another sends");
        // The loopback's queue is the socket's alone to bound.
        let file = "/proc/sys/net/ipv4/udp_mem";
        fs::write(file, "99999999 99999999 99999999").with_context(|| format!("writing {file}"))?;
        let (socket, sender) = match cell.link {
            Link::Loopback if cell.ipv6 => net::udp6(),
            Link::Loopback => net::udp4(),
            Link::Veth => over_veth(cell.size.largest())?,
        };
        set_option(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, i32::MAX).context("SO_RCVBUFFORCE")?;
        Ok(Self { cell: *cell, drive, socket, source: Source::new(sender, cell.size) })
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
        self.cell.size.largest() * self.source.train()
    }

    /// Of a call that receives: to wait for what is not yet sent, or not.
    pub fn flags(&self) -> i32 {
        match self.drive {
            Drive::Queue(_) => libc::MSG_DONTWAIT,
            Drive::Stream(_) => 0,
        }
    }

    /// How many messages a call of `io_uring`'s waits for. Of a stream, for one: its wait counts wakeups, and a multishot
    /// request makes one of however many datagrams come meanwhile, so that a wait for many may not end.
    pub fn wanted(&self) -> usize {
        match self.drive {
            Drive::Queue(_) => self.cell.messages,
            Drive::Stream(_) => 1,
        }
    }

    /// Has equal datagrams come in trains.
    pub fn send_trains(&mut self) -> Result<()> {
        self.source.make_trains()
    }

    /// Measures the receiver that `make` makes for this bench's socket, once there is known to be room for all of it.
    pub fn measure<R: Receiver>(self, make: impl FnOnce(&Self) -> Result<R>) -> Result<Vec<Round>> {
        match self.drive {
            Drive::Queue(clock) => self.queue(clock, make),
            Drive::Stream(datagrams) => self.stream(datagrams, make).map(|round| vec![round]),
        }
    }

    fn stream<R: Receiver>(self, datagrams: u64, make: impl FnOnce(&Self) -> Result<R>) -> Result<Round> {
        // Whole calls, so that the last one waits for nothing that does not come.
        let call = self.cell.messages * self.source.train();
        let datagrams = datagrams.next_multiple_of(call as u64);
        let queued = usize::try_from(datagrams)? / self.source.train() * self.send_one()?;
        self.make_sure_of_room(queued.min(self.limit()?))?;
        let mut checker = Checker::new(Feed::new(self.cell.size), net::local_name(&self.source.socket)?);
        let sender = Sender::start(self.socket()?, &self.source, self.cell.size, datagrams)?;
        let mut receiver = make(&self)?;
        let cpu = nanoseconds(libc::CLOCK_PROCESS_CPUTIME_ID);
        sender.go()?;
        let (round, lost) = stream::receive(datagrams, &mut receiver, &mut checker)?;
        println!("cpu {}", nanoseconds(libc::CLOCK_PROCESS_CPUTIME_ID) - cpu);
        println!("lost {lost}");
        Ok(round)
    }

    fn queue<R: Receiver>(
        mut self,
        clock: Clock,
        make: impl FnOnce(&Self) -> Result<R>,
    ) -> Result<Vec<Round>> {
        let calls = (DEPTH / self.cell.messages).max(1);
        let (fills, depth) = if R::TAKES_ALL { (calls, 1) } else { (1, calls) };
        let depth = depth * self.cell.messages;
        let (queued, limit) = (depth * self.send_one()?, self.limit()?);
        if queued > limit {
            skip!("{depth} messages take {} MiB, a receive buffer has {}", queued >> 20, limit >> 20);
        }
        self.make_sure_of_room(queued)?;
        let mut receiver = make(&self)?;
        let mut checker = Checker::new(Feed::new(self.cell.size), net::local_name(&self.source.socket)?);
        let mut round = |depth: usize| {
            let mut round = Round { ticks: 0, datagrams: 0, calls: 0 };
            for _ in 0..fills {
                self.fill(depth)?;
                empty(&clock, depth, &mut receiver, &mut checker, &mut round)?;
            }
            let (came, sent) = (round.datagrams, fills * depth * self.source.train());
            ensure!(came == sent, "{came} of {sent} datagrams came");
            Ok(round)
        };
        let (warm_up, counted) =
            if depth < MANY { (vec![depth; WARM_UP], COUNTED) } else { (vec![DEPTH], COUNTED_OF_MANY) };
        warm_up.into_iter().try_for_each(|depth| round(depth).map(drop))?;
        let rounds = (0..counted).map(|_| round(depth)).collect::<Result<_>>()?;
        ensure!(net::next_len(&self.socket) == 0, "more arrived than was sent");
        Ok(rounds)
    }

    fn fill(&mut self, depth: usize) -> Result<()> {
        (0..depth).try_for_each(|_| self.source.send())
    }

    /// Bytes that the socket's queue may take.
    fn limit(&self) -> Result<usize> {
        let [limit] = option(&self.socket, libc::SOL_SOCKET, libc::SO_RCVBUF).context("SO_RCVBUF")?;
        usize::try_from(limit).context("SO_RCVBUF")
    }

    /// Skips what would not fit into the guest's memory, where so many bytes are queued.
    fn make_sure_of_room(&self, queued: usize) -> Result<()> {
        let needed = queued + self.cell.messages * (self.buffer_len() + BESIDE);
        let available = available()?;
        // A tenth is left to whatever else there is.
        if needed > available / 10 * 9 {
            skip!("queue and buffers take {} MiB in all, the guest has {}", needed >> 20, available >> 20);
        }
        Ok(())
    }

    /// Sends and receives one message, and tells what the kernel charged the socket for it.
    fn send_one(&self) -> Result<usize> {
        self.source.socket.send(&vec![0; self.buffer_len()]).context("sending")?;
        let [charged] = option(&self.socket, libc::SOL_SOCKET, libc::SO_MEMINFO).context("SO_MEMINFO")?;
        self.socket.recv(&mut vec![0; self.buffer_len()]).context("receiving")?;
        usize::try_from(charged).context("SO_MEMINFO")
    }
}

/// A receiver and a sender with a pair of network cards between them.
fn over_veth(datagram: usize) -> Result<(UdpSocket, UdpSocket)> {
    let pair = veth::udp4(datagram);
    if let Err(error) = &pair
        && error.raw_os_error() == Some(libc::EOPNOTSUPP)
    {
        skip!("this kernel has no veth");
    }
    pair.context("a pair of network cards")
}

/// Receives `depth` messages that are queued.
fn empty<R: Receiver>(
    clock: &Clock,
    depth: usize,
    receiver: &mut R,
    checker: &mut Checker,
    round: &mut Round,
) -> Result<()> {
    let mut left = depth;
    while left > 0 {
        let (result, ticks) = clock.time(|| receiver.receive());
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
        let before = round.datagrams;
        receiver.inspect(count, &mut |message| {
            round.datagrams += checker.check(message)?;
            Ok(())
        })?;
        clock.brought(round.datagrams - before)?;
        left -= count;
    }
    Ok(())
}

/// Bytes of memory that can be had.
fn available() -> Result<usize> {
    let file = "/proc/meminfo";
    let text = fs::read_to_string(file).with_context(|| format!("reading {file}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).context("no MemAvailable")?;
    Ok(kib.parse::<usize>().context("MemAvailable")? << 10)
}
