//! Receive flow steering: a datagram is taken to the CPU on which its flow is received.

use std::io::{self, ErrorKind};
use std::{fs, thread};

use rust_tests::skip;
use rust_tests::sys::errno;
use rust_tests::sys::link::{Namespace, loopback_up};
use rust_tests::sys::messages::Shape;
use rust_tests::sys::net::{option, udp4};
use rust_tests::sys::process::stay_on;

use crate::batch::{NOW, both_ways};

/// How many flows are known, in all and of the loopback's one queue.
const TABLES: [&str; 2] =
    ["/proc/sys/net/core/rps_sock_flow_entries", "/sys/class/net/lo/queues/rx-0/rps_flow_cnt"];

/// Steers so many; one that can't be is an error.
fn steer(flows: &str) -> io::Result<()> {
    TABLES.into_iter().try_for_each(|table| fs::write(table, flows))
}

#[test]
fn a_flow_follows_its_receiver_but_not_who_asks_for_errors() {
    if thread::available_parallelism().unwrap().get() < 2 {
        skip!("with one CPU there is nowhere to steer to");
    }
    Namespace::first().unwrap().enter().unwrap();
    loopback_up().unwrap();
    match steer("64") {
        Err(error) if error.kind() == ErrorKind::NotFound => skip!("this kernel steers no flows"),
        done => done.unwrap(),
    }
    both_ways(|way| {
        let (receiver, sender) = udp4();
        // A flow is that of two ends.
        receiver.connect(sender.local_addr().unwrap()).unwrap();
        let batch = way.batch(&receiver, 1, &Shape::payload(8));
        // Where a datagram arrived that is sent on the first CPU and received on that one.
        let arrived = |receiver_on| {
            stay_on(0);
            sender.send(b"one").unwrap();
            stay_on(receiver_on);
            assert_eq!(batch.texts(0), ["one"]);
            let [cpu] = option(&receiver, libc::SOL_SOCKET, libc::SO_INCOMING_CPU).unwrap();
            cpu
        };
        assert_eq!(arrived(1), 0);
        assert_eq!(arrived(1), 1);
        stay_on(0);
        assert_eq!(errno(batch.recv(libc::MSG_ERRQUEUE | NOW)), libc::EAGAIN);
        assert_eq!(arrived(0), 1);
        assert_eq!(arrived(0), 0);
    });
    steer("0").unwrap();
}
