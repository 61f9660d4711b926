//! What `artifacts` and its own subcommands take.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::artifacts::{Query, Repository, Which};

/// What to do with a run's artifacts.
#[derive(Debug, Subcommand)]
pub enum ArtifactsAction {
    /// List what a run made: name, size, and until when it is kept.
    List {
        #[command(flatten)]
        which: ArtifactsArgs,
    },
    /// Download what a run made, check it, and unpack each artifact to a folder of its name.
    ///
    /// The archive must have the digest that the API tells, and every file the one in SHA256SUMS beside it; all
    /// artifacts come out or none. A download that was cut off goes on where it ended.
    Download {
        #[command(flatten)]
        which: ArtifactsArgs,

        /// Unpack there; in a folder of the run in target/artifacts/ if not said.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,

        /// So many downloads at once.
        #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=16))]
        jobs: u8,
    },
}

/// Which artifacts.
#[derive(Args, Clone, Debug)]
pub struct ArtifactsArgs {
    /// Only artifacts whose name contains this.
    #[arg(default_value = "", hide_default_value = true)]
    filter: String,

    /// A run's number in its address, or the newest green run that made such artifacts.
    #[arg(long, value_name = "ID|latest", default_value = "latest", value_parser = run, conflicts_with_all = ["branch", "tag"])]
    run: Which,

    /// The newest green run on this branch; on the default branch if nothing is said.
    #[arg(long, value_name = "NAME", conflicts_with = "tag")]
    branch: Option<String>,

    /// The newest green run for this tag.
    #[arg(long, value_name = "NAME")]
    tag: Option<String>,

    /// Only runs of this workflow, as in `release.yml`.
    #[arg(long, value_name = "FILE")]
    workflow: Option<String>,

    /// The repository; that of git's remote `origin` if not said.
    #[arg(long, value_name = "OWNER/NAME", value_parser = Repository::parse)]
    repo: Option<Repository>,

    /// The API of a GitHub Enterprise, as in `https://HOST/api/v3`; else `$GITHUB_API_URL`, else github.com's.
    #[arg(long, value_name = "URL")]
    api_url: Option<String>,
}

fn run(text: &str) -> Result<Which, String> {
    match text {
        "latest" => Ok(Which::Latest),
        id => id.parse().map(Which::Id).map_err(|_| "it is neither `latest` nor a run's number".to_owned()),
    }
}

impl From<&ArtifactsArgs> for Query {
    fn from(args: &ArtifactsArgs) -> Self {
        let args = args.clone();
        let branch = args.branch.map(Which::OfBranch);
        Self {
            run: args.tag.map(Which::OfTag).or(branch).unwrap_or(args.run),
            repository: args.repo,
            api: args.api_url,
            workflow: args.workflow,
            filter: args.filter,
        }
    }
}

/// Stands below the help of `artifacts`.
pub const HELP: &str = "\
GitHub gives artifacts only to those who have logged in: set GITHUB_TOKEN (`gh auth token` prints one), or have one in
gh's hosts.yml. A rate limit is waited for.

Examples:
  cargo xtask artifacts list                                     of the newest green run on the default branch
  cargo xtask artifacts download packages --tag v0.1.0           a release's packages
  cargo xtask artifacts download --run 1234567890 --out there    all that a run made, green or not
  cargo xtask artifacts list --workflow ci.yml --branch topic";
