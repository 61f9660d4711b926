//! A machine that boots as users' machines do: firmware, a boot loader, a disk with Debian on it, sshd.

pub mod disk;
pub mod installed;
mod recipe;
mod runner;
pub mod running;
pub mod ssh;
