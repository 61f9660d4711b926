//! Programs that are a script, where a test has them found in place of the host's.
#![expect(clippy::disallowed_methods, reason = "the file must be another process's")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Puts a script at `path` that can be started at once.
///
/// `install` makes a file of its own: one that is just being started cannot be written to. And it is another
/// process: a file that this one writes is open in whatever other threads fork meanwhile. ETXTBSY both.
#[track_caller]
pub fn put(path: impl AsRef<Path>, text: impl AsRef<[u8]>) {
    let mut install = Command::new("install");
    let install = install.args(["-D", "-m", "755", "/dev/stdin"]).arg(path.as_ref()).stdin(Stdio::piped());
    let mut install = install.spawn().unwrap();
    install.stdin.take().unwrap().write_all(text.as_ref()).unwrap();
    assert!(install.wait().unwrap().success());
}
