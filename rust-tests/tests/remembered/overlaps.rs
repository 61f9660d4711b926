//! Payloads written over what tells where the next ones go: who remembers does not read that again.

use std::net::UdpSocket;

use rust_tests::needs_remember;
use rust_tests::sys::Remember;
use rust_tests::sys::errno;
use rust_tests::sys::messages::{Messages, Place, Shape};
use rust_tests::sys::net::{take_error, udp4};

use crate::{NOW, send};

/// As a header it has a name of less than no bytes, as an iovec such a buffer.
const POISON: [u8; 16] = [0xff; 16];

/// Receives poison to some place, and then what has been sent behind it, by the same call.
fn two_at_once(place: Place, prepare: impl Fn(&UdpSocket, &Messages)) -> (UdpSocket, Messages, usize) {
    let (receiver, sender) = udp4();
    let array = Messages::new(2, &Shape::payload(64));
    array.point_segment(0, 0, place, POISON.len());
    prepare(&receiver, &array);
    sender.send(&POISON).unwrap();
    send(&sender, &["next"]);
    let n = array.recv_unchecked(&(0..2), None, &receiver, NOW).unwrap();
    (receiver, array, n)
}

#[test]
fn a_plain_message_is_read_behind_the_payload_of_the_one_before() {
    for place in [Place::Header(1), Place::Iovec(1)] {
        let (receiver, array, n) = two_at_once(place, |_, _| ());
        assert_eq!((n, take_error(&receiver)), (1, libc::EINVAL), "{place:?}");
        array.reset();
        assert_eq!(array.recv(&receiver, NOW).unwrap(), 1);
        assert_eq!(array.payload(0), b"next", "{place:?}");
    }
}

#[test]
fn a_remembered_message_is_not() {
    needs_remember!();
    for place in [Place::Header(1), Place::Iovec(1)] {
        let (_, array, n) = two_at_once(place, |receiver, array| receiver.remember(array).unwrap());
        assert_eq!((n, array.payload(1)), (2, b"next".to_vec()), "{place:?}");
    }
}

/// Receives poison over the message's own iovec, then once more.
fn twice(segments: usize, prepare: impl Fn(&UdpSocket, &Messages)) -> [std::io::Result<usize>; 2] {
    let (receiver, sender) = udp4();
    let array = Messages::new(1, &Shape::segments(&vec![8; segments]));
    array.point_segment(0, 0, Place::Iovec(0), POISON.len());
    prepare(&receiver, &array);
    [(); 2].map(|()| {
        sender.send(&POISON).unwrap();
        let result = array.recv_unchecked(&(0..1), None, &receiver, NOW);
        assert_eq!(array.memory().read(array.iovec(0))[..POISON.len()], POISON);
        result
    })
}

#[test]
fn a_plain_iovec_does_not_outlive_its_payload() {
    for segments in [1, 2] {
        let [first, second] = twice(segments, |_, _| ());
        assert_eq!((first.unwrap(), errno(second)), (1, libc::EINVAL), "{segments} segments");
    }
}

#[test]
fn a_remembered_iovec_does() {
    needs_remember!();
    for segments in [1, 2] {
        let [first, second] = twice(segments, |receiver, array| {
            receiver.remember(array).unwrap();
            array.spoil_all();
        });
        assert_eq!((first.unwrap(), second.unwrap()), (1, 1), "{segments} segments");
    }
}
