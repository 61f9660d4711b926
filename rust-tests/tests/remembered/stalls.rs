//! What others meet while a batch stands still, because a page that it copies to is not there yet.

use std::net::UdpSocket;
use std::thread;
use std::time::Instant;

use rust_tests::sys::cgroup::Cgroup;
use rust_tests::sys::memory::PAGE;
use rust_tests::sys::messages::{Messages, Shape};
use rust_tests::sys::net::{charged, drops, next_len, option, set_option, udp4};
use rust_tests::sys::process::spawn_blocked_in;
use rust_tests::sys::{Remember, errno, patience};
use rust_tests::{needs_remember, needs_stall};

use crate::{NOW, page};

/// Reaches into two whole pages of a buffer of four.
const LARGE: [u8; 3 * PAGE] = [b'l'; 3 * PAGE];

#[test]
fn no_more_is_copied_at_once_than_a_quarter_of_the_receive_buffer() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let mut shapes = vec![Shape::payload(1024); 64];
    shapes[0] = Shape::payload(4 * PAGE);
    let messages = Messages::each(&shapes);
    receiver.remember(&messages).unwrap();
    let stall = needs_stall!(messages.memory(), page(&messages, 0));
    sender.send(&LARGE).unwrap();
    for _ in 0..63 {
        sender.send(&[b's'; 1024]).unwrap();
    }
    let [limit] = option(&receiver, libc::SOL_SOCKET, libc::SO_RCVBUF).unwrap();
    let all = charged(&receiver);
    assert!(all > limit / 2, "the test sends too little");
    let theirs = receiver.try_clone().unwrap();
    let thread = thread::spawn(move || messages.recv_unchecked(&(0..64), None, &theirs, NOW));
    stall.wait();
    assert!(charged(&receiver) >= all - limit / 4, "{} of {all} are left", charged(&receiver));
    drop(stall);
    assert_eq!(thread.join().unwrap().unwrap(), 64);
    assert_eq!(charged(&receiver), 0);
}

#[test]
fn no_more_than_256_kib_are_copied_at_once_however_large_the_receive_buffer() {
    needs_remember!();
    let (receiver, sender) = udp4();
    set_option(&receiver, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, 64 << 20).unwrap();
    let messages = Messages::new(64, &Shape::payload(4 * PAGE));
    receiver.remember(&messages).unwrap();
    let stall = needs_stall!(messages.memory(), page(&messages, 0));
    for i in 0..64 {
        sender.send(&[i; LARGE.len()]).unwrap();
    }
    let each = charged(&receiver) / 64;
    let theirs = receiver.try_clone().unwrap();
    let thread = thread::spawn(move || messages.recv_unchecked(&(0..64), None, &theirs, NOW));
    stall.wait();
    // What left the queue is charged for until it adds up: the next one tells how many did.
    let mut next = [0];
    assert_eq!(receiver.recv(&mut next).unwrap(), 1);
    let taken = i32::from(next[0]) * each;
    assert!((2 * each..=256 << 10).contains(&taken), "{taken} bytes were taken");
    drop(stall);
    assert_eq!(thread.join().unwrap().unwrap(), 63);
    assert_eq!(charged(&receiver), 0);
}

#[test]
fn what_is_being_copied_takes_no_room_from_what_arrives() {
    needs_remember!();
    let (receiver, sender) = udp4();
    // The least there is: one datagram at a time fits, however large.
    set_option(&receiver, libc::SOL_SOCKET, libc::SO_RCVBUF, 1).unwrap();
    let messages = Messages::new(1, &Shape::payload(4 * PAGE));
    receiver.remember(&messages).unwrap();
    let stall = needs_stall!(messages.memory(), page(&messages, 0));
    sender.send(&LARGE).unwrap();
    let theirs = receiver.try_clone().unwrap();
    let thread = thread::spawn(move || messages.recv_unchecked(&(0..1), None, &theirs, NOW));
    stall.wait();
    assert_eq!(charged(&receiver), 0);
    sender.send(b"next").unwrap();
    assert_eq!(next_len(&receiver), 4);
    drop(stall);
    assert_eq!(thread.join().unwrap().unwrap(), 1);
    assert_eq!(drops(&receiver), 0);
}

#[test]
fn what_a_fault_brings_back_is_charged_again_whatever_came_meanwhile() {
    needs_remember!();
    // To a memory cgroup, too, where the kernel counts them.
    let _cgroup = Cgroup::enter().unwrap();
    let (receiver, sender) = udp4();
    let messages = Messages::new(8, &Shape::payload(4 * PAGE));
    receiver.remember(&messages).unwrap();
    let page = page(&messages, 0);
    let stall = needs_stall!(messages.memory(), page.clone());
    messages.memory().protect(page.end..page.end + PAGE, libc::PROT_NONE);
    sender.send(&LARGE).unwrap();
    let first = charged(&receiver);
    for _ in 0..6 {
        sender.send(b"back").unwrap();
    }
    let behind = charged(&receiver) - first;
    let theirs = receiver.try_clone().unwrap();
    let thread = thread::spawn(move || {
        let result = messages.recv_unchecked(&(0..8), None, &theirs, NOW);
        (messages, result)
    });
    stall.wait();
    assert_eq!(charged(&receiver), 0);
    sender.send(b"meanwhile").unwrap();
    let meanwhile = charged(&receiver);
    drop(stall);
    let (messages, result) = thread.join().unwrap();
    assert_eq!(errno(result), libc::EFAULT);
    assert_eq!(charged(&receiver), behind + meanwhile);
    messages.memory().protect(page.end..page.end + PAGE, libc::PROT_READ | libc::PROT_WRITE);
    assert_eq!(messages.recv_unchecked(&(0..8), None, &receiver, NOW).unwrap(), 7);
    let texts = (0..7).map(|i| messages.payload(i));
    assert!(texts.eq([b"back"; 6].iter().map(|text| text.to_vec()).chain([b"meanwhile".to_vec()])));
    assert_eq!(charged(&receiver), 0);
}

#[test]
fn whoever_finds_nothing_is_told_of_all_that_a_fault_brings_back() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let messages = Messages::new(3, &Shape::payload(4 * PAGE));
    receiver.remember(&messages).unwrap();
    let page = page(&messages, 0);
    let stall = needs_stall!(messages.memory(), page.clone());
    messages.memory().protect(page.end..page.end + PAGE, libc::PROT_NONE);
    for payload in [&LARGE[..], b"1", b"2"] {
        sender.send(payload).unwrap();
    }
    let theirs = receiver.try_clone().unwrap();
    let faulty = thread::spawn(move || messages.recv_unchecked(&(0..3), None, &theirs, NOW));
    stall.wait();
    let waiting = [(); 2].map(|()| one_byte(&receiver));
    drop(stall);
    let put_back = Instant::now();
    assert_eq!(errno(faulty.join().unwrap()), libc::EFAULT);
    let mut came = waiting.map(|thread| thread.join().unwrap());
    // A receiver whose time is up looks once more.
    assert!(put_back.elapsed() < patience() / 2, "{:?}", put_back.elapsed());
    came.sort_unstable();
    assert_eq!(came, [b'1', b'2']);
}

/// A thread that waits for a datagram.
fn one_byte(receiver: &UdpSocket) -> thread::JoinHandle<u8> {
    let receiver = receiver.try_clone().unwrap();
    spawn_blocked_in(libc::SYS_recvfrom, move || {
        let mut byte = [0];
        assert_eq!(receiver.recv(&mut byte).unwrap(), 1);
        byte[0]
    })
}
