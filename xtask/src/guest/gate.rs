//! The gate: a port of the guest's on which a measurement marks where it begins and ends, and waits there until we
//! are ready. What it has to tell beside its marks goes the same way.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::monitor::Monitor;

/// Our ends of a guest's gate and of its QEMU's monitor. QEMU comes to us, so that nobody has to wait for a name.
#[derive(Debug)]
pub struct Gate {
    // Holds the sockets' names.
    folder: TempDir,
    guest: UnixListener,
    qemu: UnixListener,
}

/// What a guest is told that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To go on.
    GoOn,
    /// To go on, and to wait no more.
    Enough,
}

/// A line that a guest sent through its gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// It waits before what is to be measured.
    Begin,
    /// It waits after it.
    End,
    /// It goes on.
    Said(&'a str),
}

impl Gate {
    /// A gate for a guest to come.
    pub fn new() -> Result<Self> {
        let folder = tempfile::tempdir().context("making a temporary folder")?;
        let listen = |name| UnixListener::bind(folder.path().join(name)).context("listening on a socket");
        Ok(Self { guest: listen("gate")?, qemu: listen("monitor")?, folder })
    }

    /// What QEMU is to be told of it.
    pub fn arguments(&self) -> Vec<OsString> {
        let socket = |name| format!("socket,id={name},path={}", self.path(name).display());
        let words = [
            "-chardev",
            &socket("gate"),
            "-device",
            "virtserialport,chardev=gate,name=fastnet.gate",
            "-chardev",
            &socket("monitor"),
            "-mon",
            "chardev=monitor,mode=control",
        ];
        words.map(OsString::from).to_vec()
    }

    /// Hears a guest out, up to the guest's end or [`Gate::close`].
    pub fn serve(&self, mut on_line: impl FnMut(Line<'_>, &mut Monitor) -> Result<Answer>) -> Result<()> {
        let (gate, _) = self.guest.accept().context("waiting for a guest's gate")?;
        let (monitor, _) = self.qemu.accept().context("waiting for QEMU's monitor")?;
        let Ok(mut monitor) = Monitor::new(monitor) else { return Ok(()) };
        let mut answer = gate.try_clone().context("sharing a socket")?;
        for text in BufReader::new(gate).lines() {
            let text = text.context("reading from a guest's gate")?;
            let line = match text.as_str() {
                "begin" => Line::Begin,
                "end" => Line::End,
                said => Line::Said(said),
            };
            let byte = match on_line(line, &mut monitor)? {
                Answer::GoOn => b"g",
                Answer::Enough => b"e",
            };
            if !matches!(line, Line::Said(_)) {
                answer.write_all(byte).context("writing to a guest's gate")?;
            }
        }
        Ok(())
    }

    /// Lets go of whoever still waits in [`Gate::serve`] for a guest that never came.
    pub fn close(&self) {
        for name in ["gate", "monitor"] {
            let _ = UnixStream::connect(self.path(name));
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::thread;

    #[test]
    fn a_guest_waits_at_its_marks_and_nowhere_else() {
        let gate = Gate::new().unwrap();
        thread::scope(|scope| {
            let guest = scope.spawn(|| {
                let mut guest = UnixStream::connect(gate.path("gate")).unwrap();
                let mut monitor = UnixStream::connect(gate.path("monitor")).unwrap();
                monitor.write_all(b"{\"QMP\": {}}\n{\"return\": {}}\n").unwrap();
                guest.write_all(b"hint a\nbegin\n").unwrap();
                guest.read_exact(&mut [0]).unwrap();
                guest.write_all(b"end\n").unwrap();
                guest.read_exact(&mut [0]).unwrap();
                guest.read(&mut [0]).map(|_| ()).unwrap_or_default();
            });
            let mut heard = Vec::new();
            let served = gate.serve(|line, _| {
                heard.push(format!("{line:?}"));
                anyhow::ensure!(line != Line::End, "enough");
                Ok(Answer::GoOn)
            });
            assert_eq!(served.unwrap_err().to_string(), "enough");
            assert_eq!(heard, ["Said(\"hint a\")", "Begin", "End"]);
            assert!(guest.join().is_err(), "it went on without an answer");
        });
    }

    #[test]
    fn a_guest_that_never_comes_holds_nobody() {
        let gate = Gate::new().unwrap();
        gate.close();
        gate.serve(|_, _| Ok(Answer::GoOn)).unwrap();
    }
}
