//! What no figure says by itself: where another way is better, what the figures cannot say, and how to have one's own.

/// A title and its sentences.
pub const CHAPTERS: [(&str, &[&str]); 2] = [
    (
        "Where another way is better",
        &[
            "One datagram a call, or lone datagrams with pauses between them: recv() does less than any call with an array, \
             and the wakeup costs more than either.",
            "Datagrams of one size from one sender, close together: UDP_GRO hands them over as a train, at a few dozen \
             instructions each. A feed of mixed sizes, or of many senders, makes no trains.",
            "Large datagrams: most of what they cost is the copy, which every socket makes, remembered or not.",
            "A queue of the network card to itself: AF_XDP takes frames before the stack sees them. Headers, checksums, \
             fragments, filters and whoever else wants the packets are the program's own business then.",
            "A core and a card to itself, and code written for them: bypass stacks (DPDK, and those of the cards' vendors) \
             leave the kernel out. Nothing here was measured against them.",
        ],
    ),
    (
        "What these figures cannot say",
        &[
            "Instructions are not time. A cache miss, a mispredicted branch and a locked operation count as one each; a third \
             of the instructions is not a third of the time.",
            "TCG is not silicon. Nanoseconds under it are those of a CPU that there is not; they show that all works.",
            "The receive call is not the whole way. Card, driver, interrupt and the stack below the socket's queue cost the \
             same as ever, so that a program as a whole gains less than a call does.",
            "The loopback is not a wire, and a full queue is the best there is for a batch: a program that is \
             woken for each datagram as it comes has batches of one.",
        ],
    ),
];

/// Before the commands that repeat what was measured.
pub const AGAIN: &str =
    "From a checkout, on a machine with Rust, gcc and git; first, cargo xtask doctor --install:";

/// Before the command that made the report.
pub const MADE: &str = "This report was made of its files by:";

/// For readers with hardware: the same under a clock that ticks for a CPU there is. The lines are a script.
pub const SCRIPT: &str = "\
cargo xtask doctor --install
cargo xtask bench local --accel kvm --quick --json quick.jsonl --yes
cargo xtask bench local --accel kvm --datagrams 10000000 --json local.jsonl
cargo xtask bench real-world --accel kvm --json feed.jsonl
cargo xtask bench report local.jsonl feed.jsonl --out report
";

/// What to know before it is run.
pub const BEFORE: &str = "On a machine of yours whose /dev/kvm works. The quick plan is first, and of minutes. The whole one has \
    404 cells to measure five times; of 10 million datagrams each it takes some hours. Without --datagrams it is the paper's \
    100 million, and a day or more: of 64 bytes, the paper's author published runs of 58 to 77 seconds. Each may be \
    interrupted, and goes on where it was. Let nothing else run there, hold its clock steady (the governor \"performance\", no boost), and look at the intervals before the medians.";

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::super::plan;
    use super::*;
    use crate::cli::Cli;

    #[test]
    fn the_plan_has_as_many_cells_as_is_said() {
        let cells: usize =
            plan::flavors(false).iter().map(|flavor| plan::streams(false, *flavor).len()).sum();
        assert!(BEFORE.contains(&format!("{cells} cells")), "{cells}");
    }

    #[test]
    fn the_script_is_of_commands_that_there_are() {
        for line in SCRIPT.lines() {
            let words = line.strip_prefix("cargo xtask ").expect("a command of ours").split(' ');
            Cli::try_parse_from(["xtask"].into_iter().chain(words)).unwrap();
        }
    }
}
