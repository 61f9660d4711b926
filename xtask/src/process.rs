//! The one place that starts processes.
//!
//! Foreground tools (make, git, dpkg-deb) run through xshell; long-lived children through duct.
//! clippy.toml forbids both anywhere else, so that no tool runs without its errors being named.
#![expect(clippy::disallowed_methods, reason = "this is the wrapper the lint points to")]

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, PipeWriter, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::thread;

use anyhow::{Context, Result};
use xshell::{Cmd, Shell};

use crate::exit::{self, Exit};

/// A shell whose commands run in `dir`.
pub fn shell(dir: impl AsRef<Path>) -> Result<Shell> {
    let shell = Shell::new()?;
    shell.change_dir(dir);
    Ok(shell)
}

/// Runs a tool quietly; on failure the error holds its command line and what it said on stderr.
pub fn run(command: Cmd<'_>) -> Result<()> {
    bytes(command).map(drop)
}

/// Runs a tool and returns its stdout without the last newline.
pub fn read(command: Cmd<'_>) -> Result<String> {
    bytes(command).map(|bytes| String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

/// Runs a tool and returns its stdout, whatever it is.
pub fn bytes(command: Cmd<'_>) -> Result<Vec<u8>> {
    let line = command.to_string();
    let output = Command::from(command.quiet())
        .stdin(Stdio::null())
        .output()
        .map_err(|cause| not_started(&line, &cause))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::bail!("`{line}` ended with {}: {}", output.status, said.trim());
    }
    Ok(output.stdout)
}

/// Runs a tool with stdout and stderr joined, handing each line over as it comes.
pub fn stream(command: Cmd<'_>, mut on_line: impl FnMut(&str) -> Result<()>) -> Result<ExitStatus> {
    let line = command.to_string();
    let (reader, writer) = std::io::pipe().context("making a pipe")?;
    // The temporary Command, and with it our copies of the pipe's write end, go at the `?`:
    // otherwise the reader below would never see the end.
    let mut child = Command::from(command.quiet())
        .stdin(Stdio::null())
        .stdout(writer.try_clone().context("sharing the pipe")?)
        .stderr(writer)
        .spawn()
        .map_err(|cause| not_started(&line, &cause))?;
    for text in BufReader::new(reader).split(b'\n') {
        on_line(String::from_utf8_lossy(&text.context("reading a tool's output")?).trim_end())?;
    }
    child.wait().with_context(|| format!("waiting for `{line}`"))
}

/// Runs a tool that is fed from `input`, and returns how it ended and all it said.
pub fn converse(command: Cmd<'_>, mut input: impl Read) -> Result<Output> {
    let line = command.to_string();
    let mut child = Command::from(command.quiet())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|cause| not_started(&line, &cause))?;
    let stdin = child.stdin.take();
    thread::scope(|scope| {
        let ending = scope.spawn(|| child.wait_with_output());
        let fed = stdin.map_or(Ok(0), |mut stdin| io::copy(&mut input, &mut stdin));
        let output = ending.join().map_err(|_| anyhow::anyhow!("the thread that heard `{line}` panicked"))?;
        match fed {
            // A tool need not read on to tell what is wrong.
            Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => {
                Err(cause).with_context(|| format!("feeding `{line}`"))
            }
            _ => output.with_context(|| format!("waiting for `{line}`")),
        }
    })
}

/// A child that lives beside us, in a process group of its own: what a terminal's Ctrl-C does is left to us.
/// It is killed when dropped, and by the kernel when the thread that started it is gone, however that came.
pub struct Child(duct::Handle);

impl Child {
    /// Starts `program`, its stdin, stdout and stderr wired to these.
    pub fn start(
        program: &str,
        arguments: &[OsString],
        stdin: OwnedFd,
        stdout: PipeWriter,
        stderr: File,
    ) -> Result<Self> {
        duct::cmd("setpriv", guarded("KILL", program, arguments))
            .stdin_file(stdin)
            .stdout_file(stdout)
            .stderr_file(stderr)
            .before_spawn(|command| {
                command.process_group(0);
                Ok(())
            })
            .unchecked()
            .start()
            .map(Self)
            .map_err(|cause| not_started(program, &cause))
    }

    /// Kills it and waits for its end.
    pub fn kill(&self) -> Result<ExitStatus> {
        self.0.kill().context("killing a child")?;
        self.wait()
    }

    /// Waits for its end.
    pub fn wait(&self) -> Result<ExitStatus> {
        Ok(self.0.wait().context("waiting for a child")?.status)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// Runs `program` on our own terminal until it ends, or we do: then by a signal that lets it restore the terminal.
pub fn foreground(program: &str, arguments: &[OsString]) -> Result<ExitStatus> {
    let arguments = guarded("TERM", program, arguments);
    Command::new("setpriv").args(arguments).status().map_err(|cause| not_started(program, &cause))
}

/// What to tell setpriv, so that `program` gets `signal` when the thread that started it is gone.
fn guarded(signal: &str, program: &str, arguments: &[OsString]) -> Vec<OsString> {
    let guard = ["--pdeathsig", signal, "--", program].map(OsString::from);
    guard.iter().chain(arguments).cloned().collect()
}

fn not_started(line: &str, cause: &std::io::Error) -> anyhow::Error {
    exit::error(
        Exit::Host,
        format!("cannot start `{line}`: {cause}; `cargo xtask doctor --install` brings missing tools"),
    )
}
