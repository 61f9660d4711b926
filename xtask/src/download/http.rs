//! The HTTP clients, and what its failures mean.

use std::env;
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};
use reqwest::blocking::{Client, Response};
use reqwest::redirect::Policy;

use crate::exit::{Classify, Exit};

/// Long enough for a slow resolver and a handshake around the world.
const CONNECT: Duration = Duration::from_secs(10);
/// A server that sends nothing for this long is taken for dead; one that is merely slow never is.
const IDLE: Duration = Duration::from_secs(30);
/// For [`probe`]: what a user without `--kernel` waits before the next kernel is tried.
const PROBE: Duration = Duration::from_secs(3);

/// No address of a source answered as a working server does; never an integrity failure.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unreachable(pub String);

/// Why an address brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No server, or none that works: another day it may. No DNS, no connection, silence, a 5xx.
    #[error("{0}")]
    Unreachable(String),
    /// A server that works and does not give what is asked for.
    #[error("{0}")]
    Refused(String),
    /// Not the network: this machine, or whoever lends the address.
    #[error(transparent)]
    Local(#[from] anyhow::Error),
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        Self::Unreachable(root_cause(&error))
    }
}

/// The client; it honours the usual proxy variables.
///
/// `FASTNET_IDLE_TIMEOUT` in seconds is for lines that pause longer than [`IDLE`].
pub fn client() -> Result<&'static Client, Failure> {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    shared(&CLIENT, Policy::default())
}

/// The client that follows no redirect: what it sends is for one server's ears alone.
pub fn discreet_client() -> Result<&'static Client, Failure> {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    shared(&CLIENT, Policy::none())
}

/// Never dropped: dropping a client waits for its resolver, which may take half a minute to give up.
fn shared(client: &'static OnceLock<Client>, redirects: Policy) -> Result<&'static Client, Failure> {
    if let Some(client) = client.get() {
        return Ok(client);
    }
    let idle = env::var("FASTNET_IDLE_TIMEOUT").ok().and_then(|text| text.parse().ok());
    let new = build(CONNECT, idle.map_or(IDLE, Duration::from_secs), redirects)?;
    Ok(client.get_or_init(|| new))
}

fn build(connect: Duration, idle: Duration, redirects: Policy) -> Result<Client, Failure> {
    // Fails only where a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // In reqwest's blocking client `timeout` limits the wait for the answer and then each read, not the sum.
    Client::builder().connect_timeout(connect).timeout(idle).redirect(redirects).build().map_err(|error| {
        Failure::Unreachable(format!("no TLS (is ca-certificates installed?): {}", root_cause(&error)))
    })
}

/// The answer where it is a success; else what its status means.
pub fn success(response: Response) -> Result<Response, Failure> {
    let status = response.status();
    if status.is_success() {
        Ok(response)
    } else if status.is_server_error() {
        Err(Failure::Unreachable(status.to_string()))
    } else {
        Err(Failure::Refused(status.to_string()))
    }
}

/// Fails where none of the addresses is answered within three seconds in all, with the reason of one.
pub fn probe<'a>(urls: impl Iterator<Item = &'a str>) -> Result<(), Unreachable> {
    let (sender, answers) = mpsc::channel();
    for url in urls {
        let (sender, url) = (sender.clone(), url.to_owned());
        // Not joined: whoever is still waiting when one has answered does no harm.
        thread::spawn(move || {
            let answer =
                build(PROBE, PROBE, Policy::default()).and_then(|client| success(client.head(url).send()?));
            let _ = sender.send(match answer {
                Err(Failure::Unreachable(reason)) => Err(Unreachable(reason)),
                _ => Ok(()),
            });
        });
    }
    drop(sender);
    let mut last = Ok(());
    for answer in answers {
        if answer.is_ok() {
            return Ok(());
        }
        last = answer;
    }
    last
}

/// The error of a download that no address brought; its cause is [`Unreachable`] where none even worked.
pub fn failed<T>(what: &str, failures: Vec<(&str, Failure)>) -> Result<T> {
    let unreachable = failures.iter().all(|(_, failure)| matches!(failure, Failure::Unreachable(_)));
    let mut lines = Vec::new();
    for (url, failure) in failures {
        match failure {
            Failure::Local(error) => return Err(error),
            failure => lines.push(format!("\n  {url}: {failure}")),
        }
    }
    let lines = lines.concat();
    let cause = if unreachable { Unreachable(lines).into() } else { anyhow!(lines) };
    Err(cause).exit(Exit::Network, || format!("cannot download {what}"))
}

/// What an error comes from in the end: the layers above that of reqwest only repeat each other.
pub fn root_cause(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.last().unwrap_or(error).to_string()
}
