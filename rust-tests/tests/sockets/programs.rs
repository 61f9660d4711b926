//! BPF programs between a datagram and its receiver.

use std::net::UdpSocket;

use rust_tests::needs_cgroup_programs;
use rust_tests::sys::bpf::{Hook, Insn, Program, SockMap};
use rust_tests::sys::cgroup::Cgroup;
use rust_tests::sys::errno;
use rust_tests::sys::messages::{Field, Shape};
use rust_tests::sys::net::{address, charged, udp4, udp6};

use crate::batch::{NOW, both_ways};

fn send(sender: &UdpSocket, texts: &[&str]) {
    for text in texts {
        sender.send(text.as_bytes()).unwrap();
    }
}

fn names_are(receiver: &UdpSocket, sender: &UdpSocket, name: &str) {
    both_ways(|way| {
        let batch = way.batch(receiver, 20, &Shape::payload(64).name());
        for _ in 0..2 {
            send(sender, &["one", "two", "three"]);
            assert_eq!(batch.texts(NOW), ["one", "two", "three"]);
            for i in 0..3 {
                assert_eq!(address(&batch.messages.name(i)), name.parse().unwrap(), "message {i}");
            }
        }
        let nameless = way.batch(receiver, 2, &Shape::payload(64));
        send(sender, &["nobody"]);
        assert_eq!(nameless.texts(NOW), ["nobody"]);
        assert_eq!(nameless.messages.get(0, Field::Namelen), 0);
    });
}

#[test]
fn a_cgroups_program_changes_ipv4_names() {
    needs_cgroup_programs!();
    let _liars = Cgroup::enter_among_liars().unwrap();
    let (receiver, sender) = udp4();
    names_are(&receiver, &sender, "10.1.2.3:4242");
}

#[test]
fn a_cgroups_program_changes_ipv6_names() {
    needs_cgroup_programs!();
    let _liars = Cgroup::enter_among_liars().unwrap();
    let (receiver, sender) = udp6();
    names_are(&receiver, &sender, "[fd00::7]:4242");
}

#[test]
fn a_cgroups_program_changes_mapped_names() {
    needs_cgroup_programs!();
    let _liars = Cgroup::enter_among_liars().unwrap();
    let receiver = UdpSocket::bind("[::]:0").unwrap();
    let (_, sender) = udp4();
    sender.connect(("127.0.0.1", receiver.local_addr().unwrap().port())).unwrap();
    names_are(&receiver, &sender, "[fd00::7]:4242");
}

#[test]
fn a_cgroups_program_denies() {
    needs_cgroup_programs!();
    let cgroup = Cgroup::enter().unwrap();
    // The length, headers and all, is what the program's context begins with.
    let odd = [Insn::load(0), Insn::and(1), Insn::exit()];
    let (receiver, sender) = udp4();
    Program::load(Hook::INGRESS, &odd).unwrap().attach(&cgroup).unwrap();
    both_ways(|way| {
        let batch = way.batch(&receiver, 4, &Shape::payload(64).name());
        for text in ["odd", "even", "three", "none"] {
            // Who sends on the same machine is told.
            let sent = sender.send(text.as_bytes());
            assert!(sent.is_ok() || text.len() % 2 == 0, "{text}: {sent:?}");
        }
        assert_eq!(batch.texts(NOW), ["odd", "three"]);
    });
}

fn verdict(returns: i32) -> SockMap {
    let map = SockMap::new().unwrap();
    let program = [Insn::result(returns), Insn::exit()];
    Program::load(Hook::VERDICT, &program).unwrap().attach(&map).unwrap();
    map
}

#[test]
fn a_verdict_passes_what_comes() {
    both_ways(|way| {
        let (receiver, sender) = udp4();
        let batch = way.batch(&receiver, 4, &Shape::payload(64).name());
        send(&sender, &["zero"]);
        let map = verdict(1);
        map.insert(&receiver).unwrap();
        // Each that comes makes the program look at the first of the queue. Those it has passed come first.
        send(&sender, &["one", "two"]);
        let mut text = String::new();
        while text.len() < "zeroonetwo".len() {
            text.extend(batch.texts(libc::MSG_WAITFORONE));
        }
        assert_eq!(text, "zeroonetwo");
    });
}

#[test]
fn a_verdict_drops_what_comes() {
    both_ways(|way| {
        let (receiver, sender) = udp4();
        let batch = way.batch(&receiver, 4, &Shape::payload(64).name());
        let map = verdict(0);
        map.insert(&receiver).unwrap();
        send(&sender, &["one", "two"]);
        assert_eq!(errno(batch.recv(NOW)), libc::EAGAIN);
        assert_eq!(charged(&receiver), 0);
    });
}
