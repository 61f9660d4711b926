//! Faults on purpose, one for every verdict. All are ignored: the host's `xtask/tests/verdicts.rs` boots a guest
//! for each, and checks that it is recognised.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::parent_id;
use std::thread;
use std::time::Duration;

/// Asks the kernel's own crash-test module for a fault.
fn provoke(fault: &str) {
    fs::write("/sys/kernel/debug/provoke-crash/DIRECT", fault).expect("writing to LKDTM");
}

fn sleep() {
    thread::sleep(Duration::from_hours(1));
}

#[test]
#[ignore = "a fault on purpose"]
fn panic() {
    fs::write("/proc/sysrq-trigger", "c").unwrap();
}

#[test]
#[ignore = "a fault on purpose"]
fn warning() {
    provoke("WARNING");
}

#[test]
#[ignore = "a fault on purpose"]
fn kernel_loop_interrupts_on() {
    provoke("SOFTLOCKUP");
}

#[test]
#[ignore = "a fault on purpose"]
fn kernel_loop_interrupts_off() {
    provoke("HARDLOCKUP");
}

#[test]
#[ignore = "a fault on purpose"]
fn user_loop() {
    loop {
        std::hint::spin_loop();
    }
}

#[test]
#[ignore = "a fault on purpose"]
fn sleeps() {
    sleep();
}

#[test]
#[ignore = "a fault on purpose"]
fn assertion() {
    assert_eq!(1, 2, "on purpose");
}

#[test]
#[ignore = "a fault on purpose"]
fn exits_early() {
    std::process::exit(0);
}

#[test]
#[ignore = "a fault on purpose"]
fn skips() {
    rust_tests::skip!("on {}", "purpose");
}

#[test]
#[ignore = "a fault on purpose"]
fn kills_the_runner() {
    let runner = i32::try_from(parent_id()).unwrap();
    // SAFETY: kill takes no pointer.
    assert_eq!(unsafe { libc::kill(runner, libc::SIGKILL) }, 0);
    sleep();
}

/// A hundred megabytes of output are no fault; the host keeps both ends.
#[test]
#[ignore = "a fault on purpose"]
fn output_flood() {
    let block = [b'x'; 10_000];
    for _ in 0..10_000 {
        std::io::stdout().write_all(&block).unwrap();
    }
}

#[test]
#[ignore = "a fault on purpose"]
fn console_flood() {
    let mut kmsg = File::options().write(true).open("/dev/kmsg").unwrap();
    let line = "x".repeat(900);
    loop {
        // A full log is no reason to stop.
        let _ = kmsg.write_all(line.as_bytes());
    }
}

/// The host sees this one's verdict, and knows that the guest is at work.
#[test]
#[ignore = "a fault on purpose"]
fn at_work_1_passes() {}

#[test]
#[ignore = "a fault on purpose"]
fn at_work_2_sleeps() {
    sleep();
}

/// With the next one, work for two guests.
#[test]
#[ignore = "a fault on purpose"]
fn share_1_passes() {}

#[test]
#[ignore = "a fault on purpose"]
fn share_2_fails() {
    panic!("on purpose");
}
