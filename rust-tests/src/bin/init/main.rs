//! PID 1 of the guest, and the runner of its tests: one static executable, so that the initramfs stays small.
//!
//! The kernel starts it as `/init` with what follows `--` on the command line: `tests ...`, `bench ...`, `shell` or
//! `probe`.

mod case;
mod leaks;
mod mount;
mod options;
mod port;
mod runner;
mod system;

use std::env;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    // The process's number tells the two apart: nothing but the kernel can make a PID 1.
    if std::process::id() == 1 {
        if let Err(error) = serve(&arguments) {
            give_up(&format!("init: {error:#}"));
        }
        system::power_off();
    }
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fastnet: runner: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Sets the guest up and does what it was booted for.
fn serve(arguments: &[String]) -> Result<()> {
    mount::all()?;
    system::raise_limits().context("raising the limit of open files")?;
    // The kernel puts its own words that it does not know in front: `nokaslr`, where it was built without.
    let modes = ["tests", "bench", "shell", "probe"];
    let ours = arguments.iter().position(|word| modes.contains(&word.as_str()));
    let ours = ours.map_or(&[][..], |first| &arguments[first..]);
    match ours.first().map(String::as_str) {
        Some("tests" | "bench") => supervise(ours),
        Some("shell") => shell(),
        Some("probe") => system::kmsg("fastnet: probe"),
        _ => bail!("the kernel's command line must end in `--` and one of {modes:?}"),
    }
}

/// What the runner's process does.
fn run(arguments: &[String]) -> Result<()> {
    match arguments.split_first().map(|(mode, rest)| (mode.as_str(), rest)) {
        Some(("tests", rest)) => runner::tests(&options::Options::parse(rest)?),
        Some(("bench", rest)) => runner::bench(&options::Options::parse(rest)?),
        _ => bail!("neither tests nor bench is what {arguments:?} says"),
    }
}

/// Runs the runner as a child, so that its death can be told to the host.
fn supervise(arguments: &[String]) -> Result<()> {
    let runner = Command::new("/init").args(arguments).spawn().context("starting the runner")?;
    let status = system::reap_until(runner.id())?;
    if !status.success() {
        give_up(&format!("the runner ended with {status}"));
    }
    Ok(())
}

/// A shell on the console, until it ends.
fn shell() -> Result<()> {
    system::start_cpus()?;
    let status = Command::new("/bin/busybox")
        .args(["sh", "-c", "/bin/busybox --install -s /bin; exec setsid cttyhack sh"])
        .env("PATH", "/bin:/tests")
        .env("PS1", "guest# ")
        .env("HOME", "/")
        .spawn()
        .context("starting /bin/busybox")?;
    system::reap_until(status.id()).map(drop)
}

/// Tells the host, by every way there is, that no more results will come.
fn give_up(why: &str) {
    let _ = system::kmsg(&format!("fastnet: {why}"));
    if let Ok(mut port) = port::Port::open() {
        port.line(&format!("Bail out! {why}"));
    }
}
