//! Faults on purpose, each ignored: the host's tests of the verdicts boot a guest for every one of them.

#[test]
#[ignore = "a fault on purpose"]
fn passes() {}
