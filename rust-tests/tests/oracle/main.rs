//! The differential oracle: the same random traffic through two sockets that differ in one thing, that one has
//! the array remembered. All that a program can see must be the same, to the last byte.
//!
//! A round's seed decides everything in it. A failure names it, and so does whatever the kernel prints, as the name
//! of the process. `--env SEED=7 --env ROUNDS=1 --env TELL=1` repeats it, and tells all that happens.

// Whatever can't go on has failed.
#![allow(clippy::unwrap_used)]

mod controls;
mod counters;
mod events;
mod long;
mod options;
mod random;
mod round;
mod sabotage;
mod stamps;
mod traffic;
mod twins;

use std::env;
use std::ffi::CString;
use std::sync::LazyLock;
use std::thread;

use rust_tests::sys::abi::Abi;
use rust_tests::sys::cgroup::Cgroup;
use rust_tests::sys::process::stay_on_one_cpu;
use rust_tests::sys::{errno, slowness};
use rust_tests::{needs_cgroup_programs, needs_remember, skip};

use random::Random;
use round::Round;
use twins::{Kind, Twins};

/// Rounds a test, where the kernel is not slow.
const ROUNDS: u64 = 250;

/// Drives rounds through twins of this kind.
fn drive(kind: Kind, abi: Abi) {
    needs_remember!();
    if errno(abi.remember(-1, 0, 0, 0)) == libc::ENOSYS {
        skip!("this kernel knows no {abi:?} calls");
    }
    stay_on_one_cpu();
    let first = number("SEED", 1);
    rounds(kind, abi, first..first + number("ROUNDS", ROUNDS / u64::from(slowness())));
}

/// A number of the environment's.
fn number(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().unwrap())
}

fn rounds(kind: Kind, abi: Abi, seeds: impl Iterator<Item = u64>) {
    let mut twins = Twins::new(kind);
    for seed in seeds {
        let _named = Named::new(kind, seed);
        let mut random = Random::new(seed);
        twins.renew(kind, seed);
        Round::new(kind, abi, &twins, &mut random).run(&mut random);
    }
}

/// Says what happens, to whoever asked for it.
fn tell(what: impl FnOnce() -> String) {
    static TELL: LazyLock<bool> = LazyLock::new(|| env::var_os("TELL").is_some());
    if *TELL {
        println!("{}", what());
    }
}

/// Names the seed of a round that fails.
struct Named(String);

impl Named {
    fn new(kind: Kind, seed: u64) -> Self {
        let name = format!("{kind:?} {seed}");
        let short = CString::new(&*name).unwrap();
        // SAFETY: a string, only read, and cut to what there is room for.
        unsafe { libc::prctl(libc::PR_SET_NAME, short.as_ptr()) };
        Self(name)
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        if thread::panicking() {
            println!("seed: {}", self.0);
        }
    }
}

#[test]
fn udp_over_ipv4() {
    drive(Kind::Udp4, Abi::Native);
}

#[test]
fn udp_over_ipv4_with_a_program() {
    needs_cgroup_programs!();
    let _liars = Cgroup::enter_among_liars().unwrap();
    drive(Kind::Udp4, Abi::Native);
}

#[test]
fn udp_over_ipv6_with_a_program() {
    needs_cgroup_programs!();
    let _liars = Cgroup::enter_among_liars().unwrap();
    drive(Kind::Udp6, Abi::Native);
}

#[test]
fn udp_over_ipv6() {
    drive(Kind::Udp6, Abi::Native);
}

#[test]
fn udp_over_ipv4_at_an_ipv6_socket() {
    drive(Kind::Mapped, Abi::Native);
}

#[test]
fn udplite() {
    drive(Kind::UdpLite, Abi::Native);
}

#[test]
fn udplite_over_ipv6() {
    drive(Kind::UdpLite6, Abi::Native);
}

#[test]
fn unix() {
    drive(Kind::Unix, Abi::Native);
}

#[test]
fn tcp() {
    drive(Kind::Tcp, Abi::Native);
}

#[test]
fn udp_from_a_32_bit_process() {
    drive(Kind::Udp4, Abi::Ia32);
}

#[test]
fn udp_over_ipv6_from_a_32_bit_process() {
    drive(Kind::Udp6, Abi::Ia32);
}

#[test]
fn tcp_from_a_32_bit_process() {
    drive(Kind::Tcp, Abi::Ia32);
}

#[test]
fn unix_from_a_32_bit_process() {
    drive(Kind::Unix, Abi::Ia32);
}

#[test]
fn udp_by_x32() {
    drive(Kind::Udp4, Abi::X32);
}

#[test]
fn udp_over_ipv6_by_x32() {
    drive(Kind::Udp6, Abi::X32);
}
