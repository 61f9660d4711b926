//! Many threads at once.

use std::net::UdpSocket;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rust_tests::needs_remember;
use rust_tests::sys::calls::shut_down;
use rust_tests::sys::messages::{Messages, Shape};
use rust_tests::sys::net::{next_len, replace_fd, udp4};
use rust_tests::sys::process::{as_nobody, thread_id, wait_until, wait_until_blocked_in};
use rust_tests::sys::witness::assert_stock;
use rust_tests::sys::{MMSGHDR_FORGET, Remember, remember_mmsghdr};

use crate::{NOW, ONE_ARRAY, array, send};

/// How long threads race.
const RACE: Duration = Duration::from_secs(3);

#[test]
fn each_thread_may_have_an_array_of_its_own() {
    needs_remember!();
    let (receiver, sender) = udp4();
    receiver.connect(sender.local_addr().unwrap()).unwrap();
    let threads: Vec<_> = (0..4).map(|_| blocked(&receiver, receive_until_shutdown)).collect();
    for number in 0..200_u64 {
        sender.send(&number.to_ne_bytes()).unwrap();
    }
    wait_until(|| next_len(&receiver) == 0);
    shut_down(&receiver).unwrap();
    let numbers: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap().1).collect();
    assert!(numbers.iter().all(|numbers| numbers.is_sorted()), "out of order: {numbers:?}");
    let mut all = numbers.concat();
    all.sort_unstable();
    assert_eq!(all, (0..200).collect::<Vec<_>>());
}

/// The numbers that messages bring, until an empty one: that of a socket that was shut down.
fn receive_until_shutdown(array: &Messages, receiver: &UdpSocket) -> Vec<u64> {
    let mut numbers = Vec::new();
    loop {
        array.spoil_all();
        for i in 0..array.recv(receiver, libc::MSG_WAITFORONE).unwrap() {
            match array.payload(i)[..] {
                [] => return numbers,
                ref number => numbers.push(u64::from_ne_bytes(number.try_into().unwrap())),
            }
        }
    }
}

#[test]
fn forgetting_does_not_disturb_who_waits() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let waiting = blocked(&receiver, |array, receiver| array.recv(receiver, libc::MSG_WAITFORONE));
    receiver.forget_all().unwrap();
    send(&sender, &["at last"]);
    let (array, result) = waiting.join().unwrap();
    assert_eq!(result.unwrap(), 1);
    assert_eq!(array.payload(0), b"at last");
    assert_stock(&receiver, &sender, &array);
}

/// A thread that has remembered an array and waits for a message to come.
fn blocked<T: Send + 'static>(
    receiver: &UdpSocket,
    recv: impl FnOnce(&Messages, &UdpSocket) -> T + Send + 'static,
) -> thread::JoinHandle<(Messages, T)> {
    let receiver = receiver.try_clone().unwrap();
    let (id, its_id) = mpsc::channel();
    let thread = thread::spawn(move || {
        let array = array();
        receiver.remember(&array).unwrap();
        array.spoil_all();
        id.send(thread_id()).unwrap();
        let result = recv(&array, &receiver);
        (array, result)
    });
    wait_until_blocked_in(its_id.recv().unwrap(), libc::SYS_recvmmsg);
    thread
}

/// Threads do all they can to the same descriptor and the same arrays, until time is up.
#[test]
fn remember_forget_receive_and_close_race() {
    needs_remember!();
    as_nobody(4 * ONE_ARRAY, || {
        let (receiver, sender) = udp4();
        let fd = receiver.as_raw_fd();
        let end = Instant::now() + RACE;
        let racing = || Instant::now() < end;
        // Outlives the threads: its addresses go to them all.
        let mut arrays = Vec::new();
        thread::scope(|scope| {
            let mut receivers = Vec::new();
            for _ in 0..2 {
                let array = Messages::new(4, &Shape::payload(8).name());
                for range in [0..4, 1..4, 0..2] {
                    let address = array.address(range.start);
                    let vlen = u32::try_from(range.len()).unwrap();
                    scope.spawn(move || remember_and_forget(fd, address, vlen, racing));
                }
                receivers.push(scope.spawn(move || receive_what_comes(fd, array, racing)));
            }
            scope.spawn(|| {
                while racing() {
                    send(&sender, &["racing", "on"]);
                    let (another, _) = udp4();
                    sender.connect(another.local_addr().unwrap()).unwrap();
                    replace_fd(fd, &another);
                }
            });
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

fn remember_and_forget(fd: RawFd, address: usize, vlen: u32, racing: impl Fn() -> bool) {
    while racing() {
        if let Err(error) = remember_mmsghdr(fd, address, vlen, 0) {
            assert!([Some(libc::EEXIST), Some(libc::ENOBUFS)].contains(&error.raw_os_error()), "{error}");
        }
        if let Err(error) = remember_mmsghdr(fd, address, 0, MMSGHDR_FORGET) {
            assert_eq!(error.raw_os_error(), Some(libc::ENOENT), "{error}");
        }
    }
}

fn receive_what_comes(fd: RawFd, array: Messages, racing: impl Fn() -> bool) -> Messages {
    for flags in [NOW, NOW | libc::MSG_PEEK].into_iter().cycle().take_while(|_| racing()) {
        match array.recv(&fd, flags) {
            Ok(n) => assert!((0..n).all(|i| [&b"racing"[..], b"on"].contains(&&array.payload(i)[..]))),
            Err(error) => assert_eq!(error.raw_os_error(), Some(libc::EAGAIN), "{error}"),
        }
    }
    array
}
