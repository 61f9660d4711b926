//! Memory that the kernel has lost, where it can tell: behind the last test, when all should be given back.

use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::port::Port;
use crate::system;

const KMEMLEAK: &str = "/sys/kernel/debug/kmemleak";

/// Younger memory is not looked at: pointers to it may be in registers.
const AGE: Duration = Duration::from_secs(6);

/// Lines of a report that go to the console: a leak has a dozen or two.
const LINES: usize = 200;

/// Lets the kernel search its memory, and prints what it finds to the console, where the host takes it for the
/// complaint that it is.
pub fn report(port: &mut Port) -> Result<()> {
    if !Path::new(KMEMLEAK).exists() {
        return Ok(());
    }
    let report = port.alive_while(search)?.context(KMEMLEAK)?;
    for line in report.lines().take(LINES) {
        system::kmsg(&format!("kmemleak: {line}"))?;
    }
    system::kmsg("fastnet: searched for leaks")
}

/// What was not referred to by anything, and was the same, in two searches.
fn search() -> io::Result<String> {
    thread::sleep(AGE);
    fs::write(KMEMLEAK, "scan")?;
    fs::write(KMEMLEAK, "scan")?;
    fs::read_to_string(KMEMLEAK)
}
