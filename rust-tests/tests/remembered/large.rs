//! Arrays as long as anybody needs, and what they cost.

use std::io;
use std::os::fd::AsRawFd;
use std::thread;

use rust_tests::needs_remember;
use rust_tests::sys::memory::{Mapping, PAGE};
use rust_tests::sys::messages::{Messages, Shape};
use rust_tests::sys::net::udp4;
use rust_tests::sys::process::{as_nobody, die, fork_nobody};
use rust_tests::sys::{MMSGHDR_FORGET, Remember, errno, remember_mmsghdr};

const MILLION: usize = 1_000_000;
/// Just enough to lock for a million of which no two are alike.
const ENOUGH: usize = 40 * MILLION + 4 * PAGE;
/// Bytes of a `struct mmsghdr`.
const HEADER: usize = 64;

/// A million headers; `stride` apart, each message has a buffer of 8 bytes.
fn million(stride: impl Fn(usize) -> usize) -> Mapping {
    let memory = Mapping::new(MILLION * (HEADER + 16));
    let iovs = MILLION * HEADER;
    for i in 0..MILLION {
        let header = [0, 0, memory.address(iovs + i * 16), 1];
        memory.write(i * HEADER, &header.map(usize::to_ne_bytes).concat());
        let segment = [memory.address(stride(i)), 8];
        memory.write(iovs + i * 16, &segment.map(usize::to_ne_bytes).concat());
    }
    memory
}

/// No two neighbours are alike.
fn disorder() -> Mapping {
    million(|i| i * 7919 % MILLION * 8)
}

/// Has them all remembered.
fn remember(receiver: &impl AsRawFd, memory: &Mapping) -> io::Result<()> {
    let vlen = u32::try_from(MILLION).unwrap();
    remember_mmsghdr(receiver.as_raw_fd(), memory.address(0), vlen, 0)
}

/// Whether `nobody` with so many bytes to lock may have it remembered.
fn fits(memlock: usize, memory: &Mapping) {
    as_nobody(memlock as u64, || remember(&udp4().0, memory).unwrap());
}

#[test]
fn a_million_uniform_messages_take_less_than_64_kib() {
    needs_remember!();
    fits(16 * PAGE - 1, &million(|i| i * 8));
}

#[test]
fn a_million_messages_in_disorder_take_40_bytes_each() {
    needs_remember!();
    let memory = disorder();
    fits(ENOUGH, &memory);
    as_nobody(8 * MILLION as u64, || {
        assert_eq!(errno(remember(&udp4().0, &memory)), libc::ENOBUFS);
    });
}

#[test]
fn who_is_killed_while_it_remembers_a_million_has_not_locked_a_page() {
    needs_remember!();
    let memory = disorder();
    fork_nobody(ENOUGH as u64, || {
        let ((receiver, _), (other, _)) = (udp4(), udp4());
        thread::spawn(move || {
            // Too unlike for one page, so that there is no room for them beside the million.
            let pages = Messages::new(200, &Shape::payload(8));
            pages.set_segment_len(1, 0, 7);
            while other.remember(&pages).is_ok() {
                other.forget(&pages).unwrap();
            }
            die();
        });
        while remember(&receiver, &memory).is_err() {}
    })
    .was_killed();
    fits(ENOUGH, &memory);
}

/// The table of so many is of more than one page, and forgetting may not fail.
#[test]
fn a_socket_holds_1024_arrays_and_forgets_them() {
    needs_remember!();
    let (receiver, _) = udp4();
    let fd = receiver.as_raw_fd();
    let messages = Messages::new(1025, &Shape::payload(8));
    for i in 0..1024 {
        remember_mmsghdr(fd, messages.address(i), 1, 0).unwrap();
    }
    assert_eq!(errno(remember_mmsghdr(fd, messages.address(1024), 1, 0)), libc::ENOBUFS);
    for i in [512, 0, 1023] {
        remember_mmsghdr(fd, messages.address(i), 0, MMSGHDR_FORGET).unwrap();
        remember_mmsghdr(fd, messages.address(1024), 1, 0).unwrap();
        remember_mmsghdr(fd, messages.address(1024), 0, MMSGHDR_FORGET).unwrap();
    }
    receiver.forget_all().unwrap();
}
