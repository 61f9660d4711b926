//! `cargo xtask artifacts` as a user meets it, against a server on this machine that behaves as GitHub's
//! documentation says.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod download;
mod github;
mod hostile;
mod limits;
mod login;
mod packages;
mod readme;
mod runs;
#[path = "../script/mod.rs"]
mod script;
#[path = "../server/mod.rs"]
mod server;
#[path = "../world/mod.rs"]
mod world;
