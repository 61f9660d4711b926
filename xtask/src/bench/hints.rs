//! The branch hints that a series adds, and how often each was right.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use git2::DiffOptions;
use serde::{Deserialize, Serialize};

use super::origin::Origin;
use crate::kernel::changes::{self, File};
use crate::kernel::series::Patch;

/// A line with a hint that the source does not have without the patches.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Hint {
    /// The file, in the tree.
    pub path: PathBuf,
    /// The line, counted from 1.
    pub line: u32,
    /// The function that it is in.
    pub function: String,
    /// The line's text.
    pub text: String,
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} {}()", self.path.display(), self.line, self.function)
    }
}

/// How often a hint was right and wrong.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Count {
    /// As the hint says.
    pub right: u64,
    /// The other way.
    pub wrong: u64,
}

impl Count {
    /// How many of a hundred were wrong.
    #[expect(clippy::cast_precision_loss, reason = "counts of a few million")]
    pub fn percent_wrong(self) -> f64 {
        100.0 * self.wrong as f64 / (self.right + self.wrong) as f64
    }
}

/// A hint that was reached.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// Which.
    #[serde(flatten)]
    pub hint: Hint,
    /// How often, each way.
    #[serde(flatten)]
    pub count: Count,
}

/// What was found of all hints, on a kernel that counts them.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// By what.
    #[serde(flatten)]
    pub origin: Origin,
    /// Of each hint.
    #[serde(flatten)]
    pub judged: Judged,
}

/// What a load said of some hints.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Judged {
    /// Those that it reached.
    pub reached: Vec<Seen>,
    /// Those of which it says nothing, and so nothing good.
    pub never: Vec<Hint>,
}

impl Judged {
    /// Judges each hint by what was counted.
    pub fn new(hints: Vec<Hint>, counts: &Counts) -> Self {
        let (mut reached, mut never) = (Vec::new(), Vec::new());
        for hint in hints {
            match counts.of(&hint) {
                Some(count) => reached.push(Seen { hint, count }),
                None => never.push(hint),
            }
        }
        Self { reached, never }
    }

    /// Those that are wrong more often than right.
    pub fn wrong(&self) -> impl Iterator<Item = &Hint> {
        self.reached.iter().filter(|seen| seen.count.wrong > seen.count.right).map(|seen| &seen.hint)
    }
}

/// Counts as the kernel gives them: by function, file and line, where the file is without its folder, and names are
/// cut at [`FUNCTION`] and [`FILE`] characters.
#[derive(Debug, Default)]
pub struct Counts(BTreeMap<(String, String, u32), Count>);

const FUNCTION: usize = 30;
const FILE: usize = 20;

impl Counts {
    /// Adds a row of the guest's: `hint FUNCTION FILE LINE RIGHT WRONG`.
    pub fn add(&mut self, row: &str) -> Result<()> {
        let mut words = row.split_whitespace().skip(1);
        let mut word = || words.next().with_context(|| format!("`{row}` is no row of a hint"));
        let (function, file) = (word()?.to_owned(), word()?.to_owned());
        let count = self.0.entry((function, file, word()?.parse()?)).or_default();
        count.right += word()?.parse::<u64>()?;
        count.wrong += word()?.parse::<u64>()?;
        Ok(())
    }

    /// What there is of a hint; none where it was never reached.
    fn of(&self, hint: &Hint) -> Option<Count> {
        let cut = |text: &str, most| text.chars().take(most).collect::<String>();
        let file = hint.path.file_name().unwrap_or_default().to_string_lossy();
        self.0.get(&(cut(&hint.function, FUNCTION), cut(&file, FILE), hint.line)).copied()
    }
}

/// The hints that the patches add to the source in `pristine`.
pub fn added(patches: &[Patch], pristine: &Path) -> Result<Vec<Hint>> {
    let mut hints = Vec::new();
    for (path, after) in changes::of(patches, pristine)? {
        let Some(after) = after.filter(|_| is_code(&path)) else { continue };
        let before = File::read(&pristine.join(&path))?.map_or_else(Vec::new, |file| file.content);
        let text = String::from_utf8_lossy(&after.content).into_owned();
        for line in added_lines(&before, &after.content)? {
            let number = usize::try_from(line)?;
            let here = text.lines().nth(number - 1).unwrap_or_default();
            if here.contains("likely(") {
                let function = function(&text, number).unwrap_or_default();
                hints.push(Hint { path: path.clone(), line, function, text: here.trim().to_owned() });
            }
        }
    }
    Ok(hints)
}

fn is_code(path: &Path) -> bool {
    path.extension().is_some_and(|kind| kind == "c" || kind == "h") && !path.starts_with("tools")
}

/// The numbers of the lines of `after` that `before` does not have.
fn added_lines(before: &[u8], after: &[u8]) -> Result<Vec<u32>> {
    let mut options = DiffOptions::new();
    options.context_lines(0);
    let patch = git2::Patch::from_buffers(before, None, after, None, Some(&mut options))?;
    let mut added = Vec::new();
    for hunk in 0..patch.num_hunks() {
        for line in 0..patch.num_lines_in_hunk(hunk)? {
            let line = patch.line_in_hunk(hunk, line)?;
            added.extend(line.new_lineno().filter(|_| line.origin() == '+'));
        }
    }
    Ok(added)
}

/// The name of the function around a line. In the kernel's style nothing else begins in the first column with a
/// name and a parenthesis, and no semicolon at its end.
fn function(text: &str, line: usize) -> Option<String> {
    let above: Vec<&str> = text.lines().take(line).collect();
    let begins = |line: &&&str| {
        line.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && line.contains('(')
            && !line.ends_with(';')
    };
    let head = above.iter().rev().find(begins)?;
    let (name, arguments) = head.split_once('(')?;
    if name.starts_with("SYSCALL_DEFINE") {
        return Some(format!("__do_sys_{}", arguments.split([',', ')']).next()?.trim()));
    }
    name.rsplit([' ', '*']).next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "\
static int old(int x)
{
	if (unlikely(x))
		return 1;
	return 0;
}
";
    const AFTER: &str = "\
#include <linux/net.h>

static int old(int x)
{
	if (unlikely(x))
		return 1;
	return likely(x < 0);
}
EXPORT_SYMBOL(old);

static noinline struct sk_buff *new(struct sock *sk,
				    int x)
{
out:
	return unlikely(x);
}

SYSCALL_DEFINE2(call, int, fd,
		int, x)
{
	return likely(x);
}
";

    #[test]
    fn added_hints_are_found_with_their_functions() {
        let lines = added_lines(BEFORE.as_bytes(), AFTER.as_bytes()).unwrap();
        let text = |line: u32| AFTER.lines().nth(line as usize - 1).unwrap();
        let hints: Vec<_> = lines.into_iter().filter(|line| text(*line).contains("likely(")).collect();
        let functions: Vec<_> = hints.iter().map(|line| function(AFTER, *line as usize).unwrap()).collect();
        assert_eq!(hints, [7, 15, 21]);
        assert_eq!(functions, ["old", "new", "__do_sys_call"]);
    }

    #[test]
    fn rows_of_one_place_are_one_count() {
        let mut counts = Counts::default();
        for row in [
            "hint udp_recvmsg udp.c 1900 10 1",
            "hint udp_recvmsg udp.c 1900 5 0",
            "hint a_function_with_quite_a_long_n udp.c 7 0 3",
        ] {
            counts.add(row).unwrap();
        }
        assert!(counts.add("hint udp_recvmsg udp.c").is_err());
        assert_eq!(counts.of(&hint(1900, "udp_recvmsg")), Some(Count { right: 15, wrong: 1 }));
        assert_eq!(counts.of(&hint(1900, "udpv6_recvmsg")), None);
        assert!(counts.of(&hint(7, "a_function_with_quite_a_long_name")).is_some());
    }

    fn hint(line: u32, function: &str) -> Hint {
        Hint { path: "net/ipv4/udp.c".into(), line, function: function.to_owned(), text: String::new() }
    }

    #[test]
    fn a_hint_is_wrong_right_or_unknown() {
        let mut counts = Counts::default();
        for row in ["hint f udp.c 1 3 4", "hint f udp.c 2 4 4", "hint f udp.c 3 9 0"] {
            counts.add(row).unwrap();
        }
        let judged = Judged::new((1..=4).map(|line| hint(line, "f")).collect(), &counts);
        assert_eq!(judged.wrong().collect::<Vec<_>>(), [&hint(1, "f")]);
        assert_eq!(judged.reached.len(), 3);
        assert_eq!(judged.never, [hint(4, "f")]);
    }
}
