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

#[test]
fn what_an_increment_refuses_again_is_not_counted_again() {
    let refused = |name: Option<&str>, version: Option<&str>| Refused {
        name: name.map(str::to_owned),
        version: version.map(str::to_owned),
        reason: "is broken".to_owned(),
    };
    let of = |entries: Vec<Refused>, count: usize| RefusedEntries { count, entries };
    let mut status = Status::starting(Timestamp::UNIX_EPOCH);
    let known = vec![refused(Some("a/b"), Some("1")), refused(Some("a/c"), None), refused(None, None)];
    // A hundred more than are kept.
    status.refused = of(known.clone(), 103);
    let listing = Listing::default();
    for _ in 0..3 {
        status.refused = status.refused_after_changes(&listing, of(known.clone(), 103));
        assert_eq!((status.refused.count, status.refused.entries.len()), (103, 3));
    }
    status.refused = status.refused_after_changes(&listing, of(vec![refused(Some("a/d"), None)], 1));
    assert_eq!((status.refused.count, status.refused.entries.len()), (104, 4));
}
