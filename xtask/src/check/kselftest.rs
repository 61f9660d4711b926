//! The tests that a series adds to the kernel's own, as static executables for a guest.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xshell::cmd;

use crate::exit::{Classify, Exit};
use crate::kernel::changes;
use crate::kernel::launcher::Compilers;
use crate::kernel::make::Make;
use crate::kernel::series::Patch;
use crate::process;

/// The C files that the patches touch in the kernel's own tests.
pub fn sources(patches: &[Patch]) -> Result<Vec<PathBuf>> {
    let mut sources = Vec::new();
    for patch in patches {
        let is_test = |path: &PathBuf| {
            path.starts_with("tools/testing/selftests") && path.extension().is_some_and(|kind| kind == "c")
        };
        sources.extend(changes::paths(patch)?.into_iter().filter(is_test));
    }
    sources.sort();
    sources.dedup();
    Ok(sources)
}

/// Compiles each against the headers that the kernel gives user space; a warning is an error.
pub fn build(tree: &Path, objtree: &Path, sources: &[PathBuf], compilers: Compilers) -> Result<Vec<PathBuf>> {
    Make::new(tree, objtree, compilers)?.run("installing headers", None, &["headers"], &[])?;
    let headers = objtree.join("usr/include");
    let folder = objtree.join("kselftest");
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let shell = process::shell(tree)?;
    sources
        .iter()
        .map(|source| {
            let executable = folder.join(source.file_stem().unwrap_or_default());
            let compile =
                cmd!(shell, "gcc -O2 -Wall -Werror -static -isystem {headers} -o {executable} {source}");
            process::run(compile).exit(Exit::Kernel, || format!("{} does not compile", source.display()))?;
            Ok(executable)
        })
        .collect()
}
