//! `deploy`, on hosts that are folders.
#![expect(clippy::unwrap_used, reason = "what a test can't unwrap fails it")]

mod host;
#[path = "../script/mod.rs"]
mod script;

use std::fs;

use host::Host;

const OLD: &str = "gnulinux-advanced-UUID>gnulinux-6.1-old-advanced-UUID";
const NEW: &str = "gnulinux-advanced-UUID>gnulinux-6.12-fastnet-advanced-UUID";

#[test]
fn a_good_kernel_becomes_the_default_and_can_be_taken_back() {
    let host = Host::new("good");
    let before = host.image();
    host.deploy(&["--health", "uname -r"]).assert(0, &["6.12-fastnet, booted anew", "is the default"]);
    assert_eq!(host.kernels(), ["6.12-fastnet", NEW]);
    assert!(!host.path("root/etc/systemd/system/fastnet-deadman.service").exists());
    assert!(!host.path("root/etc/grub.d/42_fastnet").exists());
    host.xtask(&["--status"]).assert(0, &["running   6.12-fastnet", "--rollback goes back to 6.1-old"]);
    host.deploy(&[]).assert(0, &["runs already"]);

    host.xtask(&["--rollback"]).assert(0, &["as it was before, on 6.1-old"]);
    assert_eq!(host.image(), before);
    host.xtask(&["--rollback"]).assert(2, &["nothing to take back"]);
}

#[test]
fn a_kernel_that_fails_leaves_the_host_as_it_was() {
    for (fate, health, within, code, said) in [
        ("panics", "true", "5", 4, "the new kernel did not come up"),
        ("no-network", "true", "5", 4, "could not be reached for 300 s"),
        ("no-call", "true", "5", 4, "remember_mmsghdr() does not answer"),
        ("good", "echo the feed is down; exit 3", "5", 1, "the feed is down"),
        ("good", "sleep 60", "1", 1, "not over within 1 s"),
    ] {
        let host = Host::new(fate);
        let before = host.image();
        let ended = host.deploy_within(within, &["--health", health]);
        ended.assert(code, &[said, "as it was before, on its old kernel"]);
        assert_eq!(host.kernels()[0], "6.1-old");
        assert_eq!(host.image(), before, "{fate}, {health}");
    }
}

#[test]
fn a_host_that_stays_away_is_told_of_and_boots_its_old_kernel() {
    let host = Host::new("vanishes");
    host.deploy_within("1", &[]).assert(5, &["not back after 2 s", "a reset brings the old kernel"]);
    assert_eq!(host.kernels()[1], OLD);
}

/// Whatever is refused before the boot leaves nothing behind.
#[test]
fn what_a_host_lacks_is_named_and_nothing_is_left() {
    let cases: &[(&str, &str, i32, &str)] = &[
        ("free-boot", "100", 3, "/boot has 0 MiB free, a kernel needs 4 MiB"),
        ("free-lib", "1", 3, "/var/lib has 0 MiB free"),
        ("free-usr", "1", 3, "/usr has 0 MiB free"),
        ("boot-fills-up", "", 3, "No space left on device"),
        ("abstraction", "lvm", 3, "LVM or RAID"),
        ("unknown-disk", "", 3, "grub-probe cannot tell what /boot/grub is on"),
        ("root/var/lib/dpkg/status", "", 3, "takes ."),
        ("uid", "1000", 3, "sudo without a password"),
        ("root/boot/vmlinuz-6.12-fastnet", "", 3, "not from a deploy"),
        ("release", "6.12-fastnet", 3, "no entry for the running"),
        (
            "root/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c",
            "....\u{1}",
            3,
            "Secure Boot is on",
        ),
        (
            "root/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c",
            "",
            3,
            "Secure Boot is on",
        ),
    ];
    for (file, content, code, said) in cases {
        let host = Host::new("good");
        host.write(file, content);
        let before = host.image();
        host.deploy(&[]).assert(*code, &[said]);
        assert_eq!(host.image(), before, "{file}");
    }
}

#[test]
fn a_user_who_may_sudo_is_enough() {
    let host = Host::new("good");
    host.write("uid", "1000");
    host.write("sudoer", "");
    host.deploy(&[]).assert(0, &["is the default"]);
}

#[test]
fn a_connection_lost_before_any_command_can_be_taken_up_again() {
    cut_everywhere("cut-before");
}

#[test]
fn a_connection_lost_behind_any_command_can_be_taken_up_again() {
    cut_everywhere("cut-after");
}

/// The host stays on, or returns to, a kernel that works, and the same command again comes to its end.
fn cut_everywhere(when: &str) {
    let whole = Host::new("good");
    whole.deploy(&["--health", "true"]).assert(0, &[]);
    let commands: u32 = whole.read("count").parse().unwrap();
    for at in 1..=commands {
        let host = Host::new("good");
        host.write(when, &at.to_string());
        let ended = host.deploy(&["--health", "true"]);
        let context = format!("{when} {at}: {ended:?}");
        // A look that fails while the host reboots is no trouble; any other is told of.
        if ended.code != Some(0) {
            assert_eq!(ended.code, Some(5), "{context}");
            assert!(ended.stderr.contains("closed by remote host"), "{context}");
            let next = &host.kernels()[1];
            let confirmed = host.read("root/var/lib/fastnet/deploy/phase") == "confirmed";
            assert!(next == OLD || next == "what-was" || next == "fastnet-trial" || confirmed, "{context}");
            host.deploy(&["--health", "true"]).assert(0, &["is the default"]);
        }
        assert_eq!(host.kernels(), ["6.12-fastnet", NEW], "{context}");
    }
}

#[test]
fn a_package_that_changed_on_the_way_is_refused() {
    let host = Host::new("good");
    // A scribbling network: what comes to the host is not what was sent.
    let ssh = host.read("ssh/ssh").replace("/bin/sh -c", "/usr/bin/env SCRIBBLE=1 /bin/sh -c");
    host.write("ssh/ssh", &ssh.replace("\"$line\"", "\"$(echo \"$line\" | sed 's/exec cat/exec tr a b/')\""));
    let before = host.image();
    host.deploy(&[]).assert(5, &["the package arrived with sha256", "start again"]);
    assert_eq!(host.image(), before);
}

#[test]
fn another_package_has_to_wait_for_the_first() {
    let host = Host::new("good");
    host.write("cut-before", "6");
    host.deploy(&[]).assert(5, &["closed by remote host"]);
    fs::write(host.package(), "another package").unwrap();
    host.deploy(&[]).assert(3, &["another package's deploy is not over: --rollback first"]);
    host.xtask(&["--rollback"]).assert(0, &["as it was before"]);
    host.deploy(&[]).assert(0, &["is the default"]);
}

#[test]
fn the_first_host_that_fails_is_the_last() {
    let host = Host::new("panics");
    host.deploy(&["second", "third"]).assert(4, &["fake\n", "not touched: second, third"]);
}

#[test]
fn a_dry_run_touches_no_host() {
    let host = Host::new("good");
    let before = host.image();
    let said = host.deploy(&["--dry-run", "--health", "curl -fs localhost"]);
    let steps =
        ["check", "copy", "accept", "install", "arm", "depart", "await", "prove", "health", "confirm"];
    said.assert(0, &steps.map(|step| format!("\n  {step} ")).each_ref().map(String::as_str));
    said.assert(0, &["ssh: curl -fs localhost"]);
    host.xtask(&["--rollback", "--dry-run"]).assert(0, &["retreat", "return", "withdraw"]);
    assert_eq!((host.image(), host.read("count")), (before, String::new()));
}
