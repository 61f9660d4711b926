//! Rounds by the hundred thousand, in a process a CPU.

use rust_tests::needs_remember;
use rust_tests::sys::abi::Abi;
use rust_tests::sys::cgroup::Cgroup;
use rust_tests::sys::process::{fork, stay_on};

use crate::twins::Kind;
use crate::{number, rounds};

/// Rounds in all.
const ROUNDS: u64 = 1_000_000;
/// Of these, one kind does so many before the next has its turn.
const TURN: u64 = 500;

/// What the sockets are, how calls are made, and whether a BPF program changes the senders' names.
const KINDS: [(Kind, Abi, bool); 12] = [
    (Kind::Udp4, Abi::Native, false),
    (Kind::Udp6, Abi::Native, false),
    (Kind::Mapped, Abi::Native, false),
    (Kind::UdpLite, Abi::Native, false),
    (Kind::Unix, Abi::Native, false),
    (Kind::Tcp, Abi::Native, false),
    (Kind::Udp4, Abi::Ia32, false),
    (Kind::Unix, Abi::Ia32, false),
    (Kind::Udp4, Abi::X32, false),
    (Kind::Udp4, Abi::Native, true),
    (Kind::Udp6, Abi::Native, true),
    (Kind::Mapped, Abi::Native, true),
];

#[test]
#[ignore = "hours; test-in-vm --long runs it"]
fn oracle() {
    needs_remember!();
    let (first, count) = (number("SEED", 1), number("ROUNDS", ROUNDS));
    let cpus = std::thread::available_parallelism().unwrap().get();
    let workers: Vec<_> = (0..cpus)
        .map(|cpu| {
            fork(|| {
                stay_on(cpu);
                std::fs::create_dir(cpu.to_string()).unwrap();
                std::env::set_current_dir(cpu.to_string()).unwrap();
                let turns = (0..count.div_ceil(TURN)).zip(KINDS.into_iter().cycle());
                for (turn, (kind, abi, lies)) in turns.skip(cpu).step_by(cpus) {
                    let start = turn * TURN;
                    let _liars = lies.then(|| Cgroup::enter_among_liars().unwrap());
                    rounds(kind, abi, first + start..first + count.min(start + TURN));
                }
            })
        })
        .collect();
    for worker in workers {
        worker.succeeds();
    }
}
