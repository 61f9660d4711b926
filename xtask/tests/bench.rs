//! `bench local` from the command line to its file: with a real guest, and with an emulator that is a script.
#![expect(clippy::disallowed_methods, reason = "a test of the program runs the program")]
#![expect(clippy::unwrap_used, reason = "what a test can't unwrap fails it")]

mod bzimage;
mod program;
mod script;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value;

use bzimage::kernel;
use program::{lines, run};

fn bench(image: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["bench", "local", "--quick", "--bzimage"]).arg(format!("fastnet={}", image.display()));
    command.args(arguments);
    command
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

#[test]
#[ignore = "boots guests; cargo xtask ci runs it"]
fn one_program_receives_what_another_sends() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let json = file.path().to_str().unwrap();
    let cells = ["ipv4/64/1000", "io_uring_recv/ipv4/64/1/", "io_uring_recvmsg/ipv4/64/1/"];
    let how = ["--accel", "tcg", "--datagrams", "4001", "--repeat", "1", "--json", json];
    let (code, said) = run(bench(&kernel(), &[&cells[..], &how[..]].concat()));
    assert_eq!(code, Some(0));
    assert!(said.contains("4001 datagrams a cell") && said.contains(" runs lost datagrams"));
    let lines = lines(file.path());
    let of = |receiver: &str, link: &Value| {
        let is =
            |line: &&Value| line["receiver"] == receiver && line["link"] == *link && line["messages"] == 1000;
        lines.iter().find(is).unwrap()
    };
    let over = |link: Value, receivers: [&'static str; 3]| receivers.map(|receiver| of(receiver, &link));
    let loopback = over(Value::Null, ["recvmmsg", "io_uring_recvmsg", "io_uring_recv"]);
    for line in [loopback, over("veth".into(), ["recvmmsg", "busy_poll", "af_xdp"])].concat() {
        let number = |name: &str| line[name].as_f64().unwrap();
        assert_eq!(
            (&line["unit"], &line["accel"], &line["stream"]),
            (&"ns".into(), &"tcg".into(), &4001.into())
        );
        // Whole calls of 1000.
        let counts = ["datagrams", "lost"].map(|name| line[name].as_u64().unwrap());
        assert_eq!(counts.iter().sum::<u64>(), 5000, "{line}");
        assert!(number("median") > 10.0 && number("receiver_cpu") > 10.0, "{line}");
    }
    // For one message a call a ring has two buffers: what comes faster ends the request, and another follows.
    let one = lines.iter().filter(|line| line["messages"] == 1);
    let came: Vec<_> = one.map(|line| (&line["outcome"], line["datagrams"].as_u64())).collect();
    assert_eq!(came, [(&"measured".into(), Some(4001)); 2]);
}

/// `bench profile` of a cell, of that kernel's build: its line of results, and its flame graph.
fn profile(cell: &str) -> (Value, String) {
    let folder = tempfile::tempdir().unwrap();
    let (json, svg) = (folder.path().join("results.jsonl"), folder.path().join("graph.svg"));
    let kernel = kernel();
    let built = kernel.ancestors().nth(4).unwrap().join("manifest.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["bench", "profile", cell, "--manifest"]).arg(built);
    command.arg("--json").arg(&json).arg("--svg").arg(&svg);
    let (code, said) = run(command);
    assert_eq!(code, Some(0));
    assert!(said.contains(" instructions a datagram\n"));
    (lines(&json).remove(0), fs::read_to_string(svg).unwrap())
}

#[test]
#[ignore = "boots guests; cargo xtask ci runs it"]
fn every_kind_of_receiver_has_a_profile() {
    for (cell, entry, datagrams, instructions) in [
        // 200 messages and more are followed, in whole calls; a train has 64 datagrams.
        ("recvmmsg/ipv4/64/8", "__x64_sys_recvmmsg", 200, 1000.0..3000.0),
        ("io_uring_recv/ipv4/64/64", "__x64_sys_io_uring_enter", 256, 1000.0..3000.0),
        ("udp_gro/ipv4/64/8", "__x64_sys_recvmmsg", 64 * 200, 20.0..100.0),
    ] {
        let (line, graph) = profile(cell);
        let number = |name: &str| line[name].as_u64().unwrap();
        assert_eq!(number("datagrams"), datagrams, "{cell}");
        let stacks = line["stacks"].as_object().unwrap();
        assert_eq!(stacks.values().map(|count| count.as_u64().unwrap()).sum::<u64>(), number("instructions"));
        for function in [entry, "udp_recvmsg"] {
            assert!(stacks.keys().any(|stack| stack.split(';').any(|name| name == function)), "{function}");
        }
        assert!(graph.contains("<title>udp_recvmsg ("), "{cell}");
        let each = line["instructions"].as_f64().unwrap() / line["datagrams"].as_f64().unwrap();
        assert!(instructions.contains(&each), "{cell}: {each}");
        assert!(number("taken") < number("branches") && number("branches") < number("instructions"));
    }
}

/// The command with guests that are a shell script: each tells of some cells, then ends, or stays for as long as we do if
/// there is a file `stay`; in the meantime the kernel is built anew. What they booted is in `kernels`.
fn fake_guests(folder: &Path, guests: &[&str]) -> Command {
    let body = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] && exec echo QEMU 0\ncd {}\necho >> booted\n\
         while [ \"$1\" != -kernel ]; do shift; done\ncat \"$2\" >> kernels\necho another > bzImage\n\
         said=$(wc -l < booted).ktap\ncat $said >&0\n\
         sed -n 's/^# start \\(.*\\)/fastnet: start \\1\\nfastnet: end \\1/p' $said\n\
         [ ! -e stay ] || cat >&2\n",
        folder.display(),
    );
    script::put(folder.join("qemu-system-x86_64"), body);
    fs::write(folder.join("booted"), "").unwrap();
    for (number, said) in (1..).zip(guests) {
        fs::write(folder.join(format!("{number}.ktap")), format!("KTAP version 1\n{said}\n")).unwrap();
    }
    let (file, image) = (folder.join("results.jsonl"), folder.join("bzImage"));
    fs::write(&image, "a kernel\n").unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let mut command =
        bench(&image, &["recvmmsg/ipv4/64/8", "--repeat", "1", "--json", file.to_str().unwrap()]);
    command.env("PATH", path);
    command
}

/// Runs it. Returns how many were booted, too.
fn with_fake_guests(folder: &Path, guests: &[&str]) -> (Option<i32>, String, Vec<Value>, usize) {
    let (code, said) = run(fake_guests(folder, guests));
    let booted = fs::read_to_string(folder.join("booted")).unwrap().len();
    (code, said, lines(&folder.join("results.jsonl")), booted)
}

const CELLS: [&str; 2] = ["recvmmsg/ipv4/64/8", "recvmmsg/ipv4/64/8/name"];

/// What a guest says of a cell, the `index`th that it measures.
fn report(index: usize, cell: usize, rounds: usize) -> String {
    let name = CELLS[cell];
    let told = "# | round 8000 4 1\n".repeat(rounds);
    format!("# start {name}\n# | release 6.6\n{told}# | rounds 5\nok {index} {name}")
}

#[test]
fn what_a_guest_says_is_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let said = format!("1..2\n{}\n{}", report(1, 0, 5), report(2, 1, 5));
    let (code, said, lines, _) = with_fake_guests(folder.path(), &[&said]);
    assert_eq!(code, Some(0));
    assert!(said.contains("| 64 | 8 | ipv4 | 2000 |\n| 64 | 8 | ipv4, name | 2000 |\n"));
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[1]["release"], &lines[1]["median"]), (&"6.6".into(), &2000.0.into()));
}

#[test]
fn a_guest_that_dies_costs_one_cell_and_the_next_run_makes_it_good() {
    let folder = tempfile::tempdir().unwrap();
    let outcomes = |lines: &[Value]| -> Vec<_> {
        lines
            .iter()
            .map(|line| [&line["name"], &line["outcome"]].map(ToString::to_string).join(" "))
            .collect()
    };
    let dies = format!("1..2\n# start {}", CELLS[0]);
    let (code, said, lines, booted) =
        with_fake_guests(folder.path(), &[&dies, &format!("1..1\n{}", report(1, 1, 5))]);
    assert_eq!((code, booted), (Some(4), 2));
    assert!(said.contains("console.log"));
    assert_eq!(outcomes(&lines), [r#"false "failed""#, r#"true "measured""#]);
    assert_eq!(lines[0]["verdict"], "lost");

    let (code, said, lines, booted) =
        with_fake_guests(folder.path(), &[&format!("1..1\n{}", report(1, 0, 5))]);
    assert_eq!((code, booted), (Some(0), 1));
    assert!(said.contains("1 of 2 cells are measured already"));
    assert_eq!(outcomes(&lines), [r#"false "measured""#, r#"true "measured""#]);

    let (code, said, again, booted) = with_fake_guests(folder.path(), &[]);
    assert_eq!((code, booted), (Some(0), 0));
    assert!(said.contains("| 64 | 8 | ipv4 | 2000 |"));
    assert_eq!(again, lines);
}

#[test]
fn a_plan_that_was_killed_ends_with_the_file_of_one_that_was_not() {
    let [whole, killed] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let file = |folder: &Path| fs::read_to_string(folder.join("results.jsonl")).unwrap_or_default();
    with_fake_guests(whole.path(), &[&format!("1..2\n{}\n{}", report(1, 0, 5), report(2, 1, 5))]);

    let stay = killed.path().join("stay");
    fs::write(&stay, "").unwrap();
    let mut command = fake_guests(killed.path(), &[&format!("1..2\n{}", report(1, 0, 5))]);
    let mut xtask = command.stdout(Stdio::null()).spawn().unwrap();
    while !file(killed.path()).ends_with('\n') {
        assert!(xtask.try_wait().unwrap().is_none(), "it ended before it was killed");
        thread::yield_now();
    }
    xtask.kill().unwrap();
    xtask.wait().unwrap();
    assert_eq!(file(killed.path()).lines().count(), 1);

    fs::remove_file(stay).unwrap();
    let (code, said, ..) = with_fake_guests(killed.path(), &[&format!("1..1\n{}", report(1, 1, 5))]);
    assert_eq!(code, Some(0));
    assert!(said.contains("1 of 2 cells are measured already"));
    assert_eq!(file(killed.path()), file(whole.path()));
}

#[test]
fn a_kernel_that_is_built_anew_meanwhile_is_not_the_one_that_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let dies = format!("1..2\n# start {}", CELLS[0]);
    let (.., booted) = with_fake_guests(folder.path(), &[&dies, &format!("1..1\n{}", report(1, 1, 5))]);
    assert_eq!(booted, 2);
    assert_eq!(fs::read_to_string(folder.path().join("kernels")).unwrap(), "a kernel\n".repeat(2));
}

#[test]
fn a_guest_that_reaches_no_cell_is_not_booted_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let (code, said, lines, booted) = with_fake_guests(folder.path(), &["1..2"]);
    assert_eq!((code, booted, lines.len()), (Some(4), 1, 0));
    assert!(said.contains("2 cells were never reached"));
}

#[test]
fn too_few_rounds_are_no_success() {
    let folder = tempfile::tempdir().unwrap();
    let said = format!("1..2\n{}\n{}", report(1, 0, 5), report(2, 1, 4));
    let (code, said, lines, _) = with_fake_guests(folder.path(), &[&said]);
    assert_eq!(code, Some(4));
    assert!(said.contains("makes no sense; consoles:") && !said.contains("a guest died"));
    assert_eq!(lines[1]["why"], "4 rounds came of 5");
}

#[test]
fn results_of_another_kernel_are_not_added_to() {
    let folder = tempfile::tempdir().unwrap();
    let said = format!("1..2\n{}\n{}", report(1, 0, 5), report(2, 1, 5));
    with_fake_guests(folder.path(), &[&said]);
    let file = folder.path().join("results.jsonl");
    let old = fs::read_to_string(&file).unwrap();
    let build = lines(&file)[0]["build"].to_string();
    let other = old.replace(&build, r#""another""#);
    fs::write(&file, &other).unwrap();
    let (code, said, _, booted) = with_fake_guests(folder.path(), &[]);
    assert_eq!((code, booted), (Some(2), 0));
    assert!(said.contains("results.jsonl") && said.contains("build another"));
    assert_eq!(fs::read_to_string(&file).unwrap(), other);
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
