//! Archives over a network that fails, and archives that are not what was promised.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::github::{GitHub, Host};
use crate::packages::{Zip, assert_packages, packages, sha256, sums};
use crate::server::{Reply, Request, serve};
use crate::world::Outcome;

const SIZE: usize = 100_000;
const PART: &str = "cache/downloads/artifact-7/archive.zip.part";

/// A host with one artifact: packages.
fn host(archive: &[u8]) -> Host {
    Host::new().run(1, |_| ()).artifact(1, 7, "packages", archive, |_| ())
}

/// Asserts that the cache keeps nothing of any download.
#[track_caller]
fn assert_nothing_kept(github: &GitHub) {
    let kept = github.world.path("cache/downloads").read_dir().unwrap().map(|entry| entry.unwrap().path());
    let kept: Vec<_> = kept.filter(|path| path.extension().is_none_or(|kind| kind != "lock")).collect();
    assert!(kept.is_empty(), "{kept:?}");
}

#[test]
fn what_was_made_is_brought_whole() {
    let github = host(&packages(SIZE))
        .artifact(1, 8, "logs", &Zip::new().file("a/b.log", "text").bytes(), |_| ())
        .start();
    let download = github.download(&[]);
    download.passed();
    let [logs, packages] = ["logs", "packages"].map(|name| github.out().join(name));
    assert_eq!(download.stdout, format!("{}\n{}\n", logs.display(), packages.display()));
    assert_packages(&packages, SIZE);
    assert_eq!(fs::read_to_string(logs.join("a/b.log")).unwrap(), "text");
    assert_eq!(github.out().read_dir().unwrap().count(), 2);
    assert_nothing_kept(&github);
}

#[test]
fn if_not_said_where_it_goes_to_a_folder_of_the_run() {
    let github = host(&packages(10)).start();
    let download = github.run(&["download"]);
    let folder = github.world.path("root/target/artifacts/1/packages");
    assert_eq!(download.passed(), folder);
    assert_packages(&folder, 10);
}

#[test]
fn what_is_there_already_is_not_touched() {
    let github = host(&packages(10)).start();
    let mine = github.world.write("out/packages/mine", "kept");
    github.download(&[]).failed(2, &["/out/packages is there already", "--out"]);
    assert_eq!(fs::read_to_string(mine).unwrap(), "kept");
    assert_eq!(github.lendings(), 0);
}

#[test]
fn a_connection_dropped_at_every_fifth_is_resumed_at_a_new_address() {
    let archive = packages(SIZE);
    let fifth = archive.len().div_ceil(5);
    let mut host = host(&archive);
    host.send = Box::new(move |request, archive| serve(request, archive, "\"v1\"").cut(fifth));
    let github = host.start();
    github.download(&[]).passed();
    assert_packages(&github.out().join("packages"), SIZE);
    let gets = github.storage.gets();
    assert_eq!((gets.len(), github.lendings()), (5, 5));
    for (index, get) in gets.iter().enumerate().skip(1) {
        assert_eq!(get.headers["range"], format!("bytes={}-", index * fifth));
        assert_eq!(get.headers["if-range"], "\"v1\"");
    }
}

#[test]
fn a_download_killed_midway_is_resumed_by_the_next_run() {
    let archive = packages(SIZE);
    let half = archive.len() / 2;
    let mut host = host(&archive);
    host.send = Box::new(move |request, archive| {
        let reply = serve(request, archive, "\"v1\"");
        if request.resumes() { reply } else { reply.cut(half).hold() }
    });
    let github = host.start();
    let out = github.out().display().to_string();
    let mut first = github.artifacts(&["download", "--out", &out]).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while fs::metadata(github.world.path(PART)).map_or(0, |facts| facts.len()) < half as u64 {
        assert!(Instant::now() < deadline, "the first half did not arrive");
        std::thread::sleep(Duration::from_millis(2));
    }
    first.kill().unwrap();
    first.wait().unwrap();
    github.assert_nothing_unpacked();

    github.download(&[]).passed();
    assert_packages(&github.out().join("packages"), SIZE);
    assert_eq!(github.storage.gets()[1].headers["range"], format!("bytes={half}-"));
    assert_nothing_kept(&github);
}

#[test]
fn an_address_whose_minute_is_over_is_asked_for_again() {
    let count = AtomicUsize::new(0);
    let mut late = host(&packages(SIZE));
    late.send = Box::new(move |request, archive| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::new(403, b"<Code>AuthenticationFailed</Code>"),
        _ => serve(request, archive, "\"v1\""),
    });
    let github = late.start();
    github.download(&[]).passed();
    assert_eq!(github.lendings(), 2);

    let mut never = host(&packages(SIZE));
    never.send = Box::new(|_, _| Reply::new(403, b""));
    let github = never.start();
    github.download(&[]).failed(5, &["cannot download artifact packages", "/artifacts/7/zip: 403 Forbidden"]);
    assert_eq!(github.lendings(), 3);
}

#[test]
fn an_artifact_that_expires_meanwhile_is_named() {
    let mut host = host(&packages(10));
    host.say = Box::new(|request| {
        request.path.ends_with("/zip").then(|| crate::github::refuse(410, "Artifact has expired"))
    });
    let said = ["cannot download artifact packages", "it has expired (410): choose a newer run"];
    host.start().download(&[]).failed(5, &said);
}

/// A storage that sends nothing before `most` requests are with it, or fifteen seconds have passed; counts how many were.
fn together(host: &mut Host, most: usize) -> Arc<AtomicUsize> {
    let (here, seen) = (Arc::new((Mutex::new(0), Condvar::new())), Arc::new(AtomicUsize::new(0)));
    let peak = Arc::clone(&seen);
    host.send = Box::new(move |request: &Request, archive: &[u8]| {
        let (count, changed) = &*here;
        let mut guests = count.lock().unwrap();
        *guests += 1;
        peak.fetch_max(*guests, Ordering::SeqCst);
        changed.notify_all();
        let patience = Duration::from_secs(15);
        guests =
            changed.wait_timeout_while(guests, patience, |_| peak.load(Ordering::SeqCst) < most).unwrap().0;
        *guests -= 1;
        serve(request, archive, "\"v1\"")
    });
    seen
}

#[test]
fn so_many_at_once_and_no_more() {
    for jobs in [1, 3] {
        let mut host = (2..=3).fold(host(&packages(10)), |host, id| {
            host.artifact(1, id, &format!("packages-{id}"), &packages(10), |_| ())
        });
        // One alone waits for nobody.
        let seen = together(&mut host, jobs);
        let github = host.start();
        github.download(&["--jobs", &jobs.to_string()]).passed();
        assert_eq!(seen.load(Ordering::SeqCst), jobs);
        assert_eq!(github.out().read_dir().unwrap().count(), 3);
    }
}

#[test]
fn an_archive_with_another_digest_is_never_unpacked_nor_kept() {
    let archive = packages(SIZE);
    let (promised, got) = (sha256(b"another"), sha256(&archive));
    let digest = format!("sha256:{promised}");
    let github = Host::new()
        .run(1, |_| ())
        .artifact(1, 7, "packages", &archive, |facts| facts["digest"] = digest.into())
        .start();
    let said = format!("the API promised sha256 {promised}, this has {got}");
    for _ in 0..2 {
        github.download(&[]).failed(5, &["cannot download artifact packages", &said]);
        github.assert_nothing_unpacked();
    }
    assert!(github.storage.gets().iter().all(|get| !get.resumes()), "altered bytes were kept");
}

#[test]
fn a_digest_of_another_kind_is_not_passed_over() {
    let odd = |facts: &mut Value| facts["digest"] = "md5:d41d8cd98f00b204e9800998ecf8427e".into();
    let github = Host::new().run(1, |_| ()).artifact(1, 7, "packages", &packages(10), odd).start();
    github.download(&[]).failed(5, &["artifact packages: the API's digest is `md5:d41d"]);
}

#[test]
fn a_file_that_is_not_what_sha256sums_says_stops_everything() {
    let altered = Zip::new().file("a.deb", "altered").file("SHA256SUMS", sums(&[("a.deb", b"as built")]));
    let missing = Zip::new().file("SHA256SUMS", sums(&[("a.deb", b"as built")]));
    let garbled = Zip::new().file("a.deb", "as built").file("SHA256SUMS", "a.deb is fine");
    let differs =
        format!("a.deb: SHA256SUMS says sha256 {}, it has {}", sha256(b"as built"), sha256(b"altered"));
    for (zip, said) in [
        (altered.bytes(), differs.as_str()),
        (missing.bytes(), "SHA256SUMS lists a.deb, which is not there"),
        (garbled.bytes(), "SHA256SUMS has a line that sha256sum does not write: `a.deb is fine`"),
    ] {
        let github = host(&zip).artifact(1, 8, "sound", &packages(10), |_| ()).start();
        github.download(&[]).failed(5, &["artifact packages is refused", said]);
        github.assert_nothing_unpacked();
        assert!(!github.world.path(PART).exists(), "what is refused was kept");
    }
}

#[test]
fn where_the_api_has_no_digest_every_file_must_be_listed() {
    let silent = |facts: &mut Value| facts["digest"] = Value::Null;
    let with =
        |archive: &[u8]| Host::new().run(1, |_| ()).artifact(1, 7, "packages", archive, silent).start();
    let github = with(&packages(SIZE));
    let download = github.download(&[]);
    download.passed();
    assert!(download.stderr.contains("NOTE: the API has no digest of packages"), "{}", download.stderr);
    assert_packages(&github.out().join("packages"), SIZE);

    let list = sums(&[("a.deb", b"a")]);
    let more = Zip::new().file("a.deb", "a").file("SHA256SUMS", list).file("b.deb", "b").bytes();
    let github = with(&more);
    github.download(&[]).failed(5, &["nothing vouches for b.deb"]);
    github.assert_nothing_unpacked();
    // With a digest the same archive is good.
    host(&more).start().download(&[]).passed();
}

#[test]
fn what_is_here_already_is_not_downloaded_again_after_a_failure() {
    let count = Arc::new(AtomicUsize::new(0));
    let mut host = host(&packages(SIZE)).artifact(1, 8, "last", &packages(10), |_| ());
    let seen = Arc::clone(&count);
    host.send = Box::new(move |request, archive| {
        let last = request.path.starts_with("/8");
        let fails = last && seen.fetch_add(1, Ordering::SeqCst) == 0;
        if fails { Reply::new(404, b"") } else { serve(request, archive, "\"v1\"") }
    });
    let github = host.start();
    github.download(&["--jobs", "1"]).failed(5, &["cannot download artifact last", "404"]);
    github.assert_nothing_unpacked();
    github.download(&[]).passed();
    let gets = github.storage.gets();
    assert_eq!(gets.iter().filter(|get| get.path.starts_with("/7")).count(), 1);
}

#[test]
fn two_commands_that_want_the_same_take_turns() {
    let github = host(&packages(SIZE)).artifact(1, 8, "logs", &packages(10), |_| ()).start();
    let outs = ["one", "two"].map(|name| github.world.path(name).display().to_string());
    let children = outs.each_ref().map(|out| github.artifacts(&["download", "--out", out]).spawn().unwrap());
    for (child, out) in children.into_iter().zip(outs) {
        Outcome::of(child.wait_with_output().unwrap()).passed();
        assert_packages(&Path::new(&out).join("packages"), SIZE);
        assert_packages(&Path::new(&out).join("logs"), 10);
    }
    assert_nothing_kept(&github);
}

#[test]
fn a_disk_without_room_for_it_is_named_and_left_clean() {
    let zeros = vec![0; 1 << 20];
    let github = host(&Zip::new().file("zeros", zeros).bytes()).start();
    fs::create_dir(github.out()).unwrap();
    let unshare = ["--map-root-user", "--mount"];
    if !github
        .world
        .program("unshare")
        .args(unshare)
        .arg("true")
        .status()
        .is_ok_and(|status| status.success())
    {
        eprintln!("skipped: no user namespace here");
        return;
    }
    let mut command = github.world.program("unshare");
    github.log_in(&mut command).env("OUT", github.out()).env("XTASK", env!("CARGO_BIN_EXE_xtask"));
    let script = "mount -t tmpfs -o size=512k none \"$OUT\"
        \"$XTASK\" artifacts download --out \"$OUT\" --api-url \"$0\" || echo \"code $?\"
        find \"$OUT\" -mindepth 1";
    let outcome =
        Outcome::of(command.args(unshare).args(["sh", "-c", script, &github.api.url("")]).output().unwrap());
    assert_eq!(outcome.stdout, "code 3\n", "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("no room for ") && outcome.stderr.contains("1.00 MiB"),
        "{}",
        outcome.stderr
    );
}
