//! Waiting for messages, and what ends it.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rust_tests::sys::calls::{disconnect, shut_down};
use rust_tests::sys::errno;
use rust_tests::sys::messages::Shape;
use rust_tests::sys::net::{address, set_option, take_error, udp4};
use rust_tests::sys::process::{interrupt_on, signal, thread_id, wait_until_blocked_in};

use crate::batch::{Batch, NOW, Way, both_ways};

/// Starts to receive in a thread, waits until that waits, then lets `event` happen; what the thread got, and how.
fn while_waiting(
    way: Way,
    receiver: &UdpSocket,
    flags: i32,
    event: impl FnOnce(i32),
) -> (std::io::Result<usize>, Batch) {
    let (id, its_id) = mpsc::channel();
    thread::scope(|scope| {
        let waiting = scope.spawn(move || {
            let batch = way.batch(receiver, 4, &Shape::payload(64).name());
            id.send(thread_id()).unwrap();
            (batch.recv(flags), batch)
        });
        let its_id = its_id.recv().unwrap();
        wait_until_blocked_in(its_id, libc::SYS_recvmmsg);
        event(its_id);
        waiting.join().unwrap()
    })
}

#[test]
fn nothing_there_is_eagain() {
    let (receiver, _) = udp4();
    both_ways(|way| {
        let batch = way.batch(&receiver, 4, &Shape::payload(64));
        assert_eq!(errno(batch.recv(NOW)), libc::EAGAIN);
        receiver.set_nonblocking(true).unwrap();
        assert_eq!(errno(batch.recv(0)), libc::EAGAIN);
        receiver.set_nonblocking(false).unwrap();
    });
}

#[test]
fn a_nonblocking_socket_gives_what_is_there() {
    let (receiver, sender) = udp4();
    receiver.set_nonblocking(true).unwrap();
    both_ways(|way| {
        let batch = way.batch(&receiver, 4, &Shape::payload(64));
        sender.send(b"one").unwrap();
        assert_eq!(batch.texts(0), ["one"]);
    });
}

#[test]
fn wait_for_one_waits_for_one() {
    let (receiver, sender) = udp4();
    both_ways(|way| {
        let (result, batch) = while_waiting(way, &receiver, libc::MSG_WAITFORONE, |_| {
            sender.send(b"one").unwrap();
        });
        assert_eq!(result.unwrap(), 1);
        assert_eq!(batch.messages.payload(0), b"one");
        sender.send(b"two").unwrap();
        sender.send(b"three").unwrap();
        assert_eq!(batch.texts(libc::MSG_WAITFORONE), ["two", "three"]);
    });
}

#[test]
fn without_it_all_are_waited_for() {
    let (receiver, sender) = udp4();
    both_ways(|way| {
        sender.send(b"first").unwrap();
        let (result, batch) = while_waiting(way, &receiver, 0, |_| {
            for text in ["two", "three", "four"] {
                sender.send(text.as_bytes()).unwrap();
            }
        });
        assert_eq!(result.unwrap(), 4);
        assert_eq!(batch.messages.payload(3), b"four");
    });
}

#[test]
fn a_signal_ends_waiting_with_eintr() {
    interrupt_on(libc::SIGUSR1);
    let (receiver, _) = udp4();
    both_ways(|way| {
        let (result, _) = while_waiting(way, &receiver, 0, |thread| signal(thread, libc::SIGUSR1));
        assert_eq!(errno(result), libc::EINTR);
    });
}

#[test]
fn a_signal_after_a_message_ends_with_what_there_is() {
    interrupt_on(libc::SIGUSR1);
    let (receiver, sender) = udp4();
    both_ways(|way| {
        sender.send(b"one").unwrap();
        let (result, batch) = while_waiting(way, &receiver, 0, |thread| signal(thread, libc::SIGUSR1));
        assert_eq!(result.unwrap(), 1);
        assert_eq!(batch.messages.payload(0), b"one");
        assert_eq!(take_error(&receiver), libc::EINTR, "as stock leaves it");
    });
}

#[test]
fn a_shutdown_ends_waiting() {
    both_ways(|way| {
        let (receiver, sender) = udp4();
        receiver.connect(sender.local_addr().unwrap()).unwrap();
        let (result, batch) =
            while_waiting(way, &receiver, libc::MSG_WAITFORONE, |_| shut_down(&receiver).unwrap());
        assert_eq!(result.unwrap(), 1);
        assert_eq!(batch.messages.received(0), 0);
    });
}

#[test]
fn a_disconnect_lets_who_waits_hear_others_too() {
    // A port that the kernel has chosen would be lost.
    const RECEIVER: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 4242);
    both_ways(|way| {
        let receiver = UdpSocket::bind(RECEIVER).unwrap();
        let [sender, stranger] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        sender.connect(RECEIVER).unwrap();
        receiver.connect(sender.local_addr().unwrap()).unwrap();
        let stray = |text: &str| {
            stranger.send_to(text.as_bytes(), RECEIVER).unwrap();
        };
        sender.send(b"peer").unwrap();
        let (result, batch) = while_waiting(way, &receiver, 0, |_| {
            stray("unheard");
            disconnect(&receiver).unwrap();
            stray("heard");
            sender.send(b"still here").unwrap();
            stray("enough");
        });
        assert_eq!(result.unwrap(), 4);
        let texts = [0, 1, 2, 3].map(|i| String::from_utf8(batch.messages.payload(i)).unwrap());
        assert_eq!(texts, ["peer", "heard", "still here", "enough"]);
        let names = [0, 1, 2, 3].map(|i| address(&batch.messages.name(i)));
        let [sender, stranger] = [sender, stranger].map(|socket| socket.local_addr().unwrap());
        assert_eq!(names, [sender, stranger, sender, stranger]);
    });
}

#[test]
fn the_sockets_timeout_ends_waiting() {
    /// The kernel rounds to its own ticks.
    const SHORT: Duration = Duration::from_millis(50);
    let (receiver, sender) = udp4();
    receiver.set_read_timeout(Some(SHORT)).unwrap();
    both_ways(|way| {
        let batch = way.batch(&receiver, 4, &Shape::payload(64));
        let start = Instant::now();
        assert_eq!(errno(batch.recv(0)), libc::EAGAIN);
        assert!(start.elapsed() >= SHORT / 2);
        sender.send(b"one").unwrap();
        let start = Instant::now();
        assert_eq!(batch.texts(0), ["one"]);
        assert!(start.elapsed() >= SHORT / 2);
    });
}

#[test]
fn no_time_at_all_is_time_for_one_message() {
    let (receiver, sender) = udp4();
    both_ways(|way| {
        let batch = way.batch(&receiver, 4, &Shape::payload(64));
        for i in 0..6_u8 {
            sender.send(&[i]).unwrap();
        }
        for i in 0..6 {
            let (result, left) = batch.recv_for(Duration::ZERO);
            assert_eq!((result.unwrap(), left), (1, Duration::ZERO));
            assert_eq!(batch.messages.payload(0), [i]);
        }
    });
}

#[test]
fn what_is_left_of_the_timeout_is_told() {
    const LONG: Duration = Duration::from_secs(1000);
    let (receiver, sender) = udp4();
    both_ways(|way| {
        let batch = way.batch(&receiver, 2, &Shape::payload(64));
        sender.send(b"one").unwrap();
        sender.send(b"two").unwrap();
        let (result, left) = batch.recv_for(LONG);
        assert_eq!(result.unwrap(), 2);
        assert!(left < LONG && left > LONG / 2, "{left:?}");
    });
}

/// The loopback has no queue to poll; whoever asks for it waits as ever.
#[test]
fn busy_polling_where_nothing_can_be_polled_waits() {
    let (receiver, sender) = udp4();
    set_option(&receiver, libc::SOL_SOCKET, libc::SO_BUSY_POLL, 100).unwrap();
    both_ways(|way| {
        sender.send(b"one").unwrap();
        sender.send(b"two").unwrap();
        let batch = way.batch(&receiver, 4, &Shape::payload(64).name());
        assert_eq!(batch.texts(libc::MSG_WAITFORONE), ["one", "two"]);
        let (result, batch) = while_waiting(way, &receiver, libc::MSG_WAITFORONE, |_| {
            sender.send(b"at last").unwrap();
        });
        assert_eq!((result.unwrap(), batch.messages.payload(0)), (1, b"at last".to_vec()));
    });
}
