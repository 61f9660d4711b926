//! What is wrong with the arguments alone.

use std::fs::File;
use std::os::fd::AsRawFd;

use rust_tests::needs_remember;
use rust_tests::sys::net::udp4;
use rust_tests::sys::{MMSGHDR_FORGET, MMSGHDR_FORGET_ALL, Remember, errno, remember_mmsghdr};

use crate::{refuses_call, three};

#[test]
fn the_probe_says_ebadf_or_enosys() {
    let said = errno(remember_mmsghdr(-1, 0, 0, 0));
    assert!([libc::EBADF, libc::ENOSYS].contains(&said), "errno {said}");
}

#[test]
fn a_closed_descriptor_is_ebadf() {
    needs_remember!();
    let (receiver, _) = udp4();
    let fd = receiver.as_raw_fd();
    drop(receiver);
    assert_eq!(errno(remember_mmsghdr(fd, three().address(0), 3, 0)), libc::EBADF);
}

#[test]
fn a_file_is_enotsock() {
    needs_remember!();
    assert_eq!(errno(File::open("/dev/null").unwrap().remember(&three())), libc::ENOTSOCK);
}

#[test]
fn an_unknown_flag_is_einval() {
    needs_remember!();
    for flag in (2..32).map(|bit| 1 << bit) {
        refuses_call(libc::EINVAL, |array| (array.address(0), 3, flag));
        refuses_call(libc::EINVAL, |array| (array.address(0), 0, flag | MMSGHDR_FORGET));
    }
}

#[test]
fn both_flags_are_einval() {
    needs_remember!();
    refuses_call(libc::EINVAL, |_| (0, 0, MMSGHDR_FORGET | MMSGHDR_FORGET_ALL));
    refuses_call(libc::EINVAL, |array| (array.address(0), 0, MMSGHDR_FORGET | MMSGHDR_FORGET_ALL));
}

#[test]
fn remembering_no_message_is_einval() {
    needs_remember!();
    refuses_call(libc::EINVAL, |array| (array.address(0), 0, 0));
}

#[test]
fn forgetting_with_a_length_is_einval() {
    needs_remember!();
    refuses_call(libc::EINVAL, |array| (array.address(0), 3, MMSGHDR_FORGET));
    refuses_call(libc::EINVAL, |_| (0, 3, MMSGHDR_FORGET_ALL));
}

#[test]
fn forgetting_all_with_an_array_is_einval() {
    needs_remember!();
    refuses_call(libc::EINVAL, |array| (array.address(0), 0, MMSGHDR_FORGET_ALL));
}
