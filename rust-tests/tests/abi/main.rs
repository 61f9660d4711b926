//! What `remember_mmsghdr()` takes and what it refuses; whatever it refuses leaves everything as it was.

// Whatever can't go on has failed.
#![allow(clippy::unwrap_used)]

mod arguments;
mod compat;
mod headers;
mod injected;
mod memory;
mod table;

use std::os::fd::AsRawFd;

use rust_tests::sys::abi::Abi;
use rust_tests::sys::memory::Mapping;
use rust_tests::sys::messages::{Messages, Shape};
use rust_tests::sys::net::udp4;
use rust_tests::sys::witness::assert_remembered;
use rust_tests::sys::{Remember, errno, remember_mmsghdr};

/// Three messages with all there can be.
fn three() -> Messages {
    Messages::new(3, &Shape::payload(64).name().control(64))
}

/// An array of `shape` that `spoil` was let at is refused, both as a new one and in the place of an old one.
#[track_caller]
fn refuses_shape(expected: i32, n: usize, shape: &Shape, spoil: impl Fn(&Messages)) {
    refuses_by(Abi::Native, expected, n, shape, spoil);
}

#[track_caller]
fn refuses_by(abi: Abi, expected: i32, n: usize, shape: &Shape, spoil: impl Fn(&Messages)) {
    let (receiver, sender) = udp4();
    let map = if abi == Abi::Native { Mapping::new } else { Mapping::low };
    let [old, new] = [(); 2].map(|()| Messages::with(abi, &vec![shape.clone(); n], map));
    receiver.remember(&old).unwrap();
    for array in [&new, &old] {
        spoil(array);
        assert_eq!(errno(receiver.remember(array)), expected);
        array.memory().protect(0..array.memory().len(), libc::PROT_READ | libc::PROT_WRITE);
    }
    assert_eq!(errno(receiver.forget(&new)), libc::ENOENT);
    assert_remembered(&receiver, &sender, &old);
    receiver.forget(&old).unwrap();
}

#[track_caller]
fn refuses(expected: i32, spoil: impl Fn(&Messages)) {
    refuses_shape(expected, 3, &Shape::payload(64).name().control(64), spoil);
}

/// These arguments are refused, and what was remembered stays so.
#[track_caller]
fn refuses_call(expected: i32, call: impl Fn(&Messages) -> (usize, u32, u32)) {
    let (receiver, sender) = udp4();
    let array = three();
    receiver.remember(&array).unwrap();
    let (msgvec, vlen, flags) = call(&array);
    assert_eq!(errno(remember_mmsghdr(receiver.as_raw_fd(), msgvec, vlen, flags)), expected);
    assert_remembered(&receiver, &sender, &array);
}
