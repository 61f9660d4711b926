//! The guest: QEMU, what boots in it, and what its silence, its console and its reports mean.

pub mod accel;
mod console;
pub mod executables;
pub mod gate;
pub mod initramfs;
pub mod judge;
pub mod junit;
mod ktap;
pub mod monitor;
pub mod qemu;
pub mod run;
pub mod runs;
pub mod session;
pub mod splat;
pub mod together;
pub mod verdict;
pub mod wire;
