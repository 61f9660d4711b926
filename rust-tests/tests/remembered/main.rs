//! What it means that an array is remembered, for how long, and by whom.

// Whatever can't go on has failed.
#![allow(clippy::unwrap_used)]

mod accounting;
mod fetches;
mod headers;
mod large;
mod lifetime;
mod overlaps;
mod owners;
mod peeks;
mod races;
mod stalls;
mod threads;

use std::net::UdpSocket;
use std::ops::Range;

use rust_tests::sys::memory::PAGE;
use rust_tests::sys::messages::{Messages, Shape};

const NOW: i32 = libc::MSG_DONTWAIT;
/// `sockaddr_in`.
const IPV4: usize = 16;
/// Memory that just holds a remembered array of equal messages.
const ONE_ARRAY: u64 = PAGE as u64;

fn array() -> Messages {
    Messages::new(4, &Shape::payload(64).name().control(64))
}

/// The first whole page of a message's buffer of more than one.
fn page(messages: &Messages, i: usize) -> Range<usize> {
    let first = messages.segments(i)[0].start.next_multiple_of(PAGE);
    first..first + PAGE
}

fn send(sender: &UdpSocket, texts: &[&str]) {
    for text in texts {
        sender.send(text.as_bytes()).unwrap();
    }
}
