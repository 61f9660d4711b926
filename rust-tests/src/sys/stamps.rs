//! When messages came.

use std::net::UdpSocket;
use std::time::SystemTime;

use crate::sys::calls::last_stamp;
use crate::sys::net::udp4;
use crate::sys::process::wait_until;

/// The time, in the seconds and nanoseconds of the kernel's stamps.
pub fn now() -> [i64; 2] {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("not before 1970");
    [now.as_secs().cast_signed(), now.subsec_nanos().into()]
}

/// Makes the kernel stamp whatever comes as long as the returned socket lives: else it would begin to at some moment
/// after the first socket has asked for it, and stamp what came before when it is received.
pub fn stamp_all() -> UdpSocket {
    let (receiver, sender) = udp4();
    wait_until(|| {
        sender.send(b"?").expect("send");
        let sent = now();
        receiver.recv(&mut [0]).expect("recv");
        // The first question makes the kernel stamp; a message without a stamp is said to have come now.
        last_stamp(&receiver).is_ok_and(|stamp| stamp < sent)
    });
    receiver
}
