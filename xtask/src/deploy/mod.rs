//! `cargo xtask deploy`: a kernel onto a host, over ssh, and back again should it fail there.
//!
//! What happens is a list of steps ([`plan`]). Each is a script in `far/`, run by the host's own sh; what it must
//! remember is in `/var/lib/fastnet/deploy` there and nowhere here, so that a deploy which was cut off goes on from
//! any machine.

#[cfg(test)]
mod by_hand;
mod far;
mod package;
mod plan;
mod position;
#[cfg(test)]
mod rehearsal;
mod run;
mod ssh;
#[cfg(test)]
mod way;

pub use package::Package;
pub use plan::{Plan, Trial};
pub use run::{deploy, format, roll_back, status};
pub use ssh::Host;
