//! The REST API: requests with a token, pages, redirects and rate limits; answers as JSON.

use std::io::Read;
use std::iter;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, LINK, LOCATION, USER_AGENT};
use reqwest::{StatusCode, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::limit::{self, Gate};
use super::token::Token;
use crate::download::http::{self, Failure};
use crate::exit::{self, Classify, Exit};

/// The most that a page holds.
const PER_PAGE: &str = "100";
/// Of one list; the API itself searches no further than a thousand runs.
const PAGES: u32 = 100;
/// Of one request: a repository that was renamed twice, or a server that leads us in circles.
const REDIRECTS: usize = 5;
/// Of one request. A limit lifts within the hour, so a second one in a row already is odd.
const WAITS: usize = 3;
/// A limit on requests lasts an hour at the most; who says more is not waited for.
const PATIENCE: Duration = Duration::from_mins(70);
/// An answer of the API that is larger than this, in bytes, is none.
const LARGEST: u64 = 32 << 20;

/// The API of one host.
pub struct Api {
    root: Url,
    token: Option<Token>,
    gate: Gate,
}

/// What the API said to one request.
struct Answer {
    url: Url,
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Api {
    /// The API at `root`, asked in the name of `token`.
    pub fn new(root: Url, token: Option<Token>) -> Self {
        Self { root, token, gate: Gate::new() }
    }

    /// The address of something, by the segments of its path and its query.
    pub fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.root.clone();
        // An http address has segments; another was refused.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// What is at `url`; `None` where nothing is, or nothing that this token may see.
    pub fn get<T: DeserializeOwned>(&self, url: Url) -> Result<Option<T>> {
        let answer = self.ask(url)?;
        if [StatusCode::NOT_FOUND, StatusCode::UNPROCESSABLE_ENTITY].contains(&answer.status) {
            return Ok(None);
        }
        self.json(&answer).map(Some)
    }

    /// The pages of a list that the API keeps under `key`, each asked for when its turn comes.
    pub fn pages<T: DeserializeOwned>(&self, url: Url, key: &str) -> impl Iterator<Item = Result<Vec<T>>> {
        let mut next = Some(1);
        iter::from_fn(move || {
            let mut url = url.clone();
            let number = next.take()?;
            url.query_pairs_mut().append_pair("per_page", PER_PAGE).append_pair("page", &number.to_string());
            let page = self.page(url, key);
            let more = page.as_ref().is_ok_and(|(_, more)| *more);
            next = (more && number < PAGES).then_some(number + 1);
            Some(page.map(|(items, _)| items))
        })
    }

    /// One page, and whether there is another.
    fn page<T: DeserializeOwned>(&self, url: Url, key: &str) -> Result<(Vec<T>, bool)> {
        let answer = self.ask(url)?;
        let mut value: Value = self.json(&answer)?;
        let items = value.get_mut(key).map(Value::take).unwrap_or_default();
        let items = serde_json::from_value(items)
            .exit(Exit::Network, || format!("{} answered with no {key}", answer.url))?;
        let links = answer.headers.get_all(LINK).iter().filter_map(|links| links.to_str().ok());
        Ok((items, links.into_iter().any(|links| links.contains("rel=\"next\""))))
    }

    /// Where the API says that the file at `url` is, for the next minute.
    pub fn lend(&self, url: &Url) -> Result<String, Failure> {
        let answer = self.ask(url.clone())?;
        let place = match answer.status {
            // Not in the clear, unless all is: the address itself lets in whoever reads it.
            StatusCode::FOUND => {
                let safe = |place: &Url| place.scheme() == "https" || self.root.scheme() == "http";
                answer.redirect().filter(safe).map(String::from)
            }
            StatusCode::GONE => {
                return Err(Failure::Refused("it has expired (410): choose a newer run".to_owned()));
            }
            _ => None,
        };
        place.ok_or_else(|| Failure::Local(self.refusal(&answer)))
    }

    /// Sends a request until it is answered by something else than a rate limit or a new address of the API's own.
    fn ask(&self, mut url: Url) -> Result<Answer> {
        let (mut redirects, mut waits) = (0, 0);
        loop {
            self.gate.pass(&self.why_waiting());
            let answer = self.send(url).map_err(no_answer)?;
            if let Some(pause) =
                limit::pause(answer.status, &answer.headers, &answer.message(), SystemTime::now())
            {
                waits += 1;
                if waits > WAITS || pause > PATIENCE {
                    return Err(self.limited(&answer, pause));
                }
                self.gate.shut(pause);
                url = answer.url;
                continue;
            }
            match answer.moved().filter(|_| redirects < REDIRECTS) {
                Some(new) => url = new,
                None => return Ok(answer),
            }
            redirects += 1;
        }
    }

    fn send(&self, url: Url) -> Result<Answer, Failure> {
        let mut request = http::discreet_client()?
            .get(url.clone())
            .header(ACCEPT, "application/vnd.github+json")
            .header("X-GitHub-Api-Version", "2022-11-28")
            .header(USER_AGENT, "fastnet");
        if let Some(token) = &self.token {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.secret)).map_err(|_| {
                let message = format!("the token in {} has characters that no token has", token.place);
                Failure::Local(exit::error(Exit::Host, message))
            })?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let response = request.send()?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        let read = response.take(LARGEST).read_to_end(&mut body);
        read.map_err(|cut| Failure::Unreachable(http::root_cause(&cut)))?;
        Ok(Answer { url, status, headers, body })
    }

    fn json<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T> {
        if !answer.status.is_success() {
            return Err(self.refusal(answer));
        }
        serde_json::from_slice(&answer.body).exit(Exit::Network, || {
            format!("{} answered with something else than GitHub's API does", answer.url)
        })
    }

    /// The error of an answer that is none, with what to do about it.
    fn refusal(&self, answer: &Answer) -> anyhow::Error {
        let (status, message) = (answer.status, answer.message());
        let said = format!("{} answered {status}: {message}", answer.url);
        match (status, &self.token) {
            // Even of a public repository, GitHub gives artifacts only to those who have logged in.
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, None) => {
                let host = self.root.host_str().unwrap_or_default();
                let fix = "set GITHUB_TOKEN; where gh is logged in, GITHUB_TOKEN=$(gh auth token) does";
                exit::error(Exit::Host, format!("{host} wants to know who asks ({said}): {fix}"))
            }
            (StatusCode::UNAUTHORIZED, Some(token)) => exit::error(
                Exit::Host,
                format!("the token in {} is not accepted ({said}): renew it", token.place),
            ),
            (StatusCode::FORBIDDEN, Some(token)) => {
                let fix = "it needs to read Actions (a classic one: the scope `repo`)";
                exit::error(
                    Exit::Host,
                    format!("the token in {} may not do this ({said}): {fix}", token.place),
                )
            }
            (StatusCode::NOT_FOUND, _) => {
                let hint = "of a private repository, a token must be allowed to see it";
                exit::error(Exit::Usage, format!("{said} ({hint})"))
            }
            (status, _) if status.is_server_error() => {
                exit::error(Exit::Network, format!("{said}; the server is at fault: try again later"))
            }
            _ => exit::error(Exit::Network, said),
        }
    }

    fn limited(&self, answer: &Answer, pause: Duration) -> anyhow::Error {
        let (url, status, message) = (&answer.url, answer.status, answer.message());
        let minutes = pause.as_secs().div_ceil(60).max(1);
        let token = if self.token.is_none() {
            ", with GITHUB_TOKEN set: who has none gets 60 answers an hour"
        } else {
            ""
        };
        let fix = format!("try again in {minutes} minutes{token}");
        exit::error(
            Exit::Network,
            format!("a rate limit does not lift ({url} answered {status}: {message}): {fix}"),
        )
    }

    fn why_waiting(&self) -> String {
        let host = self.root.host_str().unwrap_or_default();
        format!("rate limit of {host}")
    }
}

fn no_answer(failure: Failure) -> anyhow::Error {
    match failure {
        Failure::Local(error) => error,
        failure => exit::error(Exit::Network, format!("GitHub's API does not answer: {failure}")),
    }
}

impl Answer {
    /// What a refusal says of itself.
    fn message(&self) -> String {
        if self.status.is_success() {
            return String::new();
        }
        let json: Option<Value> = serde_json::from_slice(&self.body).ok();
        let message = json.as_ref().and_then(|json| json["message"].as_str());
        // A proxy's page of HTML helps nobody, and a server's control characters belong on no terminal.
        message.unwrap_or("no message").chars().filter(|c| !c.is_control()).take(300).collect()
    }

    fn redirect(&self) -> Option<Url> {
        self.url.join(self.headers.get(LOCATION)?.to_str().ok()?).ok()
    }

    /// The API's own new address for what was asked, as of a repository that was renamed. A token goes to no other.
    fn moved(&self) -> Option<Url> {
        let moved = [301, 307, 308].contains(&self.status.as_u16());
        self.redirect().filter(|new| moved && new.origin() == self.url.origin())
    }
}
