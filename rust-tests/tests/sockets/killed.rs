//! What becomes of datagrams whose receiver is killed while it copies: one is lost, as with any fault.

use std::thread;

use rust_tests::needs_stall;
use rust_tests::sys::memory::{Mapping, PAGE};
use rust_tests::sys::messages::Shape;
use rust_tests::sys::net::{charged, drops, next_len, udp4};
use rust_tests::sys::process::{die, fork};
use rust_tests::sys::stall::Stall;

use crate::batch::{NOW, both_ways};

/// Reaches into two whole pages of a buffer of four.
const LARGE: [u8; 3 * PAGE] = [b'l'; 3 * PAGE];

#[test]
fn those_behind_the_one_that_is_being_copied_are_the_next_receivers() {
    drop(needs_stall!(&Mapping::new(PAGE), 0..PAGE));
    both_ways(|way| {
        let (receiver, sender) = udp4();
        sender.send(&LARGE).unwrap();
        let first = charged(&receiver);
        for text in ["one", "two", "three", "four", "five", "six"] {
            sender.send(text.as_bytes()).unwrap();
        }
        let behind = charged(&receiver) - first;
        fork(|| {
            let batch = way.batch(&receiver, 8, &Shape::payload(4 * PAGE).name());
            batch.prepare();
            let stall = Stall::new(batch.messages.memory(), batch.messages.segments(0)[0].clone()).unwrap();
            thread::spawn(move || batch.messages.recv_unchecked(&(0..8), None, &batch.socket, NOW));
            stall.wait();
            die();
        })
        .was_killed();
        // What is given back may stay in the account for as long as the reader's queue is not empty.
        assert!([0, first].contains(&(charged(&receiver) - behind)), "{} charged", charged(&receiver));
        assert_eq!(drops(&receiver), 1);
        assert_eq!(next_len(&receiver), 3);
        let batch = way.batch(&receiver, 8, &Shape::payload(64));
        assert_eq!(batch.texts(NOW), ["one", "two", "three", "four", "five", "six"]);
        assert_eq!(charged(&receiver), 0);
    });
}
