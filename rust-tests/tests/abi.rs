//! What `remember_mmsghdr()` takes and what it refuses; whatever it refuses leaves everything as it was.

// Whatever can't go on has failed.
#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use rust_tests::needs_remember;
use rust_tests::sys::memory::{KERNEL, Mapping, PAGE};
use rust_tests::sys::messages::{Field, Messages, Place, Shape};
use rust_tests::sys::net::{address, udp4};
use rust_tests::sys::process::as_nobody;
use rust_tests::sys::{MMSGHDR_FORGET, MMSGHDR_FORGET_ALL, Remember, errno, remember_mmsghdr};

/// Fits `sockaddr_in` exactly.
const IPV4: usize = 16;
/// Headers that fill a page.
const IN_PAGE: usize = PAGE / 64;

/// Three messages with all there can be.
fn three() -> Messages {
    Messages::new(3, &Shape::payload(64).name().control(64))
}

/// The array is remembered: with headers that no kernel could use, a message still gets to its buffer.
#[track_caller]
fn works(receiver: &UdpSocket, sender: &UdpSocket, array: &Messages) {
    array.reset();
    array.spoil_all();
    sender.send(b"remembered").unwrap();
    assert_eq!(array.recv(receiver, libc::MSG_DONTWAIT).expect("as remembered"), 1);
    assert_eq!(array.payload(0), b"remembered");
    array.reset();
}

/// The array is not remembered: its headers are read.
#[track_caller]
fn works_as_stock(receiver: &UdpSocket, sender: &UdpSocket, array: &Messages) {
    array.set(0, Field::Iovlen, 1025);
    sender.send(b"stock").unwrap();
    assert_eq!(errno(array.recv(receiver, libc::MSG_DONTWAIT)), libc::EMSGSIZE);
    array.reset();
    assert_eq!(array.recv(receiver, libc::MSG_DONTWAIT).unwrap(), 1);
    assert_eq!(array.payload(0), b"stock");
}

/// An array of `shape` that `spoil` was let at is refused, both as a new one and in the place of an old one.
#[track_caller]
fn refuses_shape(expected: i32, n: usize, shape: &Shape, spoil: impl Fn(&Messages)) {
    let (receiver, sender) = udp4();
    let [old, new] = [(); 2].map(|()| Messages::new(n, shape));
    receiver.remember(&old).unwrap();
    for array in [&new, &old] {
        spoil(array);
        assert_eq!(errno(receiver.remember(array)), expected);
        array.memory().protect(0..array.memory().len(), libc::PROT_READ | libc::PROT_WRITE);
    }
    assert_eq!(errno(receiver.forget(&new)), libc::ENOENT);
    works(&receiver, &sender, &old);
    receiver.forget(&old).unwrap();
}

#[track_caller]
fn refuses(expected: i32, spoil: impl Fn(&Messages)) {
    refuses_shape(expected, 3, &Shape::payload(64).name().control(64), spoil);
}

/// These arguments are refused, and what was remembered stays so.
#[track_caller]
fn refuses_call(expected: i32, call: impl Fn(&Messages) -> (usize, u32, u32)) {
    let (receiver, sender) = udp4();
    let array = three();
    receiver.remember(&array).unwrap();
    let (msgvec, vlen, flags) = call(&array);
    assert_eq!(errno(remember_mmsghdr(receiver.as_raw_fd(), msgvec, vlen, flags)), expected);
    works(&receiver, &sender, &array);
}

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

#[test]
fn a_negative_namelen_is_einval() {
    needs_remember!();
    for i in 0..3 {
        refuses(libc::EINVAL, |array| array.set(i, Field::Namelen, usize::MAX));
    }
}

#[test]
fn a_negative_namelen_without_a_name_is_ignored_as_stock_does() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let array = Messages::new(3, &Shape::payload(64));
    array.set(1, Field::Namelen, usize::MAX);
    receiver.remember(&array).unwrap();
    works(&receiver, &sender, &array);
}

#[test]
fn a_negative_iov_len_is_einval() {
    needs_remember!();
    for i in 0..3 {
        refuses(libc::EINVAL, |array| array.set_segment_len(i, 0, usize::MAX));
    }
}

#[test]
fn a_negative_iov_len_among_others_is_einval() {
    needs_remember!();
    for segment in 0..3 {
        refuses_shape(libc::EINVAL, 3, &Shape::segments(&[8, 8, 8]), |array| {
            array.set_segment_len(2, segment, usize::MAX / 2 + 1);
        });
    }
}

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
    for vlen in [1 << 20, 1 << 26, 1 << 30, u32::MAX] {
        let said = errno(remember_mmsghdr(receiver.as_raw_fd(), array.address(0), vlen, 0));
        assert!([libc::EFAULT, libc::ENOMEM].contains(&said), "errno {said}");
    }
    works(&receiver, &sender, &array);
}

#[test]
fn an_unreadable_iovec_is_efault() {
    needs_remember!();
    for i in 0..3 {
        refuses(libc::EFAULT, |array| array.point(i, Field::Iov, Place::Hole));
        refuses(libc::EFAULT, |array| array.point(i, Field::Iov, Place::Null));
        refuses(libc::EFAULT, |array| array.point(i, Field::Iov, Place::Kernel));
        let two = Shape::segments(&[8, 8]);
        refuses_shape(libc::EFAULT, 3, &two, |array| array.point(i, Field::Iov, Place::Hole));
    }
}

#[test]
fn a_buffer_beyond_user_space_is_efault() {
    needs_remember!();
    for i in 0..3 {
        refuses(libc::EFAULT, |array| array.point_segment(i, 0, Place::Kernel, 64));
        let three = Shape::segments(&[8, 8, 8]);
        refuses_shape(libc::EFAULT, 3, &three, |array| array.point_segment(1, i, Place::Kernel, 64));
    }
}

#[test]
fn more_than_1024_segments_are_emsgsize() {
    needs_remember!();
    for iovlen in [1025, 1 << 16, 1 << 32, (1 << 32) + 1, usize::MAX] {
        refuses(libc::EMSGSIZE, |array| array.set(1, Field::Iovlen, iovlen));
    }
}

/// Receives a datagram into as many bytes of their own.
#[track_caller]
fn receives_in_segments(n: usize) {
    let (receiver, sender) = udp4();
    let array = Messages::new(2, &Shape::segments(&vec![1; n]));
    receiver.remember(&array).unwrap();
    let sent: Vec<u8> = (0..n).map(|i| i.to_ne_bytes()[0]).collect();
    sender.send(&sent).unwrap();
    sender.send(&sent).unwrap();
    assert_eq!(array.recv(&receiver, libc::MSG_DONTWAIT).unwrap(), 2);
    assert_eq!((array.payload(0), array.payload(1)), (sent.clone(), sent));
}

#[test]
fn no_segment_holds_an_empty_datagram() {
    needs_remember!();
    receives_in_segments(0);
}

#[test]
fn eight_segments_and_nine() {
    needs_remember!();
    receives_in_segments(1);
    receives_in_segments(8);
    receives_in_segments(9);
}

#[test]
fn segments_up_to_1024() {
    needs_remember!();
    receives_in_segments(1023);
    receives_in_segments(1024);
}

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
    works_as_stock(&receiver, &sender, &one);
    works(&receiver, &sender, &other);
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
        works(&receiver, &sender, array);
    }
    receiver.forget_all().unwrap();
    for array in &arrays {
        works_as_stock(&receiver, &sender, array);
    }
    receiver.forget_all().expect("that there is nothing to forget is no error");
}

#[test]
fn names_of_any_capacity() {
    let (receiver, sender) = udp4();
    for capacity in [0, 1, IPV4 - 1, IPV4, 128, 129] {
        let array = Messages::new(1, &Shape::payload(64).name_of(capacity));
        if rust_tests::sys::has_remember() {
            receiver.remember(&array).unwrap();
        }
        sender.send(b"hello").unwrap();
        assert_eq!(array.recv(&receiver, libc::MSG_DONTWAIT).unwrap(), 1);
        assert_eq!(array.get(0, Field::Namelen), IPV4, "the full length, room for {capacity}");
        assert_eq!(array.name(0).len(), capacity.min(IPV4));
        if capacity >= IPV4 {
            assert_eq!(address(&array.name(0)), sender.local_addr().unwrap());
        }
    }
}

#[test]
fn past_the_limit_is_enobufs() {
    needs_remember!();
    as_nobody(0, || {
        let (receiver, sender) = udp4();
        let array = three();
        assert_eq!(errno(receiver.remember(&array)), libc::ENOBUFS);
        works_as_stock(&receiver, &sender, &array);
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
        works(&receiver, &sender, &array);
    });
}
