//! The subcommands, one file each. Nothing else prints a result.

pub mod artifacts;
pub mod bench_compare;
pub mod bench_hints;
pub mod bench_local;
pub mod bench_profile;
pub mod bench_real_world;
pub mod bench_report;
pub mod build_kernel;
pub mod ci;
pub mod deploy;
pub mod doctor;
pub mod fetch;
pub mod patch;
pub mod test_in_vm;
mod test_installed;
mod verdicts;
