//! What `bench real-world` takes.

use std::path::PathBuf;

use clap::Args;

use super::kernel::{Flavor, KernelArgs, image};
use super::test::AccelChoice;

/// What to send, and to whom.
#[derive(Args, Clone, Debug)]
#[command(after_help = BENCH_REAL_WORLD)]
pub struct FeedArgs {
    #[command(flatten)]
    pub kernel: KernelArgs,

    /// Who runs the guests' instructions.
    #[arg(long, value_enum, default_value_t = AccelChoice::Auto)]
    pub accel: AccelChoice,

    /// Replay the UDP datagrams of this capture, by their sizes and times, in place of the generated feed.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["datagrams", "rate"])]
    pub pcap: Option<PathBuf>,

    /// So many datagrams; if not said, a million under KVM, and 20 000 where the CPU is emulated.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub datagrams: Option<u32>,

    /// So many a second on average; if not said, 100 000 under KVM, and 4 000 where the CPU is emulated.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub rate: Option<u32>,

    /// What the receiving socket's buffer holds (`SO_RCVBUF`); what comes while it is full is lost.
    #[arg(long, value_name = "BYTES", default_value_t = 8 << 20, value_parser = clap::value_parser!(u32).range(1..=1 << 28))]
    pub rcvbuf: u32,

    /// Run each receiver on each kernel so often, in turn.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    pub repeat: u32,

    /// Write the results there, a line of JSON a run; what the file already has is not run again.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Boot these kernels, building none: the stock one sends, all receive.
    #[arg(long, hide = true, value_name = "FLAVOR=BZIMAGE", value_parser = image)]
    pub bzimage: Vec<(Flavor, PathBuf)>,
}

const BENCH_REAL_WORLD: &str = "\
Two guests on a wire of their own, virtio-net at both ends and nothing of the host's network between. A stock kernel sends
by a schedule; each kernel receives in turn, by recvmsg, recvmmsg and a remembered array, waiting in poll(). Costs come
from runs without time stamps, latencies from runs with them, as a stamp is a control message and has its own cost.
Without --flavor stock, hints and fastnet receive.

The generated feed has the message sizes of NYSE's Pillar Integrated Feed; the shares of the messages and the bursts are
assumed. docs/results.md has both, and what the figures mean.

Examples:
  cargo xtask bench real-world --json feed.jsonl              all of it
  cargo xtask bench real-world --rcvbuf 65536 --repeat 1      a small buffer, to see what bursts do
  cargo xtask bench real-world --pcap opening.pcap            a recorded feed";
