//! What every way of receiving has in common.

use std::io;

use anyhow::Result;

use crate::feed::Message;

/// A way of receiving. It is measured by a generic function, so that no call between is measured with it.
pub trait Receiver {
    /// Whether a call takes whatever the queue holds, though fewer were asked for: then the queue is given one call's
    /// messages at a time.
    const TAKES_ALL: bool = false;

    /// Receives: this, and nothing else, is timed. Returns how many messages came.
    fn receive(&mut self) -> io::Result<usize>;

    /// Hands over the `count` messages of that call in their order, and makes ready for the next one.
    fn inspect(&mut self, count: usize, check: &mut dyn FnMut(Message<'_>) -> Result<()>) -> Result<()>;
}

/// A system call's result as a count.
#[inline]
pub fn count(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}
