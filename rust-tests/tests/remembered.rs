//! What it means that an array is remembered, for how long, and by whom.

// Whatever can't go on has failed.
#![allow(clippy::unwrap_used)]

use std::env;
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixDatagram;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rust_tests::needs_remember;
use rust_tests::sys::abi::Abi;
use rust_tests::sys::memory::{Mapping, PAGE};
use rust_tests::sys::messages::{Field, Messages, Shape};
use rust_tests::sys::net::{controls, next_len, replace_fd, send_fd, set_option, shutdown, udp4};
use rust_tests::sys::process::{
    as_nobody, exec_test, fork, fork_nobody, thread_id, wait_until, wait_until_blocked_in,
};
use rust_tests::sys::{MMSGHDR_FORGET, Remember, errno, remember_mmsghdr};

const NOW: i32 = libc::MSG_DONTWAIT;
/// `sockaddr_in`.
const IPV4: usize = 16;
/// How long threads race.
const RACE: Duration = Duration::from_secs(3);
/// Memory that just holds a remembered array of equal messages.
const ONE_ARRAY: u64 = PAGE as u64;

fn array() -> Messages {
    Messages::new(4, &Shape::payload(64).name().control(64))
}

fn send(sender: &UdpSocket, texts: &[&str]) {
    for text in texts {
        sender.send(text.as_bytes()).unwrap();
    }
}

/// The next message gets to the array's first buffer, whatever its headers say now.
#[track_caller]
fn assert_remembered(receiver: &impl AsRawFd, sender: &UdpSocket, array: &Messages) {
    array.reset();
    array.spoil_all();
    send(sender, &["remembered"]);
    assert_eq!(array.recv(receiver, NOW).expect("as remembered"), 1);
    assert_eq!(array.payload(0), b"remembered");
    array.reset();
}

/// `recvmmsg()` looks at the array's headers.
#[track_caller]
fn assert_stock(receiver: &impl AsRawFd, sender: &UdpSocket, array: &Messages) {
    array.spoil_all();
    send(sender, &["stock"]);
    assert_eq!(errno(array.recv(receiver, NOW)), libc::EMSGSIZE);
    array.reset();
    assert_eq!(array.recv(receiver, NOW).expect("as stock"), 1);
    assert_eq!(array.payload(0), b"stock");
}

#[test]
fn capacities_need_not_be_reset() {
    needs_remember!();
    let (receiver, sender) = udp4();
    set_option(&receiver, libc::IPPROTO_IP, libc::IP_RECVTTL, 1).unwrap();
    let array = array();
    receiver.remember(&array).unwrap();
    for round in 0..20 {
        send(&sender, &["a", "bc", "def"]);
        assert_eq!(array.recv(&receiver, NOW).unwrap(), 3);
        for i in 0..3 {
            assert_eq!(array.received(i), i + 1, "round {round}");
            assert_eq!(array.get(i, Field::Namelen), IPV4);
            assert_eq!(controls(&array.control(i), 8)[0].kind, (libc::IPPROTO_IP, libc::IP_TTL));
        }
    }
}

#[test]
fn a_plain_array_does_need_it() {
    let (receiver, sender) = udp4();
    let array = Messages::new(1, &Shape::payload(64).name_of(IPV4));
    array.set(0, Field::Namelen, 4);
    for capacity in [4, IPV4, IPV4] {
        send(&sender, &["a"]);
        assert_eq!(array.get(0, Field::Namelen), capacity);
        assert_eq!(array.recv(&receiver, NOW).unwrap(), 1);
        assert_eq!(array.get(0, Field::Namelen), IPV4);
    }
}

#[test]
fn a_cut_name_tells_its_full_length_each_time() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let array = Messages::new(1, &Shape::payload(64).name_of(4));
    receiver.remember(&array).unwrap();
    for _ in 0..3 {
        send(&sender, &["a"]);
        assert_eq!(array.recv(&receiver, NOW).unwrap(), 1);
        assert_eq!(array.get(0, Field::Namelen), IPV4);
        assert_eq!(array.name(0).len(), 4);
    }
}

#[test]
fn changed_headers_count_once_remembered_again() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let array = array();
    receiver.remember(&array).unwrap();
    array.set_segment_len(0, 0, 2);
    send(&sender, &["hello", "hello"]);
    assert_eq!(array.recv_into(0..1, &receiver, NOW).unwrap(), 1);
    assert_eq!((array.payload(0), array.flags(0)), (b"hello".to_vec(), 0));
    receiver.remember(&array).unwrap();
    assert_eq!(array.recv_into(0..1, &receiver, NOW).unwrap(), 1);
    assert_eq!((array.payload(0), array.flags(0)), (b"he".to_vec(), libc::MSG_TRUNC));
}

#[test]
fn any_part_of_it_is_remembered() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let array = array();
    receiver.remember(&array).unwrap();
    for from in 0..4 {
        for to in from + 1..=4 {
            array.reset();
            array.spoil_all();
            send(&sender, &["a", "b", "c", "d"][from..to]);
            assert_eq!(array.recv_into(from..to, &receiver, NOW).unwrap(), to - from);
            assert!((from..to).all(|i| array.payload(i) == [b'a' + u8::try_from(i).unwrap()]));
        }
    }
}

#[test]
fn a_call_past_its_end_is_stock() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let array = array();
    remember_mmsghdr(receiver.as_raw_fd(), array.address(0), 3, 0).unwrap();
    array.spoil(0);
    send(&sender, &["a", "b", "c", "d"]);
    assert_eq!(errno(array.recv_into(0..4, &receiver, NOW)), libc::EMSGSIZE);
    assert_eq!(array.recv_into(1..4, &receiver, NOW).unwrap(), 3);
    assert_eq!(array.recv_into(0..3, &receiver, NOW).unwrap(), 1);
    assert_eq!(array.payload(0), b"d");
}

#[test]
fn a_call_from_before_it_is_stock() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let array = array();
    remember_mmsghdr(receiver.as_raw_fd(), array.address(1), 3, 0).unwrap();
    array.spoil_all();
    send(&sender, &["a"]);
    assert_eq!(errno(array.recv(&receiver, NOW)), libc::EMSGSIZE);
    assert_eq!(errno(array.recv_into(0..1, &receiver, NOW)), libc::EMSGSIZE);
    assert_eq!(array.recv_into(1..2, &receiver, NOW).unwrap(), 1);
}

#[test]
fn a_call_for_no_message_receives_none() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let array = array();
    receiver.remember(&array).unwrap();
    send(&sender, &["a"]);
    assert_eq!(array.recv_into(0..0, &receiver, NOW).unwrap(), 0);
    assert_eq!(array.recv(&receiver, NOW).unwrap(), 1);
}

#[test]
fn other_receive_calls_are_stock() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let array = array();
    receiver.remember(&array).unwrap();
    array.spoil_all();
    send(&sender, &["one", "two", "three", "four"]);
    let before = array.image();
    let mut buffer = [0; 64];
    assert_eq!(receiver.recv(&mut buffer).unwrap(), 3);
    assert_eq!(receiver.recv_from(&mut buffer).unwrap(), (3, sender.local_addr().unwrap()));
    assert_eq!(errno(array.recvmsg(0, &receiver, NOW)), libc::EMSGSIZE);
    assert!(array.image() == before, "they wrote to the array");
    array.reset();
    assert_eq!(array.recvmsg(0, &receiver, NOW).unwrap(), 5);
    assert_remembered_next(&receiver, &array, b"four");
}

#[track_caller]
fn assert_remembered_next(receiver: &impl AsRawFd, array: &Messages, expected: &[u8]) {
    array.spoil_all();
    assert_eq!(array.recv(receiver, NOW).unwrap(), 1);
    assert_eq!(array.payload(0), expected);
}

#[test]
fn other_arrays_and_other_sockets_are_stock() {
    needs_remember!();
    let ((receiver, sender), (other_receiver, other_sender)) = (udp4(), udp4());
    let (mine, other) = (array(), array());
    receiver.remember(&mine).unwrap();
    assert_stock(&receiver, &sender, &other);
    assert_stock(&other_receiver, &other_sender, &mine);
    assert_remembered(&receiver, &sender, &mine);
}

#[test]
fn two_sockets_remember_the_same_array_differently() {
    needs_remember!();
    let ((one, to_one), (two, to_two)) = (udp4(), udp4());
    let array = array();
    one.remember(&array).unwrap();
    array.set_segment_len(0, 0, 2);
    two.remember(&array).unwrap();
    send(&to_one, &["hello"]);
    send(&to_two, &["hello"]);
    assert_eq!(array.recv(&one, NOW).unwrap(), 1);
    assert_eq!(array.payload(0), b"hello");
    assert_eq!(array.recv(&two, NOW).unwrap(), 1);
    assert_eq!(array.payload(0), b"he");
}

#[test]
fn a_forked_child_is_stock() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let array = array();
    receiver.remember(&array).unwrap();
    fork(|| {
        assert_stock(&receiver, &sender, &array);
        assert_eq!(errno(receiver.forget(&array)), libc::ENOENT);
        receiver.remember(&array).expect("the parent's array is another");
        assert_remembered(&receiver, &sender, &array);
        receiver.forget_all().unwrap();
    })
    .succeeds();
    assert_remembered(&receiver, &sender, &array);
}

#[test]
fn exec_forgets() {
    needs_remember!();
    // The same address before and after the exec, free in both.
    let at = |len| Mapping::at(0x10_0000_0000, len);
    let array = Messages::with(Abi::Native, &[Shape::payload(64)], at);
    let Ok(inherited) = env::var("INHERITED_SOCKET") else {
        let (receiver, _) = udp4();
        return fork(|| {
            receiver.remember(&array).unwrap();
            exec_test("exec_forgets", "INHERITED_SOCKET", &receiver);
        })
        .succeeds();
    };
    // SAFETY: nothing else in this process knows the descriptor.
    let receiver = UdpSocket::from(unsafe { OwnedFd::from_raw_fd(inherited.parse().unwrap()) });
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    sender.connect(receiver.local_addr().unwrap()).unwrap();
    assert_eq!(errno(receiver.forget(&array)), libc::ENOENT);
    assert_stock(&receiver, &sender, &array);
    receiver.remember(&array).unwrap();
    assert_remembered(&receiver, &sender, &array);
}

#[test]
fn a_duplicate_descriptor_is_the_same_socket() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let duplicate = receiver.try_clone().unwrap();
    let array = array();
    receiver.remember(&array).unwrap();
    assert_remembered(&duplicate, &sender, &array);
    drop(receiver);
    assert_remembered(&duplicate, &sender, &array);
    duplicate.forget(&array).unwrap();
    assert_stock(&duplicate, &sender, &array);
}

#[test]
fn a_socket_passed_to_another_process_is_stock_there() {
    needs_remember!();
    let (mine, theirs) = UnixDatagram::pair().unwrap();
    let array = array();
    let child = fork(|| {
        theirs.set_read_timeout(Some(Duration::from_secs(8))).unwrap();
        let passed = Messages::new(1, &Shape::payload(1).control(24));
        assert_eq!(passed.recv(&theirs, 0).unwrap(), 1);
        let fd = controls(&passed.control(0), 8)[0].int();
        // SAFETY: the kernel has just made it for us.
        let receiver = UdpSocket::from(unsafe { OwnedFd::from_raw_fd(fd) });
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.connect(receiver.local_addr().unwrap()).unwrap();
        assert_stock(&receiver, &sender, &array);
        receiver.remember(&array).unwrap();
        assert_remembered(&receiver, &sender, &array);
    });
    let (receiver, sender) = udp4();
    receiver.remember(&array).unwrap();
    send_fd(&mine, receiver.as_raw_fd());
    child.succeeds();
    assert_remembered(&receiver, &sender, &array);
}

#[test]
fn closing_frees() {
    needs_remember!();
    as_nobody(ONE_ARRAY, || {
        let array = array();
        for round in 0..1000 {
            let (receiver, _) = udp4();
            receiver.remember(&array).unwrap_or_else(|error| panic!("round {round}: {error}"));
            let (another, _) = udp4();
            assert_eq!(errno(another.remember(&array)), libc::ENOBUFS, "the limit fits exactly");
        }
    });
}

#[test]
fn forgetting_and_failing_free() {
    needs_remember!();
    as_nobody(ONE_ARRAY, || {
        let (receiver, _) = udp4();
        let (array, bad) = (array(), array());
        bad.set(3, Field::Iovlen, 1025);
        for round in 0..1000 {
            assert_eq!(errno(receiver.remember(&bad)), libc::EMSGSIZE, "round {round}");
            assert_eq!(errno(receiver.remember(&Messages::new(1, &Shape::segments(&[1, 1])))), libc::ENOBUFS);
            receiver.remember(&array).unwrap_or_else(|error| panic!("round {round}: {error}"));
            if round % 2 == 0 { receiver.forget(&array) } else { receiver.forget_all() }.unwrap();
        }
    });
}

#[test]
fn the_end_of_a_process_frees_what_it_had_remembered() {
    needs_remember!();
    as_nobody(ONE_ARRAY, || {
        let (receiver, _) = udp4();
        let array = array();
        for _ in 0..3 {
            fork(|| receiver.remember(&array).unwrap()).succeeds();
        }
        receiver.remember(&array).expect("children that are gone hold no memory");
    });
}

#[test]
fn a_socket_remembers_no_more_than_its_owner_may_lock() {
    needs_remember!();
    as_nobody(8 * ONE_ARRAY, || {
        let (receiver, _) = udp4();
        let arrays: Vec<_> = (0..9).map(|_| array()).collect();
        for array in &arrays[..8] {
            receiver.remember(array).unwrap();
        }
        assert_eq!(errno(receiver.remember(&arrays[8])), libc::ENOBUFS);
        receiver.forget(&arrays[3]).unwrap();
        receiver.remember(&arrays[8]).unwrap();
    });
}

#[test]
fn a_reused_address_can_be_remembered_anew() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let old = array();
    let (start, header, len) = (old.memory().address(0), old.address(0), old.memory().len());
    receiver.remember(&old).unwrap();
    receiver.forget(&old).unwrap();
    drop(old);
    let shapes = vec![Shape::payload(8); 4];
    let new = Messages::with(Abi::Native, &shapes, |_| Mapping::at(start, len));
    assert_eq!(new.address(0), header);
    assert_stock(&receiver, &sender, &new);
    receiver.remember(&new).unwrap();
    send(&sender, &["0123456789"]);
    new.spoil(0);
    assert_eq!(new.recv(&receiver, NOW).unwrap(), 1);
    assert_eq!((new.payload(0), new.flags(0)), (b"01234567".to_vec(), libc::MSG_TRUNC));
}

#[test]
fn a_new_process_inherits_nothing_from_a_dead_one() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let array = array();
    for _ in 0..20 {
        fork(|| {
            assert_stock(&receiver, &sender, &array);
            receiver.remember(&array).unwrap();
            assert_remembered(&receiver, &sender, &array);
        })
        .succeeds();
    }
    assert_stock(&receiver, &sender, &array);
}

#[test]
fn an_array_that_is_gone_faults_and_harms_nobody() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let array = array();
    receiver.remember(&array).unwrap();
    array.memory().protect(0..array.memory().len(), libc::PROT_NONE);
    send(&sender, &["lost"]);
    assert_eq!(errno(array.recv_unchecked(&receiver, NOW)), libc::EFAULT);
    array.memory().protect(0..array.memory().len(), libc::PROT_READ | libc::PROT_WRITE);
    assert_remembered(&receiver, &sender, &array);
}

#[test]
fn each_thread_may_have_an_array_of_its_own() {
    needs_remember!();
    let (receiver, sender) = udp4();
    receiver.connect(sender.local_addr().unwrap()).unwrap();
    let threads: Vec<_> = (0..4).map(|_| blocked(&receiver, receive_until_shutdown)).collect();
    for number in 0..200_u64 {
        sender.send(&number.to_ne_bytes()).unwrap();
    }
    wait_until(|| next_len(&receiver) == 0);
    shutdown(&receiver);
    let numbers: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap().1).collect();
    assert!(numbers.iter().all(|numbers| numbers.is_sorted()), "out of order: {numbers:?}");
    let mut all = numbers.concat();
    all.sort_unstable();
    assert_eq!(all, (0..200).collect::<Vec<_>>());
}

/// The numbers that messages bring, until an empty one: that of a socket that was shut down.
fn receive_until_shutdown(array: &Messages, receiver: &UdpSocket) -> Vec<u64> {
    let mut numbers = Vec::new();
    loop {
        array.spoil_all();
        for i in 0..array.recv(receiver, libc::MSG_WAITFORONE).unwrap() {
            match array.payload(i)[..] {
                [] => return numbers,
                ref number => numbers.push(u64::from_ne_bytes(number.try_into().unwrap())),
            }
        }
    }
}

#[test]
fn forgetting_does_not_disturb_who_waits() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let waiting = blocked(&receiver, |array, receiver| array.recv(receiver, libc::MSG_WAITFORONE));
    receiver.forget_all().unwrap();
    send(&sender, &["at last"]);
    let (array, result) = waiting.join().unwrap();
    assert_eq!(result.unwrap(), 1);
    assert_eq!(array.payload(0), b"at last");
    assert_stock(&receiver, &sender, &array);
}

/// A thread that has remembered an array and waits for a message to come.
fn blocked<T: Send + 'static>(
    receiver: &UdpSocket,
    recv: impl FnOnce(&Messages, &UdpSocket) -> T + Send + 'static,
) -> thread::JoinHandle<(Messages, T)> {
    let receiver = receiver.try_clone().unwrap();
    let (id, its_id) = mpsc::channel();
    let thread = thread::spawn(move || {
        let array = array();
        receiver.remember(&array).unwrap();
        array.spoil_all();
        id.send(thread_id()).unwrap();
        let result = recv(&array, &receiver);
        (array, result)
    });
    wait_until_blocked_in(its_id.recv().unwrap(), libc::SYS_recvmmsg);
    thread
}

#[test]
fn a_killed_receiver_leaves_nothing_behind() {
    needs_remember!();
    let array = array();
    for _ in 0..10 {
        let child = fork_nobody(ONE_ARRAY, || {
            let (receiver, _) = udp4();
            receiver.remember(&array).expect("those before it hold no memory");
            array.recv(&receiver, 0).unwrap();
        });
        wait_until_blocked_in(child.id(), libc::SYS_recvmmsg);
        child.kill();
    }
    as_nobody(ONE_ARRAY, || {
        let (receiver, sender) = udp4();
        receiver.remember(&array).unwrap();
        assert_remembered(&receiver, &sender, &array);
    });
}

/// Threads do all they can to the same descriptor and the same arrays, until time is up.
#[test]
fn remember_forget_receive_and_close_race() {
    needs_remember!();
    as_nobody(4 * ONE_ARRAY, || {
        let (receiver, sender) = udp4();
        let fd = receiver.as_raw_fd();
        let end = Instant::now() + RACE;
        let racing = || Instant::now() < end;
        // Outlives the threads: its addresses go to them all.
        let mut arrays = Vec::new();
        thread::scope(|scope| {
            let mut receivers = Vec::new();
            for _ in 0..2 {
                let array = Messages::new(4, &Shape::payload(8).name());
                for range in [0..4, 1..4, 0..2] {
                    let address = array.address(range.start);
                    let vlen = u32::try_from(range.len()).unwrap();
                    scope.spawn(move || remember_and_forget(fd, address, vlen, racing));
                }
                receivers.push(scope.spawn(move || receive_what_comes(fd, array, racing)));
            }
            scope.spawn(|| {
                while racing() {
                    send(&sender, &["racing", "on"]);
                    let (another, _) = udp4();
                    sender.connect(another.local_addr().unwrap()).unwrap();
                    replace_fd(fd, &another);
                }
            });
            arrays.extend(receivers.into_iter().map(|thread| thread.join().unwrap()));
        });
        drop(receiver);
        let (receiver, _) = udp4();
        let arrays: Vec<_> = (0..4).map(|_| array()).collect();
        for array in &arrays {
            receiver.remember(array).expect("all that the race had remembered is free again");
        }
    });
}

fn remember_and_forget(fd: RawFd, address: usize, vlen: u32, racing: impl Fn() -> bool) {
    while racing() {
        if let Err(error) = remember_mmsghdr(fd, address, vlen, 0) {
            assert!([Some(libc::EEXIST), Some(libc::ENOBUFS)].contains(&error.raw_os_error()), "{error}");
        }
        if let Err(error) = remember_mmsghdr(fd, address, 0, MMSGHDR_FORGET) {
            assert_eq!(error.raw_os_error(), Some(libc::ENOENT), "{error}");
        }
    }
}

fn receive_what_comes(fd: RawFd, array: Messages, racing: impl Fn() -> bool) -> Messages {
    while racing() {
        match array.recv(&fd, NOW) {
            Ok(n) => assert!((0..n).all(|i| [&b"racing"[..], b"on"].contains(&&array.payload(i)[..]))),
            Err(error) => assert_eq!(error.raw_os_error(), Some(libc::EAGAIN), "{error}"),
        }
    }
    array
}
