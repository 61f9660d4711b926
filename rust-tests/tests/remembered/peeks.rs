//! Others peek while batches are taken: who finds a datagram corrupt drops it from the queue, and never from a batch.

use std::fs;
use std::iter;
use std::net::UdpSocket;
use std::thread;
use std::time::{Duration, Instant};

use rust_tests::needs_remember;
use rust_tests::sys::Remember;
use rust_tests::sys::memory::PAGE;
use rust_tests::sys::messages::{Messages, Shape};
use rust_tests::sys::net::{charged, udp4};
use rust_tests::sys::raw::{Checksum, RawUdp};

use crate::{NOW, page};

/// Whose sum takes long.
static LONG: [u8; 8 * PAGE] = [b'l'; 8 * PAGE];
const DURATION: Duration = Duration::from_secs(2);

/// How many datagrams this process's network namespace has received, and dropped.
fn ended() -> u64 {
    let file = fs::read_to_string("/proc/thread-self/net/snmp").unwrap();
    let lines = file.lines().filter_map(|line| line.strip_prefix("Udp: "));
    let [names, values] = lines.collect::<Vec<_>>().try_into().unwrap();
    let counts = names.split(' ').zip(values.split(' '));
    let ended = counts.filter(|(name, _)| ["InDatagrams", "InErrors"].contains(name));
    ended.map(|(_, count)| count.parse::<u64>().unwrap()).sum()
}

/// Takes what comes, into an array of which a message may meet a fault.
fn take(receiver: &UdpSocket, array: &Messages, until: Instant) {
    while Instant::now() < until {
        if let Err(error) = array.recv_unchecked(&(0..array.len()), None, receiver, NOW) {
            assert!([Some(libc::EAGAIN), Some(libc::EFAULT)].contains(&error.raw_os_error()), "{error}");
        }
    }
}

/// Sends good ones and corrupt ones while two peek and two take; each of them ends once.
fn race(fault: bool) {
    needs_remember!();
    let (receiver, sender) = udp4();
    receiver.set_nonblocking(true).unwrap();
    let raw = RawUdp::new(sender.local_addr().unwrap()).unwrap();
    let to = receiver.local_addr().unwrap();
    let arrays = [(); 2].map(|()| Messages::new(2, &Shape::payload(2 * PAGE)));
    for array in &arrays {
        receiver.remember(array).unwrap();
        if fault {
            array.memory().protect(page(array, 1), libc::PROT_NONE);
        }
    }
    let (before, mut sent) = (ended(), 0);
    let until = Instant::now() + DURATION;
    thread::scope(|scope| {
        for array in arrays {
            let receiver = &receiver;
            scope.spawn(move || take(receiver, &array, until));
            scope.spawn(move || {
                while Instant::now() < until {
                    let _ = receiver.peek(&mut [0]);
                }
            });
        }
        while Instant::now() < until {
            for good in [true, true, false] {
                let (len, checksum) =
                    if good { (2 * PAGE, Checksum::Right) } else { (LONG.len(), Checksum::Wrong) };
                raw.send(&LONG[..len], to, checksum).unwrap();
                sent += 1;
            }
        }
    });
    // The last fault may be told by the first call.
    let mut calls = iter::repeat_with(|| receiver.recv(&mut [0]));
    assert!(calls.any(|call| call.is_err_and(|error| error.raw_os_error() == Some(libc::EAGAIN))));
    assert_eq!(ended() - before, sent);
    assert_eq!(charged(&receiver), 0);
}

#[test]
fn a_corrupt_one_is_dropped_once() {
    race(false);
}

/// Those behind a fault are queued again.
#[test]
fn a_corrupt_one_behind_a_fault_is_dropped_once() {
    race(true);
}
