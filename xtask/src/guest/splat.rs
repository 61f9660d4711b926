//! Which lines of a console mean that the kernel complains, and which that it is dead.

/// Phrases that the kernel prints only when something is wrong with it.
const COMPLAINTS: [&str; 26] = [
    "WARNING: ", // WARN_ON, and every report of lockdep
    "BUG: ",     // KASAN, list corruption, scheduling while atomic, soft lockup, NULL pointers
    "kernel BUG at ",
    "KASAN: ",
    "UBSAN: ",
    "KCSAN: ",
    "Oops: ",
    "general protection fault",
    "possible circular locking",
    "possible recursive locking",
    "inconsistent lock state",
    "suspicious RCU usage",
    "rcu: INFO: ",
    "INFO: rcu_",
    "INFO: task ",
    "soft lockup - CPU",
    "hard LOCKUP",
    "refcount_t: ",
    // A device that is still referred to long after it went; emulated guests are given three times as long.
    "unregister_netdevice: waiting for ",
    // `net refcnt` or `net notrefcnt`: a namespace's references, left as it is freed, when nothing can be late. Not all
    // that the tracker says: an allocation that is made to fail leaves it only less sure.
    "ref_tracker: net ",
    "ref_tracker: reference already released",
    "Attempt to release alive inet socket ",
    "Attempt to release TCP socket in state ",
    "vmalloc error: ", // of what nobody should have asked for without __GFP_NOWARN
    "new suspected memory leaks",
    "kmemleak: unreferenced object ", // the runner's, from the kernel's report
];

const DEATH: &str = "Kernel panic - not syncing";

/// What a line of the console means, the gravest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Meaning {
    /// Nothing of note.
    Quiet,
    /// The kernel found something wrong with itself.
    Splat,
    /// The kernel has stopped.
    Panic,
}

/// Judges a line of the console. Searches the whole line: what user space wrote to the console without a line's
/// end may stand in front.
pub fn meaning(line: &str) -> Meaning {
    if line.contains(DEATH) {
        Meaning::Panic
    } else if COMPLAINTS.iter().any(|phrase| line.contains(phrase)) {
        Meaning::Splat
    } else {
        Meaning::Quiet
    }
}

/// A console line without the kernel's time stamp and what stands before it.
pub fn message(line: &str) -> &str {
    line.split_once("] ").map_or(line, |(_, message)| message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints() {
        for line in [
            "[    1.2] WARNING: CPU: 0 PID: 63 at drivers/misc/lkdtm/bugs.c:112 lkdtm_WARNING+0x15/0x20",
            "[    1.2] BUG: KASAN: slab-use-after-free in recvmsg+0x1/0x2",
            "[    1.2] BUG: kernel NULL pointer dereference, address: 0000000000000008",
            "[    1.2] Oops: Oops: 0002 [#1] PREEMPT SMP NOPTI",
            "[    1.2] Oops: general protection fault, probably for non-canonical address 0xdead",
            "[    1.2] kernel BUG at net/core/skbuff.c:205!",
            "[    1.2] WARNING: possible circular locking dependency detected",
            "[    1.2] WARNING: suspicious RCU usage",
            "[    1.2] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
            "[    1.2] watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [faults:71]",
            "[    1.2] UBSAN: array-index-out-of-bounds in net/socket.c:1:2",
            "[    1.2] refcount_t: underflow; use-after-free.",
            "[    1.2] unregister_netdevice: waiting for lo to become free. Usage count = 2",
            "[    1.2] ref_tracker: net notrefcnt@ffff888005a00e00 has 1/1 users at",
            "[    1.2] ref_tracker: net refcnt@ffff888005a00e00 has 2/3 users at",
            "[    1.2] ref_tracker: reference already released.",
            "[    1.2] IPv4: Attempt to release alive inet socket 00000000a1b2c3d4",
            "[    1.2] IPv4: Attempt to release TCP socket in state 1 00000000a1b2c3d4",
            "[    1.2] kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
            "[    1.2] kmemleak: unreferenced object 0xffff888005a00e00 (size 64):",
            "[    1.2] feed: vmalloc error: size 1342177280, exceeds total pages, mode:0x400cc0(GFP_KERNEL_ACCOUNT)",
            "half a line of a test[    1.2] BUG: scheduling while atomic: swapper/0/0/0x00000002",
        ] {
            assert_eq!(meaning(line), Meaning::Splat, "{line}");
        }
    }

    #[test]
    fn a_time_stamp_is_cut() {
        assert_eq!(message("[    1.234567] BUG: x [y] z"), "BUG: x [y] z");
        assert_eq!(message("no stamp"), "no stamp");
    }

    #[test]
    fn panics() {
        assert_eq!(meaning("[    1.2] Kernel panic - not syncing: sysrq triggered crash"), Meaning::Panic);
    }

    #[test]
    fn ordinary_lines() {
        for line in [
            "[    0.0] Linux version 6.12.117-fastnet (gcc) #1 SMP",
            "[    0.1] rcu: Hierarchical RCU implementation.",
            "[    0.2] debug: BUGs are turned into warnings",
            "[    1.2] lkdtm: Performing direct entry WARNING",
            "[    1.2] fastnet: start abi::warning",
            "[    1.2] ref_tracker: memory allocation failure, unreliable refcount tracker.",
            "[    1.2] kmemleak: Automatic memory scanning thread started",
            "",
        ] {
            assert_eq!(meaning(line), Meaning::Quiet, "{line}");
        }
    }
}
