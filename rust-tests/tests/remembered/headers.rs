//! Which headers count: those that were remembered.

use std::os::fd::AsRawFd;

use rust_tests::needs_remember;
use rust_tests::sys::messages::{Field, Messages, Place, Shape};
use rust_tests::sys::net::{controls, set_option, udp4};
use rust_tests::sys::{Remember, errno, remember_mmsghdr};

use crate::{IPV4, NOW, array, send};

#[test]
fn capacities_need_not_be_reset() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let array = array();
    receiver.remember(&array).unwrap();
    for round in 0..20 {
        // Each second round leaves control lengths of zero.
        let on = round % 2;
        set_option(&receiver, libc::IPPROTO_IP, libc::IP_RECVTTL, on).unwrap();
        send(&sender, &["a", "bc", "def"]);
        assert_eq!(array.recv(&receiver, NOW).unwrap(), 3);
        for i in 0..3 {
            assert_eq!(array.received(i), i + 1, "round {round}");
            assert_eq!(array.get(i, Field::Namelen), IPV4);
            let kinds: Vec<_> = controls(&array.control(i), 8).iter().map(|control| control.kind).collect();
            assert_eq!(kinds, [(libc::IPPROTO_IP, libc::IP_TTL); 1][..usize::from(on == 1)]);
        }
    }
}

#[test]
fn a_plain_array_does_need_it() {
    let (receiver, sender) = udp4();
    let array = Messages::new(1, &Shape::payload(64).name_of(IPV4));
    array.set(0, Field::Namelen, 4);
    for capacity in [4, IPV4, IPV4] {
        send(&sender, &["a"]);
        assert_eq!(array.get(0, Field::Namelen), capacity);
        assert_eq!(array.recv(&receiver, NOW).unwrap(), 1);
        assert_eq!(array.get(0, Field::Namelen), IPV4);
    }
}

#[test]
fn a_cut_name_tells_its_full_length_each_time() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let array = Messages::new(1, &Shape::payload(64).name_of(4));
    receiver.remember(&array).unwrap();
    for _ in 0..3 {
        send(&sender, &["a"]);
        assert_eq!(array.recv(&receiver, NOW).unwrap(), 1);
        assert_eq!(array.get(0, Field::Namelen), IPV4);
        assert_eq!(array.name(0).len(), 4);
    }
}

#[test]
fn changed_headers_count_once_remembered_again() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let array = array();
    receiver.remember(&array).unwrap();
    array.set_segment_len(0, 0, 2);
    send(&sender, &["hello", "hello"]);
    assert_eq!(array.recv_into(0..1, &receiver, NOW).unwrap(), 1);
    assert_eq!((array.payload(0), array.flags(0)), (b"hello".to_vec(), 0));
    receiver.remember(&array).unwrap();
    assert_eq!(array.recv_into(0..1, &receiver, NOW).unwrap(), 1);
    assert_eq!((array.payload(0), array.flags(0)), (b"he".to_vec(), libc::MSG_TRUNC));
}

#[test]
fn any_part_of_it_is_remembered() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let array = array();
    receiver.remember(&array).unwrap();
    for from in 0..4 {
        for to in from + 1..=4 {
            array.reset();
            array.spoil_all();
            send(&sender, &["a", "b", "c", "d"][from..to]);
            assert_eq!(array.recv_into(from..to, &receiver, NOW).unwrap(), to - from);
            assert!((from..to).all(|i| array.payload(i) == [b'a' + u8::try_from(i).unwrap()]));
        }
    }
}

#[test]
fn a_call_past_its_end_is_stock() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let array = array();
    remember_mmsghdr(receiver.as_raw_fd(), array.address(0), 3, 0).unwrap();
    array.spoil(0);
    send(&sender, &["a", "b", "c", "d"]);
    assert_eq!(errno(array.recv_into(0..4, &receiver, NOW)), libc::EMSGSIZE);
    assert_eq!(array.recv_into(1..4, &receiver, NOW).unwrap(), 3);
    assert_eq!(array.recv_into(0..3, &receiver, NOW).unwrap(), 1);
    assert_eq!(array.payload(0), b"d");
}

#[test]
fn a_call_from_before_it_is_stock() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let array = array();
    remember_mmsghdr(receiver.as_raw_fd(), array.address(1), 3, 0).unwrap();
    array.spoil_all();
    send(&sender, &["a"]);
    assert_eq!(errno(array.recv(&receiver, NOW)), libc::EMSGSIZE);
    assert_eq!(errno(array.recv_into(0..1, &receiver, NOW)), libc::EMSGSIZE);
    assert_eq!(array.recv_into(1..2, &receiver, NOW).unwrap(), 1);
}

#[test]
fn a_call_for_no_message_receives_none() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let array = array();
    receiver.remember(&array).unwrap();
    send(&sender, &["a"]);
    assert_eq!(array.recv_into(0..0, &receiver, NOW).unwrap(), 0);
    array.spoil_all();
    assert_eq!(array.recv(&receiver, NOW).unwrap(), 1);
}

/// One step leads from no address to a name, and two make no row.
#[test]
fn who_has_no_name_is_not_the_first_of_a_row_of_names() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let array = Messages::new(2, &Shape::payload(64).name_of(0));
    array.point(0, Field::Name, Place::Null);
    array.point(1, Field::Name, Place::Payload(1));
    receiver.remember(&array).unwrap();
    // The batch's short way, and its long one.
    for ttl in [0, 1] {
        set_option(&receiver, libc::IPPROTO_IP, libc::IP_RECVTTL, ttl).unwrap();
        send(&sender, &["a", "b"]);
        array.set(1, Field::Namelen, 0);
        assert_eq!(array.recv(&receiver, NOW).unwrap(), 2);
        let lengths = [0, 1].map(|i| array.get(i, Field::Namelen));
        assert_eq!(lengths, [0, IPV4], "IP_RECVTTL {ttl}");
    }
}
