//! An array that is remembered, or not; the tests do not see which.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
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
    pub fn batch(self, socket: &impl AsFd, n: usize, shape: &Shape) -> Batch {
        let socket = socket.as_fd().try_clone_to_owned().unwrap();
        let batch = Batch { messages: Messages::new(n, shape), socket, way: self };
        batch.changed();
        batch
    }
}

/// Such an array.
pub struct Batch {
    /// The messages, to look at and to change.
    pub messages: Messages,
    /// Whose they are.
    pub socket: OwnedFd,
    way: Way,
}

impl Drop for Batch {
    /// Another array may soon lie at the same address.
    fn drop(&mut self) {
        if self.way.remember {
            self.socket.forget(&self.messages).unwrap();
        }
    }
}

impl Batch {
    /// Must be told that headers have changed.
    pub fn changed(&self) {
        if self.way.remember {
            self.socket.remember(&self.messages).unwrap();
        }
    }

    /// Receives into prepared messages.
    #[track_caller]
    pub fn recv(&self, flags: i32) -> io::Result<usize> {
        self.prepare();
        self.messages.recv(&self.socket, flags)
    }

    /// Makes headers fresh, or such as no kernel could use that had to read them.
    pub fn prepare(&self) {
        self.messages.reset();
        if self.way.remember {
            self.messages.spoil_all();
        }
    }

    /// The same with headers that a test has set.
    #[track_caller]
    pub fn recv_again(&self, flags: i32) -> io::Result<usize> {
        if self.way.remember {
            self.messages.spoil_all();
        }
        self.messages.recv(&self.socket, flags)
    }

    /// Receives until `timeout`; also returns what is left of it.
    pub fn recv_for(&self, timeout: Duration) -> (io::Result<usize>, Duration) {
        self.prepare();
        self.messages.recv_for(timeout, &self.socket, 0)
    }

    /// Receives this many messages, and tells what is in them.
    #[track_caller]
    pub fn texts(&self, flags: i32) -> Vec<String> {
        let n = self.recv(flags).unwrap();
        (0..n).map(|i| String::from_utf8(self.messages.payload(i)).unwrap()).collect()
    }
}
