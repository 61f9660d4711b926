//! Datagrams that come by a network card.

use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::{fs, thread};

use rust_tests::skip;
use rust_tests::sys::messages::Shape;
use rust_tests::sys::net::{address, charged, set_option};
use rust_tests::sys::process::wait_until;
use rust_tests::sys::{patience, veth, xdp, xsk};

use crate::batch::both_ways;

/// A receiver and a sender for datagrams of so many bytes, two cards between them.
fn pair(datagram: usize) -> (UdpSocket, UdpSocket) {
    match veth::udp4(datagram) {
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => skip!("this kernel has no veth"),
        pair => pair.unwrap(),
    }
}

#[test]
fn what_one_card_sends_the_other_receives() {
    for len in [100, 8192] {
        let (receiver, sender) = pair(len);
        both_ways(|way| {
            let batch = way.batch(&receiver, 2, &Shape::payload(len).name());
            for text in ["a".repeat(len), "b".repeat(len)] {
                sender.send(text.as_bytes()).unwrap();
            }
            assert_eq!(batch.texts(0), ["a".repeat(len), "b".repeat(len)]);
        });
    }
}

#[test]
fn what_a_program_passes_on_is_received_and_given_back() {
    const ROUND: u8 = 32;
    let (receiver, sender) = pair(1400);
    let _program = xdp::pass(veth::card().unwrap()).unwrap();
    both_ways(|way| {
        let batch = way.batch(&receiver, ROUND.into(), &Shape::payload(1400).name());
        let len = |i: u8| if i.is_multiple_of(2) { 64 } else { 1400 };
        for _ in 0..20 {
            for i in 0..ROUND {
                sender.send(&vec![i; len(i)]).unwrap();
            }
            assert_eq!(batch.recv(0).unwrap(), ROUND.into());
            for i in 0..ROUND {
                assert_eq!(batch.messages.payload(i.into()), vec![i; len(i)]);
                assert_eq!(address(&batch.messages.name(i.into())), sender.local_addr().unwrap());
            }
            assert_eq!(charged(&receiver), 0);
        }
    });
}

/// What a busy poll finds is counted.
#[test]
fn busy_polling_empties_the_cards_queue() {
    if thread::available_parallelism().unwrap().get() == 1 {
        skip!("who polls and who sends need a CPU each");
    }
    let (receiver, sender) = pair(64);
    set_option(&receiver, libc::SOL_SOCKET, libc::SO_BUSY_POLL, 1_000_000).unwrap();
    both_ways(|way| {
        let batch = way.batch(&receiver, 1, &Shape::payload(64));
        let before = found_by_polling();
        // Unless whoever polls was just interrupted.
        wait_until(|| {
            thread::scope(|scope| {
                scope.spawn(|| sender.send(b"here").unwrap());
                assert_eq!(batch.texts(0), ["here"]);
            });
            found_by_polling() > before
        });
    });
}

/// `BusyPollRxPackets` of this thread's namespace: a line of names, and one of numbers.
fn found_by_polling() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/net/netstat").unwrap();
    let mut lines = text.lines().filter(|line| line.starts_with("TcpExt: ")).map(|line| line.split(' '));
    let place = lines.next().unwrap().position(|name| name == "BusyPollRxPackets").unwrap();
    lines.next().unwrap().nth(place).unwrap().parse().unwrap()
}

#[test]
fn af_xdp_takes_one_ports_datagrams_and_the_rest_passes() {
    const FRAMES: u32 = 8;
    let (receiver, sender) = pair(100);
    let ours = receiver.local_addr().unwrap();
    let other = UdpSocket::bind((ours.ip(), 0)).unwrap();
    other.set_read_timeout(Some(patience())).unwrap();
    let pass = |byte: u8| {
        let mut passed = [0];
        sender.send_to(&[byte], other.local_addr().unwrap()).unwrap();
        assert_eq!((other.recv(&mut passed).unwrap(), passed), (1, [byte]));
    };
    let card = veth::card().unwrap();
    let mut socket = xsk::Socket::new(FRAMES, card).unwrap();
    let program: OwnedFd = xdp::redirect(&socket, card, ours.port()).unwrap();
    // Each frame is used more than once.
    for byte in 0..20 {
        sender.send(&[byte; 100]).unwrap();
        pass(byte);
        assert_eq!(socket.wait(patience()).unwrap(), 1);
        assert_eq!(socket.packet(0).unwrap()[xdp::HEADERS.into()..], [byte; 100]);
        socket.give_back(1);
    }
    // What there are no frames for is lost.
    for byte in 0..10 {
        sender.send(&[byte]).unwrap();
    }
    pass(7);
    assert_eq!(socket.wait(patience()).unwrap(), FRAMES);
    for i in 0..FRAMES {
        assert_eq!(u32::from(socket.packet(i).unwrap()[usize::from(xdp::HEADERS)]), i);
    }
    drop(program);
    sender.send(b"as before").unwrap();
    assert_eq!(receiver.recv(&mut [0; 64]).unwrap(), 9);
}
