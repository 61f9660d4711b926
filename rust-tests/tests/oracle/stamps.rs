//! Time stamps in control messages: the one thing that two sockets can't have in common.

use std::ffi::c_int;
use std::time::SystemTime;

use rust_tests::sys::abi::Abi;
use rust_tests::sys::messages::Messages;

use crate::controls;
use crate::options::{SO_TIMESTAMP_NEW, SO_TIMESTAMPING_NEW, SO_TIMESTAMPNS_NEW};

/// The types of control messages that bring stamps, old and new, and how many of them.
const STAMPS: [(c_int, usize); 6] = [
    (libc::SCM_TIMESTAMP, 1),
    (libc::SCM_TIMESTAMPNS, 1),
    (libc::SCM_TIMESTAMPING, 3),
    (SO_TIMESTAMP_NEW, 1),
    (SO_TIMESTAMPNS_NEW, 1),
    (SO_TIMESTAMPING_NEW, 3),
];
const MICROSECOND: i128 = 1000;

/// Nanoseconds since 1970.
pub fn now() -> i128 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    i128::try_from(now.as_nanos()).unwrap()
}

/// When things happened, around one call.
pub struct Times {
    /// Nothing had been sent yet.
    pub began: i128,
    pub called: i128,
    pub returned: i128,
}

/// Puts a word in the place of each stamp in the image: whether it tells of the time before the call, when the
/// message came, or of the call. Checks that it tells of either.
pub fn replace(messages: &Messages, image: &mut [u8], times: &Times) {
    controls::each(messages, image, |kind, data| {
        let stamps = STAMPS.iter().find(|(stamp, _)| kind == (libc::SOL_SOCKET, *stamp));
        let Some((_, count)) = stamps else { return };
        // Old types of a 32-bit process have 32-bit seconds.
        let size = if messages.abi() == Abi::Ia32 && kind.1 < SO_TIMESTAMP_NEW { 8 } else { 16 };
        if data.len() == count * size {
            data.chunks_exact_mut(size).for_each(|stamp| replace_one(kind.1, stamp, times));
        } else {
            // Cut, for want of room.
            data.fill(0);
        }
    });
}

fn replace_one(kind: c_int, stamp: &mut [u8], times: &Times) {
    let number = |half: &[u8]| match half.try_into() {
        Ok(word) => i128::from(i64::from_ne_bytes(word)),
        Err(_) => i128::from(i32::from_ne_bytes(half.try_into().unwrap())),
    };
    let (seconds, parts) = stamp.split_at(stamp.len() / 2);
    let unit = if [libc::SCM_TIMESTAMP, SO_TIMESTAMP_NEW].contains(&kind) { MICROSECOND } else { 1 };
    let time = number(seconds) * 1_000_000_000 + number(parts) * unit;
    if time != 0 {
        let Times { began, called, returned } = *times;
        assert!((began - MICROSECOND..=returned).contains(&time), "stamp {time} of {began} to {returned}");
        stamp.fill(if time + unit > called { 2 } else { 1 });
    }
}
