//! Memory that can't be read, and memory that may not be had.

use std::os::fd::AsRawFd;

use rust_tests::needs_remember;
use rust_tests::sys::memory::{KERNEL, PAGE};
use rust_tests::sys::messages::{Messages, Shape};
use rust_tests::sys::net::udp4;
use rust_tests::sys::process::as_nobody;
use rust_tests::sys::witness::{assert_remembered, assert_stock};
use rust_tests::sys::{Remember, errno, remember_mmsghdr};

use crate::{refuses_call, refuses_shape, three};

/// Headers that fill a page.
const IN_PAGE: usize = PAGE / 64;

#[test]
fn an_array_unreadable_at_its_first_message_is_efault() {
    needs_remember!();
    refuses_shape(libc::EFAULT, 3 * IN_PAGE, &Shape::payload(16), |array| {
        let first = array.header(0);
        array.memory().protect(first..first + PAGE, libc::PROT_NONE);
    });
}

#[test]
fn an_array_unreadable_in_the_middle_is_efault() {
    needs_remember!();
    refuses_shape(libc::EFAULT, 3 * IN_PAGE, &Shape::payload(16), |array| {
        let middle = array.header(IN_PAGE);
        array.memory().protect(middle..middle + PAGE, libc::PROT_NONE);
    });
}

#[test]
fn an_array_unreadable_at_its_last_message_is_efault() {
    needs_remember!();
    refuses_call(libc::EFAULT, |array| (array.address(0), 4, 0));
    refuses_call(libc::EFAULT, |array| (array.address(2), 2, 0));
    refuses_call(libc::EFAULT, |array| (array.address(2) + 1, 1, 0));
}

#[test]
fn no_array_at_all_is_efault() {
    needs_remember!();
    refuses_call(libc::EFAULT, |_| (0, 1, 0));
    refuses_call(libc::EFAULT, |_| (KERNEL, 1, 0));
    refuses_call(libc::EFAULT, |_| (usize::MAX - 63, 2, 0));
}

#[test]
fn an_array_beyond_any_address_space_is_efault() {
    needs_remember!();
    refuses_call(libc::EFAULT, |array| (array.address(0), u32::MAX, 0));
    refuses_call(libc::EFAULT, |array| (array.address(0), 1 << 26, 0));
}

#[test]
fn a_huge_length_of_unlike_messages_is_refused() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let array = Messages::new(IN_PAGE, &Shape::payload(16));
    array.set_segment_len(1, 0, 15);
    receiver.remember(&array).unwrap();
    for vlen in [1 << 20, 1 << 25, 1 << 26, 1 << 30, u32::MAX] {
        let said = errno(remember_mmsghdr(receiver.as_raw_fd(), array.address(0), vlen, 0));
        assert!([libc::EFAULT, libc::ENOMEM].contains(&said), "errno {said}");
    }
    assert_remembered(&receiver, &sender, &array);
}

#[test]
fn past_the_limit_is_enobufs() {
    needs_remember!();
    as_nobody(0, || {
        let (receiver, sender) = udp4();
        let array = three();
        assert_eq!(errno(receiver.remember(&array)), libc::ENOBUFS);
        assert_stock(&receiver, &sender, &array);
        assert_eq!(errno(receiver.forget(&array)), libc::ENOENT);
    });
}

#[test]
fn a_replacement_past_the_limit_keeps_the_old_one() {
    needs_remember!();
    as_nobody(4 * PAGE as u64, || {
        let (receiver, sender) = udp4();
        let array = Messages::new(4096, &Shape::payload(16));
        receiver.remember(&array).expect("a uniform array needs little memory, whatever its length");
        array.set_segment_len(7, 0, 15);
        assert_eq!(errno(receiver.remember(&array)), libc::ENOBUFS);
        assert_remembered(&receiver, &sender, &array);
    });
}
