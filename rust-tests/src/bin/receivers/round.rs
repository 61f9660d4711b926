//! What one round of an experiment comes to.

/// One round's sum.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// Spent in the receiver's calls; of a stream, the whole time.
    pub ticks: u64,
    /// Received and found right.
    pub datagrams: usize,
    /// How many calls brought them.
    pub calls: usize,
}
