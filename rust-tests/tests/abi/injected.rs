//! Copies and allocations that fail, each in its turn.

use rust_tests::sys::inject::Injector;
use rust_tests::sys::memory::PAGE;
use rust_tests::sys::messages::{Messages, Shape};
use rust_tests::sys::net::udp4;
use rust_tests::sys::process::become_nobody;
use rust_tests::sys::witness::assert_remembered;
use rust_tests::sys::{Remember, errno};
use rust_tests::{needs_injection, needs_remember};

/// More than any call has.
const MANY: u32 = 1000;

/// Remembers `array` beside another, and in its own place, with each of the call's steps failing in turn.
fn survives_all_failures(mut injector: Injector, array: &Messages) {
    let (receiver, sender) = udp4();
    let old = Messages::new(3, &Shape::payload(64));
    for again in [false, true] {
        let mut failed = 0;
        for n in 1..MANY {
            receiver.remember(&old).unwrap();
            if again {
                receiver.remember(array).unwrap();
            }
            let (result, injected) = injector.nth(n, || receiver.remember(array));
            if let Err(error) = &result {
                let error = error.raw_os_error().unwrap();
                assert!([libc::ENOMEM, libc::EFAULT].contains(&error), "step {n}: {error}");
                failed += 1;
            }
            if result.is_ok() || again {
                assert_remembered(&receiver, &sender, array);
                receiver.forget(array).unwrap();
            }
            assert_eq!(errno(receiver.forget(array)), libc::ENOENT, "step {n}");
            assert_remembered(&receiver, &sender, &old);
            receiver.forget_all().unwrap();
            if !injected {
                result.unwrap();
                break;
            }
        }
        println!("{failed} failures");
        assert!((3..MANY - 1).contains(&failed));
    }
}

/// The same as `nobody`, who may lock no more pages than that takes: none may be lost, and none given back twice.
fn survives_within(pages: usize, array: &Messages) {
    let injector = needs_injection!();
    become_nobody((pages * PAGE) as u64);
    survives_all_failures(injector, array);
    let (receiver, _) = udp4();
    let arrays: Vec<_> = (0..=pages).map(|_| Messages::new(1, &Shape::payload(64))).collect();
    for array in &arrays[..pages] {
        receiver.remember(array).expect("the limit is free again");
    }
    assert_eq!(errno(receiver.remember(&arrays[pages])), libc::ENOBUFS);
}

fn equal() -> Messages {
    Messages::new(3, &Shape::payload(64).name().control(64))
}

fn unlike() -> Messages {
    Messages::each(&[Shape::payload(64), Shape::segments(&[20, 20, 20]), Shape::payload(30).name()])
}

#[test]
fn equal_messages_or_nothing() {
    needs_remember!();
    survives_all_failures(needs_injection!(), &equal());
}

#[test]
fn unlike_messages_or_nothing() {
    needs_remember!();
    survives_all_failures(needs_injection!(), &unlike());
}

/// An array, the one it replaces, and the one beside them.
#[test]
fn a_failure_with_equal_messages_charges_nothing() {
    needs_remember!();
    survives_within(3, &equal());
}

/// An array with slots and iovecs, the one it replaces, and the one beside them.
#[test]
fn a_failure_with_unlike_messages_charges_nothing() {
    needs_remember!();
    survives_within(3 + 3 + 1, &unlike());
}
