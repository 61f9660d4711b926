//! Copies and allocations that fail while messages are received: a failure costs no more than one message.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;

use rust_tests::needs_injection;
use rust_tests::sys::messages::Shape;
use rust_tests::sys::net::{charged, set_option, take_error, udp4};

use crate::batch::{Batch, NOW, both_ways};

/// More than any call has.
const MANY: u32 = 1000;
const MESSAGES: u8 = 5;

/// The messages' only bytes, of as many as were received.
fn numbers(batch: &Batch, n: usize) -> Vec<u8> {
    (0..n).map(|i| batch.messages.payload(i)[0]).collect()
}

/// Receives with each of the call's steps failing in turn; some of these failures must end with `error`.
pub fn each_failure_costs_one(shape: &Shape, options: &[(i32, i32)], error: i32) {
    let injector = RefCell::new(needs_injection!());
    let (receiver, sender) = udp4();
    for &(level, name) in options {
        set_option(&receiver, level, name, 1).unwrap();
    }
    both_ways(|way| {
        let batch = way.batch(&receiver, 8, shape);
        let mut errors = BTreeSet::new();
        for n in 1.. {
            assert!(n < MANY, "no end of steps");
            for number in 0..MESSAGES {
                sender.send(&[number]).unwrap();
            }
            batch.prepare();
            let some = 0..batch.messages.len();
            let (result, injected) =
                injector.borrow_mut().nth(n, || batch.messages.recv_unchecked(&some, None, &receiver, NOW));
            errors.extend(result.as_ref().err().and_then(io::Error::raw_os_error));
            let first = *result.as_ref().unwrap_or(&0);
            let mut all = numbers(&batch, first);
            take_error(&receiver);
            all.extend(numbers(&batch, batch.recv(NOW).unwrap_or(0)));
            assert!(all.is_sorted_by(|one, next| one < next), "step {n}: {all:?}");
            let lost = usize::from(MESSAGES) - all.len();
            assert!(lost <= usize::from(injected), "step {n}: {result:?}, then {all:?}");
            assert_eq!(charged(&receiver), 0, "step {n}");
            if !injected {
                assert_eq!(result.unwrap(), usize::from(MESSAGES));
                assert!(n > u32::from(MESSAGES), "each message is copied");
                assert!(errors.contains(&error), "{errors:?}");
                break;
            }
        }
    });
}

#[test]
fn a_failed_copy_costs_one_message() {
    each_failure_costs_one(&Shape::payload(64), &[], libc::EFAULT);
}

#[test]
fn a_failed_copy_of_a_name_costs_one_message() {
    each_failure_costs_one(&Shape::payload(300).name(), &[], libc::EFAULT);
}

#[test]
fn a_failed_copy_beside_control_messages_costs_one_message() {
    let options = [(libc::IPPROTO_IP, libc::IP_PKTINFO), (libc::SOL_SOCKET, libc::SO_TIMESTAMPNS)];
    each_failure_costs_one(&Shape::segments(&[0, 32, 32]).name().control(100), &options, libc::EFAULT);
}
