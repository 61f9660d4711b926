//! The virtio-serial port on which the runner reports: apart from the console, so that no kernel message can
//! break a result line.

use std::fs::File;
use std::io::Write;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

const NAME: &str = "fastnet.ktap";

/// How often the host hears that the runner lives.
pub const WORD: Duration = Duration::from_secs(1);

/// The open port.
pub struct Port(File);

impl Port {
    /// Finds the port by the name the host gave it.
    pub fn open() -> Result<Self> {
        rust_tests::port::open(NAME).map(Self)
    }

    /// Sends one line. A line that can't be sent is missed by the host, which never takes silence for a pass.
    pub fn line(&mut self, text: &str) {
        let _ = self.0.write_all(format!("{text}\n").as_bytes());
    }

    /// Says that the runner lives.
    pub fn alive(&mut self) {
        self.line("# alive");
    }

    /// Says so every second for as long as `work` takes, and returns what came of that.
    pub fn alive_while<T: Send>(&mut self, work: impl FnOnce() -> T + Send) -> Result<T> {
        thread::scope(|scope| {
            let (sender, done) = mpsc::channel();
            scope.spawn(move || sender.send(work()));
            loop {
                match done.recv_timeout(WORD) {
                    Err(RecvTimeoutError::Timeout) => self.alive(),
                    done => return done.context("the thread at work is gone"),
                }
            }
        })
    }
}
