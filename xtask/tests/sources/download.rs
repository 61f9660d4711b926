//! Tarballs over a network that fails in every way it can.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::archive::{Archive, assert_kernel, kernel, sha256};
use crate::server::{Reply, Request, Server, serve};
use crate::world::{Outcome, World};

const SIZE: usize = 200_000;

fn world(urls: &[String], sha256: &str) -> World {
    let (url, mirrors) = urls.split_first().unwrap();
    World::with_source(&format!("tarball = {{ url = {url:?}, mirrors = {mirrors:?}, sha256 = {sha256:?} }}"))
}

#[test]
fn a_fetched_tree_is_whole_and_stays() {
    let archive = kernel(SIZE);
    let server = Server::of(archive.clone(), "\"v1\"");
    let world = world(&[server.url("linux-6.11.tar.xz")], &sha256(&archive));

    let tree = world.run(&["--kernel", "6.11"]).tree();
    assert_kernel(&tree, SIZE);
    assert_eq!(world.trees(), std::slice::from_ref(&tree));
    world.assert_no_leftovers();

    assert_eq!(world.run(&["--kernel", "6.11"]).tree(), tree);
    assert_eq!(world.run(&[]).tree(), tree);
    assert_eq!(server.count(), 1, "a cached tree needs no network");
}

#[test]
fn a_connection_dropped_at_every_tenth_is_resumed() {
    let archive = kernel(SIZE);
    let tenth = archive.len().div_ceil(10);
    let digest = sha256(&archive);
    let server = Server::start(move |request| serve(request, &archive, "\"v1\"").cut(tenth));
    let world = world(&[server.url("linux-6.11.tar.xz")], &digest);

    assert_kernel(&world.run(&["--kernel", "6.11"]).tree(), SIZE);
    let gets = server.gets();
    assert_eq!(gets.len(), 10);
    for (index, get) in gets.iter().enumerate().skip(1) {
        assert_eq!(get.headers["range"], format!("bytes={}-", index * tenth));
        assert_eq!(get.headers["if-range"], "\"v1\"");
    }
}

#[test]
fn last_modified_serves_where_the_etag_is_weak() {
    let archive = kernel(SIZE);
    let digest = sha256(&archive);
    let date = "Sun, 15 Sep 2024 16:27:37 GMT";
    let server = Server::start(move |request| {
        let mut reply = serve(request, &archive, date).cut(archive.len() / 2 + 1);
        reply.headers.retain(|(name, _)| *name != "ETag");
        reply.header("ETag", "W/\"v1\"").header("Last-Modified", date)
    });
    let world = world(&[server.url("linux-6.11.tar.xz")], &digest);

    assert_kernel(&world.run(&["--kernel", "6.11"]).tree(), SIZE);
    assert_eq!(server.gets()[1].headers["if-range"], date);
}

#[test]
fn content_that_changes_midway_starts_over() {
    let (old, new) = (kernel(SIZE / 2), kernel(SIZE));
    let digest = sha256(&new);
    let server = Server::start(move |request| {
        if request.resumes() {
            serve(request, &new, "\"new\"")
        } else {
            serve(request, &old, "\"old\"").cut(old.len() / 2)
        }
    });
    let world = world(&[server.url("linux-6.11.tar.xz")], &digest);

    assert_kernel(&world.run(&["--kernel", "6.11"]).tree(), SIZE);
    let gets = server.gets();
    assert_eq!(gets.len(), 2);
    assert_eq!(gets[1].headers["if-range"], "\"old\"");
}

#[test]
fn a_part_longer_than_the_archive_starts_over() {
    let (old, new) = (kernel(SIZE), kernel(SIZE / 4));
    let digest = sha256(&new);
    let count = AtomicUsize::new(0);
    let server = Server::start(move |request| match count.fetch_add(1, Ordering::SeqCst) {
        0 => serve(request, &old, "\"v1\"").cut(old.len() / 2),
        _ => serve(request, &new, "\"v1\""),
    });
    let world = world(&[server.url("linux-6.11.tar.xz")], &digest);

    assert_kernel(&world.run(&["--kernel", "6.11"]).tree(), SIZE / 4);
    assert_eq!(server.gets().len(), 3, "cut off, 416, whole");
}

#[test]
fn a_range_that_begins_elsewhere_is_refused() {
    let archive = kernel(SIZE);
    let (digest, half) = (sha256(&archive), archive.len() / 2);
    let server = Server::start(move |request| {
        if request.resumes() {
            Reply::new(206, &archive[half - 1..]).header(
                "Content-Range",
                format!("bytes {}-{}/{}", half - 1, archive.len() - 1, archive.len()),
            )
        } else {
            serve(request, &archive, "\"v1\"").cut(half)
        }
    });
    let world = world(&[server.url("linux-6.11.tar.xz")], &digest);

    let begins = format!("asked for bytes from {half}, the server answered `bytes {}-", half - 1);
    world.run(&["--kernel", "6.11"]).fails(5, &[&begins]);
    world.run(&["--kernel", "6.11"]).fails(5, &[&begins]);
    let resumes: Vec<_> = server.gets().iter().map(Request::resumes).collect();
    assert_eq!(resumes, [false, true, false, true], "the second run started over");
}

#[test]
fn a_server_without_ranges_that_drops_every_time_is_given_up() {
    let archive = kernel(SIZE);
    let digest = sha256(&archive);
    let server = Server::start(move |_| Reply::new(200, &archive).cut(SIZE / 10));
    let world = world(&[server.url("linux-6.11.tar.xz")], &digest);

    world.run(&["--kernel", "6.11"]).fails(5, &["cut off after 20000 of "]);
    assert_eq!(server.gets().len(), 4, "one that got further than nothing, three that got no further");
}

#[test]
fn an_altered_archive_is_never_unpacked_and_the_mirror_serves() {
    let archive = kernel(SIZE);
    let mut altered = archive.clone();
    altered[SIZE / 2] ^= 1;
    let (bad, good) = (Server::of(altered.clone(), "\"v1\""), Server::of(archive.clone(), "\"v1\""));
    let url = bad.url("linux-6.11.tar.xz");

    let alone = world(std::slice::from_ref(&url), &sha256(&archive));
    let message = format!("{url}: expected sha256 {}, got {}", sha256(&archive), sha256(&altered));
    for _ in 0..2 {
        alone.run(&["--kernel", "6.11"]).fails(5, &[&message]);
        alone.assert_no_trees();
    }
    assert!(bad.gets().iter().all(|get| !get.resumes()), "altered bytes were kept");

    let mirrored = world(&[url, good.url("linux-6.11.tar.xz")], &sha256(&archive));
    assert_kernel(&mirrored.run(&["--kernel", "6.11"]).tree(), SIZE);
}

#[test]
fn a_truncated_archive_is_named_so() {
    let mut archive = kernel(SIZE);
    archive.truncate(SIZE / 2);
    let server = Server::of(archive.clone(), "\"v1\"");
    let world = world(&[server.url("linux-6.11.tar.xz")], &sha256(&archive));

    let file = world.write("linux-6.11.tar.xz", &archive);
    for args in [["--kernel", "6.11"], ["--source", file.to_str().unwrap()]] {
        world.run(&args).fails(5, &["is not a sound archive", "member linux-6.11/net/socket.c"]);
        world.assert_no_trees();
    }
}

#[test]
fn an_archive_cut_in_its_last_bytes_is_not_sound() {
    let mut archive = Archive::new().xz();
    archive.truncate(archive.len() - 1);
    let world = World::with_source("path = \"unused\"");
    let file = world.write("linux-6.11.tar.xz", &archive);
    world.run(&["--source", file.to_str().unwrap()]).fails(5, &["is not a sound archive"]);
}

#[test]
fn what_one_address_lacks_the_next_one_has() {
    let archive = kernel(SIZE);
    let empty = Server::start(|_| Reply::new(404, b"no"));
    let full = Server::of(archive.clone(), "\"v1\"");
    let (missing, here) = (empty.url("linux-6.11.tar.xz"), full.url("linux-6.11.tar.xz"));

    let mirrored = world(&[missing.clone(), here], &sha256(&archive));
    assert_kernel(&mirrored.run(&["--kernel", "6.11"]).tree(), SIZE);

    let nowhere = world(&[missing.clone(), empty.url("other.tar.xz")], &sha256(&archive));
    let lines = [format!("{missing}: 404 Not Found"), format!("{}: 404", empty.url("other.tar.xz"))];
    nowhere.run(&["--kernel", "6.11"]).fails(5, &[&lines[0], &lines[1]]);
}

#[test]
fn a_slow_server_is_not_a_dead_one() {
    let archive = kernel(SIZE);
    let digest = sha256(&archive);
    let server = Server::start(move |request| Reply { pieces: 8, ..serve(request, &archive, "\"v1\"") });
    let world = world(&[server.url("linux-6.11.tar.xz")], &digest);

    let started = Instant::now();
    let mut fetch = world.fetch(&["--kernel", "6.11"]);
    let fetch = Outcome::of(fetch.env("FASTNET_IDLE_TIMEOUT", "3").output().unwrap());
    assert_kernel(&fetch.tree(), SIZE);
    assert!(started.elapsed() > Duration::from_secs(3), "the server was not slow");
    assert_eq!(server.gets().len(), 1);
}

#[test]
fn a_server_that_falls_silent_is_left() {
    let archive = kernel(SIZE);
    let digest = sha256(&archive);
    let server = Server::start(move |request| {
        if request.resumes() {
            serve(request, &archive, "\"v1\"")
        } else {
            serve(request, &archive, "\"v1\"").cut(SIZE / 2).hold()
        }
    });
    let world = world(&[server.url("linux-6.11.tar.xz")], &digest);

    let mut fetch = world.fetch(&["--kernel", "6.11"]);
    let fetch = Outcome::of(fetch.env("FASTNET_IDLE_TIMEOUT", "3").output().unwrap());
    assert_kernel(&fetch.tree(), SIZE);
    let resumes: Vec<_> = server.gets().iter().map(Request::resumes).collect();
    assert!(!resumes[0] && resumes.len() > 1 && resumes[1..].iter().all(|resumes| *resumes), "{resumes:?}");
}

#[test]
fn a_proxy_is_gone_through() {
    let archive = kernel(SIZE);
    let digest = sha256(&archive);
    let proxy = Server::of(archive, "\"v1\"");
    let world = world(&["http://kernel.invalid/linux-6.11.tar.xz".to_owned()], &digest);

    let mut fetch = world.fetch(&["--kernel", "6.11"]);
    let fetch = Outcome::of(fetch.env("http_proxy", proxy.url("")).output().unwrap());
    assert_kernel(&fetch.tree(), SIZE);
    assert_eq!(proxy.gets()[0].path, "http://kernel.invalid/linux-6.11.tar.xz");
}
