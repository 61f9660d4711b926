//! The kernel's own tests that a patch series brings, where the host has put some into the guest.

use std::fs;
use std::process::Command;

use rust_tests::skip;

#[test]
fn all_pass() {
    let mut tests: Vec<_> = fs::read_dir("/kselftest")
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .map(|file| file.path())
        .collect();
    tests.sort();
    if tests.is_empty() {
        skip!("no kselftest was brought along");
    }
    for test in tests {
        let output = Command::new(&test).output().expect("a static executable");
        print!("{}", String::from_utf8_lossy(&output.stdout));
        // A harness whose tests were all skipped ends well, too.
        assert!(!String::from_utf8_lossy(&output.stdout).contains("# SKIP"), "{} skips", test.display());
        assert!(output.status.success(), "{} ends with {}", test.display(), output.status);
    }
}
