//! Room on the cache's disk: asked for before a long download, explained where it runs out.

use std::io::{self, ErrorKind};
use std::path::Path;

use anyhow::Result;
use indicatif::HumanBytes;

use crate::host::room;

/// Fails where the disk under `place` has not `needed` bytes free.
pub fn require(place: &Path, needed: u64) -> Result<()> {
    if room::free(place)? >= needed {
        return Ok(());
    }
    needs(Err(io::Error::from(ErrorKind::StorageFull).into()), || needed)
}

/// Where an error is a full disk, adds how many bytes the work takes.
pub fn needs<T>(result: Result<T>, needed: impl FnOnce() -> u64) -> Result<T> {
    match result {
        Err(error) if ran_out(&error) => {
            Err(error.context(format!("this takes about {}", HumanBytes(needed()))))
        }
        result => result,
    }
}

/// Whether an error is a full disk or a quota; of a tool or a C library only its words tell.
pub fn ran_out(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| match cause.downcast_ref::<io::Error>() {
        Some(cause) => matches!(cause.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded),
        None => cause.to_string().contains("No space left on device"),
    })
}
