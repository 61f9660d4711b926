//! Children, what they may do, and waiting for what threads do.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::sys::{patience, zero};

/// A user who may do nothing special.
pub const NOBODY: libc::uid_t = 65534;
/// A child of this process, running a closure in its own copy of it.
#[derive(Debug)]
#[must_use = "a child that nobody waits for can't fail the test"]
pub struct Child(libc::pid_t);

/// Forks; the child runs `body` and ends, successfully unless that panics.
pub fn fork(body: impl FnOnce()) -> Child {
    // SAFETY: tests fork from the only thread that runs, or touch no lock in the child that another may hold.
    match unsafe { libc::fork() } {
        0 => {
            let code = i32::from(catch_unwind(AssertUnwindSafe(body)).is_err());
            // SAFETY: ends the child alone, without what the parent's harness would print.
            unsafe { libc::_exit(code) }
        }
        -1 => panic!("fork: {}", io::Error::last_os_error()),
        pid => Child(pid),
    }
}

/// Forks a child that is `nobody` and may lock `memlock` bytes.
pub fn fork_nobody(memlock: u64, body: impl FnOnce()) -> Child {
    fork(|| {
        become_nobody(memlock);
        body();
    })
}

/// Makes this process one that is `nobody` and may lock `memlock` bytes.
pub fn become_nobody(memlock: u64) {
    let limit = libc::rlimit { rlim_cur: memlock, rlim_max: memlock };
    // SAFETY: only reads the limit; then gives up root for good, capabilities with it.
    let result = unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit) | libc::setuid(NOBODY) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

/// Runs `body` in a child that is `nobody` and may lock `memlock` bytes; fails if that does.
#[track_caller]
pub fn as_nobody(memlock: u64, body: impl FnOnce()) {
    fork_nobody(memlock, body).succeeds();
}

/// Runs one test of this executable in the place of this process, with a socket whose descriptor `variable` tells.
pub fn exec_test(test: &str, variable: &str, socket: &impl AsRawFd) {
    let fd = socket.as_raw_fd();
    // SAFETY: only numbers go in.
    let result = unsafe { libc::fcntl(fd, libc::F_SETFD, 0) };
    assert_eq!(result, 0, "fcntl: {}", io::Error::last_os_error());
    let arguments = ["--exact", test, "--nocapture", "--test-threads", "1"];
    let error = Command::new("/proc/self/exe").args(arguments).env(variable, fd.to_string()).exec();
    panic!("exec: {error}");
}

/// Runs no test of this executable in the place of this process.
pub fn exec_nothing() {
    let error = Command::new("/proc/self/exe").args(["--list", "--format", "terse", "no such test"]).exec();
    panic!("exec: {error}");
}

impl Child {
    /// Its process id, which is also its only thread's.
    pub fn id(&self) -> libc::pid_t {
        self.0
    }

    /// Waits for its end, which must be a success.
    #[track_caller]
    pub fn succeeds(self) {
        assert_eq!(self.wait(), 0, "the child's wait status");
    }

    /// Kills it and waits for its end.
    #[track_caller]
    pub fn kill(self) {
        signal(self.0, libc::SIGKILL);
        self.was_killed();
    }

    /// Waits for its end, which must not be its own doing.
    #[track_caller]
    pub fn was_killed(self) {
        assert_eq!(self.wait(), libc::SIGKILL, "the child's wait status");
    }

    fn wait(&self) -> i32 {
        let mut status = 0;
        // SAFETY: writes one int.
        let pid = unsafe { libc::waitpid(self.0, &raw mut status, 0) };
        assert_eq!(pid, self.0, "waitpid: {}", io::Error::last_os_error());
        status
    }
}

/// This thread's id.
pub fn thread_id() -> libc::pid_t {
    // SAFETY: no argument, no failure.
    unsafe { libc::gettid() }
}

/// Sends a signal to a thread.
#[track_caller]
pub fn signal(thread: libc::pid_t, signal: i32) {
    // SAFETY: only numbers go in.
    let result = unsafe { libc::syscall(libc::SYS_tkill, thread, signal) };
    zero(result).expect("tkill");
}

/// Kills this process, whatever its other threads are at.
pub fn die() {
    signal(thread_id(), libc::SIGKILL);
}

/// Makes a signal interrupt a blocked call, and do nothing else.
pub fn interrupt_on(signal: i32) {
    extern "C" fn nothing(_: i32) {}
    // SAFETY: all zero is a valid sigaction: no flag, hence no SA_RESTART.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = nothing as extern "C" fn(i32) as usize;
    // SAFETY: the handler does nothing, so it may run at any time.
    let result = unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) };
    assert_eq!(result, 0, "sigaction: {}", io::Error::last_os_error());
}

/// Waits until a thread sleeps in the kernel, called by system call `number`.
#[track_caller]
pub fn wait_until_blocked_in(thread: libc::pid_t, number: i64) {
    let path = format!("/proc/{thread}/syscall");
    let blocked = format!("{number} ");
    wait_until(|| fs::read_to_string(&path).is_ok_and(|call| call.starts_with(&blocked)));
}

/// A thread of `body`, once it sleeps in the kernel, called by system call `number`.
#[track_caller]
pub fn spawn_blocked_in<T: Send + 'static>(
    number: i64,
    body: impl FnOnce() -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    let (id, its_id) = mpsc::channel();
    let thread = thread::spawn(move || {
        id.send(thread_id()).expect("whoever spawned it waits");
        body()
    });
    wait_until_blocked_in(its_id.recv().expect("it begins by that"), number);
    thread
}

/// Waits for what the kernel has no event for.
#[track_caller]
pub fn wait_until(condition: impl Fn() -> bool) {
    let end = Instant::now() + patience();
    while !condition() {
        assert!(Instant::now() < end, "waited {:?} in vain", patience());
        thread::sleep(Duration::from_millis(1));
    }
}

/// Keeps this thread on one CPU: what it sends over the loopback then arrives in order, before the next call.
pub fn stay_on_one_cpu() {
    // SAFETY: no argument.
    stay_on(usize::try_from(unsafe { libc::sched_getcpu() }).expect("a CPU"));
}

/// Keeps this thread on that CPU.
pub fn stay_on(cpu: usize) {
    // SAFETY: all zero is the empty set; the calls read and write no more than it.
    let result = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &raw const set)
    };
    assert_eq!(result, 0, "sched_setaffinity: {}", io::Error::last_os_error());
}
