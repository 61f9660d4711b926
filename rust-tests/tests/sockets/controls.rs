//! Control messages.

use rust_tests::skip;
use rust_tests::sys::calls::last_stamp;
use rust_tests::sys::errno;
use rust_tests::sys::messages::{Field, Shape};
use rust_tests::sys::net::{Control, controls, set_option, udp4, udp6};
use rust_tests::sys::raw::{Checksum, RawUdp};
use rust_tests::sys::stamps::now;

use crate::batch::{Batch, NOW, both_ways};

/// The control messages of one received message.
fn of(batch: &Batch, i: usize) -> Vec<Control> {
    controls(&batch.messages.control(i), 8)
}

#[test]
fn timestamps() {
    let (receiver, sender) = udp4();
    set_option(&receiver, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1).unwrap();
    both_ways(|way| {
        let batch = way.batch(&receiver, 3, &Shape::payload(8).control(64));
        for _ in 0..3 {
            sender.send(b"now").unwrap();
        }
        assert_eq!(batch.recv(NOW).unwrap(), 3);
        let stamps = [0, 1, 2].map(|i| {
            let control = of(&batch, i).remove(0);
            assert_eq!(control.kind, (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS));
            [0, 8].map(|at| i64::from_ne_bytes(control.data[at..at + 8].try_into().unwrap()))
        });
        assert!(stamps.is_sorted() && stamps[0][0] > 0, "{stamps:?}");
    });
}

#[test]
fn what_came_before_stamps_were_wanted_has_one() {
    both_ways(|way| {
        let (receiver, sender) = udp4();
        let batch = way.batch(&receiver, 3, &Shape::payload(8).control(64));
        let sent = now();
        sender.send(b"early").unwrap();
        sender.send(b"birds").unwrap();
        set_option(&receiver, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1).unwrap();
        assert_eq!(batch.texts(NOW), ["early", "birds"]);
        for i in 0..2 {
            let stamp = [0, 8].map(|at| {
                let control = of(&batch, i).remove(0);
                i64::from_ne_bytes(control.data[at..at + 8].try_into().unwrap())
            });
            assert!((sent..=now()).contains(&stamp), "{stamp:?}, sent {sent:?}");
        }
    });
}

#[test]
fn the_time_of_the_last_message_is_told() {
    both_ways(|way| {
        let (receiver, sender) = udp4();
        let raw = RawUdp::new(sender.local_addr().unwrap()).unwrap();
        let batch = way.batch(&receiver, 3, &Shape::payload(8));
        // Long enough for its checksum to be left to the receiver.
        raw.send(&[0; 100], receiver.local_addr().unwrap(), Checksum::Wrong).unwrap();
        batch.prepare();
        assert_eq!(errno(batch.messages.recv_unchecked(&(0..3), None, &receiver, NOW)), libc::EAGAIN);
        assert_eq!(errno(last_stamp(&receiver)), libc::ENOENT, "there was none");
        let sent = now();
        sender.send(b"one").unwrap();
        assert_eq!(batch.texts(NOW), ["one"]);
        let stamp = last_stamp(&receiver).unwrap();
        assert!((sent..=now()).contains(&stamp), "{stamp:?}, sent {sent:?}");
    });
}

#[test]
fn ipv4_pktinfo_and_ttl() {
    let (receiver, sender) = udp4();
    set_option(&receiver, libc::IPPROTO_IP, libc::IP_PKTINFO, 1).unwrap();
    set_option(&receiver, libc::IPPROTO_IP, libc::IP_RECVTTL, 1).unwrap();
    both_ways(|way| {
        let batch = way.batch(&receiver, 2, &Shape::payload(8).name().control(64));
        for ttl in [7, 64] {
            sender.set_ttl(ttl).unwrap();
            sender.send(b"ttl").unwrap();
        }
        assert_eq!(batch.recv(NOW).unwrap(), 2);
        for (i, ttl) in [(0, 7), (1, 64)] {
            let [info, hops] = <[Control; 2]>::try_from(of(&batch, i)).unwrap();
            assert_eq!((info.kind, &info.data[8..]), ((0, libc::IP_PKTINFO), &[127, 0, 0, 1][..]));
            assert_eq!((hops.kind, hops.int()), ((0, libc::IP_TTL), ttl));
        }
    });
}

#[test]
fn ipv6_pktinfo_and_hop_limit() {
    let (receiver, sender) = udp6();
    set_option(&receiver, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1).unwrap();
    set_option(&receiver, libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT, 1).unwrap();
    both_ways(|way| {
        let batch = way.batch(&receiver, 2, &Shape::payload(8).name().control(64));
        sender.send(b"one").unwrap();
        assert_eq!(batch.texts(NOW), ["one"]);
        let [info, hops] = <[Control; 2]>::try_from(of(&batch, 0)).unwrap();
        assert_eq!((info.kind, info.data[15]), ((libc::IPPROTO_IPV6, libc::IPV6_PKTINFO), 1));
        assert_eq!((hops.kind, hops.int()), ((libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT), 64));
    });
}

#[test]
fn a_control_message_that_does_not_fit_is_told() {
    let (receiver, sender) = udp4();
    set_option(&receiver, libc::IPPROTO_IP, libc::IP_PKTINFO, 1).unwrap();
    both_ways(|way| {
        for room in [0, 8, 15] {
            let batch = way.batch(&receiver, 1, &Shape::payload(8).control(room));
            sender.send(b"one").unwrap();
            assert_eq!(batch.texts(NOW), ["one"]);
            assert_eq!(batch.messages.flags(0), libc::MSG_CTRUNC, "room for {room}");
            assert_eq!(batch.messages.get(0, Field::Controllen), 0);
        }
    });
}

#[test]
fn a_control_length_beyond_all_bounds_is_room_enough() {
    let (receiver, sender) = udp4();
    set_option(&receiver, libc::IPPROTO_IP, libc::IP_RECVTTL, 1).unwrap();
    both_ways(|way| {
        let batch = way.batch(&receiver, 1, &Shape::payload(8).control(64));
        for len in [1 << 31, 1 << 32, (1 << 32) + 8, usize::MAX] {
            batch.messages.reset();
            batch.messages.set(0, Field::Controllen, len);
            batch.changed();
            sender.send(b"one").unwrap();
            assert_eq!(batch.recv_again(NOW).unwrap(), 1);
            assert_eq!((of(&batch, 0).len(), batch.messages.flags(0)), (1, 0), "room for {len:#x}");
        }
    });
}

#[test]
fn an_option_that_is_set_between_calls_counts() {
    let (receiver, sender) = udp4();
    both_ways(|way| {
        let batch = way.batch(&receiver, 1, &Shape::payload(8).control(64));
        for on in [0, 1, 0] {
            set_option(&receiver, libc::IPPROTO_IP, libc::IP_RECVTTL, on).unwrap();
            sender.send(b"one").unwrap();
            assert_eq!(batch.texts(NOW), ["one"]);
            assert_eq!(of(&batch, 0).len(), usize::from(on == 1));
        }
    });
}

#[test]
fn a_train_of_segments_comes_whole_or_in_parts() {
    let (receiver, sender) = udp4();
    let segment = |socket, option, value: i32| set_option(socket, libc::SOL_UDP, option, value);
    if segment(&sender, libc::UDP_SEGMENT, 100).is_err() {
        skip!("this kernel has no UDP_SEGMENT");
    }
    let train: Vec<u8> = (0..1050_usize).map(|i| i.to_ne_bytes()[0]).collect();
    both_ways(|way| {
        let batch = way.batch(&receiver, 12, &Shape::payload(1200).name().control(64));
        segment(&receiver, libc::UDP_GRO, 1).unwrap();
        sender.send(&train).unwrap();
        assert_eq!(batch.recv(NOW).unwrap(), 1);
        assert!(batch.messages.payload(0) == train);
        assert_eq!(of(&batch, 0)[0].kind, (libc::SOL_UDP, libc::UDP_GRO));
        assert_eq!(of(&batch, 0)[0].int(), 100);

        segment(&receiver, libc::UDP_GRO, 0).unwrap();
        sender.send(&train).unwrap();
        assert_eq!(batch.recv(NOW).unwrap(), 11);
        assert!((0..11).all(|i| Some(&batch.messages.payload(i)[..]) == train.chunks(100).nth(i)));
        assert_eq!(of(&batch, 10), []);
    });
}
