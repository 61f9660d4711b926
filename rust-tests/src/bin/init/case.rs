//! One test or cell: a process in its own group with a deadline and bounded output; a test has its own namespaces
//! and `/tmp`, too.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rust_tests::sys::link;
use rust_tests::{SKIP, SKIP_PREFIX};

use crate::options::Options;
use crate::port::WORD;
use crate::{mount, system};

/// How long a killed process may take to go before it counts as stuck in the kernel, and how long its output may take
/// to end behind it.
const GRACE: Duration = Duration::from_secs(5);

/// What is run and reported as one.
#[derive(Debug, PartialEq, Eq)]
pub struct Case {
    /// By which it is reported.
    pub name: String,
    /// What is run for it.
    pub executable: PathBuf,
    /// What it is told.
    pub arguments: Vec<String>,
    /// What it is.
    pub kind: Kind,
}

/// What a case is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A `#[test]`, in a world of its own.
    Test,
    /// A measurement, in the world that every process shares: what making and clearing away another one costs would
    /// be measured, too.
    Cell,
}

/// How a test ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// It passed.
    Pass,
    /// It asked to be skipped, for this reason.
    Skip(String),
    /// It failed, in this way.
    Fail(String),
    /// It was killed at its deadline.
    Timeout,
    /// It was killed at its deadline, and is still there.
    Unkillable,
}

enum Event {
    Output(Vec<u8>),
    Exited(io::Result<ExitStatus>),
}

/// Runs `case`, calling `alive` every second.
pub fn run(case: &Case, options: &Options, mut alive: impl FnMut()) -> Result<(Ended, Capture)> {
    let (group, events) = start(case, &options.env)?;
    let mut capture = Capture::default();
    let started = Instant::now();
    let mut killed = None;
    let mut word = started;
    let status = loop {
        match events.recv_timeout(WORD.saturating_sub(word.elapsed())) {
            Ok(Event::Output(bytes)) => capture.add(&bytes),
            Ok(Event::Exited(status)) => break status.context("waiting for the test")?,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => anyhow::bail!("the test's threads are gone"),
        }
        if word.elapsed() >= WORD {
            alive();
            word = Instant::now();
        }
        match killed {
            None if started.elapsed() >= options.deadline => {
                system::kill_group(group);
                killed = Some(Instant::now());
            }
            Some(at) if at.elapsed() >= GRACE => return Ok((Ended::Unkillable, capture)),
            _ => {}
        }
    };
    // What the test left running would hold the pipe open, and disturb the next test.
    system::kill_group(group);
    let drained = Instant::now() + GRACE;
    while let Ok(Event::Output(bytes)) =
        events.recv_timeout(drained.saturating_duration_since(Instant::now()))
    {
        capture.add(&bytes);
    }
    let ended = if killed.is_some() { Ended::Timeout } else { judge(case.kind, status, &capture.text()) };
    Ok((ended, capture))
}

fn start(case: &Case, env: &[(String, String)]) -> Result<(u32, Receiver<Event>)> {
    let (mut reader, writer) = io::pipe().context("making a pipe")?;
    let mut command = Command::new(&case.executable);
    command
        .args(&case.arguments)
        .env_clear()
        .envs([("PATH", "/bin"), ("HOME", "/tmp"), ("TMPDIR", "/tmp")])
        .envs(env.iter().cloned())
        .process_group(0)
        .stdin(std::process::Stdio::null())
        .stdout(writer.try_clone().context("sharing the pipe")?)
        .stderr(writer);
    if case.kind == Kind::Test {
        // SAFETY: between fork and exec these only make system calls and allocate nothing.
        unsafe {
            command.pre_exec(|| {
                system::unshare()?;
                mount::private_tmp()?;
                link::loopback_up()
            });
        }
    }
    let mut child = command.spawn().with_context(|| format!("starting {}", case.executable.display()))?;
    // Its copies of the pipe's write end go with it, or the reader would never see the end.
    drop(command);
    let group = child.id();
    // Bounded, so that a flood waits in the pipe and not in memory.
    let (sender, events): (SyncSender<Event>, _) = mpsc::sync_channel(16);
    let exited = sender.clone();
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = reader.read(&mut buffer) {
            if sender.send(Event::Output(buffer[..length].to_vec())).is_err() {
                break;
            }
        }
    });
    thread::spawn(move || exited.send(Event::Exited(child.wait())));
    Ok((group, events))
}

/// libtest's word counts, not the exit code alone: a test that calls `exit(0)` half-way has not passed.
fn judge(kind: Kind, status: ExitStatus, output: &str) -> Ended {
    match (status.code(), status.signal()) {
        (Some(0), _) if kind == Kind::Cell => Ended::Pass,
        (Some(0), _) if output.contains("test result: ok. 1 passed;") => Ended::Pass,
        (Some(0), _) => Ended::Fail("exit 0 before the test was over".to_owned()),
        (Some(SKIP), _) => {
            // libtest may have begun the line.
            let why = output.lines().rev().find_map(|line| line.split_once(SKIP_PREFIX));
            Ended::Skip(why.map_or("no reason given", |(_, why)| why.trim()).to_owned())
        }
        (Some(code), _) => Ended::Fail(format!("exit {code}")),
        (None, signal) => Ended::Fail(format!("signal {}", signal.unwrap_or_default())),
    }
}

/// The beginning and the end of a test's output, and how much is missing between.
#[derive(Default)]
pub struct Capture {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    dropped: usize,
}

impl Capture {
    const HALF: usize = 16 * 1024;

    fn add(&mut self, bytes: &[u8]) {
        let room = (Self::HALF - self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..room]);
        self.tail.extend(&bytes[room..]);
        let excess = self.tail.len().saturating_sub(Self::HALF);
        self.tail.drain(..excess);
        self.dropped += excess;
    }

    /// The output as text, with a line in place of what was dropped.
    pub fn text(&self) -> String {
        let mut bytes = self.head.clone();
        if self.dropped > 0 {
            bytes.extend_from_slice(format!("\n[{} bytes dropped]\n", self.dropped).as_bytes());
        }
        bytes.extend(&self.tail);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(code: i32) -> ExitStatus {
        ExitStatus::from_raw(code << 8)
    }

    #[test]
    fn a_flood_keeps_both_ends() {
        let mut capture = Capture::default();
        capture.add(b"first\n");
        for _ in 0..1000 {
            capture.add(&[b'x'; 10_000]);
        }
        capture.add(b"last");
        let text = capture.text();
        assert!(text.starts_with("first\n") && text.ends_with("xlast"));
        assert!(text.len() < 2 * Capture::HALF + 100);
        let dropped = 10_000_010 - 2 * Capture::HALF;
        assert!(text.contains(&format!("[{dropped} bytes dropped]")));
    }

    #[test]
    fn only_libtests_word_is_a_pass() {
        let judge = |status, output| judge(Kind::Test, status, output);
        assert_eq!(judge(exit(0), "test result: ok. 1 passed; 0 failed"), Ended::Pass);
        assert!(matches!(judge(exit(0), ""), Ended::Fail(_)));
        assert!(matches!(judge(exit(0), "test result: ok. 0 passed; 0 failed"), Ended::Fail(_)));
        assert_eq!(judge(exit(101), "test result: ok. 1 passed;"), Ended::Fail("exit 101".into()));
        assert_eq!(judge(ExitStatus::from_raw(11), ""), Ended::Fail("signal 11".into()));
    }

    #[test]
    fn a_cell_has_no_word_but_its_exit_code() {
        assert_eq!(judge(Kind::Cell, exit(0), "round 1 2 3"), Ended::Pass);
        assert_eq!(judge(Kind::Cell, exit(1), "round 1 2 3"), Ended::Fail("exit 1".into()));
    }

    #[test]
    fn a_skip_gives_its_reason() {
        assert_eq!(
            judge(Kind::Test, exit(4), "SKIP: early\ntest a ... SKIP: no call 600\n"),
            Ended::Skip("no call 600".into())
        );
    }
}
