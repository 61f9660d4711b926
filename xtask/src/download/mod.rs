//! One address, one file: goes on where an earlier attempt, or an earlier run, was cut off.

pub mod http;
pub mod part;
pub mod room;

use std::io::Read;

use reqwest::StatusCode;
use reqwest::blocking::Response;
use reqwest::header::{CONTENT_RANGE, ETAG, HeaderMap, IF_RANGE, LAST_MODIFIED, RANGE};

use crate::progress::Progress;

use http::Failure;
use part::{Origin, Part};

/// Attempts in a row that get no further before an address is given up.
const FRUITLESS: u32 = 3;
/// Attempts in all: a server that sends a few bytes a connection would else keep us forever.
const ATTEMPTS: u32 = 1000;

/// How an attempt ended that found the server working.
enum Attempt {
    Whole,
    /// Cut off, for this reason; another attempt may go on from there.
    Cut(String),
}

/// Where a file is.
pub enum Address<'a> {
    /// There, each time.
    Fixed(&'a str),
    /// There for a moment: whoever lends the address is asked for it before every attempt.
    Lent {
        /// The file's own name, the same for every address.
        name: &'a str,
        /// Asks for the address.
        ask: &'a dyn Fn() -> Result<String, Failure>,
    },
}

impl Address<'_> {
    /// What bytes from here are the beginning of.
    fn name(&self) -> &str {
        match self {
            Self::Fixed(name) | Self::Lent { name, .. } => name,
        }
    }

    fn url(&self) -> Result<String, Failure> {
        match self {
            Self::Fixed(url) => Ok((*url).to_owned()),
            Self::Lent { ask, .. } => ask(),
        }
    }

    /// Whether another address may be answered where this one was refused: its time was over.
    fn may_be_over(&self, status: StatusCode) -> bool {
        let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::GONE];
        matches!(self, Self::Lent { .. }) && refused.contains(&status)
    }
}

/// Brings `part` to all the bytes at `address`.
pub fn download(address: &Address<'_>, part: &mut Part, progress: &Progress) -> Result<(), Failure> {
    let mut fruitless = 0;
    for _ in 0..ATTEMPTS {
        let before = part.length();
        let Attempt::Cut(reason) = attempt(address, part, progress)? else { return Ok(()) };
        fruitless = if part.length() > before { 0 } else { fruitless + 1 };
        if fruitless == FRUITLESS {
            return Err(Failure::Unreachable(reason));
        }
    }
    Err(Failure::Unreachable(format!("cut off {ATTEMPTS} times")))
}

fn attempt(address: &Address<'_>, part: &mut Part, progress: &Progress) -> Result<Attempt, Failure> {
    let mut request = http::client()?.get(address.url()?);
    if let Some(validator) = part.validator(address.name()) {
        let range = format!("bytes={}-", part.length());
        request = request.header(RANGE, range).header(IF_RANGE, validator);
    }
    let response = request.send()?;
    if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
        // What is here does not fit what the server has.
        part.restart(None)?;
        return Ok(Attempt::Cut(response.status().to_string()));
    }
    if address.may_be_over(response.status()) {
        return Ok(Attempt::Cut(response.status().to_string()));
    }
    let response = http::success(response)?;
    if response.status() == StatusCode::PARTIAL_CONTENT {
        check_range(response.headers(), part)?;
    } else {
        part.restart(origin(address.name(), response.headers()))?;
    }
    receive(response, part, progress)
}

/// Takes in the rest of the body.
fn receive(mut response: Response, part: &mut Part, progress: &Progress) -> Result<Attempt, Failure> {
    let rest = response.content_length().unwrap_or(0);
    let total = part.length() + rest;
    room::require(part.path(), rest)?;
    progress.expect(total);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match response.read(&mut buffer) {
            Ok(0) => return Ok(Attempt::Whole),
            Ok(count) => room::needs(part.append(&buffer[..count]), || total)?,
            Err(cut) => {
                let (length, cause) = (part.length(), http::root_cause(&cut));
                return Ok(Attempt::Cut(format!("cut off after {length} of {total} bytes: {cause}")));
            }
        }
        progress.set(part.length());
    }
}

/// Fails where a partial answer begins elsewhere than asked: its bytes would go to the wrong place.
fn check_range(headers: &HeaderMap, part: &mut Part) -> Result<(), Failure> {
    let (start, range) = (part.length(), header(headers, CONTENT_RANGE.as_str()).unwrap_or_default());
    if range.starts_with(&format!("bytes {start}-")) {
        return Ok(());
    }
    // The next run shall not ask such a server for a range again.
    part.restart(None)?;
    Err(Failure::Refused(format!("asked for bytes from {start}, the server answered `{range}`")))
}

/// What the body of an answer is the beginning of, where the server gave that a name to ask for it by.
fn origin(name: &str, headers: &HeaderMap) -> Option<Origin> {
    // A weak ETag does not promise equal bytes (RFC 9110, 13.1.5).
    let strong = header(headers, ETAG.as_str()).filter(|tag| !tag.starts_with("W/"));
    let validator = strong.or_else(|| header(headers, LAST_MODIFIED.as_str()))?.to_owned();
    Some(Origin { name: name.to_owned(), validator })
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
