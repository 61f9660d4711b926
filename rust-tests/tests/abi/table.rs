//! Arrays beside and over each other, replaced and forgotten.

use std::os::fd::AsRawFd;

use rust_tests::needs_remember;
use rust_tests::sys::memory::{Mapping, PAGE};
use rust_tests::sys::messages::{Messages, Shape};
use rust_tests::sys::net::udp4;
use rust_tests::sys::witness::{assert_remembered, assert_stock};
use rust_tests::sys::{MMSGHDR_FORGET, Remember, errno, remember_mmsghdr};

use crate::{refuses_call, three};

#[test]
fn an_overlap_is_eexist() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let array = Messages::new(8, &Shape::payload(64));
    let remember = |from, to| {
        remember_mmsghdr(receiver.as_raw_fd(), array.address(from), u32::try_from(to - from).unwrap(), 0)
    };
    remember(2, 6).unwrap();
    for (from, to) in [(1, 3), (5, 8), (3, 5), (3, 6), (1, 7), (1, 6), (0, 8)] {
        assert_eq!(errno(remember(from, to)), libc::EEXIST, "{from}..{to}");
    }
    remember(0, 2).expect("beside it, in front");
    remember(6, 8).expect("beside it, behind");
    assert_eq!(errno(remember(2, 7)), libc::EEXIST, "a replacement that runs into the next");
    array.spoil_all();
    sender.send(b"remembered").unwrap();
    assert_eq!(array.recv_into(5..6, &receiver, libc::MSG_DONTWAIT).unwrap(), 1);
}

#[test]
fn an_overlap_off_the_headers_grid_is_eexist() {
    needs_remember!();
    let (receiver, _) = udp4();
    let zeroed = Mapping::new(PAGE);
    let remember = |at| remember_mmsghdr(receiver.as_raw_fd(), zeroed.address(at), 2, 0);
    remember(128).expect("messages without any buffer");
    for at in [8, 64, 121, 127, 129, 192, 255] {
        assert_eq!(errno(remember(at)), libc::EEXIST, "at {at}");
    }
    remember(256).expect("beside it");
    remember(0).expect("beside it");
}

#[test]
fn a_second_call_replaces() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let array = three();
    receiver.remember(&array).unwrap();
    array.set_segment_len(0, 0, 4);
    receiver.remember(&array).unwrap();
    array.spoil(0);
    sender.send(b"remembered").unwrap();
    assert_eq!(array.recv(&receiver, libc::MSG_DONTWAIT).unwrap(), 1);
    assert_eq!((array.received(0), array.flags(0)), (4, libc::MSG_TRUNC));
    receiver.forget(&array).unwrap();
    assert_eq!(errno(receiver.forget(&array)), libc::ENOENT);
}

#[test]
fn a_replacement_may_be_longer_or_shorter() {
    needs_remember!();
    let (receiver, _) = udp4();
    let array = three();
    for vlen in [1, 3, 2] {
        remember_mmsghdr(receiver.as_raw_fd(), array.address(0), vlen, 0).unwrap();
    }
    remember_mmsghdr(receiver.as_raw_fd(), array.address(2), 1, 0).expect("no longer covered");
}

#[test]
fn forgetting_what_is_not_remembered_is_enoent() {
    needs_remember!();
    let (receiver, _) = udp4();
    assert_eq!(errno(receiver.forget(&three())), libc::ENOENT);
    refuses_call(libc::ENOENT, |_| (three().address(0), 0, MMSGHDR_FORGET));
    refuses_call(libc::ENOENT, |array| (array.address(1), 0, MMSGHDR_FORGET));
    refuses_call(libc::ENOENT, |_| (0, 0, MMSGHDR_FORGET));
}

#[test]
fn forgetting_makes_it_stock_again() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let (one, other) = (three(), three());
    receiver.remember(&one).unwrap();
    receiver.remember(&other).unwrap();
    receiver.forget(&one).unwrap();
    assert_stock(&receiver, &sender, &one);
    assert_remembered(&receiver, &sender, &other);
    assert_eq!(errno(receiver.forget(&one)), libc::ENOENT);
}

#[test]
fn forgetting_all_forgets_all() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let arrays: Vec<_> = (0..20).map(|_| three()).collect();
    for array in &arrays {
        receiver.remember(array).unwrap();
    }
    for array in &arrays {
        assert_remembered(&receiver, &sender, array);
    }
    receiver.forget_all().unwrap();
    for array in &arrays {
        assert_stock(&receiver, &sender, array);
    }
    receiver.forget_all().expect("that there is nothing to forget is no error");
}
