//! What the host asks of the runner, on the kernel's command line.

use std::time::Duration;

use anyhow::{Context, Result, bail};

/// Which tests to run, and for how long each may run.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    /// Only tests whose full name contains this.
    pub filter: String,
    /// How long one test may take.
    pub deadline: Duration,
    /// Run the `#[ignore]`d tests, and only those.
    pub ignored: bool,
    /// Run the long ones of those.
    pub long: bool,
    /// `(i, n)`: of every n tests, the i-th, counted from 0.
    pub shard: (usize, usize),
    /// Names and values, for the tests.
    pub env: Vec<(String, String)>,
}

impl Options {
    /// Reads `[--filter S] [--deadline SECS] [--ignored] [--long] [--shard I/N] [--env NAME=VALUE]...`.
    pub fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self {
            filter: String::new(),
            deadline: Duration::from_mins(1),
            ignored: false,
            long: false,
            shard: (0, 1),
            env: Vec::new(),
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--filter" => options.filter.clone_from(value()?),
                "--deadline" => {
                    options.deadline = Duration::from_secs(value()?.parse().context("--deadline")?);
                }
                "--ignored" => options.ignored = true,
                "--long" => options.long = true,
                "--shard" => {
                    let (index, count) = value()?.split_once('/').context("--shard is I/N")?;
                    options.shard = (index.parse().context("--shard")?, count.parse().context("--shard")?);
                }
                "--env" => {
                    let (name, value) = value()?.split_once('=').context("--env is NAME=VALUE")?;
                    options.env.push((name.to_owned(), value.to_owned()));
                }
                _ => bail!("unknown argument {argument}"),
            }
        }
        if options.shard.0 >= options.shard.1 {
            bail!("--shard {}/{}: the first shard is 0", options.shard.0, options.shard.1);
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options> {
        Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn everything_can_be_asked() {
        let options = parse("--filter abi --deadline 3 --ignored --long --shard 1/2 --env SEED=7").unwrap();
        let expected = Options {
            filter: "abi".into(),
            deadline: Duration::from_secs(3),
            ignored: true,
            long: true,
            shard: (1, 2),
            env: vec![("SEED".into(), "7".into())],
        };
        assert_eq!(options, expected);
    }

    #[test]
    fn nonsense_is_refused() {
        for line in ["--filter", "--deadline x", "--shard 2/2", "--shard 1", "--env SEED", "--verbose"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
