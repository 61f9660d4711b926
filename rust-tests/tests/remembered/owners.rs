//! For whom it is remembered: this address space, this socket, this call.

use std::env;
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixDatagram;

use rust_tests::sys::abi::Abi;
use rust_tests::sys::memory::Mapping;
use rust_tests::sys::messages::{Field, Messages, Shape};
use rust_tests::sys::net::{address, controls, send_fd, udp4};
use rust_tests::sys::process::{exec_test, fork};
use rust_tests::sys::uring::Ring;
use rust_tests::sys::witness::{assert_remembered, assert_stock};
use rust_tests::sys::{Remember, errno, patience};
use rust_tests::{needs_remember, skip};

use crate::{NOW, array, send};

#[test]
fn other_receive_calls_are_stock() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let array = array();
    receiver.remember(&array).unwrap();
    array.spoil_all();
    send(&sender, &["one", "two", "three", "four"]);
    let before = array.image();
    let mut buffer = [0; 64];
    assert_eq!(receiver.recv(&mut buffer).unwrap(), 3);
    assert_eq!(receiver.recv_from(&mut buffer).unwrap(), (3, sender.local_addr().unwrap()));
    assert_eq!(errno(array.recvmsg(0, &receiver, NOW)), libc::EMSGSIZE);
    assert!(array.image() == before, "they wrote to the array");
    array.reset();
    assert_eq!(array.recvmsg(0, &receiver, NOW).unwrap(), 5);
    array.spoil_all();
    assert_eq!(array.recv(&receiver, NOW).unwrap(), 1);
    assert_eq!(array.payload(0), b"four");
}

#[test]
fn io_uring_is_stock() {
    needs_remember!();
    let Some(mut ring) = Ring::new() else { skip!("this kernel has no io_uring") };
    let (receiver, sender) = udp4();
    let array = array();
    receiver.remember(&array).unwrap();
    send(&sender, &["one", "two"]);
    array.spoil_all();
    assert_eq!(errno(ring.recvmsg(&receiver, array.address(1), NOW)), libc::EINVAL, "as spoiled");
    array.reset();
    assert_eq!(ring.recvmsg(&receiver, array.address(1), NOW).unwrap(), 3);
    array.set(1, Field::Len, 3);
    assert_eq!(array.payload(1), b"one");
    assert_eq!(address(&array.name(1)), sender.local_addr().unwrap());
    array.spoil_all();
    assert_eq!(array.recv(&receiver, NOW).unwrap(), 1);
    assert_eq!(array.payload(0), b"two");
}

#[test]
fn other_arrays_and_other_sockets_are_stock() {
    needs_remember!();
    let ((receiver, sender), (other_receiver, other_sender)) = (udp4(), udp4());
    let (mine, other) = (array(), array());
    receiver.remember(&mine).unwrap();
    assert_stock(&receiver, &sender, &other);
    assert_stock(&other_receiver, &other_sender, &mine);
    assert_remembered(&receiver, &sender, &mine);
}

#[test]
fn two_sockets_remember_the_same_array_differently() {
    needs_remember!();
    let ((one, to_one), (two, to_two)) = (udp4(), udp4());
    let array = array();
    one.remember(&array).unwrap();
    array.set_segment_len(0, 0, 2);
    two.remember(&array).unwrap();
    send(&to_one, &["hello"]);
    send(&to_two, &["hello"]);
    assert_eq!(array.recv(&one, NOW).unwrap(), 1);
    assert_eq!(array.payload(0), b"hello");
    assert_eq!(array.recv(&two, NOW).unwrap(), 1);
    assert_eq!(array.payload(0), b"he");
}

#[test]
fn a_forked_child_is_stock() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let array = array();
    receiver.remember(&array).unwrap();
    fork(|| {
        assert_stock(&receiver, &sender, &array);
        assert_eq!(errno(receiver.forget(&array)), libc::ENOENT);
        receiver.remember(&array).expect("the parent's array is another");
        assert_remembered(&receiver, &sender, &array);
        receiver.forget_all().unwrap();
    })
    .succeeds();
    assert_remembered(&receiver, &sender, &array);
}

#[test]
fn exec_forgets() {
    needs_remember!();
    // The same address before and after the exec, free in both.
    let at = |len| Mapping::at(0x10_0000_0000, len);
    let array = Messages::with(Abi::Native, &[Shape::payload(64)], at);
    let Ok(inherited) = env::var("INHERITED_SOCKET") else {
        let (receiver, _) = udp4();
        return fork(|| {
            receiver.remember(&array).unwrap();
            exec_test("owners::exec_forgets", "INHERITED_SOCKET", &receiver);
        })
        .succeeds();
    };
    // SAFETY: nothing else in this process knows the descriptor.
    let receiver = UdpSocket::from(unsafe { OwnedFd::from_raw_fd(inherited.parse().unwrap()) });
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    sender.connect(receiver.local_addr().unwrap()).unwrap();
    assert_eq!(errno(receiver.forget(&array)), libc::ENOENT);
    assert_stock(&receiver, &sender, &array);
    receiver.remember(&array).unwrap();
    assert_remembered(&receiver, &sender, &array);
}

#[test]
fn a_duplicate_descriptor_is_the_same_socket() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let duplicate = receiver.try_clone().unwrap();
    let array = array();
    receiver.remember(&array).unwrap();
    assert_remembered(&duplicate, &sender, &array);
    drop(receiver);
    assert_remembered(&duplicate, &sender, &array);
    duplicate.forget(&array).unwrap();
    assert_stock(&duplicate, &sender, &array);
}

#[test]
fn a_socket_passed_to_another_process_is_stock_there() {
    needs_remember!();
    let (mine, theirs) = UnixDatagram::pair().unwrap();
    let array = array();
    let child = fork(|| {
        theirs.set_read_timeout(Some(patience())).unwrap();
        let passed = Messages::new(1, &Shape::payload(1).control(24));
        assert_eq!(passed.recv(&theirs, 0).unwrap(), 1);
        let fd = controls(&passed.control(0), 8)[0].int();
        // SAFETY: the kernel has just made it for us.
        let receiver = UdpSocket::from(unsafe { OwnedFd::from_raw_fd(fd) });
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.connect(receiver.local_addr().unwrap()).unwrap();
        assert_stock(&receiver, &sender, &array);
        receiver.remember(&array).unwrap();
        assert_remembered(&receiver, &sender, &array);
    });
    let (receiver, sender) = udp4();
    receiver.remember(&array).unwrap();
    send_fd(&mine, receiver.as_raw_fd());
    child.succeeds();
    assert_remembered(&receiver, &sender, &array);
}

#[test]
fn a_new_process_inherits_nothing_from_a_dead_one() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let array = array();
    for _ in 0..20 {
        fork(|| {
            assert_stock(&receiver, &sender, &array);
            receiver.remember(&array).unwrap();
            assert_remembered(&receiver, &sender, &array);
        })
        .succeeds();
    }
    assert_stock(&receiver, &sender, &array);
}
