//! An array that is remembered, or not; the tests do not see which.

use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use rust_tests::sys::messages::{Messages, Shape};
use rust_tests::sys::{Remember, has_remember};

/// Receive what is there.
pub const NOW: i32 = libc::MSG_DONTWAIT;

/// Runs a test with plain arrays, and where the kernel can with remembered ones.
pub fn both_ways(test: impl Fn(Way)) {
    println!("plain");
    test(Way { remember: false });
    if has_remember() {
        println!("remembered");
        test(Way { remember: true });
    }
}

/// How arrays are used.
#[derive(Clone, Copy)]
pub struct Way {
    remember: bool,
}

impl Way {
    /// `n` messages of a shape, to be used with this socket.
    pub fn batch(self, socket: &impl AsRawFd, n: usize, shape: &Shape) -> Batch {
        let batch = Batch { messages: Messages::new(n, shape), way: self };
        batch.changed(socket);
        batch
    }
}

/// Such an array.
pub struct Batch {
    /// The messages, to look at and to change.
    pub messages: Messages,
    way: Way,
}

impl Batch {
    /// Must be told that headers have changed.
    pub fn changed(&self, socket: &impl AsRawFd) {
        if self.way.remember {
            socket.remember(&self.messages).unwrap();
        }
    }

    /// Receives with fresh headers, or with such as no kernel could use that had to read them.
    #[track_caller]
    pub fn recv(&self, socket: &impl AsRawFd, flags: i32) -> io::Result<usize> {
        self.messages.reset();
        self.recv_again(socket, flags)
    }

    /// The same with headers that a test has set.
    #[track_caller]
    pub fn recv_again(&self, socket: &impl AsRawFd, flags: i32) -> io::Result<usize> {
        if self.way.remember {
            self.messages.spoil_all();
        }
        self.messages.recv(socket, flags)
    }

    /// Receives until `timeout`; also returns what is left of it.
    pub fn recv_for(&self, timeout: Duration, socket: &impl AsRawFd) -> (io::Result<usize>, Duration) {
        self.messages.reset();
        if self.way.remember {
            self.messages.spoil_all();
        }
        self.messages.recv_for(timeout, socket, 0)
    }

    /// Receives this many messages, and tells what is in them.
    #[track_caller]
    pub fn texts(&self, socket: &impl AsRawFd, flags: i32) -> Vec<String> {
        let n = self.recv(socket, flags).unwrap();
        (0..n).map(|i| String::from_utf8(self.messages.payload(i)).unwrap()).collect()
    }
}
