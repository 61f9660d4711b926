//! A wire between two guests: a network card in each, whose frames we carry from one QEMU to the other. Nothing of it is
//! the host's network's, so nobody needs to be root.

use std::ffi::OsString;
use std::io;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread;

use anyhow::{Context, Result};
use tempfile::TempDir;

/// A wire with two ends, one for each guest.
#[derive(Debug)]
pub struct Wire {
    /// For [`super::qemu::Machine`]s.
    pub ends: [End; 2],
    // Holds the sockets' names.
    _folder: TempDir,
}

/// An end of a wire. QEMU comes to us, so that neither guest has to wait for the other.
#[derive(Debug)]
pub struct End {
    path: PathBuf,
    listener: UnixListener,
    /// The network card's address.
    mac: &'static str,
}

impl Wire {
    /// A wire for two guests to come.
    pub fn new() -> Result<Self> {
        let folder = tempfile::tempdir().context("making a temporary folder")?;
        let end = |name, mac| {
            let path = folder.path().join(name);
            let listener = UnixListener::bind(&path).context("listening on a socket")?;
            anyhow::Ok(End { path, listener, mac })
        };
        let ends = [end("left", "52:54:00:77:00:01")?, end("right", "52:54:00:77:00:02")?];
        Ok(Self { ends, _folder: folder })
    }

    /// Carries frames, none of which it loses, until both guests have ended or never come; see [`Wire::close`].
    pub fn carry(&self) -> Result<()> {
        let [left, right] = &self.ends;
        let accept = |end: &End| end.listener.accept().context("waiting for a guest's network card");
        let (left, right) = (accept(left)?.0, accept(right)?.0);
        thread::scope(|scope| {
            scope.spawn(|| carry(&left, &right));
            carry(&right, &left);
        });
        Ok(())
    }

    /// Lets go of whoever still waits in [`Wire::carry`] for a guest that never came.
    pub fn close(&self) {
        for end in &self.ends {
            let _ = UnixStream::connect(&end.path);
        }
    }
}

impl End {
    /// What QEMU is to be told of it.
    pub fn arguments(&self) -> Vec<OsString> {
        let path = self.path.display();
        let words = [
            "-netdev",
            &format!("stream,id=wire,server=off,addr.type=unix,addr.path={path}"),
            "-device",
            &format!("virtio-net-pci,netdev=wire,mac={}", self.mac),
        ];
        words.map(OsString::from).to_vec()
    }
}

/// Carries one way. A guest that ends tears the wire: what the other still sends goes nowhere, as on a real one.
fn carry(mut from: &UnixStream, mut to: &UnixStream) {
    let _ = io::copy(&mut from, &mut to);
    for end in [from, to] {
        let _ = end.shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn what_goes_in_at_one_end_comes_out_at_the_other_until_one_is_gone() {
        let wire = Wire::new().unwrap();
        thread::scope(|scope| {
            let carrier = scope.spawn(|| wire.carry());
            let [mut left, mut right] =
                [0, 1].map(|end: usize| UnixStream::connect(&wire.ends[end].path).unwrap());
            let mut came = [0; 5];
            left.write_all(b"there").unwrap();
            right.read_exact(&mut came).unwrap();
            assert_eq!(&came, b"there");
            right.write_all(b"back!").unwrap();
            left.read_exact(&mut came).unwrap();
            assert_eq!(&came, b"back!");
            drop(left);
            assert_eq!(right.read(&mut came).unwrap(), 0);
            carrier.join().unwrap().unwrap();
        });
    }

    #[test]
    fn a_guest_that_never_comes_holds_nobody() {
        let wire = Wire::new().unwrap();
        wire.close();
        wire.carry().unwrap();
    }
}
