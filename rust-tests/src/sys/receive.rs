//! Receiving into an array, with an eye on every byte that the kernel writes.

use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::ptr;
use std::time::Duration;

use crate::sys::count;
use crate::sys::messages::{Field, Messages};

impl Messages {
    /// Receives into all of them; see [`Messages::recv_into`].
    ///
    /// # Errors
    /// Those of the system call.
    #[track_caller]
    pub fn recv(&self, socket: &impl AsRawFd, flags: i32) -> io::Result<usize> {
        self.recv_into(0..self.len(), socket, flags)
    }

    /// Receives into some of them, by `recvmmsg()`, and checks that nothing else was written.
    ///
    /// # Errors
    /// Those of the system call.
    #[track_caller]
    pub fn recv_into(&self, some: Range<usize>, socket: &impl AsRawFd, flags: i32) -> io::Result<usize> {
        let before = self.image();
        let result = self.recv_unchecked(&some, None, socket, flags);
        self.check(&before, &some, *result.as_ref().unwrap_or(&0));
        result
    }

    /// Receives into all of them until `timeout`; also returns what is left of it.
    ///
    /// # Errors
    /// Those of the system call.
    pub fn recv_for(
        &self,
        timeout: Duration,
        socket: &impl AsRawFd,
        flags: i32,
    ) -> (io::Result<usize>, Duration) {
        let before = self.image();
        let result = self.recv_unchecked(&(0..self.len()), Some(timeout), socket, flags);
        self.check(&before, &(0..self.len()), *result.as_ref().unwrap_or(&0));
        let word = self.abi().time_word();
        let number = |i: usize| {
            let mut number = [0; 8];
            number[..word].copy_from_slice(&self.memory().read(i * word..(i + 1) * word));
            u64::from_le_bytes(number)
        };
        (result, Duration::from_secs(number(0)) + Duration::from_nanos(number(1)))
    }

    /// Receives into some of them without a look at what became of the memory.
    ///
    /// # Errors
    /// Those of the system call.
    pub fn recv_unchecked(
        &self,
        some: &Range<usize>,
        timeout: Option<Duration>,
        socket: &impl AsRawFd,
        flags: i32,
    ) -> io::Result<usize> {
        if let Some(timeout) = timeout {
            let words = [timeout.as_secs(), timeout.subsec_nanos().into()];
            let word = self.abi().time_word();
            for (i, number) in words.into_iter().enumerate() {
                self.memory().write(i * word, &number.to_le_bytes()[..word]);
            }
        }
        let fd = usize::try_from(socket.as_raw_fd()).expect("an open socket");
        let flags = flags.cast_unsigned() as usize;
        let timeout = timeout.map_or(0, |_| self.memory().address(0));
        let arguments = [fd, self.address(some.start), some.len(), flags, timeout];
        // SAFETY: headers point into the mapping or to where nothing is.
        unsafe { self.abi().syscall(self.abi().recvmmsg(), arguments) }
    }

    /// `recvmsg()` into one of them.
    ///
    /// # Errors
    /// Those of the system call.
    pub fn recvmsg(&self, i: usize, socket: &impl AsRawFd, flags: i32) -> io::Result<usize> {
        let header = ptr::with_exposed_provenance_mut(self.address(i));
        // SAFETY: the header points into the mapping or to where nothing is.
        count(unsafe { libc::recvmsg(socket.as_raw_fd(), header, flags) } as i64)
    }

    /// Nothing differs from `before` but the results and the buffers of `some`, of which `received` were received.
    #[track_caller]
    fn check(&self, before: &[u8], some: &Range<usize>, received: usize) {
        let after = self.image();
        let mut expected = before.to_vec();
        let mut written = |range: Range<usize>| expected[range.clone()].copy_from_slice(&after[range]);
        written(0..2 * self.abi().time_word());
        for i in some.clone().take(received) {
            let results = Field::RESULTS.map(|field| self.field(i, field));
            results.into_iter().chain(self.filled(i)).for_each(&mut written);
        }
        // The one that ended the call may have come half the way.
        for layout in self.layouts[some.clone()].iter().skip(received).take(1) {
            layout.segments.iter().cloned().for_each(&mut written);
            written(layout.name.clone());
            written(layout.control.clone());
        }
        if after != expected {
            let at = after.iter().zip(&expected).take_while(|(after, expected)| after == expected).count();
            panic!("byte {at} changed from {:#x} to {:#x}: {:?}", expected[at], after[at], self.layouts);
        }
    }

    /// What a received message has filled.
    fn filled(&self, i: usize) -> Vec<Range<usize>> {
        let layout = &self.layouts[i];
        let mut left = self.received(i);
        let mut filled = Vec::new();
        for buffer in &layout.segments {
            let len = buffer.len().min(left);
            filled.push(buffer.start..buffer.start + len);
            left -= len;
        }
        let (name, control) = (self.get(i, Field::Namelen), self.get(i, Field::Controllen));
        filled.push(layout.name.start..layout.name.start + name.min(layout.name.len()));
        filled.push(layout.control.start..layout.control.start + control.min(layout.control.len()));
        filled
    }
}
