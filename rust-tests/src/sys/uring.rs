//! `io_uring`, for one request at a time.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::sys::count;

const RECVMSG: u8 = 10;
const GETEVENTS: usize = 1;
/// Both rings in one mapping, as kernels have had them since 5.4.
const SINGLE_MMAP: u32 = 1;
const OFF_SQES: libc::off_t = 0x1000_0000;
const SQE_LEN: usize = 64;
const CQE_LEN: usize = 16;

/// What `io_uring_setup()` fills in: words, of which these are of use.
type Params = [u32; 30];
const FEATURES: usize = 5;
const SQ_TAIL: usize = 11;
const SQ_MASK: usize = 12;
const SQ_ARRAY: usize = 16;
const CQ_HEAD: usize = 20;
const CQ_TAIL: usize = 21;
const CQ_MASK: usize = 22;
const CQES: usize = 25;

/// A ring.
#[derive(Debug)]
pub struct Ring {
    fd: OwnedFd,
    params: Params,
    rings: NonNull<u8>,
    requests: NonNull<u8>,
}

/// Enough for both rings of a few entries.
const LEN: usize = 4096;

impl Ring {
    /// A small one; `None` where the kernel has none.
    pub fn new() -> Option<Self> {
        let mut params: Params = [0; 30];
        // SAFETY: writes the parameters, which are of that size.
        let fd = count(unsafe { libc::syscall(libc::SYS_io_uring_setup, 4, params.as_mut_ptr()) }).ok()?;
        // SAFETY: a descriptor that nobody else knows.
        let fd = unsafe { OwnedFd::from_raw_fd(i32::try_from(fd).expect("a descriptor")) };
        assert!(params[FEATURES] & SINGLE_MMAP != 0, "an old kernel's io_uring");
        let map = |at| {
            // SAFETY: new memory, at an address of the kernel's choice.
            let mapped = unsafe {
                let protection = libc::PROT_READ | libc::PROT_WRITE;
                let flags = libc::MAP_SHARED | libc::MAP_POPULATE;
                libc::mmap(ptr::null_mut(), LEN, protection, flags, fd.as_raw_fd(), at)
            };
            assert_ne!(mapped, libc::MAP_FAILED, "mmap: {}", io::Error::last_os_error());
            NonNull::new(mapped.cast()).expect("not at zero")
        };
        Some(Self { params, rings: map(0), requests: map(OFF_SQES), fd })
    }

    /// `recvmsg()` into the header at `header`, waited for.
    ///
    /// # Errors
    /// Those of the request.
    pub fn recvmsg(&self, socket: &impl AsRawFd, header: usize, flags: i32) -> io::Result<usize> {
        let tail = self.word(SQ_TAIL, 0).load(Ordering::Relaxed);
        let slot = tail & self.word(SQ_MASK, 0).load(Ordering::Relaxed);
        let mut request = [0_u8; SQE_LEN];
        request[0] = RECVMSG;
        request[4..8].copy_from_slice(&socket.as_raw_fd().to_ne_bytes());
        request[16..24].copy_from_slice(&header.to_ne_bytes());
        request[24..28].copy_from_slice(&1_u32.to_ne_bytes());
        request[28..32].copy_from_slice(&flags.to_ne_bytes());
        let place = slot as usize * SQE_LEN;
        // SAFETY: the kernel looks at the slot when it is submitted, and not before.
        unsafe { self.requests.add(place).cast().write(request) };
        self.word(SQ_ARRAY, slot).store(slot, Ordering::Relaxed);
        self.word(SQ_TAIL, 0).store(tail.wrapping_add(1), Ordering::Release);
        // SAFETY: the request's header points to where tests want the kernel to write, or to where nothing is.
        let entered = unsafe {
            libc::syscall(libc::SYS_io_uring_enter, self.fd.as_raw_fd(), 1, 1, GETEVENTS, 0_usize, 0_usize)
        };
        count(entered)?;
        let head = self.word(CQ_HEAD, 0).load(Ordering::Relaxed);
        assert_ne!(self.word(CQ_TAIL, 0).load(Ordering::Acquire), head, "no completion");
        let slot = head & self.word(CQ_MASK, 0).load(Ordering::Relaxed);
        let place = self.params[CQES] as usize + slot as usize * CQE_LEN + 8;
        // SAFETY: a completion that the kernel has made, and leaves alone until it is taken.
        let result: i32 = unsafe { self.rings.add(place).cast().read() };
        self.word(CQ_HEAD, 0).store(head.wrapping_add(1), Ordering::Release);
        usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result))
    }

    /// The `i`-th word behind the offset that a parameter tells.
    fn word(&self, parameter: usize, i: u32) -> &AtomicU32 {
        let at = self.params[parameter] as usize + i as usize * 4;
        assert!(at + 4 <= LEN, "larger rings than expected");
        // SAFETY: within the mapping, aligned as the kernel aligns them, and shared with the kernel by atomics.
        unsafe { self.rings.add(at).cast::<AtomicU32>().as_ref() }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        for mapping in [self.rings, self.requests] {
            // SAFETY: our pages, to which nobody holds a reference.
            unsafe { libc::munmap(mapping.as_ptr().cast(), LEN) };
        }
    }
}
