//! A download under way, kept on disk so that a later run goes on with it.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::digest::{self, Hasher};

/// What the bytes got so far are the beginning of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The address they came from, or the file's name where its address is another each time.
    pub name: String,
    /// The server's name for that very content: a strong `ETag`, or a Last-Modified.
    pub validator: String,
}

/// The first bytes of an archive, digested as they come.
pub struct Part {
    path: PathBuf,
    file: File,
    hasher: Hasher,
    length: u64,
    origin: Option<Origin>,
}

impl Part {
    /// Where the bytes are of the archive that is to be `path`.
    pub fn place(path: &Path) -> PathBuf {
        path.with_added_extension("part")
    }

    /// Opens the part of the archive that is to be `path`, with what an earlier run left there.
    pub fn open(path: &Path) -> Result<Self> {
        let path = Self::place(path);
        let context = || format!("opening {}", path.display());
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .with_context(context)?;
        let mut hasher = Hasher::default();
        let length = hasher.read(&mut file).with_context(context)?;
        // Unreadable is as good as missing: the download starts over.
        let origin = fs::read(sidecar(&path)).ok().and_then(|text| serde_json::from_slice(&text).ok());
        Ok(Self { path, file, hasher, length, origin })
    }

    /// How many bytes there are.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// What to send as If-Range so that the file of that name goes on where the part ends; `None` where it cannot.
    pub fn validator(&self, name: &str) -> Option<&str> {
        let origin = self.origin.as_ref().filter(|origin| self.length > 0 && origin.name == name)?;
        Some(&origin.validator)
    }

    /// Starts over, with bytes of that origin to come.
    pub fn restart(&mut self, origin: Option<Origin>) -> Result<()> {
        // In this order a run that dies in between leaves no bytes under a wrong origin.
        self.file.set_len(0).with_context(|| format!("emptying {}", self.path.display()))?;
        self.file.rewind()?;
        (self.hasher, self.length) = (Hasher::default(), 0);
        digest::atomic_write(&sidecar(&self.path), serde_json::to_vec(&origin)?)?;
        self.origin = origin;
        Ok(())
    }

    /// Adds the next bytes.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.seek(SeekFrom::Start(self.length))?;
        self.file.write_all(bytes).with_context(|| format!("writing {}", self.path.display()))?;
        self.hasher.write_all(bytes)?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// The digest of the bytes so far.
    pub fn sha256(&self) -> String {
        self.hasher.clone().hex()
    }

    /// Where the bytes are.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn sidecar(part: &Path) -> PathBuf {
    part.with_extension("origin")
}
