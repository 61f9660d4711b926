//! The virtio-serial port on which the runner reports: apart from the console, so that no kernel message can
//! break a result line.

use std::fs::File;
use std::io::Write;

use anyhow::Result;

const NAME: &str = "fastnet.ktap";

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
}
