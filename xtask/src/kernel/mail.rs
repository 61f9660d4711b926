//! Mails as `git format-patch` writes them: reading one apart, writing one from a commit.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use git2::{
    Commit, Diff, DiffFindOptions, DiffOptions, Email, EmailCreateOptions, Oid, Repository, Signature, Time,
};

use crate::exit::{Classify, Exit, error};

/// What ends every mail we write. Not a version, so that a refresh on another machine changes nothing.
const SIGNATURE: &str = "-- \nfastnet\n\n";
/// How wide a diffstat may be: that of git in a mail.
const STAT_WIDTH: usize = 72;

/// One patch as a mail.
#[derive(Debug)]
pub struct Mail {
    /// The whole file.
    pub raw: Vec<u8>,
    /// The author's name.
    pub name: String,
    /// The author's address.
    pub email: String,
    /// When the author wrote it.
    pub date: Time,
    /// The commit's first line, without `[PATCH]`.
    pub subject: String,
    /// The rest of the commit's message, `Signed-off-by` and all.
    pub body: String,
    /// The diff alone: from the first `diff --git` to the mail's signature.
    pub diff: Vec<u8>,
}

impl Mail {
    /// Reads a mail; the error names the file and what is missing in it.
    pub fn read(file: &Path) -> Result<Self> {
        let raw =
            fs::read(file).exit(Exit::Kernel, || format!("cannot read the patch {}", file.display()))?;
        Self::parse(raw).map_err(|cause| {
            error(Exit::Kernel, format!("{} is not a whole patch mail: {cause:#}", file.display()))
        })
    }

    /// Takes a mail apart.
    pub fn parse(raw: Vec<u8>) -> Result<Self> {
        let head_end = find(&raw, b"\n\n").context("no empty line after its headers")?;
        let head = std::str::from_utf8(&raw[..head_end]).context("its headers are not UTF-8")?;
        let text = &raw[head_end + 2..];
        let message_end = if text.starts_with(b"---\n") {
            0
        } else {
            find(text, b"\n---\n").context("no `---` line after its message")? + 1
        };
        let message = std::str::from_utf8(&text[..message_end]).context("its message is not UTF-8")?;
        let rest = &text[message_end..];
        let diff_start = find(rest, b"\ndiff --git ").context("no `diff --git` line: is it cut short?")? + 1;
        let diff =
            without_signature(&rest[diff_start..]).context("no `-- ` line at its end: is it cut short?")?;

        let from = header(head, "From")?;
        let (name, email) = from
            .strip_suffix('>')
            .and_then(|from| from.rsplit_once(" <"))
            .with_context(|| format!("`From: {from}` is not `Name <address>`"))?;
        let subject = header(head, "Subject")?;
        let date = header(head, "Date")?;
        Ok(Self {
            name: name.trim_matches('"').to_owned(),
            email: email.to_owned(),
            date: parse_date(&date).with_context(|| format!("`Date: {date}` is not a date"))?,
            subject: without_prefix(&subject).to_owned(),
            body: message.trim().to_owned(),
            diff: diff.to_vec(),
            raw,
        })
    }

    /// The diff as libgit2 reads it.
    pub fn to_diff(&self) -> Result<Diff<'static>> {
        Diff::from_buffer(&self.diff).context("its diff is cut short or damaged")
    }

    /// The message of the commit this mail stands for.
    pub fn message(&self) -> String {
        if self.body.is_empty() {
            format!("{}\n", self.subject)
        } else {
            format!("{}\n\n{}\n", self.subject, self.body)
        }
    }

    /// The author, with the date.
    pub fn author(&self) -> Result<Signature<'static>> {
        Signature::new(&self.name, &self.email, &self.date)
            .with_context(|| format!("`{} <{}>` cannot be an author", self.name, self.email))
    }
}

/// A commit as a mail, the same on every machine: no commit id, no count of patches, no version of git.
pub fn write(repo: &Repository, commit: &Commit<'_>) -> Result<Vec<u8>> {
    let parent = commit.parent(0)?.tree()?;
    let mut options = DiffOptions::new();
    options.show_binary(true).id_abbrev(12).indent_heuristic(true);
    let mut diff = repo.diff_tree_to_tree(Some(&parent), Some(&commit.tree()?), Some(&mut options))?;
    diff.find_similar(Some(DiffFindOptions::new().renames(true)))?;
    let summary = commit.summary()?.unwrap_or_default();
    let body = commit.body()?.unwrap_or_default();
    let zero = Oid::ZERO_SHA1;
    let mail = Email::from_diff(
        &diff,
        1,
        1,
        &zero,
        summary,
        body,
        &commit.author(),
        &mut EmailCreateOptions::new(),
    )?;
    let mail = mail.as_slice();
    let end = rfind(mail, b"--\nlibgit2 ").context("libgit2 wrote a mail without its signature")?;
    let diff = find(mail, b"\ndiff --git ").unwrap_or(end);
    let stat = rfind(&mail[..diff], b"\n---\n").context("libgit2 wrote a mail without a stat")? + 5;
    let narrow = narrow(std::str::from_utf8(&mail[stat..diff])?);
    Ok([&mail[..stat], narrow.as_bytes(), &mail[diff..end], SIGNATURE.as_bytes()].concat())
}

/// A diffstat whose bars end at [`STAT_WIDTH`]: libgit2's have a mark a line, or if told to scale a `-` where nothing went.
fn narrow(stat: &str) -> String {
    let bar = |line: &str| line.rfind([' ']).filter(|_| line.contains(" | ")).map(|space| space + 1);
    let room = |line: &str| bar(line).map(|bar| (STAT_WIDTH.saturating_sub(bar), line.len() - bar));
    let (room, longest) =
        stat.lines().filter_map(room).max_by_key(|&(_, marks)| marks).unwrap_or((STAT_WIDTH, 0));
    let mut narrow = String::new();
    for line in stat.lines() {
        let (name, marks) = line.split_at(bar(line).unwrap_or(line.len()));
        narrow.push_str(name);
        for mark in ["+", "-"] {
            let lines = marks.matches(mark).count();
            let scaled = if longest > room { (lines * room / longest).max(1).min(lines) } else { lines };
            narrow.push_str(&mark.repeat(scaled));
        }
        narrow.push('\n');
    }
    narrow
}

/// A header's value, its folded lines joined.
fn header(head: &str, name: &str) -> Result<String> {
    let mut lines = head
        .lines()
        .skip_while(|line| !line.split_once(": ").is_some_and(|(found, _)| found.eq_ignore_ascii_case(name)));
    let first = lines.next().with_context(|| format!("no `{name}:` header"))?;
    let mut value = first[name.len() + 2..].trim().to_owned();
    for folded in lines.take_while(|line| line.starts_with([' ', '\t'])) {
        value.push(' ');
        value.push_str(folded.trim());
    }
    anyhow::ensure!(!value.contains("=?"), "`{name}:` is in encoded words; write it in plain UTF-8");
    Ok(value)
}

/// A subject without its leading `[PATCH 1/2]`.
fn without_prefix(subject: &str) -> &str {
    match subject.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((prefix, rest)) if prefix.contains("PATCH") => rest.trim_start(),
        _ => subject,
    }
}

/// A diff without the mail's signature, if it has one: `-- ` alone on a line, and at most one line after it.
fn without_signature(diff: &[u8]) -> Option<&[u8]> {
    let start = rfind(diff, b"\n-- \n")? + 1;
    let signature = diff[start..].trim_ascii_end();
    (signature.split(|&byte| byte == b'\n').count() <= 2).then(|| &diff[..start])
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

fn rfind(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).rposition(|window| window == what)
}

/// The time that a mail's `Date:` tells, as in `Thu, 7 Apr 2005 15:13:13 -0700`.
fn parse_date(date: &str) -> Option<Time> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let mut words = date.rsplit(", ").next()?.split_whitespace();
    let day: i64 = words.next()?.parse().ok()?;
    let month = i64::try_from(MONTHS.find(words.next()?)? / 3).ok()? + 1;
    let year: i64 = words.next()?.parse().ok()?;
    let mut clock = words.next()?.split(':').map(str::parse::<i64>);
    let mut part = || clock.next()?.ok();
    let seconds = part()? * 3600 + part()? * 60 + part()?;
    let zone: i32 = words.next()?.parse().ok()?;
    let offset = zone / 100 * 60 + zone % 100;
    // Counting years from March puts the leap day last, so that the days before a month need no table.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 719_469;
    Some(Time::new(days * 86_400 + seconds - i64::from(offset) * 60, offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: &str = "From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\n\
        From: Ann O'Nym <ann@example.org>\n\
        Date: Thu, 7 Apr 2005 15:13:13 -0700\n\
        Subject: [PATCH net-next 1/2] net: a long\n subject\n\
        \n\
        Why.\n\
        \n\
        Signed-off-by: Ann O'Nym <ann@example.org>\n\
        ---\n a | 2 +-\n 1 file changed, 1 insertion(+), 1 deletion(-)\n\
        \n\
        diff --git a/a b/a\nindex 7898192..6178079 100644\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-a\n+b\n\
        -- \n2.39.5\n\n";

    #[test]
    fn a_mail_is_taken_apart() {
        let mail = Mail::parse(MAIL.into()).unwrap();
        assert_eq!(mail.name, "Ann O'Nym");
        assert_eq!(mail.email, "ann@example.org");
        assert_eq!(mail.subject, "net: a long subject");
        assert_eq!(mail.body, "Why.\n\nSigned-off-by: Ann O'Nym <ann@example.org>");
        assert!(mail.diff.ends_with(b"\n+b\n"));
        assert_eq!((mail.date.seconds(), mail.date.offset_minutes()), (1_112_911_993, -420));
        assert_eq!(mail.to_diff().unwrap().deltas().len(), 1);
    }

    #[test]
    fn a_mail_cut_anywhere_is_refused() {
        let signature = MAIL.rfind("-- \n").unwrap();
        for end in 0..signature + 3 {
            assert!(Mail::parse(MAIL[..end].into()).is_err(), "cut after {end} bytes");
        }
    }

    #[test]
    fn a_written_mail_is_read_again_and_its_stat_is_no_wider_than_a_screen() {
        let folder = tempfile::tempdir().unwrap();
        let repo = Repository::init(folder.path()).unwrap();
        let ann = Signature::new("Ann", "ann@example.org", &Time::new(0, 0)).unwrap();
        let tree = |content: &[u8]| {
            let mut tree = repo.treebuilder(None).unwrap();
            tree.insert("a", repo.blob(content).unwrap(), 0o100_644).unwrap();
            repo.find_tree(tree.write().unwrap()).unwrap()
        };
        let parent = repo.commit(None, &ann, &ann, "net: a", &tree(b""), &[]).unwrap();
        let parent = repo.find_commit(parent).unwrap();
        let message = "net: grow\n\nWhy.\n";
        let commit =
            repo.commit(None, &ann, &ann, message, &tree(&b"line\n".repeat(900)), &[&parent]).unwrap();

        let raw = write(&repo, &repo.find_commit(commit).unwrap()).unwrap();
        let mail = Mail::parse(raw).unwrap();
        assert_eq!((mail.subject.as_str(), mail.body.as_str()), ("net: grow", "Why."));
        let text = String::from_utf8(mail.raw).unwrap();
        assert!(text.contains("\n---\n a | 900 +++"), "{text:.600}");
        assert!(text.contains("+\n 1 file changed, 900 insertions(+)\n\ndiff --git "), "{text:.600}");
        assert!(text.lines().all(|line| line.len() <= STAT_WIDTH), "{text:.600}");
        assert_eq!(narrow(" a | 3 ++-\n b | 1 +\n"), " a | 3 ++-\n b | 1 +\n");
        let wide = format!(" b | 900 {}-\n", "+".repeat(899));
        assert!(narrow(&wide).ends_with("++-\n") && narrow(&wide).len() <= STAT_WIDTH + 1);
    }

    #[test]
    fn dates_around_leap_days() {
        let seconds = |date| parse_date(date).unwrap().seconds();
        assert_eq!(seconds("1 Jan 1970 00:00:00 +0000"), 0);
        assert_eq!(seconds("Thu, 29 Feb 2024 12:00:00 +0130"), 1_709_202_600);
        assert_eq!(seconds("Fri, 1 Mar 2024 00:00:00 +0000"), 1_709_251_200);
        assert!(parse_date("yesterday").is_none());
    }
}
