//! The guest's console: a log on disk that no flood can make large, and the lines kept for a report.

use std::collections::VecDeque;
use std::io::{self, BufRead, Write};

use super::splat::Meaning;
use super::verdict::{Case, Verdict};

/// Writes the first and the last megabytes of a stream, and how much is missing between.
///
/// The tail is kept in memory until [`BoundedLog::finish`].
pub struct BoundedLog<W> {
    log: W,
    room: usize,
    tail: VecDeque<u8>,
    half: usize,
    dropped: u64,
}

impl<W: Write> BoundedLog<W> {
    /// Keeps `half` bytes of the beginning and as many of the end.
    pub fn new(log: W, half: usize) -> Self {
        Self { log, room: half, tail: VecDeque::new(), half, dropped: 0 }
    }

    /// Takes what came next.
    pub fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (head, rest) = bytes.split_at(self.room.min(bytes.len()));
        self.room -= head.len();
        self.log.write_all(head)?;
        self.tail.extend(rest);
        let excess = self.tail.len().saturating_sub(self.half);
        self.tail.drain(..excess);
        self.dropped += excess as u64;
        Ok(())
    }

    /// Writes the tail, after a line that tells how much was dropped before it.
    pub fn finish(mut self) -> io::Result<W> {
        if self.dropped > 0 {
            writeln!(self.log, "\n[{} bytes dropped]", self.dropped)?;
        }
        let (front, back) = self.tail.as_slices();
        self.log.write_all(front)?;
        self.log.write_all(back)?;
        self.log.flush()?;
        Ok(self.log)
    }
}

/// Cuts a stream of bytes into lines; what is longer than a line may be loses its end.
#[derive(Default)]
pub struct Lines {
    line: Vec<u8>,
}

impl Lines {
    const LONGEST: usize = 4096;

    /// Hands each line that `bytes` complete to `on_line`.
    pub fn add(&mut self, mut bytes: &[u8], mut on_line: impl FnMut(String)) {
        // std's search, and not a closure a byte: fast in a debug build, too, when the guest floods us.
        while let Ok(length @ 1..) = { bytes }.skip_until(b'\n') {
            let (part, rest) = bytes.split_at(length);
            bytes = rest;
            let room = Self::LONGEST.saturating_sub(self.line.len());
            self.line.extend_from_slice(&part[..part.len().min(room)]);
            if part.ends_with(b"\n") {
                on_line(self.take());
            }
        }
    }

    /// What came after the last line's end.
    pub fn take(&mut self) -> String {
        let line = String::from_utf8_lossy(&self.line).trim_end().to_owned();
        self.line.clear();
        line
    }
}

/// The lines of a stretch of console that a report shows: the last ones, or those around a complaint.
#[derive(Debug, Default)]
pub struct Excerpt {
    lines: VecDeque<String>,
    complaint: Option<(Meaning, String)>,
    after: usize,
}

impl Excerpt {
    const BEFORE: usize = 20;
    const AFTER: usize = 60;

    /// Takes a line and what it means.
    pub fn add(&mut self, line: &str, meaning: Meaning) {
        let worse = self.complaint.as_ref().map_or(Meaning::Quiet, |(meaning, _)| *meaning);
        if meaning > worse {
            self.complaint = Some((meaning, line.to_owned()));
            self.after = 0;
        }
        if self.complaint.is_none() && self.lines.len() == Self::BEFORE {
            self.lines.pop_front();
        }
        if self.complaint.is_none() || self.after < Self::AFTER {
            self.after += 1;
            self.lines.push_back(line.to_owned());
        }
    }

    /// The gravest complaint, and its line.
    pub fn complaint(&self) -> Option<(Meaning, &str)> {
        self.complaint.as_ref().map(|(meaning, line)| (*meaning, line.as_str()))
    }

    /// A case that has nothing but this to show.
    pub fn into_case(self, name: String, verdict: Verdict, why: String) -> Case {
        let duration = std::time::Duration::ZERO;
        Case { name, verdict, why, duration, output: Vec::new(), console: self.lines.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_megabytes_leave_two_ends() {
        let mut log = BoundedLog::new(Vec::new(), 1 << 20);
        log.add(b"[    0.000000] Linux version\n").unwrap();
        for _ in 0..10_000 {
            log.add(&[b'x'; 10_000]).unwrap();
        }
        log.add(b"\nthe end\n").unwrap();
        let text = String::from_utf8(log.finish().unwrap()).unwrap();
        assert!(text.starts_with("[    0.000000] Linux version\n") && text.ends_with("x\nthe end\n"));
        let dropped = 29 + 100_000_000 + 9 - 2 * (1 << 20);
        assert!(text.contains(&format!("\n[{dropped} bytes dropped]\n")));
        assert!(text.len() < 2 * (1 << 20) + 50);
    }

    #[test]
    fn a_short_log_is_whole() {
        let mut log = BoundedLog::new(Vec::new(), 8);
        log.add(b"01234").unwrap();
        log.add(b"56789abcdef").unwrap();
        assert_eq!(log.finish().unwrap(), b"0123456789abcdef");
    }

    #[test]
    fn lines_come_in_any_pieces() {
        let mut lines = Lines::default();
        let mut seen = Vec::new();
        for piece in ["on", "e\r\ntwo", "\n\nfo", "ur"] {
            lines.add(piece.as_bytes(), |line| seen.push(line));
        }
        assert_eq!(seen, ["one", "two", ""]);
        assert_eq!(lines.take(), "four");
    }

    #[test]
    fn an_endless_line_is_cut() {
        let mut lines = Lines::default();
        let mut seen = Vec::new();
        for _ in 0..1000 {
            lines.add(&[b'x'; 1000], |line| seen.push(line));
        }
        lines.add(b"\nnext\n", |line| seen.push(line));
        assert_eq!((seen[0].len(), seen[1].as_str()), (Lines::LONGEST, "next"));
    }

    #[test]
    fn an_excerpt_is_what_surrounds_the_complaint() {
        let mut excerpt = Excerpt::default();
        for n in 0..1000 {
            let meaning = if n == 500 { Meaning::Splat } else { Meaning::Quiet };
            excerpt.add(&n.to_string(), meaning);
        }
        let case = excerpt.into_case(String::new(), Verdict::Splat, String::new());
        assert_eq!(case.console.first().unwrap(), "480");
        assert_eq!(case.console.last().unwrap(), "559");
    }

    #[test]
    fn the_first_of_the_gravest_counts() {
        let mut excerpt = Excerpt::default();
        excerpt.add("a splat", Meaning::Splat);
        excerpt.add("its consequence", Meaning::Splat);
        assert_eq!(excerpt.complaint(), Some((Meaning::Splat, "a splat")));
        excerpt.add("a panic", Meaning::Panic);
        excerpt.add("another splat", Meaning::Splat);
        assert_eq!(excerpt.complaint(), Some((Meaning::Panic, "a panic")));
    }
}
