//! What callers of 32 bits may say: the same, in words of theirs.

use std::os::fd::AsRawFd;
use std::time::Duration;

use rust_tests::sys::abi::Abi;
use rust_tests::sys::errno;
use rust_tests::sys::memory::{Mapping, PAGE};
use rust_tests::sys::messages::{Field, Messages, Place, Shape};
use rust_tests::sys::net::udp4;
use rust_tests::sys::witness::{assert_remembered, assert_stock};
use rust_tests::sys::{MMSGHDR_FORGET, Remember};
use rust_tests::{needs_remember, skip};

use crate::refuses_by;

/// Runs a test by each way into the kernel that 32-bit callers have.
fn by_each(test: impl Fn(Abi)) {
    needs_remember!();
    let mut abis = vec![Abi::X32, Abi::Ia32, Abi::Ia32Time32];
    abis.retain(|abi| abi.is_there());
    if abis.is_empty() {
        skip!("this kernel has no 32-bit callers");
    }
    for abi in abis {
        println!("{abi:?}");
        test(abi);
    }
}

/// An array in the memory that such callers can reach.
fn low(abi: Abi, n: usize) -> Messages {
    Messages::with(abi, &vec![Shape::payload(64); n], Mapping::low)
}

#[test]
fn bad_headers_are_refused() {
    by_each(|abi| {
        let refuses = |expected, spoil: &dyn Fn(&Messages)| {
            for segments in [1, 2] {
                let shape = Shape::segments(&vec![16; segments]).name().control(64);
                refuses_by(abi, expected, 3, &shape, spoil);
            }
        };
        for i in 0..3 {
            refuses(libc::EINVAL, &|array| array.set(i, Field::Namelen, usize::MAX));
            refuses(libc::EINVAL, &|array| array.set_segment_len(i, 0, usize::MAX));
            refuses(libc::EMSGSIZE, &|array| array.set(i, Field::Iovlen, 1025));
            refuses(libc::EMSGSIZE, &|array| array.set(i, Field::Iovlen, usize::MAX));
            for place in [Place::Hole, Place::Null, Place::Kernel] {
                refuses(libc::EFAULT, &|array| array.point(i, Field::Iov, place));
            }
        }
    });
}

#[test]
fn an_array_that_can_not_be_read_is_efault() {
    by_each(|abi| {
        let (receiver, sender) = udp4();
        let array = low(abi, 3);
        receiver.remember(&array).unwrap();
        // So many headers of 32 bytes take as much as there are addresses, or one more.
        for vlen in [4, 1 << 27, (1 << 27) + 1, u32::MAX] {
            assert_eq!(errno(abi.remember(receiver.as_raw_fd(), array.address(0), vlen, 0)), libc::EFAULT);
        }
        assert_eq!(errno(abi.remember(receiver.as_raw_fd(), 0, 1, 0)), libc::EFAULT);
        assert_remembered(&receiver, &sender, &array);
    });
}

/// Zeroes are messages without any buffer, to everybody.
#[test]
fn an_overlap_is_eexist_whoever_calls() {
    by_each(|abi| {
        let (receiver, _) = udp4();
        let zeroes = Mapping::low(PAGE);
        let remember = |abi: Abi, at, vlen| abi.remember(receiver.as_raw_fd(), zeroes.address(at), vlen, 0);
        remember(abi, 128, 2).expect("two headers of 32 bytes");
        for (abi, at, vlen) in [(abi, 96, 2), (abi, 160, 1), (Abi::Native, 64, 2), (Abi::Native, 160, 1)] {
            assert_eq!(errno(remember(abi, at, vlen)), libc::EEXIST, "{abi:?} at {at}");
        }
        remember(Abi::Native, 64, 1).expect("beside it");
        remember(Abi::Native, 192, 1).expect("beside it");
        remember(Abi::Native, 128, 1).expect("in its place");
        let forget = |abi: Abi| abi.remember(receiver.as_raw_fd(), zeroes.address(128), 0, MMSGHDR_FORGET);
        forget(abi).unwrap();
        assert_eq!(errno(forget(Abi::Native)), libc::ENOENT);
    });
}

/// The memory of `array` is remembered as one of zeroes, by another caller.
fn is_stock_to_the_other(array: &Messages, other: Abi, vlen: u32) {
    let (receiver, sender) = udp4();
    array.memory().write(array.header(0), &[0; 64]);
    other.remember(receiver.as_raw_fd(), array.address(0), vlen, 0).unwrap();
    assert_stock(&receiver, &sender, array);
    receiver.forget(array).expect("it is forgotten by its address");
}

#[test]
fn what_one_remembers_is_stock_to_the_other() {
    by_each(|abi| {
        is_stock_to_the_other(&low(Abi::Native, 1), abi, 2);
        is_stock_to_the_other(&low(abi, 2), Abi::Native, 1);
    });
}

/// Their headers are the same.
#[test]
fn what_x32_remembers_is_remembered_to_ia32() {
    by_each(|abi| {
        let other = if abi == Abi::X32 { Abi::Ia32 } else { Abi::X32 };
        let (receiver, sender) = udp4();
        let array = low(other, 2);
        abi.remember(receiver.as_raw_fd(), array.address(0), array.vlen(), 0).unwrap();
        assert_remembered(&receiver, &sender, &array);
    });
}

#[test]
fn the_timeout_is_read_and_written_as_the_caller_has_it() {
    const LONG: Duration = Duration::from_secs(1000);
    by_each(|abi| {
        let (receiver, sender) = udp4();
        let array = low(abi, 2);
        receiver.remember(&array).unwrap();
        let receive_for = |timeout| {
            array.reset();
            array.spoil_all();
            sender.send(b"one").unwrap();
            sender.send(b"two").unwrap();
            array.recv_for(timeout, &receiver, 0)
        };
        let (result, left) = receive_for(LONG);
        assert_eq!(result.unwrap(), 2);
        assert!(left < LONG && left > LONG / 2, "{left:?}");
        assert_eq!([array.payload(0), array.payload(1)], [b"one", b"two"]);
        // No time at all is time for one message.
        let (result, left) = receive_for(Duration::ZERO);
        assert_eq!((result.unwrap(), left), (1, Duration::ZERO));
    });
}
