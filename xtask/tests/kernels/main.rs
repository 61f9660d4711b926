//! `cargo xtask patch` and `build-kernel` as a user meets them, against a kernel of a few lines.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod build;
mod check;
mod kernel;
mod killed;
mod launcher;
mod patches;
mod reproduce;
#[path = "../script/mod.rs"]
mod script;
#[path = "../world/mod.rs"]
mod world;
