//! `io_uring`, for one request at a time.

use std::os::fd::AsRawFd;
use std::{io, ptr};

use io_uring::types::Fd;
use io_uring::{IoUring, opcode};

/// A ring.
pub struct Ring(IoUring);

impl Ring {
    /// A small one; `None` where the kernel has none.
    pub fn new() -> Option<Self> {
        match IoUring::new(1) {
            Ok(ring) => Some(Self(ring)),
            Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => None,
            Err(error) => panic!("io_uring_setup: {error}"),
        }
    }

    /// `recvmsg()` into the header at `header`, waited for.
    ///
    /// # Errors
    /// Those of the request.
    pub fn recvmsg(&mut self, socket: &impl AsRawFd, header: usize, flags: i32) -> io::Result<usize> {
        let header = ptr::with_exposed_provenance_mut(header);
        let request =
            opcode::RecvMsg::new(Fd(socket.as_raw_fd()), header).flags(flags.cast_unsigned()).build();
        // SAFETY: the request's header points to where tests want the kernel to write, or to where nothing is.
        unsafe { self.0.submission().push(&request) }.expect("room for a request");
        self.0.submit_and_wait(1)?;
        let result = self.0.completion().next().expect("a completion").result();
        usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result))
    }
}
