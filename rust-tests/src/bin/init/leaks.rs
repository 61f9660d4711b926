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
    complaint(&report).try_for_each(|line| system::kmsg(&line))?;
    system::kmsg("fastnet: searched for leaks")
}

/// How the console is told of it: lines that the host knows.
fn complaint(report: &str) -> impl Iterator<Item = String> {
    report.lines().take(LINES).map(|line| format!("kmemleak: {line}"))
}

/// What was not referred to by anything, and was the same, in two searches.
fn search() -> io::Result<String> {
    thread::sleep(AGE);
    fs::write(KMEMLEAK, "scan")?;
    fs::write(KMEMLEAK, "scan")?;
    fs::read_to_string(KMEMLEAK)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "\
unreferenced object 0xffff888005a00e00 (size 64):
  comm \"remembered-1c2d\", pid 512, jiffies 4294943876
  hex dump (first 32 bytes):
    00 00 00 00 00 00 00 00 a0 2c 31 05 80 88 ff ff  .........,1.....
  backtrace (crc 5c1ab3d2):
    [<00000000b1a9b3b4>] mmsg_array_new+0x6c/0x2d0
";

    /// The host's `splat.rs` looks for that.
    #[test]
    fn a_leak_is_told_with_all_that_is_known_of_it() {
        let lines: Vec<_> = complaint(REPORT).collect();
        assert!(lines[0].starts_with("kmemleak: unreferenced object "), "{}", lines[0]);
        assert_eq!(lines.len(), REPORT.lines().count());
        assert!(lines[5].ends_with("mmsg_array_new+0x6c/0x2d0"));
    }

    #[test]
    fn no_leak_is_no_complaint_and_many_are_cut() {
        assert_eq!(complaint("").count(), 0);
        assert_eq!(complaint(&REPORT.repeat(LINES)).count(), LINES);
    }
}
