//! Kinds of sockets.

use std::io::Write;
use std::net::{Ipv6Addr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;

use rust_tests::skip;
use rust_tests::sys::calls::bind4;
use rust_tests::sys::calls::shut_down;
use rust_tests::sys::messages::{Field, Shape};
use rust_tests::sys::net::{address, next_len, send_urgent, socket, udp4, udp6};
use rust_tests::sys::process::wait_until;

use crate::batch::{NOW, both_ways};

fn names(receiver: &UdpSocket, sender: &UdpSocket) {
    both_ways(|way| {
        let batch = way.batch(receiver, 4, &Shape::payload(64).name());
        for _ in 0..3 {
            sender.send(b"one").unwrap();
            sender.send(b"two").unwrap();
            assert_eq!(batch.texts(NOW), ["one", "two"]);
            assert_eq!(address(&batch.messages.name(0)), sender.local_addr().unwrap());
            assert_eq!(address(&batch.messages.name(1)), sender.local_addr().unwrap());
        }
    });
}

#[test]
fn udp_over_ipv4() {
    let (receiver, sender) = udp4();
    names(&receiver, &sender);
}

#[test]
fn udp_over_ipv6() {
    let (receiver, sender) = udp6();
    names(&receiver, &sender);
}

/// Nothing of the kernel's memory is in a name, nor a byte behind the room for it: that [`Batch::recv`] looks at.
fn names_to_the_last_byte(receiver: &UdpSocket, sender: &UdpSocket, name: &[u8]) {
    both_ways(|way| {
        for room in [0, 1, 2, 7, name.len() - 1, name.len(), name.len() + 1, 128, 200] {
            let batch = way.batch(receiver, 2, &Shape::payload(64).name_of(room));
            sender.send(b"one").unwrap();
            sender.send(b"two").unwrap();
            assert_eq!(batch.texts(NOW), ["one", "two"]);
            for i in 0..2 {
                assert_eq!(batch.messages.name(i), name[..name.len().min(room)], "room for {room}");
                assert_eq!(batch.messages.get(i, Field::Namelen), name.len(), "room for {room}");
            }
        }
    });
}

fn port(socket: &UdpSocket) -> [u8; 2] {
    socket.local_addr().unwrap().port().to_be_bytes()
}

#[test]
fn behind_an_ipv4_address_are_zeroes() {
    let (receiver, sender) = udp4();
    let family = u16::try_from(libc::AF_INET).unwrap().to_ne_bytes();
    let name = [&family[..], &port(&sender), &[127, 0, 0, 1], &[0; 8]].concat();
    names_to_the_last_byte(&receiver, &sender, &name);
}

#[test]
fn around_an_ipv6_address_are_zeroes() {
    let (receiver, sender) = udp6();
    let family = u16::try_from(libc::AF_INET6).unwrap().to_ne_bytes();
    let name = [&family[..], &port(&sender), &[0; 4], &Ipv6Addr::LOCALHOST.octets(), &[0; 4]].concat();
    names_to_the_last_byte(&receiver, &sender, &name);
}

#[test]
fn ipv4_at_an_ipv6_socket() {
    let receiver = UdpSocket::bind("[::]:0").unwrap();
    let (_, sender) = udp4();
    sender.connect(("127.0.0.1", receiver.local_addr().unwrap().port())).unwrap();
    both_ways(|way| {
        let batch = way.batch(&receiver, 2, &Shape::payload(64).name());
        sender.send(b"mapped").unwrap();
        assert_eq!(batch.texts(NOW), ["mapped"]);
        let name = address(&batch.messages.name(0));
        let mapped: Ipv6Addr = "::ffff:127.0.0.1".parse().unwrap();
        assert_eq!((name.ip(), name.port()), (mapped.into(), sender.local_addr().unwrap().port()));
    });
}

#[test]
fn senders_that_take_turns() {
    let (receiver, one) = udp4();
    let two = UdpSocket::bind("127.0.0.1:0").unwrap();
    two.connect(receiver.local_addr().unwrap()).unwrap();
    both_ways(|way| {
        let batch = way.batch(&receiver, 40, &Shape::payload(64).name());
        for _ in 0..20 {
            one.send(b"one").unwrap();
            two.send(b"two").unwrap();
        }
        assert_eq!(batch.recv(NOW).unwrap(), 40);
        for (i, sender) in [&one, &two].into_iter().cycle().take(40).enumerate() {
            assert_eq!(address(&batch.messages.name(i)), sender.local_addr().unwrap(), "message {i}");
        }
    });
}

#[test]
fn a_connected_socket_hears_its_peer_alone() {
    let (receiver, sender) = udp4();
    receiver.connect(sender.local_addr().unwrap()).unwrap();
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    both_ways(|way| {
        let batch = way.batch(&receiver, 4, &Shape::payload(64).name());
        other.send_to(b"stray", receiver.local_addr().unwrap()).unwrap();
        sender.send(b"peer").unwrap();
        assert_eq!(batch.texts(NOW), ["peer"]);
    });
}

#[test]
fn udplite() {
    let [Some(receiver), Some(sender)] =
        [(); 2].map(|()| socket(libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_UDPLITE))
    else {
        skip!("this kernel has no UDP-Lite");
    };
    bind4(&receiver);
    bind4(&sender);
    let [receiver, sender] = [receiver, sender].map(UdpSocket::from);
    sender.connect(receiver.local_addr().unwrap()).unwrap();
    names(&receiver, &sender);
}

#[test]
fn unix_datagrams() {
    let receiver = UnixDatagram::bind("receiver").unwrap();
    let named = UnixDatagram::bind("sender").unwrap();
    let nameless = UnixDatagram::unbound().unwrap();
    both_ways(|way| {
        let batch = way.batch(&receiver, 4, &Shape::payload(64).name());
        named.send_to(b"named", "receiver").unwrap();
        nameless.send_to(b"nameless", "receiver").unwrap();
        assert_eq!(batch.texts(NOW), ["named", "nameless"]);
        assert_eq!(&batch.messages.name(0)[2..], b"sender\0");
        assert_eq!(batch.messages.get(1, Field::Namelen), 0);
    });
}

fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().unwrap().0, sender)
}

#[test]
fn a_stream_fills_message_after_message() {
    let (receiver, sender) = tcp();
    both_ways(|way| {
        let batch = way.batch(&receiver, 4, &Shape::payload(4).name());
        (&sender).write_all(b"0123456789").unwrap();
        wait_until(|| next_len(&receiver) == 10);
        assert_eq!(batch.texts(NOW), ["0123", "4567", "89"]);
        assert_eq!(batch.messages.get(0, Field::Namelen), 0);
    });
}

#[test]
fn urgent_data_comes_alone() {
    let (receiver, sender) = tcp();
    both_ways(|way| {
        let batch = way.batch(&receiver, 4, &Shape::payload(4));
        send_urgent(&sender, b'!');
        // Until it is there, there is an error.
        wait_until(|| batch.recv(NOW | libc::MSG_OOB).is_ok_and(|n| n == 1));
        assert_eq!((batch.messages.payload(0), batch.messages.flags(0)), (b"!".to_vec(), libc::MSG_OOB));
    });
}

#[test]
fn the_end_of_a_stream_is_empty_messages() {
    both_ways(|way| {
        let (receiver, mut sender) = tcp();
        let batch = way.batch(&receiver, 4, &Shape::payload(4));
        sender.write_all(b"end").unwrap();
        drop(sender);
        assert_eq!(batch.texts(0), ["end", "", "", ""]);
    });
}

#[test]
fn after_a_shutdown_there_is_one_empty_message() {
    both_ways(|way| {
        let (receiver, sender) = udp4();
        receiver.connect(sender.local_addr().unwrap()).unwrap();
        let batch = way.batch(&receiver, 4, &Shape::payload(64));
        shut_down(&receiver).unwrap();
        assert_eq!(batch.texts(libc::MSG_WAITFORONE), [""]);
    });
}

#[test]
fn a_socket_that_is_made_anew_by_connect_still_remembers() {
    let (receiver, sender) = udp4();
    both_ways(|way| {
        let batch = way.batch(&receiver, 4, &Shape::payload(64).name());
        for _ in 0..3 {
            receiver.connect(sender.local_addr().unwrap()).unwrap();
            sender.send(b"connected").unwrap();
            assert_eq!(batch.texts(NOW), ["connected"]);
        }
    });
}
