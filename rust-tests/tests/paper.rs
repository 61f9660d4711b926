//! The paper's loop: receive a batch, look at it, receive the next.

// Whatever can't go on has failed.
#![allow(clippy::unwrap_used)]

use std::net::UdpSocket;
use std::thread;

use rust_tests::needs_remember;
use rust_tests::sys::Remember;
use rust_tests::sys::messages::{Messages, Shape};
use rust_tests::sys::net::{udp4, udp6};

/// Messages an array.
const BATCH: usize = 8;
/// Messages in flight at most: the largest still fit the receive buffer.
const WINDOW: usize = 10;
/// Messages of each size.
const COUNT: usize = 100;
/// From a market-data tick to a jumbo frame.
const SIZES: [usize; 6] = [20, 64, 76, 256, 1024, 8192];

/// Message number `i`, no two alike.
fn message(i: usize, size: usize) -> Vec<u8> {
    let word = i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let words = (0..size.div_ceil(8)).flat_map(|at| (word ^ at).to_ne_bytes());
    words.take(size).collect()
}

/// Sends `COUNT` messages, never more than `WINDOW` ahead of what the receiver has acknowledged.
fn send(sender: &UdpSocket, size: usize) {
    let mut sent = 0;
    let mut acknowledged = 0;
    while acknowledged < COUNT {
        while sent < COUNT.min(acknowledged + WINDOW) {
            sender.send(&message(sent, size)).unwrap();
            sent += 1;
        }
        let mut count = [0; 8];
        sender.recv(&mut count).unwrap();
        acknowledged = usize::from_ne_bytes(count);
    }
}

/// The loop, as an application writes it; a plain array has its capacities set again before each call.
fn receive(receiver: &UdpSocket, array: &Messages, size: usize, remembered: bool) {
    let mut done = 0;
    while done < COUNT {
        let n = array.recv(receiver, libc::MSG_WAITFORONE).unwrap();
        for i in 0..n {
            assert_eq!(array.received(i), size);
            assert!(array.payload(i) == message(done + i, size), "message {}", done + i);
            assert_eq!(array.flags(i), 0);
        }
        done += n;
        receiver.send(&done.to_ne_bytes()).unwrap();
        if !remembered {
            array.reset();
        }
    }
}

fn run((receiver, sender): (UdpSocket, UdpSocket), shape: impl Fn(usize) -> Shape, remembered: bool) {
    receiver.connect(sender.local_addr().unwrap()).unwrap();
    for size in SIZES {
        let array = Messages::new(BATCH, &shape(size));
        if remembered {
            receiver.remember(&array).unwrap();
        }
        thread::scope(|scope| {
            scope.spawn(|| send(&sender, size));
            receive(&receiver, &array, size, remembered);
        });
        if remembered {
            receiver.forget(&array).unwrap();
        }
    }
}

#[test]
fn plain_ipv4() {
    run(udp4(), Shape::payload, false);
}

#[test]
fn plain_ipv6() {
    run(udp6(), Shape::payload, false);
}

#[test]
fn plain_with_names() {
    run(udp4(), |size| Shape::payload(size).name(), false);
    run(udp6(), |size| Shape::payload(size).name(), false);
}

#[test]
fn remembered_ipv4() {
    needs_remember!();
    run(udp4(), Shape::payload, true);
}

#[test]
fn remembered_ipv6() {
    needs_remember!();
    run(udp6(), Shape::payload, true);
}

#[test]
fn remembered_with_names() {
    needs_remember!();
    run(udp4(), |size| Shape::payload(size).name(), true);
    run(udp6(), |size| Shape::payload(size).name(), true);
}

#[test]
fn remembered_in_two_segments() {
    needs_remember!();
    run(udp4(), |size| Shape::segments(&[8, size - 8]), true);
}

#[test]
fn remembered_while_the_thread_next_door_receives_plainly() {
    needs_remember!();
    thread::scope(|scope| {
        scope.spawn(|| run(udp4(), Shape::payload, false));
        run(udp4(), Shape::payload, true);
    });
}
