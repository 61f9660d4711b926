//! A security module that does not let a process receive.

use std::fs;
use std::net::UdpSocket;

use rust_tests::skip;
use rust_tests::sys::errno;
use rust_tests::sys::messages::Shape;
use rust_tests::sys::net::{next_len, udp4};
use rust_tests::sys::process::fork;

use crate::batch::{NOW, both_ways};

/// `profiles/fastnet-deaf`, compiled.
const DEAF: &[u8] = include_bytes!("profiles/fastnet-deaf.bin");

/// Puts this process under that profile, for good.
fn go_deaf() {
    fs::write("/proc/thread-self/attr/current", "changeprofile fastnet-deaf").unwrap();
}

/// Sends, lets `receive` happen in a child that goes deaf on its way, and sees to it that nothing was lost.
fn a_deaf_child(receiver: &UdpSocket, sender: &UdpSocket, receive: impl FnOnce()) {
    sender.send(b"one").unwrap();
    sender.send(b"two").unwrap();
    fork(receive).succeeds();
    assert_eq!(next_len(receiver), 3);
    let mut buffer = [0; 8];
    assert_eq!((receiver.recv(&mut buffer).unwrap(), receiver.recv(&mut buffer).unwrap()), (3, 3));
}

fn load() {
    let loader = "/sys/kernel/security/apparmor/.replace";
    if !fs::exists(loader).unwrap() {
        skip!("this kernel has no AppArmor");
    }
    fs::write(loader, DEAF).unwrap();
}

#[test]
fn a_denied_receiver_gets_nothing() {
    load();
    let (receiver, sender) = udp4();
    both_ways(|way| {
        a_deaf_child(&receiver, &sender, || {
            let batch = way.batch(&receiver, 4, &Shape::payload(64).name());
            go_deaf();
            assert_eq!(errno(batch.recv(NOW)), libc::EACCES);
            assert_eq!(errno(batch.recv(NOW | libc::MSG_PEEK)), libc::EACCES);
            assert_eq!(errno(batch.recv(NOW | libc::MSG_ERRQUEUE)), libc::EACCES);
        });
    });
}

#[test]
fn a_receiver_that_is_denied_after_a_call_gets_no_more() {
    load();
    let (receiver, sender) = udp4();
    both_ways(|way| {
        sender.send(b"zero").unwrap();
        a_deaf_child(&receiver, &sender, || {
            let batch = way.batch(&receiver, 1, &Shape::payload(64).name());
            assert_eq!(batch.texts(NOW), ["zero"]);
            go_deaf();
            assert_eq!(errno(batch.recv(NOW)), libc::EACCES);
        });
    });
}
