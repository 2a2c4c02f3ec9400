//! What is known of a registry, and what becomes of it when walks, tests and time bring something else.

use std::time::Duration;

use super::*;

fn unhealthy(when_unhealthy: WhenUnhealthy, listed_at: Option<i64>, now: i64) -> (bool, Option<i64>) {
    let at = |second| Timestamp::from_second(second).expect("in range");
    let mut status = Status::starting(at(0));
    status.health.state = State::Unhealthy;
    status.listed_at = listed_at.map(at);
    let config = Config { when_unhealthy, max_stale: Duration::from_secs(100), ..Config::default() };
    let (usable, until) = status.usable(&config, at(now));
    (usable, until.map(Timestamp::as_second))
}

#[test]
fn a_walk_that_begins_again_never_shrinks_what_is_shown() {
    let at = Timestamp::UNIX_EPOCH;
    let mut status = Status::starting(at);
    let part = |versions| Arc::new(Listing { versions, ..Listing::default() });
    for (arriving, shown) in [(100, 100), (1600, 1600), (100, 1600), (1700, 1700)] {
        status.accept_partial(part(arriving), RefusedEntries::default());
        assert_eq!(status.served_listing().map(|listing| listing.versions), Some(shown));
    }
}

#[test]
fn after_a_loop_nothing_is_served_until_a_later_walk_has_ended() {
    let at = Timestamp::UNIX_EPOCH;
    let config = Config { when_unhealthy: WhenUnhealthy::ServeStale, ..Config::default() };
    let mut status = Status::starting(at);
    let accept = |status: &mut Status, loops| {
        let sync = SyncReport::finished(at, at, 1, 1);
        status.accept(Arc::default(), RefusedEntries::default(), sync, loops)
    };
    assert!(accept(&mut status, 0) && status.usable(&config, at).0);
    assert!(status.observe(Outcome::Loop, &config, at), "that is news");
    assert!(!status.observe(Outcome::Loop, &config, at), "and that is none");
    assert!(!status.usable(&config, at).0, "not even with serve-stale");
    assert!(!accept(&mut status, 0), "a walk that began before");
    for news in [false, true] {
        assert_eq!(status.observe(Outcome::Success, &config, at), news);
        assert!(!status.usable(&config, at).0, "the listing may still hold what we serve");
    }
    assert!(accept(&mut status, 2) && status.usable(&config, at).0);
}

#[test]
fn that_a_failing_registry_is_a_loop_is_news() {
    let (at, config) = (Timestamp::UNIX_EPOCH, Config::default());
    let mut status = Status::starting(at);
    let news = [Outcome::Failure, Outcome::Loop, Outcome::Failure, Outcome::Loop]
        .map(|outcome| status.observe(outcome, &config, at));
    assert_eq!(news, [true, true, false, false]);
    assert!(!status.loops.is_listing_tainted, "there is none");
}

#[test]
fn unhealthy_registries_are_dropped_or_served_for_max_stale() {
    assert_eq!(unhealthy(WhenUnhealthy::Drop, Some(0), 1), (false, None));
    assert_eq!(unhealthy(WhenUnhealthy::ServeStale, Some(0), 99), (true, Some(100)));
    assert_eq!(unhealthy(WhenUnhealthy::ServeStale, Some(0), 100), (false, None));
    assert_eq!(unhealthy(WhenUnhealthy::ServeStale, None, 1), (false, None));
}

fn refused(name: Option<&str>, reason: &str) -> Refused {
    Refused { name: name.map(str::to_owned), version: Some("1".to_owned()), reason: reason.to_owned() }
}

#[test]
fn what_is_refused_again_is_counted_once() {
    let mut status = Status::starting(Timestamp::UNIX_EPOCH);
    let some = |entries: &[Refused]| RefusedEntries { count: entries.len(), entries: entries.to_vec() };
    let nameless = refused(None, "has no name");
    for (more, expected) in [
        (vec![nameless.clone()], 1),
        (vec![nameless.clone()], 1),
        (vec![nameless.clone(), nameless.clone()], 2),
        (vec![nameless.clone()], 2),
        (vec![refused(None, "is no object"), refused(Some("a/b"), "x")], 4),
        (vec![refused(Some("a/b"), "y"), nameless], 4),
    ] {
        status.refused = status.refused_after_changes(&Listing::default(), some(&more));
        assert_eq!(status.refused.count, expected, "{:?}", status.refused);
        assert_eq!(status.refused.entries.len(), expected);
    }
}

#[test]
fn repetitions_of_refused_entries_beyond_those_that_are_kept_do_not_count() {
    let mut status = Status::starting(Timestamp::UNIX_EPOCH);
    let name = |number: usize| format!("a/{number}");
    let entries: Vec<_> = (0..1_000).map(|number| refused(Some(&name(number)), "x")).collect();
    status.refused = RefusedEntries { count: 1_005, entries };
    let more: Vec<_> = (995..1_003).map(|number| refused(Some(&name(number)), "x")).collect();
    for _ in 0..3 {
        let more = RefusedEntries { count: more.len(), entries: more.clone() };
        status.refused = status.refused_after_changes(&Listing::default(), more);
        assert_eq!((status.refused.count, status.refused.entries.len()), (1_005, 1_000));
    }
}
