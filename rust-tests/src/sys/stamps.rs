//! When messages came.

use std::time::SystemTime;

/// The time, in the seconds and nanoseconds of the kernel's stamps.
pub fn now() -> [i64; 2] {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("not before 1970");
    [now.as_secs().cast_signed(), now.subsec_nanos().into()]
}
