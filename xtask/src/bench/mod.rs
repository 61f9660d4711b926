//! What receiving costs: plan -> run -> statistics -> report; and, of one datagram, the hints and branches it meets.

pub mod cell;
mod chance;
pub mod chapter;
pub mod compare;
pub mod feed;
pub mod hints;
mod image;
mod initramfs;
pub mod ledger;
pub mod lines;
pub mod order;
pub mod origin;
pub mod outcome;
pub mod plan;
pub mod profile;
pub mod report;
pub mod result;
pub mod run;
mod said;
mod stacks;
pub mod statistics;
pub mod trace;
pub mod watch;
