//! The lines of the runner in the guest: KTAP, with a few comments of our own.

/// One line of a report.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// `KTAP version 1`: the runner lives.
    Version,
    /// `1..N`: so many results will come.
    Plan(usize),
    /// `# start NAME`.
    Start(&'a str),
    /// `# | text`: a line that a test wrote.
    Output(&'a str),
    /// `ok` and `not ok`: a test's result.
    Result {
        /// Counted from 1.
        index: usize,
        /// The test's.
        name: &'a str,
        /// How it ended.
        outcome: Outcome,
        /// What the runner adds: the reason of a skip, how it failed.
        why: &'a str,
    },
    /// `Bail out! why`: no more results will come.
    BailOut(&'a str),
    /// `# alive`, and any other comment.
    Comment,
}

/// What the runner says of a test. What the console says may overrule it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it should.
    Pass,
    /// It did not.
    Fail,
    /// It could not run here.
    Skip,
    /// It was killed at its deadline.
    Timeout,
}

/// Reads one line; `None` if it is none of these.
pub fn parse(line: &str) -> Option<Line<'_>> {
    if line == "KTAP version 1" {
        return Some(Line::Version);
    }
    if let Some(text) = line.strip_prefix("# | ") {
        return Some(Line::Output(text));
    }
    if let Some(name) = line.strip_prefix("# start ") {
        return Some(Line::Start(name));
    }
    if line.starts_with('#') {
        return Some(Line::Comment);
    }
    if let Some(count) = line.strip_prefix("1..") {
        return count.parse().ok().map(Line::Plan);
    }
    if let Some(why) = line.strip_prefix("Bail out! ") {
        return Some(Line::BailOut(why));
    }
    let (passed, rest) = match line.strip_prefix("ok ") {
        Some(rest) => (true, rest),
        None => (false, line.strip_prefix("not ok ")?),
    };
    let (index, rest) = rest.split_once(' ')?;
    let (name, directive) = rest.split_once(" # ").unwrap_or((rest, ""));
    let (outcome, why) = match (passed, directive.split_once(' ').unwrap_or((directive, ""))) {
        (true, ("SKIP", why)) => (Outcome::Skip, why),
        (false, ("TIMEOUT", why)) => (Outcome::Timeout, why),
        (true, _) => (Outcome::Pass, directive),
        (false, _) => (Outcome::Fail, directive),
    };
    Some(Line::Result { index: index.parse().ok()?, name, outcome, why })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result<'a>(index: usize, name: &'a str, outcome: Outcome, why: &'a str) -> Line<'a> {
        Line::Result { index, name, outcome, why }
    }

    #[test]
    fn every_line_of_the_protocol() {
        assert_eq!(parse("KTAP version 1"), Some(Line::Version));
        assert_eq!(parse("1..12"), Some(Line::Plan(12)));
        assert_eq!(parse("# start abi::forget"), Some(Line::Start("abi::forget")));
        assert_eq!(parse("# alive"), Some(Line::Comment));
        assert_eq!(parse("# | ok 1 a lie"), Some(Line::Output("ok 1 a lie")));
        assert_eq!(parse("Bail out! no port"), Some(Line::BailOut("no port")));
        assert_eq!(parse("ok 1 a::b"), Some(result(1, "a::b", Outcome::Pass, "")));
        assert_eq!(parse("ok 2 a::c # SKIP no IPv6"), Some(result(2, "a::c", Outcome::Skip, "no IPv6")));
        assert_eq!(parse("not ok 3 a::d # exit 101"), Some(result(3, "a::d", Outcome::Fail, "exit 101")));
        let timeout = result(4, "a::e", Outcome::Timeout, "after 60 s");
        assert_eq!(parse("not ok 4 a::e # TIMEOUT after 60 s"), Some(timeout));
    }

    #[test]
    fn a_failure_is_never_skipped_by_its_reason() {
        assert_eq!(parse("not ok 1 a # SKIP it"), Some(result(1, "a", Outcome::Fail, "SKIP it")));
    }

    #[test]
    fn garbage_is_told() {
        for line in ["", "ok", "ok 1", "ok x a", "1..x", "okay 1 a", "not okay", "[    1.0] BUG: x"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
