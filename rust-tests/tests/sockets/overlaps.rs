//! Buffers that lie over their own message's header: the results are written last.

use rust_tests::sys::messages::{Field, Place, Shape};
use rust_tests::sys::net::{controls, set_option, udp4};

use crate::batch::{Batch, NOW, both_ways};

/// Bytes of a header.
const HEADER: usize = 64;

/// Receives one message, whose results must be these, and tells all of its header.
fn header(batch: &Batch, controllen: usize, len: usize) -> Vec<u8> {
    batch.changed();
    let messages = &batch.messages;
    assert_eq!(messages.recv_unchecked(&(0..1), None, &batch.socket, NOW).unwrap(), 1);
    assert_eq!((messages.get(0, Field::Controllen), messages.flags(0)), (controllen, 0));
    assert_eq!(messages.received(0), len);
    messages.memory().read(messages.header(0)..messages.header(0) + HEADER)
}

#[test]
fn a_payload_over_its_own_header() {
    let (receiver, sender) = udp4();
    both_ways(|way| {
        let batch = way.batch(&receiver, 1, &Shape::payload(HEADER));
        batch.messages.point_segment(0, 0, Place::Header(0), HEADER);
        sender.send(&[b'p'; HEADER]).unwrap();
        let header = header(&batch, 0, HEADER);
        // Before, between and behind the results.
        assert_eq!(
            (&header[..40], &header[52..56], &header[60..]),
            (&[b'p'; 40][..], &b"pppp"[..], &b"pppp"[..])
        );
    });
}

#[test]
fn control_messages_over_their_own_header() {
    let (receiver, sender) = udp4();
    set_option(&receiver, libc::IPPROTO_IP, libc::IP_PKTINFO, 1).unwrap();
    set_option(&receiver, libc::IPPROTO_IP, libc::IP_RECVTTL, 1).unwrap();
    both_ways(|way| {
        let batch = way.batch(&receiver, 1, &Shape::payload(8).control(HEADER));
        batch.messages.point(0, Field::Control, Place::Header(0));
        sender.send(b"one").unwrap();
        let header = header(&batch, 32 + 24, 3);
        let info = &controls(&header[..32], 8)[0];
        assert_eq!((info.kind, &info.data[8..]), ((0, libc::IP_PKTINFO), &[127, 0, 0, 1][..]));
        // The other one's length; the results are in the place of the rest.
        assert_eq!(header[32..40], 20_usize.to_ne_bytes());
        assert_eq!(batch.messages.payload(0), b"one");
    });
}

#[test]
fn control_messages_over_their_own_payload() {
    let (receiver, sender) = udp4();
    set_option(&receiver, libc::IPPROTO_IP, libc::IP_RECVTTL, 1).unwrap();
    both_ways(|way| {
        let batch = way.batch(&receiver, 1, &Shape::payload(HEADER).control(HEADER));
        batch.messages.point(0, Field::Control, Place::Payload(0));
        sender.send(&[b'p'; HEADER]).unwrap();
        header(&batch, 24, HEADER);
        let payload = batch.messages.payload(0);
        assert_eq!(controls(&payload[..24], 8)[0].int(), 64);
        assert_eq!(payload[24..], [b'p'; HEADER - 24]);
    });
}
