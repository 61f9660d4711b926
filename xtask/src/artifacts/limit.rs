//! Rate limits: how long the API asks us to wait, and the gate at which every request does.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::progress;

/// Where the API says neither how long nor until when, its documentation asks for a minute.
const UNSAID: Duration = Duration::from_mins(1);

/// How long an answer asks us to wait; `None` where it is no rate limit.
///
/// A 403 is one only if something in it says so: most say that a token lacks a permission.
pub fn pause(status: StatusCode, headers: &HeaderMap, message: &str, now: SystemTime) -> Option<Duration> {
    if status != StatusCode::FORBIDDEN && status != StatusCode::TOO_MANY_REQUESTS {
        return None;
    }
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    if let Some(seconds) = number(RETRY_AFTER.as_str()) {
        return Some(Duration::from_secs(seconds));
    }
    if number("x-ratelimit-remaining") == Some(0)
        && let Some(reset) = number("x-ratelimit-reset")
    {
        let reset = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(reset))?;
        // A second more, as the two clocks agree on no less.
        return Some(reset.duration_since(now).unwrap_or_default() + Duration::from_secs(1));
    }
    (status == StatusCode::TOO_MANY_REQUESTS || message.contains("rate limit")).then_some(UNSAID)
}

/// Shut while a rate limit lasts. One thread counts the seconds down; the others wait behind it.
pub struct Gate(Mutex<Instant>);

impl Gate {
    /// Open.
    pub fn new() -> Self {
        Self(Mutex::new(Instant::now()))
    }

    /// Shuts it for that long.
    pub fn shut(&self, span: Duration) {
        let mut opens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *opens = (*opens).max(Instant::now() + span);
    }

    /// Waits until it is open.
    pub fn pass(&self, why: &str) {
        let opens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        progress::countdown(why, opens.saturating_duration_since(Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::{HeaderName, HeaderValue};

    fn asked(status: u16, headers: &[(&'static str, &'static str)], message: &str) -> Option<u64> {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        pause(StatusCode::from_u16(status).unwrap(), &headers, message, now).map(|pause| pause.as_secs())
    }

    #[test]
    fn what_the_headers_say_is_obeyed() {
        let used_up = ("x-ratelimit-remaining", "0");
        assert_eq!(asked(429, &[("retry-after", "7")], ""), Some(7));
        assert_eq!(asked(403, &[("retry-after", "7"), used_up, ("x-ratelimit-reset", "1900")], ""), Some(7));
        assert_eq!(asked(403, &[used_up, ("x-ratelimit-reset", "1090")], ""), Some(91));
        assert_eq!(asked(403, &[used_up, ("x-ratelimit-reset", "900")], ""), Some(1), "over by now");
        assert_eq!(asked(429, &[], ""), Some(60));
        assert_eq!(asked(403, &[], "You have exceeded a secondary rate limit."), Some(60));
    }

    #[test]
    fn not_every_refusal_is_a_limit() {
        let left = [("x-ratelimit-remaining", "55"), ("x-ratelimit-reset", "1090")];
        assert_eq!(asked(403, &left, "Resource not accessible by personal access token"), None);
        assert_eq!(asked(404, &[("retry-after", "7")], ""), None);
        assert_eq!(asked(200, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1090")], ""), None);
    }
}
