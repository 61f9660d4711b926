//! Every verdict, seen: guests with a fault on purpose, and an emulator that is one.
#![expect(clippy::disallowed_methods, reason = "a test of the program runs the program")]
#![expect(clippy::unwrap_used, reason = "what a test can't unwrap fails it")]

mod bzimage;
mod script;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use bzimage::kernel;

/// A run of `test-in-vm` that has begun.
struct Run {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// What it wrote so far.
    said: String,
    /// Where its logs go; QEMU's command line names it, so a QEMU left behind can be told from others.
    folder: String,
}

/// How a run ended.
struct Ended {
    status: ExitStatus,
    said: String,
}

impl Run {
    /// Starts `command`, and reads on until it says where its logs are.
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut run = Self { child, stdout, said: String::new(), folder: String::new() };
        let line = run.wait_for("logs in ");
        line.strip_prefix("logs in ").unwrap().trim().clone_into(&mut run.folder);
        run
    }

    /// Reads on until a line holds `text`, and returns the line.
    fn wait_for(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.stdout.read_line(&mut line).unwrap(), 0, "no {text:?} in: {}", self.said);
            self.said.push_str(&line);
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Waits until the guest has reported `line`, which xtask shows only in its log.
    fn wait_for_ktap(&mut self, line: &str) {
        let log = Path::new(&self.folder).join("guest-0/ktap.log");
        while !fs::read_to_string(&log).unwrap().contains(line) {
            assert_eq!(self.child.try_wait().unwrap(), None, "no {line:?} in {}", log.display());
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// The QEMU of this run.
    fn qemu(&self) -> Option<Pid> {
        let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let entry = entry.ok()?;
            let id = entry.file_name().to_str()?.parse().ok()?;
            let command = String::from_utf8(fs::read(entry.path().join("cmdline")).ok()?).ok()?;
            (command.starts_with("qemu-system") && command.contains(&self.folder))
                .then(|| Pid::from_raw(id))?
        });
        processes.into_iter().next()
    }

    /// Waits for the end, and makes sure that no QEMU lives on.
    fn end(mut self) -> Ended {
        self.stdout.read_to_string(&mut self.said).unwrap();
        let status = self.child.wait().unwrap();
        // The kernel kills a QEMU whose starter was killed; that takes a moment.
        while let Some(id) = self.qemu() {
            let Ok(qemu) = pidfd_open(id, PidfdFlags::empty()) else { continue };
            let minute = Timespec { tv_sec: 60, tv_nsec: 0 };
            let ended = poll(&mut [PollFd::new(&qemu, PollFlags::IN)], Some(&minute)).unwrap();
            assert_eq!(ended, 1, "QEMU {} stays behind", id.as_raw_nonzero());
        }
        println!("{}", self.said);
        Ended { status, said: self.said }
    }
}

impl Ended {
    /// Checks the exit code, and the verdict of the test or place `name`. Time is xtask's own business: its limits end
    /// every run, and a verdict's reason names the one that did.
    fn assert(&self, code: i32, verdict: &str, name: &str) {
        assert_eq!(self.status.code(), Some(code));
        let line = format!("{verdict:7} {name} ");
        assert!(self.said.contains(&line), "no {line:?}");
        let last = self.said.trim_end().lines().last().unwrap();
        assert!(last.ends_with(" skipped") && last.contains(" passed, "), "{last}");
    }
}

fn test_in_vm(kernel: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["test-in-vm", "--ignored", "--bzimage"]).arg(kernel).args(arguments.split_whitespace());
    command
}

/// Boots a guest for the fault `name`.
fn fault(name: &str, arguments: &str) -> Ended {
    let arguments = format!("--accel tcg faults::{name} {arguments}");
    Run::start(&mut test_in_vm(&kernel(), &arguments)).end()
}

#[test]
#[ignore = "boots guests; cargo xtask ci runs them"]
fn panic() {
    fault("panic", "").assert(4, "PANIC", "faults::panic");
}

#[test]
#[ignore = "boots guests; cargo xtask ci runs them"]
fn splat() {
    fault("warning", "").assert(1, "SPLAT", "faults::warning");
}

#[test]
#[ignore = "boots guests; cargo xtask ci runs them"]
fn fail_and_skip() {
    fault("assertion", "").assert(1, "FAIL", "faults::assertion");
    fault("exits_early", "").assert(1, "FAIL", "faults::exits_early");
    fault("skips", "").assert(1, "skip", "faults::skips");
}

#[test]
#[ignore = "boots guests; cargo xtask ci runs them"]
fn timeout() {
    fault("sleeps", "--deadline 2").assert(1, "TIMEOUT", "faults::sleeps");
    fault("user_loop", "--deadline 2").assert(1, "TIMEOUT", "faults::user_loop");
}

#[test]
#[ignore = "boots guests; cargo xtask ci runs them"]
fn hang() {
    for (name, smp) in
        [("interrupts_on", 1), ("interrupts_on", 2), ("interrupts_off", 1), ("interrupts_off", 2)]
    {
        let name = format!("kernel_loop_{name}");
        let arguments = format!("--smp {smp} --deadline 5 --silence 6");
        fault(&name, &arguments).assert(4, "HANG", &format!("faults::{name}"));
    }
}

#[test]
#[ignore = "boots guests; cargo xtask ci runs them"]
fn infra() {
    fault("kills_the_runner", "").assert(4, "INFRA", "faults::kills_the_runner");
}

#[test]
#[ignore = "boots guests; cargo xtask ci runs them"]
fn floods() {
    fault("output_flood", "").assert(0, "pass", "faults::output_flood");
    fault("console_flood", "--deadline 3").assert(1, "TIMEOUT", "faults::console_flood");
}

/// Starts a guest that has shown to be at work: one test is over, the next one runs.
fn at_work() -> Run {
    let mut run = Run::start(&mut test_in_vm(&kernel(), "--accel tcg faults::at_work"));
    run.wait_for("pass    faults::at_work_1_passes ");
    run.wait_for_ktap("# start faults::at_work_2_sleeps\n");
    run
}

#[test]
#[ignore = "boots guests; cargo xtask ci runs them"]
fn lost_guest() {
    let run = at_work();
    kill_process(run.qemu().unwrap(), Signal::KILL).unwrap();
    run.end().assert(4, "LOST", "faults::at_work_2_sleeps");
}

#[test]
#[ignore = "boots guests; cargo xtask ci runs them"]
fn interrupted() {
    for signal in [Signal::INT, Signal::TERM] {
        let run = at_work();
        run.signal(signal);
        assert_eq!(run.end().status.code(), Some(130));
    }
}

#[test]
#[ignore = "boots guests; cargo xtask ci runs them"]
fn killed() {
    let run = at_work();
    run.signal(Signal::KILL);
    assert_eq!(run.end().status.signal(), Some(9));
}

#[test]
#[ignore = "boots guests; cargo xtask ci runs them"]
fn shards_share_the_tests() {
    let junit = tempfile::NamedTempFile::new().unwrap();
    let path = junit.path().to_str().unwrap();
    let arguments = format!("--accel tcg --jobs 2 faults::share --junit {path}");
    let ended = Run::start(&mut test_in_vm(&kernel(), &arguments)).end();
    ended.assert(1, "pass", "faults::share_1_passes");
    ended.assert(1, "FAIL", "faults::share_2_fails");
    let report = fs::read_to_string(path).unwrap();
    assert!(report.contains(r#"tests="2""#) && report.contains(r#"failures="1""#), "{report}");
}

/// A run whose QEMU is the script `body`.
fn with_fake_qemu(folder: &Path, body: &str, arguments: &str) -> Command {
    script::put(folder.join("qemu-system-x86_64"), format!("#!/bin/sh\n{body}\n"));
    let path = std::env::var("PATH").unwrap();
    let mut command = test_in_vm(Path::new("/dev/null"), arguments);
    command.env("PATH", format!("{}:{path}", folder.display())).env("FASTNET_CACHE", folder.join("cache"));
    command
}

#[test]
fn a_guest_that_never_answers_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = with_fake_qemu(folder.path(), "exec sleep 1000", "--accel tcg --boot 1");
    let ended = Run::start(&mut command).end();
    ended.assert(4, "HANG", "boot");
    assert!(ended.said.contains("not a word from the runner in 1 s"));
}

/// A hundred megabytes of console, then the end: the log keeps both ends and says how much it lacks.
#[test]
fn a_console_flood_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let flood = "echo first; yes $(printf %0100000d 0) | head -c 100000000; echo last";
    let run = Run::start(&mut with_fake_qemu(folder.path(), flood, "--accel tcg"));
    let log = Path::new(&run.folder).join("guest-0/console.log");
    let ended = run.end();
    ended.assert(4, "LOST", "boot");
    assert!(ended.said.contains("QEMU ended by itself"));
    let log = fs::read_to_string(log).unwrap();
    assert!(log.starts_with("first\n") && log.ends_with("last\n") && log.contains(" bytes dropped]\n"));
    assert!(log.len() < 9 << 20);
}

#[test]
fn a_qemu_that_refuses_is_the_hosts_fault() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = with_fake_qemu(folder.path(), "echo no such machine >&2; exit 1", "--accel tcg");
    assert_eq!(Run::start(&mut command).end().status.code(), Some(3));
}

/// KVM that opens and never runs a guest: seen through within seconds, and remembered.
#[test]
#[ignore = "needs /dev/kvm; cargo xtask ci runs it"]
fn kvm_that_hangs_is_not_trusted() {
    if fs::File::options().read(true).write(true).open("/dev/kvm").is_err() {
        println!("no /dev/kvm here: nothing to distrust");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let hangs = r#"case "$*" in *accel=kvm*) echo once >>"$0.probed"; exec sleep 1000;; *--version*) echo QEMU 0;; esac"#;
    for _ in 0..2 {
        let ended = Run::start(&mut with_fake_qemu(folder.path(), hangs, "--accel auto")).end();
        // Why it may be so depends on the host.
        let line = ended.said.lines().find(|line| line.starts_with("KVM runs no guest here")).unwrap();
        assert!(
            line.contains("(nothing came from a guest in 4 s") && line.ends_with("): using TCG"),
            "{line}"
        );
    }
    let probed = fs::read_to_string(folder.path().join("qemu-system-x86_64.probed")).unwrap();
    assert_eq!(probed, "once\n", "the answer was not remembered");
    let mut insist = with_fake_qemu(folder.path(), hangs, "--accel kvm");
    assert_eq!(insist.stdout(Stdio::null()).status().unwrap().code(), Some(3));
}
