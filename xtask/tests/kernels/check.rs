//! `patch check --build`: what it finds, what it names, and what it does not do twice. The guest is a script that says
//! of a kernel what is in its image.

#![expect(clippy::disallowed_methods, reason = "the test makes a pipe with a name")]

use std::fs::{self, File};
use std::io::Read;
use std::process::Command;

use crate::kernel::within_a_minute;
use crate::world::{Outcome, World};

/// A guest in which the tests pass, unless the kernel's source had one of these words in a string.
const QEMU: &str = r##"
for word; do
    [ "$previous" = -kernel ] && image=$word
    previous=$word
done
case "$*" in *"-- tests"*) ;; *) exit;; esac
say() { echo "$1" >&0; }
say 'KTAP version 1'
say 1..2
for name in fake::one fake::call; do
    say "# start $name"
    echo "fastnet: start $name"
    echo "fastnet: end $name"
    number=$((number + 1))
    if grep -q FAILS "$image"; then
        say "not ok $number $name # exit 101"
    elif [ $name = fake::call ] && ! grep -q HAS_CALL "$image"; then
        say "ok $number $name # SKIP this kernel has no remember_mmsghdr()"
    else
        say "ok $number $name"
    fi
done
case "$*" in *"--shard 0/"*) echo guest >> "$(dirname "$0")/../guests";; esac
"##;

/// What `cargo test --no-run` says of init.
const CARGO: &str = r#"echo '{"reason":"compiler-artifact","package_id":"p","manifest_path":"/m","target":{"kind":["bin"],"crate_types":["bin"],"name":"init","src_path":"/s","edition":"2024","doc":false,"doctest":false,"test":true},"profile":{"opt_level":"0","debuginfo":0,"debug_assertions":true,"overflow_checks":true,"test":false},"features":[],"filenames":[],"executable":"/bin/true","fresh":true}'"#;

const SPARSE: &str = r#"grep -q SPARSE "$1" && echo "$1:1:1: warning: incorrect type"; :"#;

const CHECKPATCH: &str =
    "open F, $ARGV[-1]; if (grep /CHECK/, <F>) { print \"CHECK: alignment\\n\"; exit 1 }\n";

const CALL: &str = "#ifdef REMEMBER_MMSGHDR\nconst char call[] = \"HAS_CALL\";\n#endif\n";

/// Three patches, of which the second adds the system call.
fn world() -> World {
    let world = World::new();
    let options = ["TINY", "LOCALVERSION", "NET", "IPV6", "REMEMBER_MMSGHDR"];
    world.write("linux/Kconfig", options.map(|option| format!("config {option}\n")).concat());
    world.write("root/configs/vm.config", "CONFIG_NET=y\nCONFIG_REMEMBER_MMSGHDR=y\n");
    world.write("linux/scripts/checkpatch.pl", CHECKPATCH);
    for (name, script) in [("qemu-system-x86_64", QEMU), ("cargo", CARGO), ("sparse", SPARSE)] {
        world.tool(name, script);
    }
    world.series("# flavor: hints\n1.patch\n# flavor: fastnet\n2.patch\n3.patch\n");
    world.returning("1.patch", "1", "2");
    world.adding("2.patch", CALL);
    world.returning("3.patch", "2", "3");
    world
}

fn check(world: &World) -> Outcome {
    world.run("patch check --build --kernel 6.12")
}

/// How many runs of guests, of one or more at once, there were since the last question.
fn guests(world: &World) -> usize {
    let file = world.path("guests");
    let text = fs::read_to_string(&file).unwrap_or_default();
    fs::write(file, "").unwrap();
    text.lines().count()
}

/// How each step ended: `ok` or `FAIL`, and its name.
fn steps(outcome: &Outcome) -> Vec<(&str, &str)> {
    let lines = outcome.stdout.lines().map(|line| line.split_at_checked(6).unwrap_or_default());
    let steps = lines.filter(|(end, _)| ["ok    ", "FAIL  "].contains(end));
    steps.map(|(end, step)| (end.trim_end(), step.split(": ").next().unwrap())).collect()
}

/// Asserts that all went well up to a step that failed, with that exit code and saying all those things.
#[track_caller]
fn fails_at(outcome: &Outcome, step: &str, code: i32, said: &[&str]) {
    outcome.failed(code, said);
    let steps = steps(outcome);
    let (last, before) = steps.split_last().unwrap();
    assert_eq!(*last, ("FAIL", step));
    assert!(before.iter().all(|(end, _)| *end == "ok"), "{}", outcome.stdout);
}

#[test]
fn each_step_has_a_line_and_what_passed_is_not_done_again() {
    let world = world();
    let first = check(&world);
    first.passed();
    let expected = [
        "checkpatch --strict, patch 1",
        "checkpatch --strict, patch 2",
        "checkpatch --strict, patch 3",
        "the source without a patch",
        "patch 1",
        "patches 1 to 2",
        "patches 1 to 3",
        "warnings by gcc with W=1",
        "warnings by sparse",
        "REMEMBER_MMSGHDR off",
        "IPV6=m",
        "IPV6=n",
    ];
    assert_eq!(steps(&first), expected.map(|step| ("ok", step)));
    assert_eq!(guests(&world), 4);

    let log = world.path("root/target/kernel/6.12-check/O-vm/build.log");
    fs::remove_file(&log).unwrap();
    let again = check(&world);
    again.passed();
    let expected = expected.into_iter().filter(|step| *step != "the source without a patch");
    assert_eq!(steps(&again), expected.map(|step| ("ok", step)).collect::<Vec<_>>());
    assert_eq!(again.stdout.matches(": as before\n").count(), 11);
    assert_eq!(guests(&world), 0);
    assert!(!log.exists(), "make ran again");
}

#[test]
fn only_what_a_changed_patch_reaches_is_done_again() {
    let world = world();
    check(&world).passed();
    guests(&world);
    world.returning("3.patch", "2", "4");
    let outcome = check(&world);
    outcome.passed();
    assert!(outcome.stdout.contains("patches 1 to 2: as before\n"), "{}", outcome.stdout);
    assert_eq!(guests(&world), 2);
}

#[test]
fn with_other_tests_or_another_qemu_only_what_boots_is_done_again() {
    let world = world();
    check(&world).passed();
    guests(&world);
    let tests = CARGO.replace("/bin/true", "/bin/false");
    let version = QEMU.replace("*) exit;;", "*) echo 'QEMU emulator version 9.9'; exit;;");
    for (name, script) in [("cargo", tests), ("qemu-system-x86_64", version)] {
        world.tool(name, &script);
        for (booted, before) in [(4, 7), (0, 11)] {
            let outcome = check(&world);
            outcome.passed();
            assert_eq!(outcome.stdout.matches(": as before\n").count(), before, "{name}");
            assert_eq!(guests(&world), booted, "{name}");
        }
    }
}

#[test]
fn a_kernel_that_passed_is_not_booted_again_for_a_patch_that_does_not_change_it() {
    let world = world();
    let text = "diff --git a/README b/README\nnew file mode 100644\n--- /dev/null\n+++ b/README\n@@ -0,0 +1 @@\n+text\n";
    world.mail("text.patch", text);
    world.series("# flavor: hints\n1.patch\ntext.patch\n# flavor: fastnet\n2.patch\n");
    let outcome = check(&world);
    outcome.passed();
    assert!(outcome.stdout.contains("patches 1 to 2: builds, into a kernel that passed already ("));
    assert_eq!(guests(&world), 3);
}

#[test]
fn a_patch_that_only_a_later_one_makes_compile_is_named() {
    let world = world();
    world.returning("1.patch", "1", "nowhere");
    world.returning("3.patch", "nowhere", "3");
    fails_at(&check(&world), "patch 1", 6, &["1.patch (patch 1)", "net/a.c:5:16: error: ", "nowhere"]);
}

#[test]
fn a_patch_that_fails_in_a_guest_is_named() {
    let world = world();
    world.adding("2.patch", &format!("{CALL}char fails[] = \"FAILS\";\n"));
    let said = ["2.patch (patches 1 to 2)", "FAIL fake::one: exit 101", "target/runs/"];
    fails_at(&check(&world), "patches 1 to 2", 1, &said);
}

#[test]
fn a_series_that_loses_the_system_call_fails() {
    let world = world();
    world.adding("2.patch", "int three;\n");
    fails_at(&check(&world), "patches 1 to 3", 1, &["3.patch", "the guest has no remember_mmsghdr()"]);
}

#[test]
fn a_mail_that_checkpatch_refuses_is_named() {
    let world = world();
    world.adding("2.patch", "/* CHECK */\n");
    fails_at(&check(&world), "checkpatch --strict, patch 2", 1, &["2.patch", "CHECK: alignment"]);
    assert_eq!(guests(&world), 0);
}

#[test]
fn only_new_warnings_count() {
    let world = world();
    world.write("linux/net/b.c", "int two;\n/* SPARSE */ static void known(void) {}\n");
    world.mail(
        "2.patch",
        &format!(
            "diff --git a/net/b.c b/net/b.c\n--- a/net/b.c\n+++ b/net/b.c\n@@ -1,2 +1,5 @@\n int two;\n{} \
         /* SPARSE */ static void known(void) {{}}\n",
            CALL.lines().flat_map(|line| ["+", line, "\n"]).collect::<String>()
        ),
    );
    let outcome = check(&world);
    outcome.passed();
    assert!(outcome.stdout.contains(": 1 by gcc with W=1 and 1 by sparse warnings"), "{}", outcome.stdout);

    let world = self::world();
    world.adding("2.patch", &format!("{CALL}static void unused(void) {{}}\n"));
    let said = ["1 that stock has not", "net/b.c: ", "unused", "defined but not used"];
    fails_at(&check(&world), "warnings by gcc with W=1", 1, &said);

    let world = self::world();
    world.adding("2.patch", &format!("{CALL}/* SPARSE */\n"));
    fails_at(&check(&world), "warnings by sparse", 1, &["net/b.c: incorrect type"]);
}

#[test]
fn every_variant_must_build_and_off_means_off() {
    let error = |condition: &str| format!("#if {condition} && defined REMEMBER_MMSGHDR\n#error no\n#endif\n");
    for (patch, step, code, said) in [
        (
            "char call[] = \"HAS_CALL\";\n".to_owned(),
            "REMEMBER_MMSGHDR off",
            1,
            "has remember_mmsghdr() all the same",
        ),
        (error("defined IPV6_MODULE"), "IPV6=m", 6, "error: #error no"),
        (error("!defined IPV6 && !defined IPV6_MODULE"), "IPV6=n", 6, "error: #error no"),
    ] {
        let world = world();
        world.write("root/configs/vm.config", "CONFIG_IPV6=y\nCONFIG_REMEMBER_MMSGHDR=y\n");
        world.adding("2.patch", &format!("{CALL}{patch}").replace("const char call", "const char name"));
        fails_at(&check(&world), step, code, &[step, said]);
    }
}

#[test]
fn a_kselftest_must_compile_without_a_warning_and_runs() {
    let source = |line: &str| {
        let path = "tools/testing/selftests/net/x.c";
        format!(
            "diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+{line}\n"
        )
    };
    let world = world();
    world.mail("3.patch", &source("int main(void) { return 0; }"));
    let outcome = check(&world);
    outcome.passed();
    assert!(outcome.stdout.contains("kselftest in a guest: 1 of 1 pass"), "{}", outcome.stdout);
    assert_eq!(guests(&world), 5);
    world.mail("3.patch", &source("static int x; int main(void) { return 0; }"));
    fails_at(
        &check(&world),
        "kselftest in a guest",
        6,
        &["net/x.c does not compile", "defined but not used"],
    );
}

#[test]
fn a_run_that_was_killed_goes_on_where_it_was() {
    let world = world();
    let (begun, gate) = (world.path("begun"), world.path("gate"));
    assert!(Command::new("mkfifo").args([&begun, &gate]).status().unwrap().success());
    // In a guest of the second kernel, the first that has the call.
    let (begun_in, gate_in) = (begun.display(), gate.display());
    let wait = format!(
        "case \"$*\" in *'--shard 0/'*) grep -q HAS_CALL \"$image\" && {{ echo > {begun_in}; read line < {gate_in}; }};; esac\n\
         say 'KTAP version 1'\n"
    );
    world.tool("qemu-system-x86_64", &QEMU.replace("say 'KTAP version 1'\n", &wait));
    let mut xtask = world.command("patch check --build --kernel 6.12").spawn().unwrap();
    within_a_minute(move || File::open(begun).unwrap().read(&mut [0]).unwrap());
    xtask.kill().unwrap();
    xtask.wait().unwrap();
    world.tool("qemu-system-x86_64", QEMU);
    let outcome = check(&world);
    outcome.passed();
    assert!(outcome.stdout.contains("\nok    patch 1: as before\n"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("\nok    patches 1 to 2: builds, boots, "), "{}", outcome.stdout);
}
