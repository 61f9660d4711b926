//! `bench real-world` from the command line to its file: with real guests, and with an emulator that is a script.
#![expect(clippy::disallowed_methods, reason = "a test of the program runs the program")]
#![expect(clippy::unwrap_used, reason = "what a test can't unwrap fails it")]

mod bzimage;
mod program;
mod script;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use bzimage::kernel;
use program::{lines, run};

fn bench(image: &Path, json: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["bench", "real-world", "--accel", "tcg", "--repeat", "1", "--bzimage"]);
    command.arg(format!("fastnet={}", image.display())).arg("--json").arg(json).args(arguments);
    command
}

/// Lines that were measured; a stock kernel skips what it can't.
fn measured(file: &Path) -> Vec<Value> {
    lines(file).into_iter().filter(|line| line["outcome"] == "measured").collect()
}

#[test]
#[ignore = "boots guests; cargo xtask ci runs it"]
fn a_feed_comes_whole_and_is_not_run_twice() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("results.jsonl");
    let kernel = kernel();
    let command = || bench(&kernel, &file, &["--datagrams", "3000"]);
    let (code, said) = run(command());
    assert_eq!(code, Some(0));
    assert!(said.contains("a CPU that there is not"));
    assert_eq!(lines(&file).len(), 6);
    let measured = measured(&file);
    assert!(measured.len() >= 4);
    for line in &measured {
        let number = |name: &str| line[name].as_u64().unwrap();
        assert_eq!((number("received"), number("lost"), number("gaps")), (3000, 0, 0), "{line}");
        assert!(line["ns"].as_f64().unwrap() > 10.0 && line["rate"].as_f64().unwrap() > 100.0, "{line}");
        assert!((1..=3000).contains(&number("calls")), "{line}");
        let latency = &line["latency"];
        assert_eq!(latency.is_object(), line["stamps"].as_bool().unwrap(), "{line}");
        if latency.is_object() {
            let p50 = |since: &str| latency[since]["p50"].as_u64().unwrap();
            assert!(p50("arrival") > 0 && p50("arrival") <= p50("schedule"), "{line}");
            assert!(latency["arrival"]["max"].as_u64().unwrap() < 60_000_000_000, "{line}");
        }
    }
    let before = fs::read(&file).unwrap();
    assert_eq!(run(command()).0, Some(0));
    assert!(fs::read(&file).unwrap() == before, "it was run again");
}

#[test]
#[ignore = "boots guests; cargo xtask ci runs it"]
fn what_a_small_buffer_drops_is_seen_as_gaps() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("results.jsonl");
    let (code, said) = run(bench(&kernel(), &file, &["--datagrams", "3000", "--rcvbuf", "4096"]));
    assert_eq!(code, Some(0));
    assert!(said.contains(" LOST"));
    for line in measured(&file) {
        let number = |name: &str| line[name].as_u64().unwrap();
        assert!(number("lost") > 0 && number("gaps") > 0, "{line}");
        assert_eq!(number("received") + number("lost"), 3000);
        if line["stamps"] == true {
            assert!(line["latency"]["arrival"]["max"].is_null(), "{line}");
        }
    }
}

/// A capture of UDP datagrams of these sizes, a millisecond apart, on Ethernet.
fn capture(sizes: &[usize]) -> Vec<u8> {
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
    let mut bytes = words(&[0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 1]);
    for (number, size) in (0..).zip(sizes) {
        let mut packet = Vec::new();
        etherparse::PacketBuilder::ethernet2([1; 6], [2; 6])
            .ipv4([192, 0, 2, 1], [233, 252, 0, 1], 4)
            .udp(4000, 4001)
            .write(&mut packet, &vec![7; *size])
            .unwrap();
        let len = u32::try_from(packet.len()).unwrap();
        bytes.extend(words(&[1_700_000_000, 1000 * number, len, len]));
        bytes.extend(packet);
    }
    bytes
}

#[test]
#[ignore = "boots guests; cargo xtask ci runs it"]
fn a_recorded_feed_comes_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (pcap, file) = (folder.path().join("feed.pcap"), folder.path().join("results.jsonl"));
    let sizes: Vec<_> = (0..50).map(|number| 5 + 7 * (number % 11)).collect();
    fs::write(&pcap, capture(&sizes)).unwrap();
    let (code, said) = run(bench(&kernel(), &file, &["--pcap", pcap.to_str().unwrap()]));
    assert_eq!(code, Some(0));
    // Its five of 5 bytes have no room for a number.
    let name = format!("recorded in {}, of which 5 of less than 12 bytes are sent as 12", pcap.display());
    assert!(said.contains(&format!("{name}: 50 datagrams of 12 to 75 bytes in 0.0 s")));
    let measured = measured(&file);
    assert!(measured.len() >= 4);
    for line in &measured {
        let number = |name: &str| line[name].as_u64().unwrap();
        assert_eq!((number("received"), number("lost"), number("disordered")), (50, 0, 0), "{line}");
        let feed = &line["feed"];
        assert_eq!(
            (&feed["name"], &feed["datagrams"], &feed["duration"]),
            (&name.as_str().into(), &50.into(), &49_000_000.into())
        );
    }
}

/// Guests that are shell scripts: every sender sends, and the receiver called DYING dies.
const QEMU: &str = r#"#!/bin/sh
[ "$1" = --version ] && exec echo QEMU 0
tell() {
    printf 'KTAP version 1\n1..1\n# start %s\n# | release 6.6\n' $1 >&0
    echo "fastnet: start $1"
}
end() {
    echo "fastnet: end $1"
    printf 'ok 1 %s\n' $1 >&0
}
case "$*" in
*/sender/*) tell send; printf '# | sent 100\n# | late 7\n' >&0; end send ;;
*DYING*) tell recvmmsg; echo 'Kernel panic - not syncing: Oops' ;;
*) tell it; printf '# | received 98 1 0\n# | calls 7 9800\n# | span 980000\n' >&0
   printf '# | arrival 100:90 200:8\n# | schedule 100:90 300:8\n' >&0; end it ;;
esac
"#;

/// The command with such guests, of a kernel of that content.
fn with_fake_guests(folder: &Path, kernel: &str, dying: &str) -> (Option<i32>, String) {
    script::put(folder.join("qemu-system-x86_64"), QEMU.replace("DYING", dying));
    let image = folder.join("bzImage");
    fs::write(&image, kernel).unwrap();
    let mut command = bench(&image, &folder.join("results.jsonl"), &["--datagrams", "100"]);
    command.env("PATH", format!("{}:{}", folder.display(), std::env::var("PATH").unwrap()));
    run(command)
}

#[test]
fn results_of_another_kernel_are_not_added_to() {
    let folder = tempfile::tempdir().unwrap();
    with_fake_guests(folder.path(), "a kernel", "recvmmsg");
    let file = folder.path().join("results.jsonl");
    let before = fs::read(&file).unwrap();
    let (code, said) = with_fake_guests(folder.path(), "another", "recvmmsg");
    assert_eq!(code, Some(2));
    assert!(said.contains("results.jsonl") && said.contains("name another file"));
    assert!(fs::read(&file).unwrap() == before);
}

#[test]
fn a_guest_that_dies_costs_its_own_run_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (code, said) = with_fake_guests(folder.path(), "a kernel", "recvmmsg");
    let file = folder.path().join("results.jsonl");
    assert_eq!(code, Some(4));
    assert!(said.contains("2 of 6 runs failed"));
    assert!(said.contains("| recvmmsg | fastnet | - | - | - | - | 0 | 0 | 2 |\n"));
    assert!(said.contains(
        "| remembered | fastnet | 100 (100..100) | 100 (100..100) | 14.0 | 100000 | 2 | 4 | 0 |\n"
    ));
    assert!(said.contains("| remembered | fastnet | arrival | 100 ns | lost | lost | lost |\n"));
    let lines = lines(&file);
    let of = |line: &Value| format!("{} {} {}", line["receiver"], line["outcome"], line["verdict"]);
    let all: Vec<_> = lines.iter().map(of).collect();
    let one =
        [r#""recvmsg" "measured" null"#, r#""recvmmsg" "failed" "panic""#, r#""remembered" "measured" null"#];
    assert_eq!(all, [one, one].concat());
    assert_eq!(lines[1]["why"], "receiver: recvmmsg: Kernel panic - not syncing: Oops");
    assert_eq!((&lines[0]["schema"], &lines[0]["experiment"]), (&2.into(), &"real-world".into()));
}

#[test]
fn a_dead_guest_that_was_made_good_leaves_no_trace_in_the_file() {
    let [whole, resumed] = [&["nobody"][..], &["recvmmsg", "nobody"]].map(|dying| {
        let folder = tempfile::tempdir().unwrap();
        let codes: Vec<_> =
            dying.iter().map(|dying| with_fake_guests(folder.path(), "a kernel", dying).0).collect();
        assert_eq!(codes.last(), Some(&Some(0)));
        assert_eq!(codes.contains(&Some(4)), codes.len() > 1);
        fs::read_to_string(folder.path().join("results.jsonl")).unwrap()
    });
    assert_eq!(resumed, whole);
}

#[test]
fn a_file_that_is_no_capture_is_refused_before_anything_is_built() {
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("thesis.pcap");
    fs::write(&capture, "My thesis, which is long enough to be something else").unwrap();
    let json = folder.path().join("results.jsonl");
    let (code, said) = run(bench(Path::new("/dev/null"), &json, &["--pcap", capture.to_str().unwrap()]));
    assert_eq!(code, Some(2));
    assert!(said.contains("thesis.pcap: it is no pcap"));
}
