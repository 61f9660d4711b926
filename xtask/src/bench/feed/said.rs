//! What a pair of guests says of a run, in lines: `rust-tests/src/bin/feed/main.rs` has them.

use std::str::FromStr;

use anyhow::{Context, Result, ensure};

use super::latency::Latency;
use super::result::{Latencies, Measured};
use crate::bench::outcome::Outcome;
use crate::guest::session;
use crate::guest::verdict::{Case, Verdict};

/// What both guests of a run ended with.
pub struct Pair {
    /// The sending one.
    pub sender: session::Outcome,
    /// The receiving one.
    pub receiver: session::Outcome,
}

impl Pair {
    /// What came of a feed of so many datagrams.
    pub fn outcome(&self, datagrams: u64, stamps: bool) -> Outcome<Measured> {
        let sides = [("sender", &self.sender), ("receiver", &self.receiver)];
        let cases =
            sides.into_iter().flat_map(|(side, outcome)| outcome.cases.iter().map(move |case| (side, case)));
        // Of one guest's death the other's end is a consequence.
        let gravest =
            cases.clone().filter_map(|(side, case)| Some((case.verdict.exit()?.code(), side, case)));
        if let Some((_, side, case)) = gravest.max_by_key(|(code, ..)| *code) {
            return Outcome::Failed {
                verdict: case.verdict.to_string().to_lowercase(),
                why: why(side, case),
            };
        }
        if let Some((_, case)) = cases.clone().find(|(_, case)| case.verdict == Verdict::Skip) {
            return Outcome::Skipped { why: case.why.clone() };
        }
        match self.measured(datagrams, stamps) {
            Ok(measured) => Outcome::Measured(measured),
            Err(error) => Outcome::Failed { verdict: "infra".to_owned(), why: format!("{error:#}") },
        }
    }

    /// The receiving kernel's release as its guest told it.
    pub fn release(&self) -> Option<&str> {
        lines(&self.receiver, "release").next()
    }

    fn measured(&self, datagrams: u64, stamps: bool) -> Result<Measured> {
        let [sent] = numbers(&self.sender, "sent")?;
        ensure!(sent == datagrams, "{sent} datagrams of {datagrams} were sent");
        let [late] = numbers(&self.sender, "late")?;
        let [received, gaps, disordered] = numbers(&self.receiver, "received")?;
        let [calls, time] = numbers(&self.receiver, "calls")?;
        let [span] = numbers(&self.receiver, "span")?;
        let lost =
            sent.checked_sub(received).with_context(|| format!("{received} came of {sent} datagrams"))?;
        let latency = |name: &'static str| {
            let bars = lines(&self.receiver, name).flat_map(str::split_whitespace).map(bar);
            let latency = Latency::new(bars.collect::<Result<_>>()?, lost)?;
            let count = latency.count();
            ensure!(count == received, "the histogram {name} has {count} of {received} datagrams");
            Ok(latency)
        };
        let latencies =
            || anyhow::Ok(Latencies { arrival: latency("arrival")?, schedule: latency("schedule")? });
        #[expect(clippy::cast_precision_loss, reason = "none is near 2^52")]
        let (ns, rate) = (time as f64 / received.max(1) as f64, received as f64 * 1e9 / span.max(1) as f64);
        let latency = stamps.then(latencies).transpose()?;
        Ok(Measured { received, lost, gaps, disordered, calls, ns, rate, late, latency })
    }
}

/// Why a case did not pass, with its last words, if it had any.
fn why(side: &str, case: &Case) -> String {
    let said = case.output.iter().rfind(|line| !line.starts_with("release "));
    let parts = [Some(&case.name), Some(&case.why), said].into_iter().flatten();
    let parts: Vec<_> = parts.filter(|part| !part.is_empty()).map(String::as_str).collect();
    format!("{side}: {}", parts.join(": "))
}

/// What follows `name` in the lines that begin with it.
fn lines<'a>(outcome: &'a session::Outcome, name: &'static str) -> impl Iterator<Item = &'a str> {
    let output = outcome.cases.iter().flat_map(|case| &case.output);
    output.filter_map(move |line| line.strip_prefix(name)?.strip_prefix(' '))
}

/// The numbers in the one line that begins with `name`.
fn numbers<const N: usize>(outcome: &session::Outcome, name: &'static str) -> Result<[u64; N]> {
    let line = lines(outcome, name).next().with_context(|| format!("no guest said `{name}`"))?;
    let odd = || format!("a guest said: {name} {line}");
    let numbers = line.split(' ').map(u64::from_str).collect::<Result<Vec<_>, _>>().with_context(odd)?;
    <[u64; N]>::try_from(numbers).ok().with_context(odd)
}

fn bar(text: &str) -> Result<(u64, u64)> {
    let odd = || format!("a guest said that {text} is a bar of a histogram");
    let (nanoseconds, count) = text.split_once(':').with_context(odd)?;
    Ok((nanoseconds.parse().with_context(odd)?, count.parse().with_context(odd)?))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn guest(name: &str, verdict: Verdict, why: &str, output: &[&str]) -> session::Outcome {
        let case = Case {
            name: name.into(),
            verdict,
            why: why.into(),
            duration: Duration::ZERO,
            output: output.iter().map(|&line| line.to_owned()).collect(),
            console: Vec::new(),
        };
        session::Outcome { cases: vec![case], ..Default::default() }
    }

    const SENT: [&str; 3] = ["release 6.12-stock", "sent 10", "late 4000"];
    const CAME: [&str; 6] = [
        "release 6.12-fastnet",
        "received 8 2 0",
        "calls 4 2000",
        "span 4000",
        "arrival 100:4 200:4",
        "schedule 100:4 5000:4",
    ];

    fn pair(sent: &[&str], came: &[&str]) -> Pair {
        Pair {
            sender: guest("send", Verdict::Pass, "", sent),
            receiver: guest("remembered", Verdict::Pass, "", came),
        }
    }

    fn failed(pair: &Pair) -> String {
        match pair.outcome(10, true) {
            Outcome::Failed { verdict, why } => format!("{verdict}: {why}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn words_become_figures() {
        let pair = pair(&SENT, &CAME);
        assert_eq!(pair.release(), Some("6.12-fastnet"));
        let Outcome::Measured(measured) = pair.outcome(10, true) else { panic!("not measured") };
        let Measured { received, lost, gaps, disordered, calls, ns, rate, late, latency } = measured;
        assert_eq!((received, lost, gaps, disordered, calls, late), (8, 2, 2, 0, 4, 4000));
        assert_eq!((ns.to_string(), rate.to_string()), ("250".into(), "2000000".into()));
        let Latencies { arrival, schedule } = latency.unwrap();
        assert_eq!((arrival.p50, arrival.p99), (Some(200), None));
        assert_eq!(schedule.bars, [(100, 4), (5000, 4)]);
        let Outcome::Measured(plain) = pair.outcome(10, false) else { panic!("not measured") };
        assert_eq!(plain.latency, None);
    }

    #[test]
    fn truncated_and_garbled_words_are_no_figures() {
        assert_eq!(failed(&pair(&SENT[..1], &CAME)), "infra: no guest said `sent`");
        assert_eq!(failed(&pair(&["sent 9", "late 0"], &CAME)), "infra: 9 datagrams of 10 were sent");
        assert_eq!(failed(&pair(&SENT, &CAME[..2])), "infra: no guest said `calls`");
        assert_eq!(failed(&pair(&SENT, &CAME[..4])), "infra: the histogram arrival has 0 of 8 datagrams");
        for (i, line, said) in [
            (1, "received 8 2", "a guest said: received 8 2"),
            (1, "received 11 0 0", "11 came of 10 datagrams"),
            (2, "calls 4 2O", "a guest said: calls 4 2O"),
            (4, "arrival 100", "a guest said that 100 is a bar"),
        ] {
            let mut came = CAME;
            came[i] = line;
            let failed = failed(&pair(&SENT, &came));
            assert!(failed.starts_with(&format!("infra: {said}")), "{failed}");
        }
    }

    #[test]
    fn the_guest_that_died_is_named_and_not_the_one_that_waited_for_it() {
        let came = ["release 6.12", "no feed came in 60 s"];
        let waited = || guest("recvmmsg", Verdict::Fail, "exit 1", &came);
        let died = || guest("send", Verdict::Panic, "Oops", &["release 6.12"]);
        assert_eq!(failed(&Pair { sender: died(), receiver: waited() }), "panic: sender: send: Oops");
        assert_eq!(failed(&Pair { sender: waited(), receiver: died() }), "panic: receiver: send: Oops");
        let alone = Pair { sender: guest("send", Verdict::Pass, "", &SENT), receiver: waited() };
        assert_eq!(failed(&alone), "fail: receiver: recvmmsg: exit 1: no feed came in 60 s");
    }

    #[test]
    fn a_kernel_that_cannot_is_skipped() {
        let receiver = guest("remembered", Verdict::Skip, "no such call", &[]);
        let pair = Pair { sender: guest("send", Verdict::Pass, "", &SENT), receiver };
        assert_eq!(pair.outcome(10, false), Outcome::Skipped { why: "no such call".into() });
    }
}
