//! `cargo xtask fetch`: a verified, pristine kernel tree.

use anyhow::Result;

use crate::cli::KernelArgs;
use crate::host::{self, Purpose};
use crate::kernel::source;
use crate::workspace::Workspace;

/// Obtains the tree and prints its path, alone on stdout.
pub fn run(workspace: &Workspace, args: &KernelArgs) -> Result<()> {
    host::require(&[Purpose::Fetch], args.yes)?;
    let tree = source::obtain(workspace, args)?;
    if let Some(notice) = &tree.notice {
        eprintln!("{notice}");
    }
    eprintln!("Linux {} (patches in {}), sha256 {}", tree.release, tree.patches.display(), tree.identity);
    println!("{}", tree.dir.display());
    Ok(())
}
