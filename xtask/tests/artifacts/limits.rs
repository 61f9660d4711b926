//! Rate limits, of both kinds that the documentation knows.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::github::{GitHub, Host, refuse};
use crate::packages::packages;
use crate::server::Reply;

/// A host that answers the first `times` requests like this.
fn limited(times: usize, reply: impl Fn() -> Reply + Send + Sync + 'static) -> GitHub {
    let count = AtomicUsize::new(0);
    let mut host = Host::new().run(1, |_| ()).artifact(1, 7, "packages", &packages(100), |_| ());
    host.say = Box::new(move |_| (count.fetch_add(1, Ordering::SeqCst) < times).then(&reply));
    host.start()
}

fn used_up(seconds: u64) -> Reply {
    let reset = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() + seconds;
    refuse(403, "API rate limit exceeded for 192.0.2.1.")
        .header("x-ratelimit-limit", "60")
        .header("x-ratelimit-remaining", "0")
        .header("x-ratelimit-reset", reset.to_string())
}

#[test]
fn a_limit_is_waited_for_with_a_countdown() {
    for reply in [|| refuse(429, "Too many requests").header("Retry-After", "2"), || used_up(1)] {
        let github = limited(1, reply);
        let started = Instant::now();
        let download = github.download(&[]);
        download.passed();
        assert!(started.elapsed() >= Duration::from_secs(1), "not waited for");
        assert!(download.stderr.contains("rate limit of 127.0.0.1: 00:00:0"), "{}", download.stderr);
    }
}

#[test]
fn one_that_lasts_longer_than_they_do_is_not() {
    for seconds in [5000, u64::MAX] {
        let github = limited(1, move || refuse(429, "slow down").header("Retry-After", seconds.to_string()));
        github
            .run(&["list"])
            .failed(5, &["a rate limit does not lift", "slow down", "try again in ", " minutes"]);
        assert_eq!(github.api.count(), 1);
    }
}

#[test]
fn one_that_does_not_lift_is_given_up() {
    let github = limited(usize::MAX, || refuse(403, "secondary rate limit").header("Retry-After", "0"));
    github.run(&["list"]).failed(5, &["does not lift", "secondary rate limit"]);
    assert_eq!(github.api.count(), 4, "once, and three times after waiting");
}
