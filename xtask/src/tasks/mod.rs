//! One file a subcommand; only these print.

pub mod doctor;
