//! What the kernel patches its own code for.
//!
//! With the first socket that wants time stamps, or trains, and with the first cgroup whose memory is counted, it patches
//! its code, and back with the last. The CPUs of an emulator may see code half-patched, and some moments later at that:
//! what stands here was seen as an oops, `int3` in a function of the network or in `kfree()`, in a test that wants none of
//! it. So whoever runs tests has this done before the first, and keeps it so until after the last.

use std::io;
use std::net::UdpSocket;

use super::calls::last_stamp;
use super::cgroup::Cgroup;
use super::net::{set_option, udp4};
use super::process::wait_until;
use super::stamps::now;

/// Sockets and a cgroup for whose sake the kernel's code stays as it is, however many others ask it to stamp what comes, to
/// look for trains or to count memory. The loopback must be up.
#[must_use = "what it patched it patches back when they are gone"]
pub fn hold() -> ([UdpSocket; 3], io::Result<Cgroup>) {
    let [ipv4, ipv6] = ["127.0.0.1:0", "[::1]:0"].map(|address| {
        let socket = UdpSocket::bind(address).expect("a socket");
        set_option(&socket, libc::SOL_UDP, libc::UDP_GRO, 1).expect("UDP_GRO");
        socket
    });
    // A kernel that knows no cgroups patches nothing for them.
    ([stamp_all(), ipv4, ipv6], Cgroup::make())
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
