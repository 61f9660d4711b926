//! The gate: a port on which the host is told where a measurement begins and ends, and waited for there.

use std::cell::Cell;
use std::fs::File;
use std::io::{Read, Write};

use anyhow::{Context, Result};
use rust_tests::port;

/// The open gate.
#[derive(Debug)]
pub struct Gate {
    port: File,
    /// Whether the host has seen all it wants to see.
    enough: Cell<bool>,
}

impl Gate {
    /// Opens it, where the host has given the guest one.
    pub fn open() -> Result<Self> {
        Ok(Self { port: port::open("fastnet.gate")?, enough: Cell::new(false) })
    }

    /// Tells the host something it does not answer.
    pub fn say(&self, line: &str) -> Result<()> {
        (&self.port).write_all(format!("{line}\n").as_bytes()).context("telling the host")
    }

    /// Does `work` while the host looks on, for as long as it wants to.
    ///
    /// # Panics
    /// Where the host is gone: nobody is left to tell.
    pub fn around<T>(&self, work: impl FnOnce() -> T) -> T {
        if !self.enough.get() {
            self.wait("begin").expect("the host looks on");
        }
        let result = work();
        if !self.enough.get() {
            self.wait("end").expect("the host looks on");
        }
        result
    }

    /// Tells a host that looks on how many datagrams the work brought.
    pub fn brought(&self, datagrams: usize) -> Result<()> {
        if self.enough.get() { Ok(()) } else { self.say(&format!("datagrams {datagrams}")) }
    }

    fn wait(&self, mark: &str) -> Result<()> {
        self.say(mark)?;
        let mut answer = [0];
        (&self.port).read_exact(&mut answer).context("waiting for the host")?;
        self.enough.set(answer == *b"e");
        Ok(())
    }
}
