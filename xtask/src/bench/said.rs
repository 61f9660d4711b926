//! What a guest says of a cell, in lines: `rust-tests/src/bin/receivers/main.rs` has them.

use anyhow::{Context, Result, bail, ensure};

use super::outcome::Outcome;
use super::result::{Measured, Unit};
use super::statistics::Figure;
use crate::guest::verdict::{Case, Verdict};

/// What came of a cell.
pub fn outcome(case: &Case, unit: Unit) -> Outcome<Measured> {
    match case.verdict {
        Verdict::Pass => match measured(&case.output, unit) {
            Ok(measured) => Outcome::Measured(measured),
            Err(error) => Outcome::Failed { verdict: "infra".to_owned(), why: format!("{error:#}") },
        },
        Verdict::Skip => Outcome::Skipped { why: case.why.clone() },
        verdict => {
            // Its last words, if it had any.
            let said = case.output.iter().rfind(|line| !line.starts_with("release "));
            let why = [Some(&case.why), said].into_iter().flatten().map(String::as_str);
            let why = why.collect::<Vec<_>>().join(": ");
            Outcome::Failed { verdict: verdict.to_string().to_lowercase(), why }
        }
    }
}

/// The kernel's release as a guest told it.
pub fn release(case: &Case) -> Option<&str> {
    case.output.iter().find_map(|line| line.strip_prefix("release "))
}

fn measured(output: &[String], unit: Unit) -> Result<Measured> {
    let lines = |kind: &'static str| {
        output.iter().filter_map(move |line| line.strip_prefix(kind)?.strip_prefix(' ').map(str::to_owned))
    };
    let (mut figures, mut sums) = (Vec::new(), Vec::new());
    for line in lines("round") {
        let numbers = line.split(' ').map(str::parse).collect::<Result<Vec<u64>, _>>();
        let numbers = numbers.with_context(|| format!("the guest said: round {line}"))?;
        let &[ticks, datagrams @ (1..), calls] = &numbers[..] else {
            bail!("the guest said: round {line}");
        };
        #[expect(clippy::cast_precision_loss, reason = "neither is near 2^52")]
        figures.push(ticks as f64 / datagrams as f64);
        sums.push((datagrams, calls));
    }
    let number = |kind| {
        let said = lines(kind).next().map(|number| number.parse::<u64>());
        said.transpose().with_context(|| format!("the guest said odd {kind}"))
    };
    // Its last word, so that nothing is missing before it.
    let rounds = number("rounds")?.context("the guest did not come to its end")?;
    ensure!(figures.len() as u64 == rounds, "{} rounds came of {rounds}", figures.len());
    let &(datagrams, calls) = sums.last().context("no rounds")?;
    #[expect(clippy::cast_precision_loss, reason = "neither is near 2^52")]
    let receiver_cpu = number("cpu")?.map(|cpu| cpu as f64 / datagrams as f64);
    Ok(Measured {
        unit,
        rounds: figures.len(),
        figure: Figure::of(&figures).context("no rounds")?,
        datagrams,
        calls,
        bytes: number("bytes")?,
        receiver_cpu,
        lost: number("lost")?.unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn case(verdict: Verdict, why: &str, output: &[&str]) -> Case {
        Case {
            name: "recvmmsg/ipv4/64/1000".into(),
            verdict,
            why: why.into(),
            duration: Duration::ZERO,
            output: output.iter().map(|&line| line.to_owned()).collect(),
            console: Vec::new(),
        }
    }

    const SAID: [&str; 8] = [
        "release 6.12.117-fastnet",
        "round 4000 10 1",
        "round 1000 10 1",
        "round 3000 10 1",
        "round 2000 10 1",
        "round 5000 10 1",
        "bytes 4096",
        "rounds 5",
    ];

    fn failed(output: &[&str]) -> String {
        match outcome(&case(Verdict::Pass, "", output), Unit::Instructions) {
            Outcome::Failed { verdict, why } => format!("{verdict}: {why}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_guests_words_become_figures_a_datagram() {
        let case = case(Verdict::Pass, "", &SAID);
        assert_eq!(release(&case), Some("6.12.117-fastnet"));
        let figure = Figure { min: 100.0, median: 300.0, max: 500.0 };
        let expected = Measured { unit: Unit::Ns, bytes: Some(4096), ..Measured::sample(figure) };
        assert_eq!(outcome(&case, Unit::Ns), Outcome::Measured(expected));
    }

    #[test]
    fn a_stream_tells_of_the_cpu_and_of_what_was_lost() {
        let said = ["release 6.12", "cpu 3200", "lost 2", "round 8000 8 4", "rounds 1"];
        let Outcome::Measured(measured) = outcome(&case(Verdict::Pass, "", &said), Unit::Ns) else {
            panic!()
        };
        let figure = Figure { min: 1000.0, median: 1000.0, max: 1000.0 };
        assert_eq!((measured.figure, measured.receiver_cpu, measured.lost), (figure, Some(400.0), 2));
    }

    #[test]
    fn truncated_and_garbled_words_are_no_figures() {
        assert_eq!(failed(&SAID[..7]), "infra: the guest did not come to its end");
        assert_eq!(failed(&[]), "infra: the guest did not come to its end");
        assert_eq!(failed(&[&SAID[..5], &SAID[6..]].concat()), "infra: 4 rounds came of 5");
        for line in ["round 5000 10", "round 5000 0 1", "round 5000 1O 1", "round 5000 10 1 1", "round "] {
            let mut said = SAID;
            said[5] = line;
            assert!(failed(&said).starts_with("infra: the guest said: round"), "{line}");
        }
        assert!(
            failed(&[&SAID[..6], &["bytes many", "rounds 5"]].concat())
                .starts_with("infra: the guest said odd bytes")
        );
    }

    #[test]
    fn a_failure_keeps_its_last_words() {
        let lost = case(Verdict::Fail, "exit 1", &["release 6.12", "7 of 8 messages were lost"]);
        let failed = |verdict: &str, why: &str| Outcome::Failed { verdict: verdict.into(), why: why.into() };
        assert_eq!(outcome(&lost, Unit::Ns), failed("fail", "exit 1: 7 of 8 messages were lost"));
        let died = case(Verdict::Panic, "Oops", &["release 6.12"]);
        assert_eq!(outcome(&died, Unit::Ns), failed("panic", "Oops"));
        let skipped = case(Verdict::Skip, "no room", &["SKIP: no room"]);
        assert_eq!(outcome(&skipped, Unit::Ns), Outcome::Skipped { why: "no room".into() });
    }
}
