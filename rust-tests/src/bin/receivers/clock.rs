//! The clock, and what reading it costs.

use std::arch::x86_64::_rdtsc;
use std::str::FromStr;

use anyhow::{Error, Result, bail, ensure};

use crate::gate::Gate;

/// What a tick is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Of the guest's CPU; only where the emulator counts them.
    Instructions,
    /// Nanoseconds of `CLOCK_MONOTONIC`.
    Nanoseconds,
}

impl FromStr for Unit {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "instructions" => Ok(Self::Instructions),
            "ns" => Ok(Self::Nanoseconds),
            _ => bail!("{text} is neither instructions nor ns"),
        }
    }
}

/// A clock whose own cost is known.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    unit: Unit,
    overhead: u64,
    watcher: Option<&'static Gate>,
}

impl Clock {
    /// Calibrates the clock. One that is to count instructions must prove that it does.
    pub fn new(unit: Unit) -> Result<Self> {
        let mut clock = Self { unit, overhead: 0, watcher: None };
        // The least of many: an interrupt between two looks is not the clock's.
        clock.overhead = least(1000, || clock.time(|| ()).1);
        if unit == Unit::Instructions {
            // Two kinds, of which a CPU does one in half the cycles of the other.
            for thousand in [thousand_in_steps, thousand_at_once] {
                let ticks = least(10, || clock.time(thousand).1);
                ensure!(
                    (1000..1010).contains(&ticks),
                    "1000 instructions took {ticks} ticks: this clock does not count instructions"
                );
            }
        }
        Ok(clock)
    }

    /// No clock at all: the host looks on, from where work begins to where it ends.
    pub fn watched(gate: Gate) -> Self {
        Self { unit: Unit::Nanoseconds, overhead: 0, watcher: Some(Box::leak(Box::new(gate))) }
    }

    /// Does `work` and tells how many ticks it took, without those that looking at the clock takes.
    #[inline]
    pub fn time<T>(&self, work: impl FnOnce() -> T) -> (T, u64) {
        if let Some(gate) = self.watcher {
            return (gate.around(work), 0);
        }
        let start = self.now();
        let result = work();
        let ticks = self.now() - start;
        (result, ticks.saturating_sub(self.overhead))
    }

    /// Tells who looks on, if anybody does, how many datagrams the last work brought.
    pub fn brought(&self, datagrams: usize) -> Result<()> {
        self.watcher.map_or(Ok(()), |gate| gate.brought(datagrams))
    }

    #[inline]
    fn now(&self) -> u64 {
        match self.unit {
            // SAFETY: every x86-64 CPU has this counter, and Linux lets user space read it.
            Unit::Instructions => unsafe { _rdtsc() },
            Unit::Nanoseconds => nanoseconds(libc::CLOCK_MONOTONIC),
        }
    }
}

/// What a clock of the kernel's tells.
pub fn nanoseconds(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a timespec to write to.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

fn least(times: usize, mut look: impl FnMut() -> u64) -> u64 {
    (0..times).map(|_| look()).min().unwrap_or(0)
}

/// Each needs the one before, give or take the one that loads the count.
fn thousand_in_steps() {
    // SAFETY: counts a register of its own down to zero, two instructions a turn.
    unsafe {
        std::arch::asm!("2: dec {count}", "jnz 2b", count = inout(reg) 500_u64 => _, options(nomem, nostack));
    }
}

/// As many that wait for nothing.
fn thousand_at_once() {
    // SAFETY: does nothing.
    unsafe { std::arch::asm!(".rept 1000", "nop", ".endr", options(nomem, nostack)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nanoseconds_go_on() {
        let clock = Clock::new(Unit::Nanoseconds).unwrap();
        let ((), ticks) = clock.time(|| std::thread::sleep(std::time::Duration::from_millis(2)));
        assert!((2_000_000..2_000_000_000).contains(&ticks), "{ticks}");
    }

    /// A real CPU's counter ticks with its clock, not with its instructions.
    #[test]
    fn a_counter_of_cycles_is_seen_through() {
        let error = Clock::new(Unit::Instructions).unwrap_err().to_string();
        assert!(error.contains("does not count instructions"), "{error}");
    }
}
