//! Flights, without sockets: what they leave behind, and how long somebody waits for them.

use super::*;
use crate::catalog::entry::Name;
use crate::registry::lookup::Asked;

fn key() -> Key {
    Key { name: Name::new("com.example/a").expect("a name"), asked: Asked::All }
}

fn read_through() -> Arc<ReadThrough> {
    Arc::new(ReadThrough::new(Box::new(|_| {})))
}

/// A flight under way, and where it lands.
fn take_off(read_through: &Arc<ReadThrough>) -> (Landing, Landed) {
    let (sender, landed) = watch::channel(None);
    read_through.flights().insert(key(), landed.clone());
    (Landing { read_through: Arc::clone(read_through), key: key(), candidates: Vec::new(), sender }, landed)
}

fn settings() -> ReadThroughSettings {
    ReadThroughSettings { negative_ttl: Duration::from_secs(30), policy: Policy::default() }
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_the_same_waits_for_the_same_flight_and_later_ones_remember_it() {
    let read_through = read_through();
    let (landing, _) = take_off(&read_through);
    let prospect = || read_through.prospect(key(), &[], &settings());
    let waiting = [prospect(), prospect()];
    assert_eq!(read_through.counts().collapsed, 2);
    landing.land(Vec::new(), true, Duration::from_secs(30));
    for prospect in waiting {
        let (_, source) = prospect.expect("a flight").outcome().await.expect("an outcome");
        assert_eq!(source, Source::Collapsed);
    }
    let (_, source) = prospect().expect("a memory").outcome().await.expect("an outcome");
    assert_eq!(source, Source::Remembered);
    assert!(read_through.flights().is_empty());
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_the_limit_and_the_flight_goes_on() {
    let read_through = read_through();
    let (landing, landed) = take_off(&read_through);
    let started = Instant::now();
    assert!(Prospect::Flight(landed, Source::Fetched).outcome().await.is_none());
    assert_eq!(started.elapsed(), ReadThrough::MAX_WAIT);
    landing.land(Vec::new(), true, Duration::from_secs(30));
    assert!(read_through.kept.get(&key()).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_flight_that_breaks_off_keeps_nobody_waiting_and_the_next_one_may_begin() {
    let read_through = read_through();
    let (landing, landed) = take_off(&read_through);
    drop(landing);
    let started = Instant::now();
    assert!(Prospect::Flight(landed, Source::Fetched).outcome().await.is_none());
    assert_eq!(started.elapsed(), Duration::ZERO);
    assert!(read_through.flights().is_empty() && read_through.kept.get(&key()).is_none());
}
