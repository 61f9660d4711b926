//! Many threads at once.

use std::net::UdpSocket;
use std::thread;

use rust_tests::needs_remember;
use rust_tests::sys::Remember;
use rust_tests::sys::calls::shut_down;
use rust_tests::sys::messages::Messages;
use rust_tests::sys::net::{next_len, udp4};
use rust_tests::sys::process::{spawn_blocked_in, wait_until};
use rust_tests::sys::witness::assert_stock;

use crate::{array, send};

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
    spawn_blocked_in(libc::SYS_recvmmsg, move || {
        let array = array();
        receiver.remember(&array).unwrap();
        array.spoil_all();
        let result = recv(&array, &receiver);
        (array, result)
    })
}
