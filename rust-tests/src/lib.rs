//! What runs inside the guest: PID 1 with its runner (`src/bin/init`), and the tests (`tests/`).
//!
//! A test is an ordinary `#[test]`. The runner gives each one its own process, network namespace (with `lo` up),
//! empty `/tmp` (its working directory) and deadline, so a test may do what it likes to all of them.

pub mod array;
pub mod port;
pub mod sys;

/// The exit code by which a test says it was skipped: kselftest's convention.
pub const SKIP: i32 = 4;

/// What the line with the reason of a skip starts with, on the test's output.
pub const SKIP_PREFIX: &str = "SKIP: ";

/// Ends this test, and with it its process, as skipped: `skip!("the kernel has no IPv6")`.
///
/// Only in a test run by the guest's runner: there each test has a process of its own.
#[macro_export]
macro_rules! skip {
    ($($why:tt)+) => {{
        println!("{}{}", $crate::SKIP_PREFIX, format_args!($($why)+));
        std::process::exit($crate::SKIP)
    }};
}
