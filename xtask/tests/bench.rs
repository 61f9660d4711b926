//! `bench local` from the command line to its file: with a real guest, and with an emulator that is a script.
//!
//! The guest needs a kernel: `FASTNET_BZIMAGE`, else a `vm` kernel built in `target/kernel`.
#![expect(clippy::disallowed_methods, reason = "a test of the program runs the program")]
#![expect(clippy::unwrap_used, reason = "what a test can't unwrap fails it")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn bench(image: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["bench", "local", "--quick", "--bzimage"]).arg(format!("fastnet={}", image.display()));
    command.args(arguments);
    command
}

fn run(mut command: Command) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let said = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    println!("{said}");
    (status.code(), said)
}

fn lines(file: &Path) -> Vec<Value> {
    fs::read_to_string(file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn kernel() -> PathBuf {
    let built = || {
        let kernels = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/kernel");
        let trees = fs::read_dir(kernels).ok()?.filter_map(Result::ok);
        trees.map(|tree| tree.path().join("O-vm/arch/x86/boot/bzImage")).find(|image| image.exists())
    };
    std::env::var_os("FASTNET_BZIMAGE")
        .map(PathBuf::from)
        .or_else(built)
        .expect("no kernel: run `cargo xtask build-kernel`, or set FASTNET_BZIMAGE")
}

#[test]
#[ignore = "boots guests; cargo xtask ci runs it"]
fn instructions_are_sane_and_repeat() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let json = file.path().to_str().unwrap();
    let (code, said) = run(bench(&kernel(), &["recvmmsg/ipv4/64/8", "--json", json]));
    assert_eq!(code, Some(0));
    assert!(said.contains("\n0 of 2 cells differ by more than 0.5 % from boot to boot\n"));
    let lines = lines(file.path());
    assert_eq!(lines.len(), 4);
    for line in &lines {
        let number = |name: &str| line[name].as_f64().unwrap();
        let (min, median, max) = (number("min"), number("median"), number("max"));
        assert_eq!((&line["unit"], &line["accel"]), (&"instructions".into(), &"icount".into()));
        // A system call takes hundreds, and no kernel takes thousands for a datagram of 64 bytes.
        assert!((500.0..5000.0).contains(&median) && min <= median && median <= max, "{line}");
        assert!(max / min < 1.02, "{line}");
        assert_eq!((number("datagrams"), number("calls"), number("rounds")), (4096.0, 512.0, 5.0));
    }
    let median = |name: bool| {
        lines.iter().find(|line| line["name"] == name).and_then(|line| line["median"].as_f64()).unwrap()
    };
    assert!(median(true) > median(false) + 20.0, "a name costs nothing?");
}

/// A guest that is a shell script: `report` goes to the runner's port, `console` to the console.
fn with_fake_guest(folder: &Path, report: &str, console: &str) -> (Option<i32>, String, Vec<Value>) {
    let script = folder.join("qemu-system-x86_64");
    let body = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] && exec echo QEMU 0\ncat >&0 <<'END'\n{report}\nEND\ncat <<'END'\n{console}\nEND\n"
    );
    fs::write(&script, body).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let file = folder.join("results.jsonl");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let mut command = bench(
        Path::new("/dev/null"),
        &["recvmmsg/ipv4/64/8", "--repeat", "1", "--json", file.to_str().unwrap()],
    );
    command.env("PATH", path);
    let (code, said) = run(command);
    (code, said, lines(&file))
}

const CELLS: [&str; 2] = ["recvmmsg/ipv4/64/8", "recvmmsg/ipv4/64/8/name"];

fn console() -> String {
    CELLS.map(|cell| format!("fastnet: start {cell}\nfastnet: end {cell}")).join("\n")
}

fn report(cell: usize, rounds: usize) -> String {
    let name = CELLS[cell];
    let rounds = "# | round 8000 4 1\n".repeat(rounds);
    format!("# start {name}\n# | release 6.6\n{rounds}ok {} {name}", cell + 1)
}

#[test]
fn what_a_guest_says_is_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let said = format!("KTAP version 1\n1..2\n{}\n{}", report(0, 5), report(1, 5));
    let (code, said, lines) = with_fake_guest(folder.path(), &said, &console());
    assert_eq!(code, Some(0));
    assert!(said.contains("| 64 | 8 | ipv4 | 2000 |\n| 64 | 8 | ipv4, name | 2000 |\n"));
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[1]["release"], &lines[1]["median"]), (&"6.6".into(), &2000.0.into()));
}

#[test]
fn a_guest_that_dies_leaves_what_was_measured() {
    let folder = tempfile::tempdir().unwrap();
    let said = format!("KTAP version 1\n1..2\n{}\n# start {}", report(0, 5), CELLS[1]);
    let (code, said, lines) = with_fake_guest(folder.path(), &said, &console());
    assert_eq!(code, Some(4));
    assert!(said.contains("console.log"));
    let outcomes: Vec<_> = lines.iter().map(|line| (&line["outcome"], &line["verdict"])).collect();
    assert_eq!(outcomes, [(&"measured".into(), &Value::Null), (&"failed".into(), &"lost".into())]);
}

#[test]
fn too_few_rounds_are_no_success() {
    let folder = tempfile::tempdir().unwrap();
    let said = format!("KTAP version 1\n1..2\n{}\n{}", report(0, 5), report(1, 4));
    let (code, _, lines) = with_fake_guest(folder.path(), &said, &console());
    assert_eq!(code, Some(4));
    assert_eq!(lines[1]["why"], "4 rounds came of 5");
}

#[test]
fn another_programs_file_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("thesis.txt");
    for content in ["My thesis\n", r#"{"schema":1}"#] {
        fs::write(&file, content).unwrap();
        let command = bench(Path::new("/dev/null"), &["--json", file.to_str().unwrap()]);
        let (code, said) = run(command);
        assert_eq!(code, Some(2));
        assert!(said.contains("thesis.txt") && said.contains("line 1"));
        assert_eq!(fs::read_to_string(&file).unwrap(), content);
    }
}

#[test]
fn a_filter_that_fits_nothing_is_refused() {
    let (code, said) = run(bench(Path::new("/dev/null"), &["recvmmsg/ipx"]));
    assert_eq!(code, Some(2));
    assert!(said.contains("recvmmsg/ipx"));
}
