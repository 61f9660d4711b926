//! Lines that are looked at together: each once, and each kernel in one build.

use std::collections::BTreeMap;

use anyhow::Result;

use super::origin::Origin;
use super::result::Line;
use crate::exit::{self, Exit};

/// Each line once: of those that are of the same, the newest.
pub fn newest(lines: impl IntoIterator<Item = Line>) -> Vec<Line> {
    let mut newest = Vec::new();
    lines.into_iter().for_each(|line| renew(&mut newest, line));
    newest
}

/// Adds a line, in place of an older one of the same.
pub fn renew(lines: &mut Vec<Line>, line: Line) {
    lines.retain(|old| !old.is_of_the_same(&line));
    lines.push(line);
}

/// Makes sure that each kernel is in one build: of two, figures before and after a change would count as boots of one.
pub fn one_build_each(lines: &[Line]) -> Result<()> {
    let mut builds: BTreeMap<_, &str> = BTreeMap::new();
    for origin in lines.iter().map(Line::origin) {
        let Origin { release, flavor, config, accel, build, .. } = origin;
        let known = builds.entry((release, flavor, config, accel)).or_insert(build);
        if known != build {
            let message = format!(
                "results of two builds of {release}, config {config}: {known} and {build}; `bench compare` tells what \
                 differs between files"
            );
            return Err(exit::error(Exit::Usage, message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::cell::Receiver;
    use super::super::result::Record;
    use super::*;

    #[test]
    fn two_builds_of_a_kernel_are_two_kernels() {
        let one = Line::Local(Record::sample("stock", Receiver::Recvmmsg, 8, 1, 1.0));
        let change = |change: fn(&mut Origin)| {
            let Line::Local(mut record) = one.clone() else { panic!() };
            change(&mut record.origin);
            one_build_each(&[one.clone(), Line::Local(record)])
        };
        change(|origin| origin.boot = 2).unwrap();
        change(|origin| (origin.build, origin.config) = ("4567".into(), "lean".into())).unwrap();
        let error = change(|origin| origin.build = "4567".into()).unwrap_err();
        assert!(error.to_string().contains("6.12.117-stock, config vm: 0123 and 4567"), "{error}");
    }
}
