//! What a package holds, member by member: to say where two that should be equal are not.

mod deb;
mod rpm;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;

/// What there is to know of a member, each fact by its name: `mode`, `sha256`.
type Facts = BTreeMap<&'static str, String>;

/// What a package holds: each member, by the part of the package that it is in and its name there.
type Members = BTreeMap<String, Facts>;

/// Where two packages of the same format differ, a line a member. None for files that are no packages.
///
/// The error names a package that is not sound.
pub fn differences(one: &Path, other: &Path) -> Result<Vec<String>> {
    let members = match one.extension().and_then(|kind| kind.to_str()) {
        Some("deb") => deb::members,
        Some("rpm") => rpm::members,
        _ => return Ok(Vec::new()),
    };
    Ok(compare(&members(one)?, &members(other)?))
}

fn compare(one: &Members, other: &Members) -> Vec<String> {
    let names: BTreeSet<_> = one.keys().chain(other.keys()).collect();
    let line = |name: &String| match (one.get(name), other.get(name)) {
        (Some(one), Some(other)) if one == other => None,
        (Some(one), Some(other)) => Some(format!("{name}: {}", facts(one, other))),
        (Some(_), None) => Some(format!("{name}: only in the first")),
        (None, _) => Some(format!("{name}: only in the second")),
    };
    names.into_iter().filter_map(line).collect()
}

/// The facts that differ.
fn facts(one: &Facts, other: &Facts) -> String {
    let keys: BTreeSet<_> = one.keys().chain(other.keys()).collect();
    let value = |facts: &Facts, key: &str| facts.get(key).cloned().unwrap_or_default();
    let differing = keys.into_iter().map(|key| (key, value(one, key), value(other, key)));
    let differing = differing.filter(|(_, one, other)| one != other);
    differing
        .map(|(key, one, other)| format!("{key} {}", change(&one, &other)))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A changed value; of one of many lines, the first that changed.
fn change(one: &str, other: &str) -> String {
    let (before, after): (Vec<_>, Vec<_>) = (one.lines().collect(), other.lines().collect());
    if before.len() != after.len() {
        return format!("of {} lines -> {}", before.len(), after.len());
    }
    let changed: Vec<_> = before.iter().zip(&after).filter(|(one, other)| one != other).collect();
    match changed.first() {
        Some((one, other)) if before.len() > 1 => {
            format!("{} of {} lines, first {one} -> {other}", changed.len(), before.len())
        }
        Some((one, other)) => format!("{one} -> {other}"),
        None => format!("{one:?} -> {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(text: &[(&str, &[(&'static str, &str)])]) -> Members {
        let member = |(name, facts): &(&str, &[(&'static str, &str)])| {
            let facts = facts.iter().map(|&(key, value)| (key, value.to_owned()));
            ((*name).to_owned(), facts.collect())
        };
        text.iter().map(member).collect()
    }

    #[test]
    fn each_member_that_differs_has_a_line() {
        let one = members(&[
            ("same", &[("mode", "0644")]),
            ("changed", &[("mode", "0644"), ("mtime", "1"), ("sha256", "a")]),
            ("gone", &[]),
        ]);
        let other = members(&[
            ("same", &[("mode", "0644")]),
            ("changed", &[("mode", "0600"), ("mtime", "1"), ("sha256", "b")]),
            ("new", &[]),
        ]);
        assert_eq!(compare(&one, &one), [""; 0]);
        assert_eq!(
            compare(&one, &other),
            [
                "changed: mode 0644 -> 0600, sha256 a -> b",
                "gone: only in the first",
                "new: only in the second"
            ]
        );
    }

    #[test]
    fn of_a_long_list_the_first_change_is_told() {
        assert_eq!(change("1\n2\n3", "1\n4\n5"), "2 of 3 lines, first 2 -> 4");
        assert_eq!(change("1\n2", "1"), "of 2 lines -> 1");
        assert_eq!(change("1\n", "2\n"), "1 -> 2");
        assert_eq!(change("1\n", "1"), r#""1\n" -> "1""#);
    }
}
