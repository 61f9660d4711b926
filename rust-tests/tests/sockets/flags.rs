//! What the flags of `recvmmsg()` change, and what goes wrong in mid-batch.

use std::fs::File;
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixDatagram;

use rust_tests::sys::errno;
use rust_tests::sys::messages::{Field, Place, Shape};
use rust_tests::sys::net::{
    closes_on_exec, controls, drops, next_len, send_fd, set_option, take_error, udp4,
};
use rust_tests::sys::raw::{Checksum, RawUdp};

use crate::batch::{NOW, both_ways};

fn send(sender: &UdpSocket, texts: &[&str]) {
    for text in texts {
        sender.send(text.as_bytes()).unwrap();
    }
}

#[test]
fn peeking_takes_nothing_away() {
    let (receiver, sender) = udp4();
    both_ways(|way| {
        let batch = way.batch(&receiver, 3, &Shape::payload(64));
        send(&sender, &["one", "two"]);
        assert_eq!(batch.texts(NOW | libc::MSG_PEEK), ["one", "one", "one"]);
        assert_eq!(batch.texts(NOW), ["one", "two"]);
    });
}

#[test]
fn a_peek_offset_moves_on() {
    let (receiver, sender) = udp4();
    both_ways(|way| {
        let batch = way.batch(&receiver, 3, &Shape::payload(2));
        send(&sender, &["0123", "45"]);
        set_option(&receiver, libc::SOL_SOCKET, libc::SO_PEEK_OFF, 1).unwrap();
        assert_eq!(batch.texts(NOW | libc::MSG_PEEK), ["12", "3", "45"]);
        set_option(&receiver, libc::SOL_SOCKET, libc::SO_PEEK_OFF, -1).unwrap();
        assert_eq!(batch.texts(NOW), ["01", "45"]);
    });
}

#[test]
fn what_does_not_fit_is_cut() {
    let (receiver, sender) = udp4();
    both_ways(|way| {
        let batch = way.batch(&receiver, 3, &Shape::segments(&[2, 2]));
        send(&sender, &["0123", "012345", "01"]);
        assert_eq!(batch.texts(NOW), ["0123", "0123", "01"]);
        assert_eq!([0, 1, 2].map(|i| batch.messages.flags(i)), [0, libc::MSG_TRUNC, 0]);
    });
}

#[test]
fn lengths_past_what_any_call_may_read_are_cut() {
    let (receiver, sender) = udp4();
    both_ways(|way| {
        for huge in [0x7fff_f000, 0x7fff_ffff, 1 << 32] {
            for (lens, too_long) in [(&[4, 4, 4][..], 1..3), (&[8], 0..1)] {
                let batch = way.batch(&receiver, 1, &Shape::segments(lens));
                for segment in too_long {
                    batch.messages.set_segment_len(0, segment, huge);
                }
                batch.changed();
                send(&sender, &["01234567"]);
                assert_eq!(batch.recv_again(NOW).unwrap(), 1);
                assert_eq!((batch.messages.payload(0), batch.messages.flags(0)), (b"01234567".to_vec(), 0));
            }
        }
    });
}

#[test]
fn where_the_buffers_of_a_message_without_any_are_is_not_asked() {
    let (receiver, sender) = udp4();
    both_ways(|way| {
        for place in [Place::Hole, Place::Null, Place::Kernel] {
            let batch = way.batch(&receiver, 2, &Shape::segments(&[]));
            batch.messages.point(0, Field::Iov, place);
            batch.messages.point(1, Field::Iov, place);
            batch.changed();
            send(&sender, &["", "0123"]);
            assert_eq!(batch.recv_again(NOW).unwrap(), 2);
            let results = [0, 1].map(|i| (batch.messages.received(i), batch.messages.flags(i)));
            assert_eq!(results, [(0, 0), (0, libc::MSG_TRUNC)]);
        }
    });
}

#[test]
fn trunc_tells_the_true_length() {
    let (receiver, sender) = udp4();
    both_ways(|way| {
        let batch = way.batch(&receiver, 3, &Shape::payload(4));
        send(&sender, &["0123", "012345", "01"]);
        assert_eq!(batch.recv(NOW | libc::MSG_TRUNC).unwrap(), 3);
        assert_eq!([0, 1, 2].map(|i| batch.messages.received(i)), [4, 6, 2]);
        assert_eq!(batch.messages.payload(1), b"0123");
    });
}

#[test]
fn cloexec_is_for_passed_descriptors() {
    let (receiver, sender) = UnixDatagram::pair().unwrap();
    let file = File::open("/dev/null").unwrap();
    both_ways(|way| {
        let batch = way.batch(&receiver, 1, &Shape::payload(1).control(24));
        for (flag, expected) in [(0, false), (libc::MSG_CMSG_CLOEXEC, true)] {
            send_fd(&sender, file.as_raw_fd());
            assert_eq!(batch.recv(NOW | flag).unwrap(), 1);
            let fd = controls(&batch.messages.control(0), 8)[0].int();
            // SAFETY: the kernel has just made it for us.
            let passed = unsafe { OwnedFd::from_raw_fd(fd) };
            assert_eq!(closes_on_exec(&passed), expected);
        }
    });
}

#[test]
fn empty_datagrams_are_messages() {
    let (receiver, sender) = udp4();
    both_ways(|way| {
        let batch = way.batch(&receiver, 4, &Shape::payload(64).name());
        send(&sender, &["", "", "full", ""]);
        assert_eq!(batch.texts(NOW), ["", "", "full", ""]);
    });
}

#[test]
fn a_buffer_that_faults_in_mid_batch_loses_its_datagram_alone() {
    let (receiver, sender) = udp4();
    both_ways(|way| {
        let batch = way.batch(&receiver, 4, &Shape::payload(64).name());
        batch.messages.point_segment(1, 0, Place::Hole, 64);
        batch.changed();
        send(&sender, &["one", "lost", "three", "four"]);
        assert_eq!(batch.recv_again(NOW).unwrap(), 1);
        assert_eq!(batch.messages.payload(0), b"one");
        assert_eq!(take_error(&receiver), libc::EFAULT);
        batch.messages.reset();
        batch.changed();
        assert_eq!(batch.texts(NOW), ["three", "four"]);
    });
}

#[test]
fn a_name_that_faults_in_mid_batch_loses_its_datagram_alone() {
    let (receiver, sender) = udp4();
    for place in [Place::Hole, Place::Kernel] {
        both_ways(|way| {
            let batch = way.batch(&receiver, 4, &Shape::payload(64).name());
            batch.messages.point(1, Field::Name, place);
            batch.changed();
            send(&sender, &["one", "lost", "three"]);
            assert_eq!(batch.recv_again(NOW).unwrap(), 1);
            assert_eq!(errno(batch.recv_again(NOW)), libc::EFAULT, "told by the next call");
            batch.messages.reset();
            batch.changed();
            assert_eq!(batch.texts(NOW), ["three"]);
        });
    }
}

#[test]
fn a_bad_checksum_in_mid_batch_is_dropped() {
    let (receiver, sender) = udp4();
    let raw = RawUdp::new(sender.local_addr().unwrap()).unwrap();
    both_ways(|way| {
        let batch = way.batch(&receiver, 4, &Shape::payload(200).name());
        // A short datagram's checksum is looked at before it comes to the socket.
        let bad = [0; 100];
        let to = receiver.local_addr().unwrap();
        let before = drops(&receiver);
        send(&sender, &["one"]);
        raw.send(&bad, to, Checksum::Wrong).unwrap();
        send(&sender, &["two"]);
        raw.send(&bad, to, Checksum::Wrong).unwrap();
        batch.prepare();
        let n = batch.messages.recv_unchecked(&(0..4), None, &receiver, NOW).unwrap();
        assert_eq!([0, 1].map(|i| batch.messages.payload(i)), [b"one", b"two"]);
        assert_eq!((n, drops(&receiver) - before), (2, 2));
    });
}

#[test]
fn a_tiny_receive_buffer_drops_the_same() {
    both_ways(|way| {
        let (receiver, sender) = udp4();
        set_option(&receiver, libc::SOL_SOCKET, libc::SO_RCVBUF, 1).unwrap();
        let batch = way.batch(&receiver, 100, &Shape::payload(64));
        for _ in 0..100 {
            send(&sender, &["much"]);
        }
        let n = batch.recv(NOW).unwrap();
        assert_eq!(n + usize::try_from(drops(&receiver)).unwrap(), 100);
        assert!(n < 10, "{n} messages in the smallest of buffers");
        assert_eq!(next_len(&receiver), 0);
    });
}

#[test]
fn a_refused_datagram_comes_back_by_the_error_queue() {
    both_ways(|way| {
        let (gone, sender) = udp4();
        drop(gone);
        set_option(&sender, libc::IPPROTO_IP, libc::IP_RECVERR, 1).unwrap();
        let batch = way.batch(&sender, 2, &Shape::payload(64).name().control(128));
        sender.send(b"anybody?").unwrap();
        assert_eq!(batch.texts(NOW | libc::MSG_ERRQUEUE), ["anybody?"]);
        assert_eq!(batch.messages.flags(0), libc::MSG_ERRQUEUE);
        let control = &controls(&batch.messages.control(0), 8)[0];
        assert_eq!(control.kind, (libc::IPPROTO_IP, libc::IP_RECVERR));
        assert_eq!(control.int(), libc::ECONNREFUSED);
    });
}

#[test]
fn a_pending_error_comes_first() {
    both_ways(|way| {
        let (gone, sender) = udp4();
        drop(gone);
        let batch = way.batch(&sender, 2, &Shape::payload(64));
        sender.send(b"anybody?").unwrap();
        assert_eq!(errno(batch.recv(NOW)), libc::ECONNREFUSED);
        assert_eq!(errno(batch.recv(NOW)), libc::EAGAIN);
    });
}
