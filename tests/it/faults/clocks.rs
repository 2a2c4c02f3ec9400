//! Clocks that are wrong, and times that are none (U48, U49).

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{Trial, few};
use crate::support::entry::{Entry, list};
use crate::support::proxy::Setup;
use crate::support::registry::{Behaviour, FakeRegistry, Seen};

/// A trial whose news come by increments alone.
async fn increments_only() -> Trial {
    let trial = Trial::over(FakeRegistry::start(few()).await, few(), "", Setup::new()).await;
    trial.faulty.forget_requests();
    trial
}

fn news(name: &str, time: Timestamp) -> Entry {
    Entry::new(name, "1.0.0").published_at(&time.to_string())
}

fn increments(trial: &Trial) -> usize {
    trial.faulty.requests_where(|seen| seen.parameter("updated_since").is_some()).len()
}

/// A registry stamps its entries and its answers by its own clock. Returns the time there and an answer that has it.
fn off_by(hours: i64) -> (Timestamp, Behaviour) {
    let time = Timestamp::now() + SignedDuration::from_hours(hours);
    (time, Behaviour::Headers(vec![("date", httpdate::fmt_http_date(time.into()))]))
}

/// Its clock is put forward by a day, and back: what is new there is new here.
#[tokio::test]
async fn u48_a_clock_that_jumps_ahead() {
    let trial = increments_only().await;
    let (time, ahead) = off_by(24);
    trial.faulty.always(ahead);
    let before = increments(&trial);
    // The one after the first that is answered so is asked by that clock.
    crate::support::eventually("two increments were answered so", async || {
        let more = increments(&trial) - before;
        crate::support::check(more >= 2, more)
    })
    .await;
    trial.list([few(), vec![news("com.faulty/x-ahead", time)]].concat());
    trial.until_healthy().await;
    trial.faulty.behave();
    assert!(trial.faulty.requests_where(Seen::begins_full_walk).is_empty(), "increments brought it");
    trial.end().await;
}

/// Its clock is a day behind from the start, and then right.
#[tokio::test]
async fn u48_a_clock_that_is_behind() {
    let (time, behind) = off_by(-24);
    let faulty = FakeRegistry::start(few()).await;
    faulty.always(behind);
    let trial = Trial::over(faulty, few(), "", Setup::new()).await;
    trial.faulty.forget_requests();
    trial.list([few(), vec![news("com.faulty/x-behind", time)]].concat());
    trial.until_healthy().await;
    trial.faulty.behave();
    assert!(trial.faulty.requests_where(Seen::begins_full_walk).is_empty(), "increments brought it");
    trial.end().await;
}

/// Its clock is put back by a day: increments never ask again for what was, so the next full walk brings what is new.
#[tokio::test]
async fn u48_a_clock_that_is_put_back() {
    let trial = Trial::start(few(), "").await;
    let (time, behind) = off_by(-24);
    trial.faulty.always(behind);
    trial.list([few(), vec![news("com.faulty/x-behind", time)]].concat());
    trial.until_healthy().await;
    trial.faulty.behave();
    trial.end().await;
}

/// An entry of the year 2099 does not keep the others away.
#[tokio::test]
async fn u48_an_entry_of_the_future() {
    let trial = increments_only().await;
    let future = news("com.faulty/x-future", "2099-01-01T00:00:00Z".parse().expect("a time"));
    trial.list([few(), vec![future.clone()]].concat());
    trial.until_healthy().await;
    trial.list([few(), vec![future, news("com.faulty/y-now", Timestamp::now())]].concat());
    trial.until_healthy().await;
    assert!(trial.faulty.requests_where(Seen::begins_full_walk).is_empty(), "increments brought it");
    trial.end().await;
}

#[tokio::test]
async fn u49_forms_of_times() {
    let trial = Trial::start(few(), "").await;
    let of = |kind: &str, times: &[&str]| -> Vec<Entry> {
        let entry = |(number, time): (usize, &&str)| {
            Entry::new(&format!("com.faulty/{kind}-{number}"), "1.0.0").published_at(time)
        };
        times.iter().enumerate().map(entry).collect()
    };
    let read = of(
        "read",
        &[
            "2025-12-09T00:18:46Z",
            "2025-12-09T00:18:46.1Z",
            "2025-12-09T00:18:46.752966Z",
            "2025-12-09T00:18:46.752966123Z",
            "2025-12-09T03:18:46+03:00",
            "2025-12-09 00:18:46Z",
            "2025-12-09T00:18:46",
            "2025-12-09t00:18:46z",
            "0001-01-01T00:00:00Z",
        ],
    );
    let none = of("none", &["", "yesterday", "2025-12-09", "1733703526", "2025-13-09T00:18:46Z"]);
    let number = json!({ "server": { "name": "com.faulty/none-x", "version": "1", "description": "d" },
        "_meta": { crate::support::entry::OFFICIAL: { "publishedAt": 1_733_703_526 } } });
    let mut document = list(&[read.clone(), none.clone(), few()].concat(), None);
    document["servers"].as_array_mut().expect("an array").push(number);
    let keys = crate::support::entry::keys_of(&[read, few()].concat());
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    trial.takes(&document.to_string(), &keys, none.len() + 1).await;
    trial.end().await;
}
