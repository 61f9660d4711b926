//! Guests told as scripts: each line comes by one of the two ways, in the order the host saw them.

use super::*;
use Verdict::{Fail, Hang, Infra, LostGuest, Panic, Pass, Skip, Splat, Timeout};

/// Feeds `script` (`k` a line of the runner, `c` one of the console) to a judge.
fn feed(script: &str) -> Judge {
    let mut judge = Judge::new();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match line.split_once(' ').unwrap() {
            ("k", line) => judge.ktap(line, Instant::now()),
            ("c", line) => judge.console(&format!("[    1.000000] {line}"), Instant::now()),
            _ => panic!("neither k nor c: {line}"),
        }
    }
    judge
}

/// What the guest of `script` comes to when it ends so: names and verdicts, and how many tests never started.
fn told(script: &str, end: &End) -> (Vec<(String, Verdict)>, usize) {
    let mut judge = feed(script);
    let mut cases = judge.finished();
    let (last, not_run) = judge.end(end, Instant::now());
    cases.extend(last);
    (cases.into_iter().map(|case| (case.name, case.verdict)).collect(), not_run)
}

fn exited() -> End {
    End::Exited("exit status: 0".to_owned())
}

fn killed() -> End {
    End::Killed("silence".to_owned())
}

fn named(cases: &[(&str, Verdict)]) -> Vec<(String, Verdict)> {
    cases.iter().map(|(name, verdict)| ((*name).to_owned(), *verdict)).collect()
}

#[test]
fn a_quiet_guest_gets_the_runners_verdicts() {
    let script = "
        c Linux version 6.12
        k KTAP version 1
        k 1..4
        k # start a
        c fastnet: start a
        k # alive
        c fastnet: end a
        k ok 1 a
        k # start b
        c fastnet: start b
        c fastnet: end b
        k not ok 2 b # exit 101
        k # start c
        c fastnet: start c
        c fastnet: end c
        k ok 3 c # SKIP no IPv6
        k # start d
        c fastnet: start d
        c fastnet: end d
        k not ok 4 d # TIMEOUT after 60 s
        c reboot: Power down";
    let expected = named(&[("a", Pass), ("b", Fail), ("c", Skip), ("d", Timeout)]);
    assert_eq!(told(script, &exited()), (expected, 0));
}

#[test]
fn a_verdict_waits_for_both_ways() {
    let mut judge = feed("k 1..1\n k # start a\n k ok 1 a");
    assert!(judge.finished().is_empty(), "the console has not come to it");
    judge.console("fastnet: start a", Instant::now());
    assert!(judge.finished().is_empty(), "the console is still at it");
    judge.console("fastnet: end a", Instant::now());
    assert_eq!(judge.finished().len(), 1);
    assert!(judge.finished().is_empty(), "told twice");
}

#[test]
fn a_console_that_is_ahead_waits_for_the_runner() {
    let mut judge = feed("k 1..1\n c fastnet: start a\n c BUG: x\n c fastnet: end a");
    assert!(judge.finished().is_empty());
    judge.ktap("# start a", Instant::now());
    judge.ktap("ok 1 a", Instant::now());
    assert_eq!(judge.finished()[0].verdict, Splat);
}

/// However late the console is, a splat stays with the test between whose marks it stands.
#[test]
fn a_late_splat_finds_its_test() {
    let script = "
        k 1..2
        k # start a
        k ok 1 a
        k # start b
        k ok 2 b
        c fastnet: start a
        c WARNING: CPU: 0 PID: 1 at net/socket.c:1
        c fastnet: end a
        c fastnet: start b
        c fastnet: end b";
    assert_eq!(told(script, &exited()).0, named(&[("a", Splat), ("b", Pass)]));
}

#[test]
fn a_splat_outweighs_every_word_of_the_runner() {
    for result in ["ok 1 a", "ok 1 a # SKIP x", "not ok 1 a # exit 101", "not ok 1 a # TIMEOUT after 1 s"] {
        let script = format!(
            "k 1..1\n k # start a\n c fastnet: start a\n c BUG: KASAN: x\n c fastnet: end a\n k {result}"
        );
        assert_eq!(told(&script, &exited()).0, named(&[("a", Splat)]), "{result}");
    }
}

#[test]
fn splats_outside_any_test_are_cases_of_their_own() {
    let script = "
        c WARNING: CPU: 0 PID: 1 at init/main.c:1
        k 1..2
        k # start a
        c fastnet: start a
        c fastnet: end a
        k ok 1 a
        c refcount_t: underflow; use-after-free.
        k # start b
        c fastnet: start b
        c fastnet: end b
        k ok 2 b
        c BUG: in the last breath";
    let expected =
        named(&[("boot", Splat), ("a", Pass), ("after a", Splat), ("b", Pass), ("after b", Splat)]);
    let (mut cases, not_run) = told(script, &exited());
    cases.sort_by_key(|(name, _)| expected.iter().position(|(other, _)| other == name));
    assert_eq!((cases, not_run), (expected, 0));
}

#[test]
fn a_panic_is_the_running_tests() {
    let script = "
        k 1..3
        k # start a
        c fastnet: start a
        c Kernel panic - not syncing: sysrq triggered crash";
    assert!(feed(script).doomed());
    assert_eq!(told(script, &exited()), (named(&[("a", Panic)]), 2));
    assert_eq!(told(script, &killed()), (named(&[("a", Panic)]), 2), "a panic that did not end QEMU");
}

/// The panic came between the test's last step and its end: `ok` is not believed.
#[test]
fn a_panic_after_ok_is_a_panic() {
    let script = "
        k 1..1
        k # start a
        c fastnet: start a
        k ok 1 a
        c Kernel panic - not syncing: x";
    assert_eq!(told(script, &exited()).0, named(&[("a", Panic)]));
}

#[test]
fn panics_outside_any_test() {
    let boot = "c Kernel panic - not syncing: No working init found.";
    assert_eq!(told(boot, &exited()).0, named(&[("boot", Panic)]));
    let end = "k 1..1\n k # start a\n c fastnet: start a\n c fastnet: end a\n k ok 1 a
        c Kernel panic - not syncing: x";
    assert_eq!(told(end, &exited()).0, named(&[("a", Pass), ("after a", Panic)]));
}

#[test]
fn a_running_test_whose_guest_goes() {
    let script = "k 1..2\n k # start a\n c fastnet: start a";
    assert_eq!(told(script, &exited()), (named(&[("a", LostGuest)]), 1));
    assert_eq!(told(script, &killed()), (named(&[("a", Hang)]), 1));
}

#[test]
fn an_unfinished_test_keeps_its_hang_beside_a_splat() {
    let script = "k 1..1\n k # start a\n c fastnet: start a\n c watchdog: BUG: soft lockup - CPU#0";
    assert_eq!(told(script, &killed()).0, named(&[("a", Hang)]));
}

#[test]
fn the_runners_end() {
    let script = "k 1..2\n k # start a\n c fastnet: start a\n";
    let died = format!("{script} k Bail out! the runner ended with signal: 9");
    assert!(feed(&died).doomed());
    assert_eq!(told(&died, &exited()), (named(&[("a", Infra)]), 1));
    let stuck = format!("{script} k Bail out! unkillable a");
    assert_eq!(told(&stuck, &exited()), (named(&[("a", Hang)]), 1));
    assert_eq!(told("k Bail out! no port", &exited()).0, named(&[("boot", Infra)]));
}

#[test]
fn a_guest_that_never_speaks() {
    assert_eq!(told("", &exited()).0, named(&[("boot", LostGuest)]));
    assert_eq!(told("c Linux version 6.12", &killed()).0, named(&[("boot", Hang)]));
    assert_eq!(told("k KTAP version 1", &exited()).0, named(&[("boot", LostGuest)]));
}

#[test]
fn missing_results_are_never_a_pass() {
    let script = "k 1..2\n k # start a\n c fastnet: start a\n c fastnet: end a\n k ok 1 a";
    assert_eq!(told(script, &exited()), (named(&[("a", Pass), ("after a", LostGuest)]), 1));
    let no_plan = "k # start a\n c fastnet: start a\n c fastnet: end a\n k ok 1 a";
    assert_eq!(told(no_plan, &exited()).0, named(&[("a", Infra)]));
}

#[test]
fn a_guest_that_does_not_power_off() {
    let script = "k 1..1\n k # start a\n c fastnet: start a\n c fastnet: end a\n k ok 1 a";
    assert_eq!(told(script, &killed()).0, named(&[("a", Pass), ("power-off", Hang)]));
    let died = format!("{script}\n k Bail out! the runner ended with signal: 11");
    assert_eq!(told(&died, &exited()).0, named(&[("a", Pass), ("power-off", Infra)]));
}

#[test]
fn a_runner_gone_mad() {
    let a = "k 1..2\n k # start a\n c fastnet: start a\n c fastnet: end a\n k ok 1 a\n";
    for line in ["ok 1 a", "ok 2 a", "ok 2 b", "ok 3 a", "1..2", "okay", "ok 2"] {
        let (cases, _) = told(&format!("{a} k {line}"), &exited());
        assert_eq!(cases, named(&[("a", Pass), ("after a", Infra)]), "{line}");
    }
    for line in ["ok 1 b", "ok 2 a", "ok 0 a"] {
        let script = format!("k 1..2\n k # start a\n c fastnet: start a\n k {line}");
        assert_eq!(told(&script, &exited()).0, named(&[("a", Infra)]), "{line}");
    }
}

/// A flooded log loses marks: the next mark that arrives tells that the console is past the test.
#[test]
fn lost_marks_hold_nothing_up() {
    let script = "
        k 1..3
        k # start a
        k ok 1 a
        k # start b
        k ok 2 b
        k # start c
        c fastnet: start c";
    let mut judge = feed(script);
    let names: Vec<_> = judge.finished().into_iter().map(|case| case.name).collect();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn output_and_console_come_with_the_case_and_are_bounded() {
    let mut judge = feed("k 1..1\n c before\n k # start a\n c fastnet: start a\n c during");
    for _ in 0..2 * Judge::OUTPUT_LINES {
        judge.ktap("# | line", Instant::now());
    }
    for line in ["fastnet: end a", "after"] {
        judge.console(line, Instant::now());
    }
    judge.ktap("ok 1 a", Instant::now());
    let case = judge.finished().remove(0);
    assert_eq!(case.output.len(), Judge::OUTPUT_LINES);
    assert_eq!(case.console, ["[    1.000000] during"]);
}

/// A flooded console can break a mark's line; half a name is not a test.
#[test]
fn a_mark_may_follow_half_a_line() {
    let script = "k 1..1\n k # start a\n k ok 1 a\n c text of a test[    2.000000] fastnet: end a";
    assert_eq!(feed(script).finished().len(), 1);
}
