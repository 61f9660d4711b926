//! What headers may say, and what they may not.

use std::net::UdpSocket;

use rust_tests::needs_remember;
use rust_tests::sys::Remember;
use rust_tests::sys::messages::{Field, Messages, Place, Shape};
use rust_tests::sys::net::{address, udp4};
use rust_tests::sys::witness::assert_remembered;

use crate::{refuses, refuses_shape};

/// `sockaddr_in`.
const IPV4: usize = 16;

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
    assert_remembered(&receiver, &sender, &array);
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
    array.spoil_all();
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
fn plain_names_of_any_capacity() {
    receives_names(|_, _| ());
}

#[test]
fn remembered_names_of_any_capacity() {
    needs_remember!();
    receives_names(|receiver, array| {
        receiver.remember(array).unwrap();
        array.spoil_all();
    });
}

fn receives_names(prepare: impl Fn(&UdpSocket, &Messages)) {
    for capacity in [0, 1, IPV4 - 1, IPV4, 128, 129] {
        let (receiver, sender) = udp4();
        let array = Messages::new(1, &Shape::payload(64).name_of(capacity));
        prepare(&receiver, &array);
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
fn an_unreadable_iovec_is_efault() {
    needs_remember!();
    for shape in [Shape::payload(16), Shape::segments(&[8, 8])] {
        for place in [Place::Hole, Place::Null, Place::Kernel] {
            for i in 0..3 {
                refuses_shape(libc::EFAULT, 3, &shape, |array| array.point(i, Field::Iov, place));
            }
        }
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
