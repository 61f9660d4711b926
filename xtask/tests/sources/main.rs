//! `cargo xtask fetch` as a user meets it, against tiny kernels and a server on this machine.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod apt;
mod archive;
mod catalog;
mod disk;
mod download;
mod fallback;
mod fetch;
mod git;
mod members;
mod processes;
#[path = "../server/mod.rs"]
mod server;
#[path = "../world/mod.rs"]
mod world;
