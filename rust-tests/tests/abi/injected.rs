//! Copies and allocations that fail, each in its turn.

use rust_tests::sys::messages::{Messages, Shape};
use rust_tests::sys::net::udp4;
use rust_tests::sys::witness::assert_remembered;
use rust_tests::sys::{Remember, errno};
use rust_tests::{needs_injection, needs_remember};

/// More than any call has.
const MANY: u32 = 1000;

/// Remembers `array` beside another, and in its own place, with each of the call's steps failing in turn.
fn survives_all_failures(array: &Messages) {
    let mut injector = needs_injection!();
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

#[test]
fn equal_messages_or_nothing() {
    needs_remember!();
    survives_all_failures(&Messages::new(3, &Shape::payload(64).name().control(64)));
}

#[test]
fn unlike_messages_or_nothing() {
    needs_remember!();
    let shapes = [Shape::payload(64), Shape::segments(&[20, 20, 20]), Shape::payload(30).name()];
    survives_all_failures(&Messages::each(&shapes));
}
