//! An `io_uring` that receives by one multishot request into buffers from a ring.
//!
//! One thread submits and reaps (`SINGLE_ISSUER`), and what completes waits for it to ask (`DEFER_TASKRUN`). Only the
//! call that waits is timed. To read completions and to give buffers back are writes to shared memory, and left out, as
//! reading `msg_len` is with `recvmmsg()`.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context, Result, bail};
use io_uring::squeue::Entry;
use io_uring::types::{BufRingEntry, Fd};
use io_uring::{IoUring, cqueue};
use rust_tests::skip;
use rust_tests::sys::memory::Mapping;

use crate::array::Buffers;

/// The group of buffers that requests name.
pub const GROUP: u16 = 0;
/// The most that a ring of buffers can have.
const MOST: usize = 1 << 15;

/// The ring, its buffers, and what waits in them.
pub struct Ring {
    uring: IoUring,
    entries: Mapping,
    buffers: Buffers,
    mask: u16,
    tail: u16,
    want: usize,
    /// What receives, and from where: the request may have to be made again.
    request: Option<(UdpSocket, Entry)>,
}

impl Ring {
    /// A ring for up to `messages` at a time of `len` bytes, where a call waits for `want`.
    pub fn new(messages: usize, len: usize, want: usize) -> Result<Self> {
        // One more, as the request looks for a buffer before it finds that the queue is empty.
        let count = (messages + 1).next_power_of_two();
        if count > MOST {
            skip!("{messages} at a time need more buffers than the {MOST} that a ring can have");
        }
        let uring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_cqsize(u32::try_from(2 * count)?)
            .build(1)
            .context("io_uring_setup")?;
        let entries = Mapping::new(count * size_of::<BufRingEntry>());
        let address = entries.pointer(0).expose_provenance() as u64;
        let ids = u16::try_from(count)?;
        // SAFETY: the mapping has that many entries, and is dropped after the ring.
        unsafe { uring.submitter().register_buf_ring_with_flags(address, ids, GROUP, 0) }
            .context("registering a ring of buffers")?;
        let buffers = Buffers::new(count, len);
        let mut ring = Self { uring, entries, buffers, mask: ids - 1, tail: 0, want, request: None };
        (0..ids).for_each(|id| ring.give(id));
        ring.publish();
        Ok(ring)
    }

    /// Starts the request that receives from a socket. What else it points to must outlive the ring.
    pub fn arm(&mut self, socket: UdpSocket, request: impl FnOnce(Fd) -> Entry) -> Result<()> {
        let request = request(Fd(socket.as_raw_fd()));
        self.request = Some((socket, request));
        self.push()?;
        self.uring.submit().context("io_uring_enter")?;
        Ok(())
    }

    /// Has the next call start the request.
    fn push(&mut self) -> Result<()> {
        let (_, request) = self.request.as_ref().context("no request")?;
        // SAFETY: its socket and its buffers are the ring's, and what else it points to outlives the ring.
        unsafe { self.uring.submission().push(request) }.context("submitting")
    }

    /// Waits until as many have come as were wanted, and tells how many did.
    #[inline]
    pub fn receive(&mut self) -> io::Result<usize> {
        self.uring.submit_and_wait(self.want)?;
        Ok(self.uring.completion().len())
    }

    /// Hands over what lies in the buffers of `count` completions, and gives the buffers back.
    pub fn inspect(&mut self, count: usize, mut check: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let completions: Vec<_> = self.uring.completion().take(count).collect();
        let mut ended = false;
        for completion in completions {
            ended |= !cqueue::more(completion.flags());
            let result = completion.result();
            // More came than there are buffers: it goes on when they are back.
            if result == -libc::ENOBUFS {
                continue;
            }
            let len = usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result))?;
            match cqueue::buffer_select(completion.flags()) {
                Some(id) => {
                    check(self.buffers.bytes(id.into(), len)?)?;
                    self.give(id);
                }
                // An empty datagram took none.
                None if len == 0 => check(&[])?,
                None => bail!("a completion of {len} bytes without a buffer"),
            }
        }
        if ended {
            self.push()?;
        }
        self.publish();
        Ok(())
    }

    fn give(&mut self, id: u16) {
        // SAFETY: an entry of the ring; the kernel looks at it only after the tail has passed it.
        let entry = unsafe { &mut *self.entry(self.tail & self.mask) };
        entry.set_addr(self.buffers.at(id.into()).expose_provenance() as u64);
        #[expect(clippy::cast_possible_truncation, reason = "a buffer has less than 64 KiB")]
        entry.set_len(self.buffers.len() as u32);
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
    }

    fn publish(&mut self) {
        // SAFETY: the tail lies in the first entry, where no entry's own fields are, and only we write to it.
        let tail = unsafe { AtomicU16::from_ptr(BufRingEntry::tail(self.entry(0)).cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }

    #[expect(clippy::cast_ptr_alignment, reason = "a mapping begins where a page does")]
    fn entry(&self, index: u16) -> *mut BufRingEntry {
        self.entries.pointer(0).cast::<BufRingEntry>().wrapping_add(index.into())
    }
}
