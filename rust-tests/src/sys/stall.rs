//! Memory that is not there until it may be: whoever copies to it stands still meanwhile, in the middle of it all.

use std::ops::Range;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::sys::calls::readiness;
use crate::sys::memory::{Mapping, PAGE};
use crate::sys::process::wait_until;
use crate::sys::{count, zero};

/// As `linux/userfaultfd.h` has them; they are not in libc.
const UFFD_API: u64 = 0xaa;
const UFFDIO_API: libc::Ioctl = 0xc018_aa3f;
const UFFDIO_REGISTER: libc::Ioctl = 0xc020_aa00;
const UFFDIO_REGISTER_MODE_MISSING: u64 = 1;

/// For as long as it lives, a touch of its pages waits.
#[derive(Debug)]
pub struct Stall(OwnedFd);

impl Stall {
    /// Takes away the whole pages in `range`, with what is in them. `None` where the kernel knows no such thing.
    pub fn new(memory: &Mapping, range: Range<usize>) -> Option<Self> {
        // SAFETY: only numbers go in.
        let fd = unsafe { libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC | libc::O_NONBLOCK) };
        let fd = match count(fd) {
            Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => return None,
            fd => fd.expect("userfaultfd").try_into().expect("a descriptor"),
        };
        // SAFETY: a descriptor that nobody else knows.
        let stall = Self(unsafe { OwnedFd::from_raw_fd(fd) });
        let pages = range.start.next_multiple_of(PAGE)..range.end / PAGE * PAGE;
        memory.discard(pages.clone());
        stall.control(UFFDIO_API, [UFFD_API, 0, 0]);
        let [start, len] = [memory.address(pages.start), pages.len()].map(|number| number as u64);
        stall.control(UFFDIO_REGISTER, [start, len, UFFDIO_REGISTER_MODE_MISSING, 0]);
        Some(stall)
    }

    /// Waits until somebody stands there.
    #[track_caller]
    pub fn wait(&self) {
        wait_until(|| readiness(&self.0) == libc::POLLIN);
    }

    fn control<const N: usize>(&self, request: libc::Ioctl, mut words: [u64; N]) {
        // SAFETY: the numbers above have the sizes of their words in them.
        let result = unsafe { libc::ioctl(self.0.as_raw_fd(), request, words.as_mut_ptr()) };
        zero(result.into()).unwrap_or_else(|error| panic!("ioctl {request:#x}: {error}"));
    }
}

/// Skips this test on a kernel where nobody can be made to stand still, and takes the pages away.
#[macro_export]
macro_rules! needs_stall {
    ($memory:expr, $range:expr) => {
        match $crate::sys::stall::Stall::new($memory, $range) {
            Some(stall) => stall,
            None => $crate::skip!("this kernel has no userfaultfd (--config debug has)"),
        }
    };
}
