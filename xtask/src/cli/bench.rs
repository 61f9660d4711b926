//! What `bench` and its own subcommands take.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand, ValueEnum};

use super::feed::FeedArgs;
use super::kernel::{Flavor, KernelArgs, image};
use super::patch::PatchArgs;

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum BenchAction {
    /// Receive in a guest, in every way there is, and print what a datagram costs.
    Local(BenchArgs),
    /// Send a feed from one guest to another, and print what receiving it costs, what got lost and how late it came.
    RealWorld(FeedArgs),
    /// Count how often each branch hint of the patches is right, and the branches taken before and after.
    ///
    /// Fails on a hint that is wrong more often than right. Hints that the load never reaches are listed apart.
    /// Builds three kernels: one that counts its hints, stock, and one with the hints alone.
    Hints {
        #[command(flatten)]
        patches: PatchArgs,
        /// Add the counts, and where a datagram's instructions go without and with the hints, to this file of results.
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
    /// Show in which of the kernel's functions a datagram's instructions are spent, by whichever receiver.
    Profile {
        /// What receives what, as `bench local` names it: over the loopback, up to 1000 messages a call.
        #[arg(default_value = "remembered/ipv4/64/1000")]
        cell: String,
        #[command(flatten)]
        kernel: KernelArgs,
        /// Add the counts to this file of results.
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// Draw a flame graph there: who calls whom, each as wide as its instructions.
        #[arg(long, value_name = "FILE")]
        svg: Option<PathBuf>,
        /// Of the kernel of this manifest.json, building none.
        #[arg(long, hide = true, value_name = "FILE")]
        manifest: Option<PathBuf>,
    },
    /// Make a page, a summary in Markdown and CSV of result files.
    ///
    /// The page is one file that needs no network. The paper's table, ratios with their intervals, the cost by batch and
    /// by size, hints, and where instructions go: whatever the files hold.
    Report {
        /// What `--json` of the other commands wrote.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// The folder to write index.html, summary.md and the CSV files to.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Say what changed from one file of results to another, beyond noise; exit 1 if anything takes more.
    ///
    /// Cells of the same kernel, configuration and guest are compared. A change is noise up to --tolerance and, on top,
    /// the most that boots of the same differ; of time it takes three of each to tell. A cell that failed counts as one
    /// that takes more.
    Compare {
        /// The results before.
        before: PathBuf,
        /// The results after.
        after: PathBuf,
        /// Compare ratios to stock's recvmmsg in the same file, for releases or compilers that are not the same.
        #[arg(long)]
        ratios: bool,
        /// In percent.
        #[arg(long, value_name = "PERCENT", default_value_t = 0.5, value_parser = percent)]
        tolerance: f64,
    },
}

/// What to measure, and in which guests.
#[derive(Args, Clone, Debug)]
#[command(after_help = BENCH_LOCAL)]
pub struct BenchArgs {
    /// Only cells whose name contains one of these: `remembered/ipv4`, `/64/1000`, or `/64/1000/` without 10000.
    pub filter: Vec<String>,

    #[command(flatten)]
    pub kernel: KernelArgs,

    /// Who runs the guest's instructions, and so what is counted.
    #[arg(long, value_enum, default_value_t = BenchAccel::Icount)]
    pub accel: BenchAccel,

    /// The README's table alone: minutes in place of hours.
    #[arg(long)]
    pub quick: bool,

    /// Boot each kernel so often, in turn: twice if instructions are counted, five times under a clock.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=9))]
    pub repeat: Option<u32>,

    /// Under a clock: send so many datagrams in each cell; 100 million under KVM, fewer under TCG and with --quick.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub datagrams: Option<u64>,

    /// Measure this part of the plan alone, as in 2/8: for a machine of several. All kernels are in every part.
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,

    /// Write the results there, a line of JSON a cell as soon as it is measured: see docs/results.md.
    ///
    /// What the file has already is not measured again: a plan that was cut off goes on where it was.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Boot these kernels, building none: for tests, and for work on a kernel tree.
    #[arg(long, hide = true, value_name = "FLAVOR=BZIMAGE", value_parser = image)]
    pub bzimage: Vec<(Flavor, PathBuf)>,
}

/// A part of a plan, for one machine of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Counted from 0.
    pub index: usize,
    /// How many there are.
    pub of: usize,
}

impl FromStr for Shard {
    type Err = String;

    /// Reads `2/8`: the second of eight.
    fn from_str(text: &str) -> Result<Self, String> {
        let numbers =
            text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((number @ 1.., of)) if number <= of => Ok(Self { index: number - 1, of }),
            _ => Err("I/N, from 1/N to N/N".to_owned()),
        }
    }
}

/// Who runs the guest's instructions when they are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BenchAccel {
    /// QEMU's translator with a clock that ticks once an instruction: figures are instructions, the same anywhere.
    Icount,
    /// KVM if it proves to work, else TCG; figures are nanoseconds, of the paper's experiment.
    Auto,
    /// The host's CPU; figures are nanoseconds.
    Kvm,
    /// QEMU's translator; figures are nanoseconds of a CPU that there is not.
    Tcg,
}

fn percent(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(percent @ 0.0..=100.0) => Ok(percent),
        _ => Err("0 to 100".to_owned()),
    }
}

const BENCH_LOCAL: &str = "\
A cell is a receiver, IPv4 or IPv6, a datagram's size, messages a call, and whether each message has room for the
sender's name: `recvmmsg/ipv4/64/1000/name`. Every datagram is checked byte by byte. The table at the end is Markdown.

Counting instructions: one guest with one CPU a kernel; a queue is filled, then emptied by the receiver, of which only
the calls that receive are counted. After a warm-up some rounds are: median, least and most.
Under a clock, the paper's experiment: two CPUs, on which one program sends and another receives and checks. All of it
is timed, and what is lost is counted. Kernels are booted in turn, A B A B. Datagrams of `recvmmsg/ipv4/64/1000/veth`
come over a pair of virtual network cards, as busy polling and AF_XDP need one.

Without --flavor stock and fastnet are measured; hints, too, unless --quick is given.

Examples:
  cargo xtask bench local --quick --kernel 6.12 --json quick.jsonl    the README's table
  cargo xtask bench local remembered/ipv4/64 --repeat 1       a few cells, quickly
  cargo xtask bench local --accel auto --quick                two programs, in nanoseconds
  cargo xtask bench local --json all.jsonl                    all of it; stopped and started again, it goes on
  cargo xtask bench local --shard 2/8 --json 2.jsonl          one eighth, on one machine of eight";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tolerance_is_a_number() {
        assert_eq!(percent("0.5"), Ok(0.5));
        assert!(["nan", "inf", "-1", "half"].into_iter().all(|text| percent(text).is_err()));
    }

    #[test]
    fn a_shard_is_one_of_so_many() {
        assert_eq!("2/8".parse(), Ok(Shard { index: 1, of: 8 }));
        for text in ["", "1", "0/2", "3/2", "1/0", "-1/2", "1/2/3", "a/b"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
