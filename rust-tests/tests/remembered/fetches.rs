//! Headers that change while they are remembered: what was checked is what is used.

use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rust_tests::sys::messages::{Field, Messages, Shape};
use rust_tests::sys::net::udp4;
use rust_tests::sys::remember_mmsghdr;
use rust_tests::{needs_remember, needs_stall};

use crate::NOW;

const DURATION: Duration = Duration::from_secs(3);
/// More than fits into any of the messages.
static SENT: [u8; 9000] = [0x5a; 9000];

/// Three messages of as many buffers as may be; the first ones of each change their length.
fn messages() -> Messages {
    let mut lens = vec![8; 1024];
    lens[..3].fill(64);
    Messages::new(3, &Shape::segments(&lens))
}

/// Changes how many buffers a message has, how long they are, and for a moment whether they are the process's.
fn change(messages: &Messages) {
    for i in 0..messages.len() {
        for iovlen in [2, 1, 3, 1024] {
            messages.set(i, Field::Iovlen, iovlen);
            for len in [8, 64] {
                (0..3).for_each(|segment| messages.set_segment_len(i, segment, len));
            }
        }
        // A copy byte by byte sees one or the other, too: only the address's highest differs.
        for highest in [0x80, 0] {
            messages.memory().write(messages.iovec(i).start + 7, &[highest]);
        }
    }
}

/// Has them remembered again and again while they change; false if there was no moment in which that could be.
fn remember(receiver: &UdpSocket, messages: Messages) -> (Messages, bool) {
    let (fd, address, vlen) = (receiver.as_raw_fd(), messages.address(0), messages.vlen());
    let changing = AtomicBool::new(true);
    thread::scope(|scope| {
        let changes = scope.spawn(|| {
            while changing.load(Ordering::Relaxed) {
                change(&messages);
            }
            messages
        });
        let results = [(); 20].map(|()| remember_mmsghdr(fd, address, vlen, 0));
        changing.store(false, Ordering::Relaxed);
        for error in results.iter().filter_map(|result| result.as_ref().err()) {
            // A length of which half is new is too much.
            assert!([Some(libc::EFAULT), Some(libc::EMSGSIZE)].contains(&error.raw_os_error()), "{error}");
        }
        (changes.join().unwrap(), results.iter().any(Result::is_ok))
    })
}

/// Each buffer is filled to a length that it had, and nothing else is touched but the results.
fn receive(receiver: &UdpSocket, sender: &UdpSocket, messages: &Messages) {
    for _ in 0..messages.len() {
        sender.send(&SENT).unwrap();
    }
    let mut expected = messages.image();
    assert_eq!(messages.recv_unchecked(&(0..messages.len()), None, receiver, NOW).unwrap(), messages.len());
    let after = messages.image();
    for i in 0..messages.len() {
        let mut len = 0;
        for buffer in messages.segments(i) {
            let filled = after[buffer.clone()].iter().take_while(|byte| **byte == SENT[0]).count();
            assert!([0, 8, 64].contains(&filled), "{filled} of {buffer:?}");
            expected[buffer.start..buffer.start + filled].fill(SENT[0]);
            len += filled;
        }
        assert_eq!(messages.received(i), len);
        for field in Field::RESULTS.map(|field| messages.field(i, field)) {
            expected[field.clone()].copy_from_slice(&after[field]);
        }
    }
    assert!(after == expected, "something else was written to");
}

#[test]
fn what_is_written_is_what_was_remembered() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let (mut messages, mut rounds) = (messages(), 0);
    let end = Instant::now() + DURATION;
    while Instant::now() < end {
        let remembered;
        (messages, remembered) = remember(&receiver, messages);
        messages.reset();
        if remembered {
            messages.spoil_all();
            receive(&receiver, &sender, &messages);
            messages.reset();
            rounds += 1;
        }
    }
    println!("{rounds} rounds");
    assert!(rounds > 0);
}

#[test]
fn what_changes_behind_its_copy_is_not_looked_at_again() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let messages = Messages::new(1, &Shape::segments(&[8; 600]));
    // Of the list of buffers the middle: remembering stands still behind the header and the first of them.
    let stall = needs_stall!(messages.memory(), messages.iovec(0));
    let (fd, address) = (receiver.as_raw_fd(), messages.address(0));
    let thread = thread::spawn(move || remember_mmsghdr(fd, address, 1, 0));
    stall.wait();
    messages.spoil(0);
    messages.set_segment_len(0, 0, usize::MAX);
    drop(stall);
    thread.join().unwrap().expect("with the header and the first buffer as they were");
    // The page that was taken away comes back with buffers of no length.
    let list = messages.memory().read(messages.iovec(0));
    let buffers = list.chunks(16).filter(|buffer| **buffer != [0; 16]).count();
    sender.send(&SENT).unwrap();
    assert_eq!(messages.recv_unchecked(&(0..1), None, &receiver, NOW).unwrap(), 1);
    assert_eq!((messages.received(0), messages.flags(0)), (8 * buffers, libc::MSG_TRUNC));
}
