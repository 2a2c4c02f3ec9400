//! Answers that are no list and say so (U38 to U41).

use std::time::{Duration, SystemTime};

use super::{AT_ONCE, Trial, few, three_pages};
use crate::support::entry::numbered;
use crate::support::registry::{Behaviour, Seen};
use crate::support::{check, eventually};

fn limited(retry_after: &str) -> Behaviour {
    Behaviour::Status(429, vec![("retry-after", retry_after.to_owned())])
}

/// Waits until it has been tested that often from now on.
async fn until_tested(trial: &Trial, times: usize) {
    trial.faulty.forget_requests();
    eventually("it was tested", async || {
        let tests = trial.faulty.requests_where(Seen::is_probe).len();
        check(tests >= times, tests)
    })
    .await;
}

/// Limits the rate of everything, as a registry does that is asked too often: no failure, nothing is lost, and pages
/// wait as long as they were told to, within reason.
async fn stays_healthy(retry_after: &[&str], most: usize) -> Trial {
    let trial = Trial::start(few(), "").await;
    let since = trial.proxy.registry("faulty").await["since"].clone();
    for retry_after in retry_after {
        trial.faulty.always(limited(retry_after));
        until_tested(&trial, 5).await;
        let status = trial.proxy.registry("faulty").await;
        assert_eq!((&status["state"], &status["since"]), (&"healthy".into(), &since), "{retry_after}: {status}");
        let pages = trial.faulty.requests_where(Seen::is_page).len();
        assert!(pages <= most, "{retry_after}: a page was asked for {pages} times in a moment");
        trial.faulty.behave();
        trial.until_healthy().await;
    }
    trial
}

#[tokio::test]
async fn u38_too_many_requests() {
    let trial = Trial::start(few(), "").await;
    let since = trial.proxy.registry("faulty").await["since"].clone();
    trial.faulty.always(Behaviour::status(429));
    until_tested(&trial, 5).await;
    assert_eq!(trial.proxy.registry("faulty").await["since"], since);
    trial.faulty.behave();
    trial.end().await;
}

#[tokio::test]
async fn u38_retry_after_in_seconds() {
    stays_healthy(&["1"], 2).await.end().await;
}

#[tokio::test]
async fn u38_retry_after_that_is_past_or_garbage() {
    stays_healthy(&["Thu, 01 Jan 1970 00:00:00 GMT"], 2).await.end().await;
    stays_healthy(&["soon, perhaps", ""], 6).await.end().await;
}

/// Too long to wait for: that the wait is clamped to five minutes is tested beside `registry::retry`.
#[tokio::test]
async fn u38_retry_after_that_is_far_or_absurd() {
    let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_hours(2));
    stays_healthy(&["120", &date, "99999", "99999999999999999999999999"], 2).await.end_at_once().await;
}

#[tokio::test]
async fn u39_unavailable_with_retry_after() {
    let trial = Trial::start(few(), "").await;
    let fault = Behaviour::Status(503, vec![("retry-after", "3600".to_owned())]);
    // Tests keep their interval: it is healthy as soon as it answers.
    trial.faulty.when(Seen::is_probe, fault);
    trial.until_dropped("response", "status 503").await;
    trial.faulty.behave();
    trial.until_healthy().await;
    trial.end().await;
}

#[tokio::test]
async fn u40_two_errors_and_then_success() {
    let trial = Trial::start(few(), "").await;
    let since = trial.proxy.registry("faulty").await["since"].clone();
    trial.faulty.next_when(2, Seen::is_page, Behaviour::status(500));
    trial.faulty.next_when(2, Seen::is_probe, Behaviour::status(500));
    trial.list(numbered("com.faulty", 4));
    trial.until_healthy().await;
    assert_eq!(trial.proxy.registry("faulty").await["since"], since, "two failures in a row are not three");
    trial.end().await;
}

#[tokio::test]
async fn u40_server_errors() {
    let trial = Trial::start(few(), AT_ONCE).await;
    for status in [500, 502, 503, 504, 520] {
        trial.drops(Behaviour::status(status), "response", &format!("status {status}")).await;
    }
    trial.end().await;
}

#[tokio::test]
async fn u41_credentials_that_are_refused() {
    let trial = Trial::start(few(), AT_ONCE).await;
    for status in [401, 403] {
        trial.drops(Behaviour::status(status), "response", "check its bearer_token and headers").await;
    }
    trial.end().await;
}

#[tokio::test]
async fn u41_credentials_that_are_refused_in_mid_walk() {
    let trial = Trial::start(three_pages(), "").await;
    trial.keeps(Behaviour::status(403), "status 403").await;
    trial.end().await;
}

#[tokio::test]
async fn u41_other_answers_that_blame_us() {
    let trial = Trial::start(few(), AT_ONCE).await;
    for status in [400, 404, 410, 422] {
        trial.drops(Behaviour::status(status), "response", &format!("status {status}")).await;
    }
    trial.end().await;
}
