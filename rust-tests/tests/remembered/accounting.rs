//! What is remembered is charged to its cgroup, and all of it comes back.

use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use rust_tests::sys::cgroup::Cgroup;
use rust_tests::sys::memory::PAGE;
use rust_tests::sys::messages::{Messages, Shape};
use rust_tests::sys::net::{charged, udp4};
use rust_tests::sys::process::{fork, fork_nobody, spawn_blocked_in, wait_until, wait_until_blocked_in};
use rust_tests::sys::{Remember, errno, remember_mmsghdr};
use rust_tests::{needs_remember, skip};

use crate::{NOW, ONE_ARRAY, send};

/// Enough that what CPUs charge in advance does not show.
const MESSAGES: usize = 150_000;
/// What a message that is not like its neighbours takes at the least, and at the most.
const EACH: std::ops::RangeInclusive<usize> = 8..=41;
/// What else a cgroup's kernel memory may grow by meanwhile: page tables, what CPUs hold in stock.
const SLACK: usize = 1 << 19;

/// Messages no two neighbours of which are alike.
fn unlike() -> Messages {
    let array = Messages::new(MESSAGES, &Shape::payload(16));
    for i in (0..MESSAGES).step_by(2) {
        array.set_segment_len(i, 0, 15);
    }
    array
}

/// What a cgroup's kernel memory has grown by since it was made.
struct Watch {
    cgroup: Cgroup,
    before: usize,
}

impl Watch {
    fn start() -> Self {
        let cgroup = Cgroup::enter().unwrap();
        let Ok(before) = cgroup.memory("kernel") else { skip!("no memory cgroups") };
        Self { cgroup, before }
    }

    fn grown(&self) -> usize {
        self.cgroup.memory("kernel").unwrap().saturating_sub(self.before)
    }

    /// Some of it only comes back when readers are done.
    #[track_caller]
    fn all_is_back(&self) {
        wait_until(|| self.grown() < SLACK);
    }

    #[track_caller]
    fn is_charged(&self) {
        let charged = EACH.start() * MESSAGES..=EACH.end() * MESSAGES + SLACK;
        // The kernel adds up what CPUs have counted when it comes to it.
        wait_until(|| charged.contains(&self.grown()));
    }
}

#[test]
fn the_cgroup_is_charged_until_it_is_forgotten() {
    needs_remember!();
    let array = unlike();
    let (receiver, _) = udp4();
    let watch = Watch::start();
    for _ in 0..3 {
        receiver.remember(&array).unwrap();
        watch.is_charged();
        receiver.forget(&array).unwrap();
        watch.all_is_back();
    }
    receiver.remember(&array).unwrap();
    watch.is_charged();
    drop(receiver);
    watch.all_is_back();
}

/// Whoever waits does so on a socket that nobody else can name any more.
#[test]
fn a_closed_socket_is_charged_until_its_last_receiver_is_done() {
    needs_remember!();
    let array = unlike();
    let (receiver, sender) = udp4();
    let fd = receiver.as_raw_fd();
    let watch = Watch::start();
    receiver.remember(&array).unwrap();
    let waiting = spawn_blocked_in(libc::SYS_recvmmsg, move || {
        array.spoil(0);
        let result = array.recv_into(0..1, &fd, 0);
        (array, result)
    });
    drop(receiver);
    watch.is_charged();
    send(&sender, &["at last"]);
    let (array, result) = waiting.join().unwrap();
    assert_eq!((result.unwrap(), array.payload(0)), (1, b"at last".to_vec()));
    watch.all_is_back();
}

#[test]
fn a_replaced_array_is_given_back() {
    needs_remember!();
    let array = unlike();
    let (receiver, _) = udp4();
    let watch = Watch::start();
    for _ in 0..5 {
        receiver.remember(&array).unwrap();
    }
    watch.is_charged();
    receiver.forget_all().unwrap();
    watch.all_is_back();
}

#[test]
fn a_refused_array_costs_nothing() {
    needs_remember!();
    let array = unlike();
    let (receiver, _) = udp4();
    let fd = receiver.as_raw_fd();
    let watch = Watch::start();
    let vlen = array.vlen();
    // It overlaps the last of these.
    remember_mmsghdr(fd, array.address(MESSAGES - 1), 1, 0).unwrap();
    for _ in 0..5 {
        assert_eq!(errno(remember_mmsghdr(fd, array.address(0), vlen, 0)), libc::EEXIST);
        assert_eq!(errno(remember_mmsghdr(fd, array.address(0), vlen + 1, 0)), libc::EFAULT);
    }
    watch.all_is_back();
    // The last of them is one whose buffer no call could use.
    array.set_segment_len(MESSAGES - 2, 0, usize::MAX);
    for _ in 0..5 {
        assert_eq!(errno(remember_mmsghdr(fd, array.address(0), vlen - 1, 0)), libc::EINVAL);
    }
    watch.all_is_back();
}

#[test]
fn the_end_of_its_process_gives_back_an_array() {
    needs_remember!();
    let array = unlike();
    let watch = Watch::start();
    for _ in 0..3 {
        fork(|| udp4().0.remember(&array).unwrap()).succeeds();
        watch.all_is_back();
    }
}

#[test]
fn equal_messages_cost_next_to_nothing() {
    needs_remember!();
    let array = Messages::new(MESSAGES, &Shape::payload(16).name());
    let (receiver, _) = udp4();
    let watch = Watch::start();
    let sockets: Vec<_> = (0..16).map(|_| udp4().0).collect();
    for socket in sockets.iter().chain([&receiver]) {
        socket.remember(&array).unwrap();
    }
    assert!(watch.grown() < SLACK, "{} bytes", watch.grown());
}

/// A child dies of `SIGKILL` while it receives batch after batch from a socket that lives on.
#[test]
fn a_receiver_that_is_killed_in_mid_batch_leaves_the_socket_sound() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let array = Messages::new(40, &Shape::payload(PAGE).name());
    for round in 0..20 {
        let child = fork_nobody(ONE_ARRAY, || {
            receiver.remember(&array).unwrap();
            loop {
                array.recv_unchecked(&(0..40), None, &receiver, libc::MSG_WAITFORONE).unwrap();
            }
        });
        wait_until_blocked_in(child.id(), libc::SYS_recvmmsg);
        for _ in 0..10 * round {
            send(&sender, &["more"]);
        }
        child.kill();
        drain(&receiver);
        send(&sender, &["still there"]);
        assert_eq!(array.recv(&receiver, NOW).unwrap(), 1);
        assert_eq!(array.payload(0), b"still there");
        array.reset();
        assert_eq!(charged(&receiver), 0, "round {round}");
    }
}

fn drain(receiver: &UdpSocket) {
    receiver.set_nonblocking(true).unwrap();
    while receiver.recv(&mut [0; 16]).is_ok_and(|n| n == b"more".len()) {}
    receiver.set_nonblocking(false).unwrap();
}
