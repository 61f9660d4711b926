//! How long it is remembered, and what it costs.

use rust_tests::needs_remember;
use rust_tests::sys::abi::Abi;
use rust_tests::sys::memory::Mapping;
use rust_tests::sys::messages::{Field, Messages, Shape};
use rust_tests::sys::net::udp4;
use rust_tests::sys::process::{as_nobody, fork, fork_nobody, wait_until_blocked_in};
use rust_tests::sys::witness::{assert_remembered, assert_stock};
use rust_tests::sys::{Remember, errno};

use crate::{NOW, ONE_ARRAY, array, send};

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
fn an_array_that_is_gone_faults_and_harms_nobody() {
    needs_remember!();
    let (receiver, sender) = udp4();
    let array = array();
    receiver.remember(&array).unwrap();
    array.memory().protect(0..array.memory().len(), libc::PROT_NONE);
    send(&sender, &["lost"]);
    assert_eq!(errno(array.recv_unchecked(&(0..4), None, &receiver, NOW)), libc::EFAULT);
    array.memory().protect(0..array.memory().len(), libc::PROT_READ | libc::PROT_WRITE);
    assert_remembered(&receiver, &sender, &array);
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
