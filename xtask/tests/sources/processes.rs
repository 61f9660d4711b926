//! Commands at the same time, and commands that die.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use crate::archive::{Archive, assert_kernel, kernel, sha256};
use crate::server::{Server, serve};
use crate::world::{Outcome, World};

const SIZE: usize = 200_000;
const KERNEL: &[&str] = &["--kernel", "6.11"];

fn world(server: &Server, sha256: &str) -> World {
    let url = server.url("linux-6.11.tar.xz");
    World::with_source(&format!("tarball = {{ url = {url:?}, sha256 = {sha256:?} }}"))
}

#[test]
fn a_second_command_waits_for_the_first_and_shares_its_tree() {
    let archive = kernel(SIZE);
    let digest = sha256(&archive);
    let (asked, was_asked) = mpsc::channel();
    let (go, may_go) = mpsc::channel();
    let gate = Mutex::new(may_go);
    let server = Server::start(move |request| {
        asked.send(()).unwrap();
        gate.lock().unwrap().recv().unwrap();
        serve(request, &archive, "\"v1\"")
    });
    let world = world(&server, &digest);

    let first = world.fetch(KERNEL).spawn().unwrap();
    was_asked.recv_timeout(Duration::from_secs(20)).unwrap();
    let mut second = world.fetch(KERNEL).spawn().unwrap();
    let mut said = BufReader::new(second.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    let holder = format!("waiting for process {}, fetching {}", first.id(), server.url("linux-6.11.tar.xz"));
    assert!(line.starts_with(&holder), "{line}");

    go.send(()).unwrap();
    let trees = [first, second].map(|child| {
        let outcome = Outcome::of(child.wait_with_output().unwrap());
        outcome.tree()
    });
    said.read_to_string(&mut line).unwrap();
    assert_eq!(trees[0], trees[1]);
    assert_kernel(&trees[0], SIZE);
    assert_eq!(server.gets().len(), 1);
}

#[test]
fn a_download_killed_midway_is_resumed_by_the_next_run() {
    let archive = kernel(SIZE);
    let (digest, half) = (sha256(&archive), archive.len() / 2);
    let server = Server::start(move |request| {
        if request.resumes() {
            serve(request, &archive, "\"v1\"")
        } else {
            serve(request, &archive, "\"v1\"").cut(half).hold()
        }
    });
    let world = world(&server, &digest);

    let mut first = world.fetch(KERNEL).spawn().unwrap();
    let part = world.path(&format!("cache/downloads/{digest}/linux-6.11.tar.xz.part"));
    let deadline = Instant::now() + Duration::from_secs(20);
    while fs::metadata(&part).map_or(0, |facts| facts.len()) < half as u64 {
        assert!(Instant::now() < deadline, "the first half did not arrive");
        std::thread::sleep(Duration::from_millis(2));
    }
    first.kill().unwrap();
    first.wait().unwrap();
    world.assert_no_trees();

    assert_kernel(&world.run(KERNEL).tree(), SIZE);
    assert_eq!(server.gets()[1].headers["range"], format!("bytes={half}-"));
    world.assert_no_leftovers();
}

#[test]
fn a_part_without_its_origin_is_not_trusted() {
    let archive = kernel(SIZE);
    let server = Server::of(archive.clone(), "\"v1\"");
    let world = world(&server, &sha256(&archive));
    world.write(
        &format!("cache/downloads/{}/linux-6.11.tar.xz.part", sha256(&archive)),
        "bytes of who knows what",
    );
    assert_kernel(&world.run(KERNEL).tree(), SIZE);
    assert!(!server.gets()[0].resumes());
}

#[test]
fn a_run_that_dies_while_unpacking_leaves_no_half_tree() {
    let archive = Archive::new().file("linux-6.11/zeros", vec![0; 1 << 20]).xz();
    let server = Server::of(archive.clone(), "\"v1\"");
    let world = world(&server, &sha256(&archive));

    // The limit's signal ends the process in the middle of its first long file, as surely and with as little
    // warning as `kill -9`, and always there.
    let xtask = env!("CARGO_BIN_EXE_xtask");
    let limited = format!("ulimit -c 0; ulimit -f 512; exec '{xtask}' fetch --kernel 6.11");
    let died = Outcome::of(world.program("sh").args(["-c", &limited]).output().unwrap());
    assert_eq!(died.code, None, "{}", died.stderr);
    world.assert_no_trees();
    let half = world.path(&format!("cache/downloads/{}/tree/zeros", sha256(&archive)));
    assert!(half.is_file(), "it died elsewhere");

    let tree = world.run(KERNEL).tree();
    assert_eq!(fs::metadata(tree.join("zeros")).unwrap().len(), 1 << 20);
    assert_eq!(server.gets().len(), 1, "the archive was whole already");
    world.assert_no_leftovers();
}

#[test]
fn what_a_run_that_died_while_cleaning_up_left_goes_away() {
    let archive = kernel(10);
    let server = Server::of(archive.clone(), "\"v1\"");
    let world = world(&server, &sha256(&archive));
    let tree = world.run(KERNEL).tree();
    world.write(&format!("cache/downloads/{}/linux-6.11.tar.xz.part", sha256(&archive)), &archive);
    assert_eq!(world.run(KERNEL).tree(), tree);
    world.assert_no_leftovers();
    assert_eq!(server.count(), 1);
}
