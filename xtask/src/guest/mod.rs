//! The guest: QEMU, what boots in it, and what its silence, its console and its reports mean.

pub mod accel;
mod console;
mod executables;
mod initramfs;
mod judge;
pub mod junit;
mod ktap;
mod qemu;
pub mod run;
mod session;
mod splat;
pub mod verdict;
