//! Control messages, where they lie in an image of memory.

use std::ffi::c_int;

use rust_tests::sys::messages::Messages;

use crate::options::IP_CHECKSUM;

/// Hands out each control message that the kernel has written: level and type, and data. One that was cut for want of
/// room tells the length of what is left.
pub fn each(messages: &Messages, image: &mut [u8], mut on_control: impl FnMut((c_int, c_int), &mut [u8])) {
    let word = messages.abi().word();
    let header = word + 8;
    for i in 0..messages.len() {
        let mut room = &mut image[messages.control_room(i)];
        while room.len() >= header {
            let int = |at: usize| c_int::from_ne_bytes(room[at..at + 4].try_into().unwrap());
            let kind = (int(word), int(word + 4));
            // Where the kernel has written nothing this is no length.
            let Some(len) = usize::try_from(int(0)).ok().filter(|len| (header..=room.len()).contains(len))
            else {
                break;
            };
            on_control(kind, &mut room[header..len]);
            let next = len.next_multiple_of(word).min(room.len());
            room = &mut room[next..];
        }
    }
}

/// For UDP-Lite and for errors these hold what the kernel happened to have there.
pub fn blank_checksums(messages: &Messages, image: &mut [u8]) {
    each_checksum(messages, image, |_| 0);
}

/// One sum has many forms, by how the pages lay over which it was made: it is one of 16 bits.
pub fn fold_checksums(messages: &Messages, image: &mut [u8]) {
    each_checksum(messages, image, |sum| sum % 0xffff);
}

fn each_checksum(messages: &Messages, image: &mut [u8], replace: impl Fn(u32) -> u32) {
    each(messages, image, |kind, data| {
        if kind == (libc::IPPROTO_IP, IP_CHECKSUM) {
            match <[u8; 4]>::try_from(&*data) {
                Ok(sum) => data.copy_from_slice(&replace(u32::from_ne_bytes(sum)).to_ne_bytes()),
                // Cut for want of room.
                Err(_) => data.fill(0),
            }
        }
    });
}
