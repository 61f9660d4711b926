//! Rounds by the hundred thousand, in a few processes a CPU.

use rust_tests::sys::abi::Abi;
use rust_tests::sys::cgroup::Cgroup;
use rust_tests::sys::process::{fork, stay_on};
use rust_tests::{needs_cgroup_programs, needs_remember};

use crate::twins::Kind;
use crate::{number, rounds};

/// Rounds in all.
const ROUNDS: u64 = 1_000_000;
/// Processes a CPU: one works while the others wait, for a message that does not come or for the kernel to tidy up.
const WORKERS: usize = 4;
/// Of these, one kind does so many before the next has its turn.
const TURN: u64 = 100;

const KINDS: [(Kind, Abi); 17] = [
    (Kind::Udp4, Abi::Native),
    (Kind::Udp6, Abi::Native),
    (Kind::Mapped, Abi::Native),
    (Kind::UdpLite, Abi::Native),
    (Kind::UdpLite6, Abi::Native),
    (Kind::Unix, Abi::Native),
    (Kind::Tcp, Abi::Native),
    (Kind::Udp4, Abi::Ia32),
    (Kind::Udp6, Abi::Ia32),
    (Kind::Mapped, Abi::Ia32),
    (Kind::UdpLite, Abi::Ia32),
    (Kind::Unix, Abi::Ia32),
    (Kind::Tcp, Abi::Ia32),
    (Kind::Udp4, Abi::X32),
    (Kind::Udp6, Abi::X32),
    (Kind::Unix, Abi::X32),
    (Kind::Tcp, Abi::X32),
];

/// Those that a BPF program may lie to.
const LIED_TO: [(Kind, Abi); 3] =
    [(Kind::Udp4, Abi::Native), (Kind::Udp6, Abi::Native), (Kind::Mapped, Abi::Native)];

#[test]
#[ignore = "hours; test-in-vm --long runs it"]
fn oracle() {
    needs_remember!();
    turns(&KINDS, number("ROUNDS", ROUNDS));
}

#[test]
#[ignore = "hours; test-in-vm --long runs it"]
fn oracle_with_programs() {
    needs_remember!();
    needs_cgroup_programs!();
    let _liars = Cgroup::enter_among_liars().unwrap();
    turns(&LIED_TO, number("ROUNDS", ROUNDS) / 10);
}

fn turns(kinds: &[(Kind, Abi)], count: u64) {
    let first = number("SEED", 1);
    let cpus = std::thread::available_parallelism().unwrap().get();
    let all = cpus * WORKERS;
    let workers: Vec<_> = (0..all)
        .map(|worker| {
            fork(|| {
                stay_on(worker % cpus);
                std::fs::create_dir(worker.to_string()).unwrap();
                std::env::set_current_dir(worker.to_string()).unwrap();
                let turns = (0..count.div_ceil(TURN)).zip(kinds.iter().cycle());
                for (turn, &(kind, abi)) in turns.skip(worker).step_by(all) {
                    let start = turn * TURN;
                    rounds(kind, abi, first + start..first + count.min(start + TURN));
                }
            })
        })
        .collect();
    for worker in workers {
        worker.succeeds();
    }
}
