//! The subcommands, one file each. Nothing else prints a result.

pub mod doctor;
pub mod fetch;
