//! Flights, without sockets: what they leave behind, and how long somebody waits for them.

use super::*;
use crate::catalog::entry::Name;
use crate::registry::lookup::Asked;

fn key() -> Key {
    Key { name: Name::new("com.example/a").expect("a name"), asked: Asked::All }
}

/// One of which so many requests may wait.
fn read_through(seats: usize) -> Arc<ReadThrough> {
    Arc::new(ReadThrough::new(Box::new(|_| {}), WAITING_SHARE * seats))
}

/// A flight under way.
fn take_off(read_through: &Arc<ReadThrough>) -> Landing {
    let (sender, report) = watch::channel(Report::UnderWay(None));
    let flying = Flying { report, until: Instant::now() + ReadThrough::MAX_WAIT };
    read_through.flights().insert(key(), flying);
    let read_through = Arc::clone(read_through);
    Landing { read_through, key: key(), candidates: Vec::new(), negative_ttl: Duration::from_secs(30), sender }
}

fn prospect(read_through: &Arc<ReadThrough>) -> Prospect {
    let settings = ReadThroughSettings { negative_ttl: Duration::from_secs(30), policy: Policy::default() };
    read_through.prospect(key(), &[], &settings).expect("a flight, or a memory")
}

/// What one registry has.
fn something() -> Found {
    vec![(Weak::new(), Vec::new())]
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_the_same_waits_for_the_same_flight_and_later_ones_remember_it() {
    let read_through = read_through(8);
    let landing = take_off(&read_through);
    let waiting = [prospect(&read_through), prospect(&read_through)];
    assert_eq!(read_through.counts().collapsed, 2);
    landing.land(Vec::new(), true, Duration::ZERO);
    for prospect in waiting {
        let (_, source) = prospect.outcome().await.expect("an outcome");
        assert_eq!(source, Source::Collapsed);
    }
    let (_, source) = prospect(&read_through).outcome().await.expect("an outcome");
    assert!(matches!(source, Source::Remembered { seconds_left: 29 | 30 }), "{source:?}");
    assert!(read_through.flights().is_empty());
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_the_limit_and_the_flight_goes_on() {
    let read_through = read_through(8);
    let landing = take_off(&read_through);
    let started = Instant::now();
    assert!(prospect(&read_through).outcome().await.is_none());
    assert_eq!(started.elapsed(), ReadThrough::MAX_WAIT);
    // It counts from the flight's start: whoever comes late waits for what is left, or not at all.
    assert!(prospect(&read_through).outcome().await.is_none());
    assert_eq!(started.elapsed(), ReadThrough::MAX_WAIT);
    landing.land(Vec::new(), true, Duration::ZERO);
    assert!(read_through.kept.get(&key()).is_some());
}

#[tokio::test(start_paused = true)]
async fn at_the_limit_what_has_been_found_by_then_is_the_answer() {
    let read_through = read_through(8);
    let landing = take_off(&read_through);
    let (started, waiting) = (Instant::now(), prospect(&read_through));
    landing.report(something());
    let (outcome, source) = waiting.outcome().await.expect("an outcome");
    assert_eq!(started.elapsed(), ReadThrough::MAX_WAIT, "whoever comes first in the configuration may still answer");
    assert!(!outcome.is_empty() && !outcome.is_whole());
    assert_eq!(source, Source::Collapsed);
    // It is not remembered before everybody has answered.
    assert!(read_through.kept.get(&key()).is_none());
    let late = prospect(&read_through).outcome().await;
    assert!(late.is_some() && started.elapsed() == ReadThrough::MAX_WAIT);
    drop(landing);
}

#[tokio::test(start_paused = true)]
async fn a_flight_that_breaks_off_keeps_nobody_waiting_and_the_next_one_may_begin() {
    let read_through = read_through(8);
    let landing = take_off(&read_through);
    let waiting = prospect(&read_through);
    drop(landing);
    let started = Instant::now();
    assert!(waiting.outcome().await.is_none());
    assert_eq!(started.elapsed(), Duration::ZERO);
    assert!(read_through.flights().is_empty() && read_through.kept.get(&key()).is_none());
}

#[tokio::test(start_paused = true)]
async fn so_many_wait_and_the_others_get_what_there_is_at_once() {
    let read_through = read_through(2);
    let _landing = take_off(&read_through);
    let (started, waiting) = (Instant::now(), [prospect(&read_through), prospect(&read_through)]);
    assert!(prospect(&read_through).outcome().await.is_none());
    assert_eq!((started.elapsed(), read_through.counts().crowded), (Duration::ZERO, 1));
    // Who goes makes room for another one.
    drop(waiting);
    assert!(prospect(&read_through).outcome().await.is_none());
    assert_eq!((started.elapsed(), read_through.counts().crowded), (ReadThrough::MAX_WAIT, 1));
}

#[test]
fn never_do_more_wait_than_are_named() {
    for (requests, seats) in [(1, 1), (80, 10), (2_048, 256), (1_000_000, 256)] {
        let read_through = ReadThrough::new(Box::new(|_| {}), requests);
        assert_eq!(read_through.seats.available_permits(), seats, "{requests}");
    }
}
