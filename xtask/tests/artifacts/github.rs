//! A GitHub of a test's own: the REST API's endpoints for runs and artifacts, and the storage that it redirects to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};

use reqwest::Url;
use serde_json::{Value, json};

use crate::packages::sha256;
use crate::server::{Reply, Request, Server, serve};
use crate::world::{Outcome, World};

/// The only token that is let in.
pub const TOKEN: &str = "ghp_of_the_test";
/// The commit of every run, unless a test says otherwise.
pub const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

/// What an endpoint says before it does what it always does.
pub type Say = Box<dyn Fn(&Request) -> Option<Reply> + Send + Sync>;
/// What the storage sends for a request, given the archive.
pub type Serve = Box<dyn Fn(&Request, &[u8]) -> Reply + Send + Sync>;

/// What is on the host; filled before it starts.
pub struct Host {
    runs: Vec<Value>,
    /// By run.
    artifacts: BTreeMap<u64, Vec<Value>>,
    /// Archives, by artifact.
    archives: BTreeMap<u64, Vec<u8>>,
    /// The commit of each tag.
    pub tags: BTreeMap<&'static str, &'static str>,
    pub say: Say,
    pub send: Serve,
}

/// The host at work, and a checkout of its repository.
pub struct GitHub {
    pub api: Server,
    pub storage: Server,
    pub world: World,
}

impl Host {
    pub fn new() -> Self {
        Self {
            runs: Vec::new(),
            artifacts: BTreeMap::new(),
            archives: BTreeMap::new(),
            tags: BTreeMap::new(),
            say: Box::new(|_| None),
            send: Box::new(|request, archive| serve(request, archive, "\"0x8DC\"")),
        }
    }

    /// A green run on main, newer than the others; `change` makes it another.
    pub fn run(mut self, id: u64, change: impl FnOnce(&mut Value)) -> Self {
        let own = json!({ "id": 1, "full_name": "owner/fastnet" });
        let mut run = json!({
            "id": id, "name": "CI", "path": ".github/workflows/ci.yml", "event": "push", "head_branch": "main",
            "head_sha": SHA, "status": "completed", "conclusion": "success", "created_at": "2026-11-22T10:00:00Z",
            "html_url": format!("https://github.com/owner/fastnet/actions/runs/{id}"),
            "repository": own, "head_repository": own,
        });
        change(&mut run);
        self.runs.insert(0, run);
        self
    }

    /// An artifact of a run, digested as the API does; `change` makes it another.
    pub fn artifact(
        mut self,
        run: u64,
        id: u64,
        name: &str,
        archive: &[u8],
        change: impl FnOnce(&mut Value),
    ) -> Self {
        let mut artifact = json!({
            "id": id, "name": name, "size_in_bytes": archive.len(), "expired": false,
            "created_at": "2026-11-22T10:30:00Z", "expires_at": "2027-02-20T10:30:00Z",
            "digest": format!("sha256:{}", sha256(archive)),
        });
        change(&mut artifact);
        self.artifacts.entry(run).or_default().push(artifact);
        self.archives.insert(id, archive.to_vec());
        self
    }

    pub fn start(self) -> GitHub {
        let host = Arc::new(self);
        // Addresses that were lent and not yet used. Each serves once, as if its minute were over then.
        let lent = Arc::new(Mutex::new(BTreeSet::new()));
        let storage = Server::start({
            let (host, lent) = (Arc::clone(&host), Arc::clone(&lent));
            move |request| {
                let known = lent.lock().unwrap().remove(&request.path);
                host.store(request, known)
            }
        });
        let address = storage.url("");
        let api = Server::start(move |request| {
            (host.say)(request).unwrap_or_else(|| host.answer(request, &address, &mut lent.lock().unwrap()))
        });
        let world = World::with_catalog("");
        let checkout = git2::Repository::init(world.path("root")).unwrap();
        checkout.remote("origin", "git@github.com:owner/fastnet.git").unwrap();
        GitHub { api, storage, world }
    }

    /// The storage knows nothing of GitHub's tokens, and refuses who shows one.
    fn store(&self, request: &Request, lent: bool) -> Reply {
        if request.headers.contains_key("authorization") || !lent {
            return Reply::new(
                403,
                b"<?xml version=\"1.0\"?><Error><Code>AuthenticationFailed</Code></Error>",
            );
        }
        let id = request.path.trim_start_matches('/').split('?').next().unwrap().parse().unwrap();
        (self.send)(request, &self.archives[&id])
    }

    fn answer(&self, request: &Request, storage: &str, lent: &mut BTreeSet<String>) -> Reply {
        let header = |name: &str| request.headers.get(name).map(String::as_str);
        if header("user-agent").is_none() || header("accept") != Some("application/vnd.github+json") {
            return refuse(
                403,
                "Request forbidden by administrative rules. Please make sure your request has a User-Agent header",
            );
        }
        if !request.body.is_empty() {
            return refuse(400, "Problems parsing JSON");
        }
        let known = header("authorization").map(|sent| sent == format!("Bearer {TOKEN}"));
        if known == Some(false) {
            return refuse(401, "Bad credentials");
        }
        let url = Url::parse(&format!("http://api{}", request.path)).unwrap();
        let query: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
        let path: Vec<_> = url.path_segments().unwrap().collect();
        let Some(rest) = path.strip_prefix(&["repos", "owner", "fastnet"]) else {
            return refuse(404, "Not Found");
        };
        let id = |text: &str| text.parse::<u64>().unwrap();
        match rest {
            [] => Reply::new(200, json!({ "id": 1, "default_branch": "main" }).to_string().as_bytes()),
            ["commits", "tags", tag @ ..] => match self.tags.get(tag.join("/").as_str()) {
                Some(sha) => Reply::new(200, json!({ "sha": sha }).to_string().as_bytes()),
                None => refuse(422, "No commit found for SHA"),
            },
            ["actions", "runs"] => page(request, &query, "workflow_runs", &self.runs_where(&query, None)),
            ["actions", "workflows", file, "runs"] => {
                if !["ci.yml", "release.yml", "nightly.yml"].contains(file) {
                    return refuse(404, "Not Found");
                }
                page(request, &query, "workflow_runs", &self.runs_where(&query, Some(file)))
            }
            ["actions", "runs", run] => match self.runs.iter().find(|known| known["id"] == id(run)) {
                Some(run) => Reply::new(200, run.to_string().as_bytes()),
                None => refuse(404, "Not Found"),
            },
            ["actions", "runs", run, "artifacts"] => {
                let all = self.artifacts.get(&id(run)).cloned().unwrap_or_default();
                page(request, &query, "artifacts", &all)
            }
            ["actions", "artifacts", artifact, "zip"] => {
                let facts =
                    self.artifacts.values().flatten().find(|known| known["id"] == id(artifact)).unwrap();
                if known.is_none() {
                    return refuse(401, "Requires authentication");
                } else if facts["expired"] == true {
                    return refuse(410, "Artifact has expired");
                }
                let place = format!("/{artifact}?se=in-a-minute&sig={}", lent.len() + 1);
                lent.insert(place.clone());
                Reply::new(302, b"").header("Location", format!("{}{place}", storage.trim_end_matches('/')))
            }
            _ => refuse(404, "Not Found"),
        }
    }

    fn runs_where(&self, query: &BTreeMap<String, String>, workflow: Option<&str>) -> Vec<Value> {
        let is = |run: &Value, key: &str, field: &str| {
            query.get(key).is_none_or(|wanted| run[field] == wanted.as_str())
        };
        let of = |run: &Value| {
            workflow.is_none_or(|file| run["path"].as_str().unwrap().ends_with(&format!("/{file}")))
        };
        let wanted = |run: &&Value| {
            let green = is(run, "status", "conclusion") || is(run, "status", "status");
            green && is(run, "branch", "head_branch") && is(run, "head_sha", "head_sha") && of(run)
        };
        self.runs.iter().filter(wanted).cloned().collect()
    }
}

/// A refusal in the API's form.
pub fn refuse(status: u16, message: &str) -> Reply {
    let body =
        json!({ "message": message, "documentation_url": "https://docs.github.com/rest", "status": status });
    Reply::new(status, body.to_string().as_bytes())
}

/// The page that is asked for, with links to the others.
fn page(request: &Request, query: &BTreeMap<String, String>, key: &str, all: &[Value]) -> Reply {
    let number = |key: &str, default| query.get(key).map_or(default, |text| text.parse::<usize>().unwrap());
    let (size, page) = (number("per_page", 30).min(100), number("page", 1));
    let items: Vec<_> = all.iter().skip(size * (page - 1)).take(size).collect();
    let reply = Reply::new(200, json!({ "total_count": all.len(), key: items }).to_string().as_bytes());
    let bare = request.path.split('?').next().unwrap();
    let next = format!(
        "<http://api{bare}?per_page={size}&page={}>; rel=\"next\", <http://api{bare}>; rel=\"last\"",
        page + 1
    );
    if size * page < all.len() { reply.header("Link", next) } else { reply }
}

impl GitHub {
    /// `cargo xtask artifacts`, not yet started, with the token and nothing else of whoever runs the tests.
    pub fn artifacts(&self, args: &[&str]) -> Command {
        let mut command = self.world.xtask();
        self.log_in(&mut command).arg("artifacts").args(args).args(["--api-url", &self.api.url("")]);
        command
    }

    /// Makes the environment one in which the token is known.
    pub fn log_in<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env_remove("GITHUB_API_URL")
            .env("GITHUB_TOKEN", TOKEN)
            .env("GH_CONFIG_DIR", self.world.path("gh"))
    }

    /// `cargo xtask artifacts`, run.
    pub fn run(&self, args: &[&str]) -> Outcome {
        Outcome::of(self.artifacts(args).output().unwrap())
    }

    /// `cargo xtask artifacts download --out out`, run.
    pub fn download(&self, args: &[&str]) -> Outcome {
        self.run(&[&["download", "--out", &self.out().display().to_string()], args].concat())
    }

    /// Where [`Self::download`] unpacks to.
    pub fn out(&self) -> PathBuf {
        self.world.path("out")
    }

    /// Asserts that nothing was unpacked, in whole or in part.
    #[track_caller]
    pub fn assert_nothing_unpacked(&self) {
        let left: Vec<_> =
            self.out().read_dir().into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
        assert!(left.is_empty(), "{left:?}");
    }

    /// How often an address in the storage was asked for.
    pub fn lendings(&self) -> usize {
        self.api.gets().iter().filter(|get| get.path.ends_with("/zip")).count()
    }
}
