//! Whether a UDP socket remembers an array, seen from outside.

use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use crate::sys::errno;
use crate::sys::messages::Messages;

/// It does: a message gets to the array's first buffer although no kernel could use the headers that are there.
#[track_caller]
pub fn assert_remembered(receiver: &impl AsRawFd, sender: &UdpSocket, array: &Messages) {
    array.reset();
    array.spoil_all();
    sender.send(b"remembered").expect("send");
    assert_eq!(array.recv(receiver, libc::MSG_DONTWAIT).expect("as remembered"), 1);
    assert_eq!(array.payload(0), b"remembered");
    array.reset();
}

/// It does not: `recvmmsg()` looks at the headers that are there.
#[track_caller]
pub fn assert_stock(receiver: &impl AsRawFd, sender: &UdpSocket, array: &Messages) {
    array.spoil_all();
    sender.send(b"stock").expect("send");
    assert_eq!(errno(array.recv(receiver, libc::MSG_DONTWAIT)), libc::EMSGSIZE);
    array.reset();
    assert_eq!(array.recv(receiver, libc::MSG_DONTWAIT).expect("as stock"), 1);
    assert_eq!(array.payload(0), b"stock");
}
