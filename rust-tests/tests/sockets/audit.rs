//! What the kernel records of a call, for those who must prove what was received from whom.

use std::cell::RefCell;
use std::net::UdpSocket;

use rust_tests::sys::link::{Namespace, loopback_up};
use rust_tests::sys::messages::Shape;
use rust_tests::sys::net::{local_name, udp4};
use rust_tests::sys::process::fork;
use rust_tests::{needs_audit, needs_injection};

use crate::batch::{NOW, both_ways};
use crate::injected::each_failure_costs_one;

/// Where records come to.
fn enter_first_namespace() {
    Namespace::first().unwrap().enter().unwrap();
    loopback_up().unwrap();
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02X}"))
}

/// Whose addresses are recorded of a call that receives from two senders, and where the second one is.
fn recorded(shape: &Shape, test: impl Fn(Vec<String>, String)) {
    enter_first_namespace();
    let audit = RefCell::new(needs_audit!(libc::SYS_recvmmsg));
    let (receiver, sender) = udp4();
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    other.connect(receiver.local_addr().unwrap()).unwrap();
    both_ways(|way| {
        fork(|| {
            let batch = way.batch(&receiver, 4, shape);
            for sender in [&sender, &other] {
                sender.send(b"hello").unwrap();
            }
            assert_eq!(batch.texts(NOW), ["hello"; 2]);
        })
        .succeeds();
        test(audit.borrow_mut().addresses().unwrap(), hexadecimal(&local_name(&other).unwrap()));
    });
}

#[test]
fn the_last_sender_of_a_call_is_recorded() {
    recorded(&Shape::payload(64).name(), |addresses, last| assert_eq!(addresses, [last]));
}

#[test]
fn without_room_for_a_name_no_sender_is_recorded() {
    recorded(&Shape::payload(64), |addresses, _| assert!(addresses.is_empty(), "{addresses:?}"));
}

#[test]
fn a_record_that_can_not_be_made_costs_one_message() {
    enter_first_namespace();
    needs_injection!();
    let _audit = needs_audit!(libc::SYS_recvmmsg);
    fork(|| each_failure_costs_one(&Shape::payload(64).name(), &[], libc::ENOMEM)).succeeds();
}
