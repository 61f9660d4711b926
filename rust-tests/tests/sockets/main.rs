//! `recvmmsg()` on sockets of every kind, plainly and into remembered arrays: there must be no difference.

// Whatever can't go on has failed.
#![allow(clippy::unwrap_used)]

mod audit;
mod batch;
mod cards;
mod controls;
mod denial;
mod flags;
mod injected;
mod killed;
mod kinds;
mod overlaps;
mod programs;
mod steering;
mod tracing;
mod waiting;
