//! One file a subcommand; nothing else prints.

pub mod test_in_vm;
