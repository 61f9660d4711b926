//! Threads that do all they can to the same descriptor and the same arrays, until time is up.

use std::net::UdpSocket;
use std::os::fd::{AsRawFd, RawFd};
use std::thread;
use std::time::{Duration, Instant};

use rust_tests::needs_remember;
use rust_tests::sys::calls::{connect, disconnect, shut_down};
use rust_tests::sys::messages::{Messages, Shape};
use rust_tests::sys::net::{replace_fd, set_option, udp4};
use rust_tests::sys::process::{as_nobody, exec_nothing, fork};
use rust_tests::sys::{MMSGHDR_FORGET, Remember, errno, remember_mmsghdr};

use crate::{NOW, ONE_ARRAY, array};

/// What is sent.
const TEXTS: [&str; 2] = ["racing", "on"];
/// Longer than a race waits for a message that does not come.
const MOMENT: Duration = Duration::from_millis(2);

/// Until when to race.
#[derive(Clone, Copy)]
struct Clock(Instant);

impl Clock {
    fn ticks(self) -> bool {
        Instant::now() < self.0
    }
}

/// Remembers, forgets, receives, closes, forks, execs, and changes the socket's options and peer, at once.
fn race(duration: Duration) {
    needs_remember!();
    as_nobody(4 * ONE_ARRAY, || {
        let (receiver, sender) = udp4();
        receiver.set_read_timeout(Some(MOMENT)).unwrap();
        let fd = receiver.as_raw_fd();
        let clock = Clock(Instant::now() + duration);
        // Outlives the threads: its addresses go to them all.
        let mut arrays = Vec::new();
        thread::scope(|scope| {
            let mut receivers = Vec::new();
            for _ in 0..2 {
                let array = Messages::new(4, &Shape::payload(8).name().control(64));
                for range in [0..4, 1..4, 0..2] {
                    let address = array.address(range.start);
                    let vlen = u32::try_from(range.len()).unwrap();
                    scope.spawn(move || remember_and_forget(fd, address, vlen, clock));
                }
                receivers.push(scope.spawn(move || receive_what_comes(fd, array, clock)));
            }
            scope.spawn(move || change(fd, clock));
            scope.spawn(move || fork_and_exec(fd, clock));
            send_and_close(fd, &sender, clock);
            arrays.extend(receivers.into_iter().map(|thread| thread.join().unwrap()));
        });
        drop(receiver);
        let (receiver, _) = udp4();
        let arrays: Vec<_> = (0..4).map(|_| array()).collect();
        for array in &arrays {
            receiver.remember(array).expect("all that the race had remembered is free again");
        }
    });
}

fn remember_and_forget(fd: RawFd, address: usize, vlen: u32, clock: Clock) {
    while clock.ticks() {
        if let Err(error) = remember_mmsghdr(fd, address, vlen, 0) {
            assert!([Some(libc::EEXIST), Some(libc::ENOBUFS)].contains(&error.raw_os_error()), "{error}");
        }
        if let Err(error) = remember_mmsghdr(fd, address, 0, MMSGHDR_FORGET) {
            assert_eq!(error.raw_os_error(), Some(libc::ENOENT), "{error}");
        }
    }
}

/// Each message is one that was sent, or the empty one of a socket that was shut down.
fn receive_what_comes(fd: RawFd, array: Messages, clock: Clock) -> Messages {
    let flags = [NOW, NOW | libc::MSG_PEEK, libc::MSG_WAITFORONE, NOW | libc::MSG_TRUNC];
    for flags in flags.into_iter().cycle().take_while(|_| clock.ticks()) {
        match array.recv(&fd, flags) {
            Ok(n) => {
                let sent = |text: &[u8]| text.is_empty() || TEXTS.iter().any(|sent| sent.as_bytes() == text);
                assert!((0..n).all(|i| sent(&array.payload(i))));
            }
            Err(error) => assert_eq!(error.raw_os_error(), Some(libc::EAGAIN), "{error}"),
        }
    }
    array
}

/// Each option, and having a peer, may send a receiver another way through the kernel.
fn change(fd: RawFd, clock: Clock) {
    let options = [
        (libc::IPPROTO_IP, libc::IP_PKTINFO),
        (libc::SOL_SOCKET, libc::SO_TIMESTAMPNS),
        (libc::SOL_UDP, libc::UDP_GRO),
        (libc::SOL_SOCKET, libc::SO_RXQ_OVFL),
    ];
    for i in (0_usize..).take_while(|_| clock.ticks()) {
        let (level, name) = options[i / 2 % options.len()];
        set_option(&fd, level, name, i32::from(i % 2 == 0)).unwrap();
        if i % 16 == 0 {
            // Whoever closes the socket is not asked.
            let _ = connect(&fd, ([127, 0, 0, 1], 9).into());
            let _ = disconnect(&fd);
        }
        if i % 64 == 0 {
            let _ = shut_down(&fd);
        }
    }
}

/// Children remember on the same socket, and leave it to the kernel to forget.
fn fork_and_exec(fd: RawFd, clock: Clock) {
    let array = array();
    for execs in [false, true].into_iter().cycle().take_while(|_| clock.ticks()) {
        fork(|| {
            // There may be no room for another.
            let _ = fd.remember(&array);
            if execs {
                exec_nothing();
            }
        })
        .succeeds();
    }
}

fn send_and_close(fd: RawFd, sender: &UdpSocket, clock: Clock) {
    while clock.ticks() {
        for text in TEXTS {
            // A receiver that was given another peer refuses it.
            let _ = sender.send(text.as_bytes());
        }
        let (another, _) = udp4();
        another.set_read_timeout(Some(MOMENT)).unwrap();
        sender.connect(another.local_addr().unwrap()).unwrap();
        replace_fd(fd, &another);
    }
}

#[test]
fn remember_forget_receive_and_close() {
    race(Duration::from_secs(3));
}

/// Whoever receives while the array is replaced uses the one or the other, and does not look at the headers.
#[test]
fn a_replaced_array_is_remembered_at_every_moment() {
    needs_remember!();
    let (receiver, _sender) = udp4();
    let array = Messages::new(1, &Shape::payload(8));
    receiver.remember(&array).unwrap();
    let (fd, address) = (receiver.as_raw_fd(), array.address(0));
    let clock = Clock(Instant::now() + Duration::from_secs(2));
    thread::scope(|scope| {
        scope.spawn(move || {
            while clock.ticks() {
                // Headers that are spoiled, or half so, are refused.
                let _ = remember_mmsghdr(fd, address, 1, 0);
            }
        });
        while clock.ticks() {
            array.reset_header(0);
            array.spoil(0);
            assert_eq!(errno(array.recv_unchecked(&(0..1), None, &receiver, NOW)), libc::EAGAIN);
        }
    });
}

mod long {
    use super::*;

    #[test]
    #[ignore = "minutes; test-in-vm --long runs it"]
    fn races() {
        let seconds = std::env::var("SECONDS").map_or(300, |text| text.parse().unwrap());
        race(Duration::from_secs(seconds));
    }
}
