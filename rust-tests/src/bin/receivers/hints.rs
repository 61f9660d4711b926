//! How often each branch hint of the kernel was right, where it counts them: `CONFIG_PROFILE_ANNOTATED_BRANCHES`.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};

const FILE: &str = "/sys/kernel/debug/tracing/trace_stat/branch_annotated";

/// A function, a file and a line.
type Place = (String, String, u32);

/// Right and wrong, by place. An inlined function is in many files at once: it is one place here.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Hints(BTreeMap<Place, (u64, u64)>);

impl Hints {
    /// All counts since the kernel booted: nothing sets them back.
    pub fn read() -> Result<Self> {
        let text = fs::read_to_string(FILE)
            .with_context(|| format!("reading {FILE}: is the kernel's config that of hints?"))?;
        Ok(Self::of(&text))
    }

    fn of(text: &str) -> Self {
        let mut hints = Self::default();
        for (place, (right, wrong)) in text.lines().filter_map(row) {
            let count = hints.0.entry(place).or_default();
            count.0 += right;
            count.1 += wrong;
        }
        hints
    }

    /// What was counted since `before`, as `hint FUNCTION FILE LINE RIGHT WRONG`.
    pub fn since(&self, before: &Self) -> Vec<String> {
        let mut rows = Vec::new();
        for (place, (right, wrong)) in &self.0 {
            let (old_right, old_wrong) = before.0.get(place).copied().unwrap_or_default();
            let (right, wrong) = (right.saturating_sub(old_right), wrong.saturating_sub(old_wrong));
            if right + wrong > 0 {
                let (function, file, line) = place;
                rows.push(format!("hint {function} {file} {line} {right} {wrong}"));
            }
        }
        rows
    }
}

/// `RIGHT WRONG PERCENT FUNCTION FILE LINE`, where RIGHT may be `RIGHT/CONSTANT`: so often of those the compiler knew
/// the answer, and no branch was there.
fn row(line: &str) -> Option<(Place, (u64, u64))> {
    let words: Vec<_> = line.split_whitespace().collect();
    let [right, wrong, _, function, file, line] = words[..] else { return None };
    let (right, constant) = right.split_once('/').unwrap_or((right, "0"));
    let right = right.parse::<u64>().ok()?.checked_sub(constant.parse().ok()?)?;
    Some(((function.to_owned(), file.to_owned(), line.parse().ok()?), (right, wrong.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = " correct incorrect  %        Function                  File              Line\n \
                        ------- ---------  -        --------                  ----              ----\n";

    #[test]
    fn rows_are_read_summed_and_told_from_those_before() {
        let before = Hints::of(&format!("{HEAD}       5        1  16 udp_recvmsg     udp.c     1900\n"));
        let after = Hints::of(&format!(
            "{HEAD}       0        0   X never                          socket.c             9
      25        1   3 udp_recvmsg                    udp.c                1900
   12/10        1   8 sk_mem                         sock.h               100
       2        3  60 sk_mem                         sock.h               100
"
        ));
        assert_eq!(after.since(&before), ["hint sk_mem sock.h 100 4 4", "hint udp_recvmsg udp.c 1900 20 0"]);
        assert!(after.since(&after).is_empty());
    }
}
