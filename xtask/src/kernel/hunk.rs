//! Where a patch's hunks belong in a file.
//!
//! libgit2 applies a hunk at the very line its header names and nowhere else, while a stable kernel moves
//! its lines at every release. So hunks are found first, by their whole context (no fuzz), as near to
//! where they are expected as they match, and the headers told the line.

use std::fmt;

/// A hunk whose context is nowhere in the file.
#[derive(Debug)]
pub struct Misfit {
    /// Which hunk of its file, from 1, and of how many.
    pub number: (usize, usize),
    /// The hunk's `@@` line.
    pub header: String,
    /// The first line (from 1) that differs at the place the hunk is expected at.
    pub line: usize,
    /// What the patch says stands there.
    pub expected: String,
    /// What does; none past the file's end.
    pub found: Option<String>,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, count) = self.number;
        let found =
            self.found.as_ref().map_or("the file has ended".to_owned(), |found| format!("found `{found}`"));
        write!(f, "hunk {number} of {count} ({}): ", self.header)?;
        write!(f, "at line {} expected `{}`, {found}", self.line, self.expected)
    }
}

/// Gives each `@@` line of `diff` (one file's part of a diff) the place at which its hunk matches `before`.
///
/// A diff that already names the right lines comes back as it was.
pub fn anchor(diff: &str, before: &str) -> Result<String, Misfit> {
    let file: Vec<&str> = before.lines().collect();
    let count = diff.lines().filter(|line| is_header(line)).count();
    let mut anchored = String::with_capacity(diff.len());
    let (mut number, mut offset, mut growth, mut from) = (0, 0, 0, 0);
    let mut rest = diff;
    while let Some((line, after)) = rest.split_once('\n') {
        rest = after;
        let Some(hunk) = Header::parse(line) else {
            anchored.extend([line, "\n"]);
            continue;
        };
        number += 1;
        let old: Vec<&str> =
            hunk_lines(after).filter(|line| !line.starts_with('+')).map(|l| &l[l.len().min(1)..]).collect();
        let expected = hunk.index().saturating_add_signed(offset);
        let Some(place) = nearest(&file, &old, expected, from) else {
            let at = (0..old.len()).find(|&i| file.get(expected + i) != Some(&old[i])).unwrap_or(0);
            return Err(Misfit {
                number: (number, count),
                header: line.to_owned(),
                line: expected + at + 1,
                expected: old.get(at).copied().unwrap_or_default().to_owned(),
                found: file.get(expected + at).map(|&found| found.to_owned()),
            });
        };
        offset += place.cast_signed() - expected.cast_signed();
        from = place + old.len();
        anchored.push_str(&hunk.moved_to(place, growth));
        growth += hunk.growth();
    }
    anchored.push_str(rest);
    Ok(anchored)
}

/// The lines of the hunk that `text` starts with.
fn hunk_lines(text: &str) -> impl Iterator<Item = &str> {
    // An empty line is an empty context line whose blank a mailer took away.
    text.lines()
        .take_while(|line| line.is_empty() || line.starts_with([' ', '+', '-', '\\']))
        .filter(|line| !line.starts_with('\\'))
}

/// The place nearest to `expected`, and not before `from`, at which `file` reads `lines`.
fn nearest(file: &[&str], lines: &[&str], expected: usize, from: usize) -> Option<usize> {
    let last = file.len().checked_sub(lines.len())?;
    let fits = |place: &usize| (from..=last).contains(place) && file[*place..].starts_with(lines);
    (0..=file.len())
        .flat_map(|away| [expected.checked_sub(away), expected.checked_add(away)])
        .flatten()
        .find(fits)
}

fn is_header(line: &str) -> bool {
    Header::parse(line).is_some()
}

/// `@@ -start,lines +start,lines @@ tail`
struct Header<'a> {
    old: (usize, usize),
    new_lines: usize,
    tail: &'a str,
}

impl<'a> Header<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (ranges, tail) = line.strip_prefix("@@ -")?.split_once(" @@")?;
        let (old, new) = ranges.split_once(" +")?;
        Some(Self { old: range(old)?, new_lines: range(new)?.1, tail })
    }

    /// The index of its first line in the old file. A hunk without old lines names the line it follows.
    fn index(&self) -> usize {
        if self.old.1 == 0 { self.old.0 } else { self.old.0.saturating_sub(1) }
    }

    fn growth(&self) -> isize {
        self.new_lines.cast_signed() - self.old.1.cast_signed()
    }

    /// The header line for a hunk that starts at `place`, in a file grown by `growth` lines above it.
    fn moved_to(&self, place: usize, growth: isize) -> String {
        let start = |place: usize, lines: usize| if lines == 0 { place } else { place + 1 };
        let (old_lines, new_lines) = (self.old.1, self.new_lines);
        let old = start(place, old_lines);
        let new = start(place.saturating_add_signed(growth), new_lines);
        format!("@@ -{old},{old_lines} +{new},{new_lines} @@{}\n", self.tail)
    }
}

fn range(text: &str) -> Option<(usize, usize)> {
    match text.split_once(',') {
        Some((start, lines)) => Some((start.parse().ok()?, lines.parse().ok()?)),
        None => Some((text.parse().ok()?, 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIFF: &str = "--- a/f\n+++ b/f\n@@ -2,2 +2,3 @@ f()\n b\n+x\n c\n@@ -5,2 +6,1 @@\n-e\n f\n";

    #[test]
    fn hunks_at_their_lines_stay() {
        assert_eq!(anchor(DIFF, "a\nb\nc\nd\ne\nf\n").unwrap(), DIFF);
    }

    #[test]
    fn moved_hunks_are_found_and_the_next_is_expected_as_far_away() {
        let moved = anchor(DIFF, "0\n1\na\nb\nc\nd\n2\ne\nf\n").unwrap();
        assert_eq!(moved, DIFF.replace("-2,2 +2,3", "-4,2 +4,3").replace("-5,2 +6,1", "-8,2 +9,1"));
    }

    #[test]
    fn the_nearest_match_is_taken_and_never_above_the_last_hunk() {
        assert!(anchor(DIFF, "b\nc\n0\n0\n0\nb\nc\ne\nf\n").unwrap().contains("@@ -1,2 +1,3 @@"));
        let misfit = anchor(DIFF, "e\nf\nb\nc\n").unwrap_err();
        assert_eq!(misfit.number, (2, 2));
    }

    #[test]
    fn a_misfit_names_line_expected_and_found() {
        let misfit = anchor(DIFF, "a\nb\nC\nd\ne\nf\n").unwrap_err();
        assert_eq!(
            misfit.to_string(),
            "hunk 1 of 2 (@@ -2,2 +2,3 @@ f()): at line 3 expected `c`, found `C`"
        );
        assert!(
            anchor(DIFF, "a\nb\n").unwrap_err().to_string().ends_with("expected `c`, the file has ended")
        );
    }

    #[test]
    fn a_context_is_never_matched_in_part() {
        assert!(anchor("@@ -1,1 +1,2 @@\n a\n+b\n", "ab\n").is_err());
    }
}
