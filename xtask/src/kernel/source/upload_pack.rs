//! The client's side of git's smart HTTP, protocol version 2, as far as one tag at depth 1 needs it.
//!
//! libgit2 is built without its own HTTP, which needs OpenSSL, and giving it another transport is unsafe code.
//! So only the talking is done here; objects, digests and checkout stay libgit2's. The formats are those of
//! gitprotocol-common(5), gitprotocol-http(5) and gitprotocol-v2(5).

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use anyhow::{Context, Result};
use git2::{Oid, Repository};
use reqwest::blocking::Response;
use reqwest::header::CONTENT_TYPE;

use crate::download::http::{self, Failure};
use crate::download::room;
use crate::progress::{Progress, Unit};

/// Ends a list of packets.
const FLUSH: &str = "0000";
/// Parts a command from its arguments, and the sections of an answer.
const DELIMITER: &str = "0001";

enum Packet {
    Flush,
    Delimiter,
    Data(Vec<u8>),
}

/// Writes the pack of `tag` and what it leads to, without history, to `pack`; returns the tag's id.
pub fn fetch(url: &str, tag: &str, pack: &Path) -> Result<Oid, Failure> {
    check_version(url)?;
    let id = ask_for_tag(url, tag)?;
    let progress = Progress::start(&format!("downloading {tag}"), Unit::Bytes, None);
    let body = [
        line("command=fetch"),
        DELIMITER.to_owned(),
        line(&format!("want {id}")),
        line("deepen 1"),
        line("ofs-delta"),
        line("no-progress"),
        line("done"),
        FLUSH.to_owned(),
    ];
    let mut answer = command(url, body.concat())?;
    let create = || File::create(pack).with_context(|| format!("making {}", pack.display()));
    receive(&mut answer, &progress, &mut create()?)?;
    Ok(id)
}

/// Takes the pack at `path` into the repository; each object's name is computed anew from its content.
pub fn index(path: &Path, repository: &Repository) -> Result<()> {
    let context = || format!("indexing {}", path.display());
    let mut pack = File::open(path).with_context(context)?;
    // libgit2 writes its copy through a memory map, where a full disk is a SIGBUS.
    room::require(path, pack.metadata()?.len() * 5 / 4)?;
    let database = repository.odb()?;
    let mut writer = database.packwriter()?;
    io::copy(&mut pack, &mut writer).map_err(|_| git2::Error::last_error(-1)).with_context(context)?;
    writer.commit().with_context(context)?;
    fs::remove_file(path).with_context(|| format!("removing {}", path.display()))
}

fn check_version(url: &str) -> Result<(), Failure> {
    let request = http::client()?.get(format!("{url}/info/refs?service=git-upload-pack"));
    let mut answer = http::success(request.header("Git-Protocol", "version=2").send()?)?;
    // A server may first name the service, in a list of its own.
    for _ in 0..3 {
        if matches!(packet(&mut answer)?, Packet::Data(data) if data.trim_ascii() == b"version 2") {
            return Ok(());
        }
    }
    Err(Failure::Refused("does not speak git's protocol version 2".into()))
}

fn ask_for_tag(url: &str, tag: &str) -> Result<Oid, Failure> {
    let name = format!("refs/tags/{tag}");
    let body = [
        line("command=ls-refs"),
        DELIMITER.to_owned(),
        line(&format!("ref-prefix {name}")),
        FLUSH.to_owned(),
    ];
    let mut answer = command(url, body.concat())?;
    while let Packet::Data(data) = packet(&mut answer)? {
        let text = String::from_utf8_lossy(&data);
        if let Some((id, found)) = text.trim_end().split_once(' ')
            && found == name
        {
            return Oid::from_str(id).map_err(|error| Failure::Refused(error.message().to_owned()));
        }
    }
    Err(Failure::Refused(format!("has no tag {tag}")))
}

/// Writes the pack in the answer to a fetch to `pack`.
fn receive(answer: &mut impl Read, progress: &Progress, pack: &mut impl Write) -> Result<(), Failure> {
    let mut in_pack = false;
    loop {
        match packet(answer)? {
            Packet::Flush if in_pack => return Ok(()),
            Packet::Flush => return Err(Failure::Refused("answered without a pack".into())),
            Packet::Delimiter => {}
            Packet::Data(data) if !in_pack => in_pack = data.trim_ascii() == b"packfile",
            // The first byte names the side band: pack, chatter, error.
            Packet::Data(data) => match data.split_first() {
                Some((1, bytes)) => {
                    pack.write_all(bytes).context("writing the pack")?;
                    progress.set(progress.position() + bytes.len() as u64);
                }
                Some((3, text)) => return Err(Failure::Refused(String::from_utf8_lossy(text).into())),
                _ => {}
            },
        }
    }
}

fn command(url: &str, body: String) -> Result<Response, Failure> {
    let request = http::client()?
        .post(format!("{url}/git-upload-pack"))
        .header(CONTENT_TYPE, "application/x-git-upload-pack-request")
        .header("Git-Protocol", "version=2")
        .body(body);
    http::success(request.send()?)
}

/// A packet of one line of text.
fn line(text: &str) -> String {
    format!("{:04x}{text}\n", text.len() + 5)
}

fn packet(answer: &mut impl Read) -> Result<Packet, Failure> {
    let cut = |cause: io::Error| Failure::Unreachable(format!("cut off: {cause}"));
    let mut length = [0; 4];
    answer.read_exact(&mut length).map_err(cut)?;
    let length = str::from_utf8(&length).ok().and_then(|digits| usize::from_str_radix(digits, 16).ok());
    match length {
        Some(0) => Ok(Packet::Flush),
        Some(1) => Ok(Packet::Delimiter),
        Some(length @ 4..) => {
            let mut data = vec![0; length - 4];
            answer.read_exact(&mut data).map_err(cut)?;
            match data.strip_prefix(b"ERR ") {
                Some(text) => Err(Failure::Refused(String::from_utf8_lossy(text).into())),
                None => Ok(Packet::Data(data)),
            }
        }
        _ => Err(Failure::Refused("does not answer as a git server".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(answer: &[u8]) -> (Result<(), Failure>, Vec<u8>) {
        let mut pack = Vec::new();
        let progress = Progress::start("test", Unit::Bytes, None);
        (receive(&mut &answer[..], &progress, &mut pack), pack)
    }

    #[test]
    fn a_line_counts_itself_and_its_end() {
        assert_eq!(line("done"), "0009done\n");
    }

    #[test]
    fn the_pack_comes_out_of_its_side_band() {
        let answer = b"0011shallow-info\n0001000dpackfile\n\
                       0007\x01PA0007\x02..0007\x01CK0000";
        let (result, pack) = received(answer);
        assert!(result.is_ok());
        assert_eq!(pack, b"PACK");
    }

    #[test]
    fn an_answer_cut_off_or_in_error_is_not_a_pack() {
        let (cut, _) = received(b"000dpackfile\n0007\x01PA0009\x01C");
        assert!(matches!(cut, Err(Failure::Unreachable(_))));
        let (error, _) = received(b"000dpackfile\n0009\x03gone0000");
        assert!(matches!(error, Err(Failure::Refused(text)) if text == "gone"));
        let (empty, _) = received(b"0000");
        assert!(matches!(empty, Err(Failure::Refused(_))));
        let (page, _) = received(b"<html>");
        assert!(matches!(page, Err(Failure::Refused(_))));
    }
}
