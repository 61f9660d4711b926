//! Archives and names that mean harm. The API vouches for all of them: whoever could upload one could do that too.

use std::fs;

use crate::github::Host;
use crate::packages::{Zip, packages};

/// Asserts that this archive is refused for that reason, and that nothing of it or its neighbours is written.
#[track_caller]
fn assert_refused(archive: &[u8], said: &str) {
    let github = Host::new()
        .run(1, |_| ())
        .artifact(1, 7, "evil", archive, |_| ())
        .artifact(1, 8, "good", &packages(10), |_| ())
        .start();
    github.download(&[]).failed(5, &[said]);
    github.assert_nothing_unpacked();
    for place in ["evil", "out/../evil", "root/evil"] {
        assert!(!github.world.path(place).exists(), "{place}");
    }
    assert!(!fs::exists("/evil").unwrap());
}

#[test]
fn names_that_lead_out() {
    for name in ["../evil", "a/../../../evil", "/evil", "..\\evil", "a/../b"] {
        let zip = Zip::new().file("fine", "").file(name, "evil");
        assert_refused(&zip.bytes(), "leads out of the folder");
    }
}

#[test]
fn links_even_harmless_ones() {
    for target in ["../..", "/etc", "fine"] {
        let zip = Zip::new().file("fine", "").link("link", target).file("link/evil", "evil");
        assert_refused(&zip.bytes(), "its member `link`: is neither a file nor a folder");
    }
}

#[test]
fn a_bomb() {
    let zeros = vec![0; 9 << 20];
    let zip = Zip::new().file("one", &zeros).file("two", &zeros).bytes();
    assert!(zip.len() < 100_000);
    assert_refused(&zip, "its member `two`: is a zip bomb");
}

#[test]
fn a_member_that_is_longer_than_it_says() {
    let mut zip = Zip::new().file("zeros", vec![0; 1 << 20]).bytes();
    let (size, lie) = ((1_u32 << 20).to_le_bytes(), 10_u32.to_le_bytes());
    let places: Vec<_> = (0..zip.len() - 4).filter(|&at| zip[at..at + 4] == size).collect();
    assert!(!places.is_empty());
    for at in places {
        zip[at..at + 4].copy_from_slice(&lie);
    }
    assert_refused(&zip, "its member `zeros`");
}

#[test]
fn altered_bytes_and_what_is_no_archive() {
    let mut altered = packages(1000);
    altered[200] ^= 1;
    assert_refused(&altered, "artifact evil is refused");
    let mut short = packages(1000);
    short.truncate(900);
    assert_refused(&short, "it is no sound zip archive");
    assert_refused(b"", "it is no sound zip archive");
}

#[test]
fn a_file_where_a_folder_must_be() {
    assert_refused(&Zip::new().file("a", "").file("a/b", "").bytes(), "cannot unpack ");
}

#[test]
fn more_members_than_anyone_needs() {
    let zip = (0..=10_000).fold(Zip::new(), |zip, number| zip.file(&number.to_string(), ""));
    assert_refused(&zip.bytes(), "it has 10001 members");
}

#[test]
fn an_artifact_whose_name_is_no_folders() {
    for name in ["../evil", "/evil", "a/b", "..", ".", "", ".hidden", "a\\b", "\u{1b}[2Jclear"] {
        let github = Host::new().run(1, |_| ()).artifact(1, 7, name, &packages(10), |_| ()).start();
        for outcome in [github.download(&[]), github.run(&["list"])] {
            outcome.failed(5, &["which can be no folder here"]);
            assert!(!outcome.stderr.contains('\u{1b}'));
        }
        github.assert_nothing_unpacked();
    }
}
