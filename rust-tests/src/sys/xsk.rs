//! Sockets of `AF_XDP`: whole packets from a network card, in memory that the kernel shares with us.

use std::ffi::c_int;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::sys::memory::Mapping;
use crate::sys::net::{option, set_option, socket, socklen};
use crate::sys::{count, zero};

/// Bytes in a frame, of which the kernel leaves the first 256 alone.
const FRAME: u32 = 2048;
/// The longest packet that fits into one.
pub const LONGEST: usize = FRAME as usize - 256;

/// A socket that receives from one queue of a network card.
pub struct Socket {
    fd: OwnedFd,
    frames: Mapping,
    /// Frames for the kernel to fill: where each begins.
    empty: Ring<u64>,
    /// Packets that it has put into frames.
    packets: Ring<libc::xdp_desc>,
}

impl Socket {
    /// One that has room for `frames` packets (a power of two), bound to the first queue of card number `index`. The
    /// kernel copies them there, as it can with every card.
    ///
    /// # Errors
    /// Those of the system calls: `Unsupported` where the kernel has no such sockets.
    pub fn new(frames: u32, index: u32) -> io::Result<Self> {
        let fd = socket(libc::AF_XDP, libc::SOCK_RAW, 0).ok_or(io::ErrorKind::Unsupported)?;
        let memory = Mapping::new((frames * FRAME) as usize);
        let area = libc::xdp_umem_reg {
            addr: memory.pointer(0).expose_provenance() as u64,
            len: memory.len() as u64,
            chunk_size: FRAME,
            headroom: 0,
            flags: 0,
            tx_metadata_len: 0,
        };
        set_option(&fd, libc::SOL_XDP, libc::XDP_UMEM_REG, area)?;
        set_option(&fd, libc::SOL_XDP, libc::XDP_UMEM_FILL_RING, frames)?;
        // It must be there, though nothing is sent.
        set_option(&fd, libc::SOL_XDP, libc::XDP_UMEM_COMPLETION_RING, 1_u32)?;
        set_option(&fd, libc::SOL_XDP, libc::XDP_RX_RING, frames)?;
        // Four rings' offsets of the producer, the consumer, the entries and flags: words of 64 bits, all below 4 GiB.
        let offsets: [c_int; 32] = option(&fd, libc::SOL_XDP, libc::XDP_MMAP_OFFSETS)?;
        let ring =
            |first: usize| [0, 2, 4].map(|at| usize::try_from(offsets[first + at]).expect("an offset"));
        let (packets, empty) = (ring(0), ring(16));
        let fill = libc::off_t::try_from(libc::XDP_UMEM_PGOFF_FILL_RING).expect("an offset");
        let mut socket = Self {
            empty: Ring::map(&fd, fill, empty, frames)?,
            packets: Ring::map(&fd, libc::XDP_PGOFF_RX_RING, packets, frames)?,
            frames: memory,
            fd,
        };
        for frame in 0..frames {
            socket.empty.set(frame, u64::from(frame * FRAME));
        }
        socket.empty.produced(frames);
        socket.bind(index)?;
        Ok(socket)
    }

    fn bind(&self, index: u32) -> io::Result<()> {
        let address = libc::sockaddr_xdp {
            sxdp_family: libc::AF_XDP.try_into().expect("a small number"),
            // A driver that must be woken is woken by the poll() of whoever finds nothing.
            sxdp_flags: libc::XDP_COPY | libc::XDP_USE_NEED_WAKEUP,
            sxdp_ifindex: index,
            sxdp_queue_id: 0,
            sxdp_shared_umem_fd: 0,
        };
        let len = socklen::<libc::sockaddr_xdp>();
        // SAFETY: an address of that length, only read.
        zero(unsafe { libc::bind(self.as_raw_fd(), (&raw const address).cast(), len) }.into())
    }

    /// Waits for a packet, if none is there, and tells how many are.
    ///
    /// # Errors
    /// Those of the system call; `WouldBlock` if none came within `patience`.
    #[inline]
    pub fn wait(&self, patience: Duration) -> io::Result<u32> {
        match self.packets.ready() {
            0 => self.sleep(patience),
            ready => Ok(ready),
        }
    }

    fn sleep(&self, patience: Duration) -> io::Result<u32> {
        let mut wanted = libc::pollfd { fd: self.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        let timeout = patience.as_millis().try_into().unwrap_or(c_int::MAX);
        // SAFETY: one pollfd to write to.
        match count(unsafe { libc::poll(&raw mut wanted, 1, timeout) }.into())? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            _ => Ok(self.packets.ready()),
        }
    }

    /// Packet number `i` of those that are there.
    ///
    /// # Errors
    /// It does not lie in the frames: the kernel is wrong.
    pub fn packet(&self, i: u32) -> io::Result<&[u8]> {
        let libc::xdp_desc { addr, len, .. } = self.packets.get(i);
        let (start, len) = (usize::try_from(addr).unwrap_or(usize::MAX), len as usize);
        if start.saturating_add(len) > self.frames.len() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        // SAFETY: within the mapping; the kernel writes to a frame again only after it was given back, by `&mut self`.
        Ok(unsafe { std::slice::from_raw_parts(self.frames.pointer(start), len) })
    }

    /// Gives the frames of the first `count` packets back to the kernel.
    pub fn give_back(&mut self, count: u32) {
        for i in 0..count {
            self.empty.set(i, self.packets.get(i).addr);
        }
        self.packets.consumed(count);
        self.empty.produced(count);
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// A ring of which we are one side: what is before our number is the kernel's.
struct Ring<T> {
    start: NonNull<u8>,
    len: usize,
    /// Where in it the producer's number, the consumer's number and the entries are.
    offsets: [usize; 3],
    mask: u32,
    ours: u32,
    of: PhantomData<T>,
}

impl<T: Copy> Ring<T> {
    fn map(fd: &OwnedFd, offset: libc::off_t, offsets: [usize; 3], entries: u32) -> io::Result<Self> {
        let len = offsets[2] + entries as usize * size_of::<T>();
        let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_POPULATE);
        // SAFETY: new memory, which takes the place of none.
        let start = unsafe { libc::mmap(ptr::null_mut(), len, protection, flags, fd.as_raw_fd(), offset) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, len, offsets, mask: entries - 1, ours: 0, of: PhantomData })
    }

    /// How many entries the producer has added that were not consumed.
    #[inline]
    fn ready(&self) -> u32 {
        self.number(0).load(Ordering::Acquire).wrapping_sub(self.ours)
    }

    /// Entry number `i` from ours on.
    fn get(&self, i: u32) -> T {
        // SAFETY: an entry of the ring, aligned as the kernel lays them out; any bytes are a valid one.
        unsafe { self.entry(i).read() }
    }

    fn set(&mut self, i: u32, value: T) {
        // SAFETY: as above, and the kernel looks at it only after our number has passed it.
        unsafe { self.entry(i).write(value) }
    }

    /// Hands over the next `count` entries.
    fn produced(&mut self, count: u32) {
        self.pass(0, count);
    }

    /// Has done with the next `count` entries.
    fn consumed(&mut self, count: u32) {
        self.pass(1, count);
    }

    fn pass(&mut self, side: usize, count: u32) {
        self.ours = self.ours.wrapping_add(count);
        self.number(side).store(self.ours, Ordering::Release);
    }

    fn entry(&self, i: u32) -> *mut T {
        let index = (self.ours.wrapping_add(i) & self.mask) as usize;
        self.start.as_ptr().wrapping_add(self.offsets[2]).cast::<T>().wrapping_add(index)
    }

    fn number(&self, side: usize) -> &AtomicU32 {
        // SAFETY: within the mapping; either side touches it as an atomic only.
        unsafe { AtomicU32::from_ptr(self.start.as_ptr().add(self.offsets[side]).cast()) }
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        // SAFETY: our mapping, to which nobody holds a reference.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}
