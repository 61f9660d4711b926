//! From a name in the catalog to a kernel, one file a stage, in the order it runs:
//! catalog -> source -> patch -> config -> build -> package.

pub mod build;
pub mod catalog;
pub mod changes;
pub mod config;
mod contents;
mod diagnostics;
pub mod export;
mod hunk;
pub mod launcher;
mod layout;
pub mod mail;
pub mod make;
pub mod manifest;
pub mod package;
pub mod patch;
mod recovery;
pub mod reproduce;
mod sbom;
pub mod series;
mod shims;
pub mod source;

use anyhow::Result;

use crate::cli::{Flavor, Format, KernelArgs};
use crate::progress;
use crate::workspace::Workspace;
use build::KernelBuild;
use launcher::Compilers;

/// The kernel that the command line asks for: built, or found as it was built from the same.
pub fn build_kernel(workspace: &Workspace, args: &KernelArgs) -> Result<KernelBuild> {
    build_packages(workspace, args, &[], Compilers::of_host()?)
}

/// The same, and its packages, with these compilers.
pub fn build_packages(
    workspace: &Workspace,
    args: &KernelArgs,
    formats: &[Format],
    compilers: Compilers,
) -> Result<KernelBuild> {
    let source = source::obtain(workspace, args)?;
    if let Some(notice) = &source.notice {
        progress::line(notice);
    }
    let tree = patch::apply(workspace, source, args.flavor.unwrap_or(Flavor::Fastnet))?;
    let build = build::build(workspace, &tree, args.config, compilers)?;
    package::package(&tree, build, formats, compilers)
}
