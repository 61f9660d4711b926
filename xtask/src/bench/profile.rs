//! Where a datagram's instructions go, in one kernel.

use std::cmp::Reverse;

use anyhow::{Context, Result};
use inferno::flamegraph::{self, Options};
use serde::{Deserialize, Serialize};

use super::origin::Origin;
use super::watch::Traced;

/// A cell whose every instruction was logged.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Profile {
    /// By what.
    #[serde(flatten)]
    pub origin: Origin,
    /// What was done, for how many datagrams.
    #[serde(flatten)]
    pub traced: Traced,
}

impl Profile {
    /// A count for each datagram.
    #[expect(clippy::cast_precision_loss, reason = "counts of a few million")]
    pub fn each(&self, count: u64) -> f64 {
        count as f64 / f64::from(self.traced.datagrams)
    }

    /// A datagram's branches that were taken, its branches, and its instructions.
    pub fn work(&self) -> [f64; 3] {
        let work = &self.traced.work;
        [work.taken, work.branches, work.instructions].map(|count| self.each(count))
    }

    /// The functions, those that take most first, with their instructions a datagram.
    pub fn functions(&self) -> Vec<(&str, f64)> {
        let mut functions: Vec<_> = self.traced.work.functions().into_iter().collect();
        functions.sort_by_key(|(_, count)| Reverse(*count));
        functions.into_iter().map(|(function, count)| (function, self.each(count))).collect()
    }

    /// A flame graph as SVG: a box's width is the instructions of a function and of all that it calls.
    pub fn flame_graph(&self) -> Result<String> {
        let whole = self.each(self.traced.work.instructions);
        let mut options = Options::default();
        options.title = format!("Linux {}, {}", self.origin.release, self.traced.cell);
        options.subtitle = Some(format!("{whole:.1} instructions a datagram; instructions are not time"));
        "instructions".clone_into(&mut options.count_name);
        // The same picture of the same counts.
        options.deterministic = true;
        let stacks = &self.traced.work.stacks;
        let lines: Vec<_> = stacks.iter().map(|(stack, count)| format!("{stack} {count}")).collect();
        let mut svg = Vec::new();
        flamegraph::from_lines(&mut options, lines.iter().map(String::as_str), &mut svg)
            .context("drawing a flame graph")?;
        String::from_utf8(svg).context("a flame graph that is no text")
    }
}

#[cfg(test)]
mod tests {
    use super::super::cell::{BASE, Cell, Receiver, Shape};
    use super::super::trace::Work;
    use super::*;

    #[test]
    fn a_profile_tells_each_datagrams_share_and_draws_its_stacks() {
        let shape = Shape { messages: 10, ..BASE };
        let cell = Cell { receiver: Receiver::Recvmmsg, shape };
        let stacks = [("call", 20), ("call;copy", 30), ("call;free;copy", 50)];
        let stacks = stacks.map(|(stack, count)| (stack.to_owned(), count)).into();
        let work = Work { instructions: 100, branches: 8, taken: 4, stacks };
        let profile =
            Profile { origin: Origin::sample("stock", 1), traced: Traced { cell, work, datagrams: 10 } };
        assert_eq!(profile.functions(), [("copy", 8.0), ("call", 2.0)]);
        let svg = profile.flame_graph().unwrap();
        assert!(svg.contains("free (50 instructions, 50.00%)"), "{svg}");
        assert!(svg.contains("10.0 instructions a datagram"), "{svg}");
    }
}
