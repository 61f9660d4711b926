//! One command at a time on a piece of the cache, across processes.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use anyhow::{Context, Result};

use crate::progress;

/// A lock held until it is dropped. The kernel lets go of it when its process ends, however it ends, so a
/// lock file left behind means nothing.
#[derive(Debug)]
pub struct FileLock(File);

impl FileLock {
    /// Takes the lock at `path` for `purpose`; where another process has it, says which and waits.
    pub fn take(path: &Path, purpose: &str) -> Result<Self> {
        let context = || format!("locking {}", path.display());
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .with_context(context)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder).with_context(context)?;
                progress::line(&format!("waiting for {} ({})", holder.trim(), path.display()));
                file.lock().with_context(context)?;
            }
            Err(TryLockError::Error(cause)) => return Err(cause).with_context(context),
        }
        file.set_len(0).with_context(context)?;
        file.rewind().with_context(context)?;
        // A courtesy to who waits: on a full disk the lock holds without it.
        let _ = writeln!(file, "process {}, {purpose}", std::process::id());
        Ok(Self(file))
    }

    /// Lets every process started from now on hold the lock too, until the last of them ends.
    pub fn inherit(&self) -> Result<()> {
        rustix::io::fcntl_setfd(&self.0, rustix::io::FdFlags::empty()).context("passing a lock on")
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Nothing to do where these fail: closing the file unlocks it.
        let _ = self.0.set_len(0);
        let _ = self.0.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::thread;

    #[test]
    fn the_lock_file_names_its_holder_and_a_second_taker_waits() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.lock");
        let first = FileLock::take(&path, "fetching 6.11").unwrap();
        let said = std::fs::read_to_string(&path).unwrap();
        assert_eq!(said, format!("process {}, fetching 6.11\n", std::process::id()));

        let (sender, order) = mpsc::channel();
        let second = thread::spawn({
            let (path, sender) = (path.clone(), sender.clone());
            move || {
                let lock = FileLock::take(&path, "fetching 6.11").unwrap();
                sender.send("second").unwrap();
                drop(lock);
            }
        });
        sender.send("first").unwrap();
        drop(first);
        second.join().unwrap();
        assert_eq!(order.try_iter().collect::<Vec<_>>(), ["first", "second"]);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
    }
}
