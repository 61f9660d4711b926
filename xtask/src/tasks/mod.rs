//! The subcommands, one file each. Nothing else prints a result.

pub mod build_kernel;
pub mod fetch;
pub mod patch;
