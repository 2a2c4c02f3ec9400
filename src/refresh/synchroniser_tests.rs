use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::super::model::Bench;
use crate::registry::error::FetchError;
use crate::registry::increments::UpdatedSince;

const START: &str = "2026-06-01T12:00:00Z";

fn bench(count: usize) -> Bench {
    Bench::new(count, START, || 0.5)
}

fn status(status: u16) -> FetchError {
    FetchError::Status { status, retry_after: None }
}

fn walked_at(bench: &Bench) -> Option<Timestamp> {
    bench.registry.status().marks.walked_at
}

#[test]
fn a_day_has_four_walks_and_an_increment_every_five_minutes() {
    let mut bench = bench(250);
    bench.pass(24.0);
    assert_eq!(bench.listed(), bench.model.contents());
    let (walks, increments) = bench.begun();
    assert_eq!(walks, 4, "at 12:00, 18:00, after midnight and at about 07:00");
    assert!((285..=289).contains(&increments.len()), "{}", increments.len());
    for (at, since) in &increments[1..] {
        let back = at.duration_since(*since);
        assert!(SignedDuration::from_mins(9) < back && back < SignedDuration::from_mins(11), "{back}");
    }
}

#[test]
fn a_start_with_a_listing_asks_for_what_changed_and_walks_when_it_is_time() {
    let mut bench = bench(250);
    bench.pass(2.0);
    let walked = walked_at(&bench);
    // Off for half an hour, in which something changed.
    bench.model.publish(3, bench.now.wall);
    bench.advance(Duration::from_mins(30));
    bench.begun();
    bench.restart();
    let end = bench.now.wall + Duration::from_mins(5);
    bench.step(end);
    assert_eq!(bench.listed(), bench.model.contents());
    let (walks, increments) = bench.begun();
    assert_eq!((walks, increments.len()), (0, 1));
    bench.pass(3.4);
    assert_eq!(walked_at(&bench), walked);
    bench.pass(0.2);
    assert!(walked < walked_at(&bench));

    bench.advance(Duration::from_hours(40));
    bench.model.remove(3);
    bench.restart();
    bench.begun();
    bench.pass(0.05);
    let (walks, increments) = bench.begun();
    assert_eq!((walks, increments.len()), (1, 1), "overdue: both, the increment first");
    assert_eq!(bench.listed(), bench.model.contents());
}

#[test]
fn what_has_no_date_waits_for_the_full_walk() {
    let mut bench = bench(250);
    bench.pass(1.0);
    bench.model.rewrite(3);
    bench.model.remove(4);
    bench.pass(4.5);
    assert_ne!(bench.listed(), bench.model.contents());
    bench.pass(1.0);
    assert_eq!(bench.listed(), bench.model.contents());
}

#[test]
fn an_increment_that_waits_before_a_retry_does_not_hold_up_a_walk() {
    let mut bench = bench(250);
    bench.pass(1.0);
    bench.model.remove(7);
    bench.model.faults = vec![status(503)];
    bench.restart();
    bench.registry.request_refresh(false);
    bench.begun();
    bench.pass(0.01);
    assert_eq!(bench.begun().0, 1);
    assert_eq!(bench.listed(), bench.model.contents());
}

#[test]
fn one_who_ignores_the_parameter_is_walked_as_often_as_is_fair() {
    for knows in [UpdatedSince::Ignored, UpdatedSince::Rejected] {
        let mut bench = bench(250);
        bench.request_duration = Duration::from_secs(3);
        bench.model.knows = knows;
        bench.pass(1.0);
        assert_eq!(bench.registry.status().marks.updated_since, knows);
        bench.begun();
        bench.pass(5.0);
        let (walks, increments) = bench.begun();
        // A walk takes 9 s, so 180 s would do; but not more often than increments.
        assert!((52..=60).contains(&walks), "{walks}");
        assert_eq!(increments.len(), 0);
        bench.pass(1.0);
        assert_eq!(bench.begun().1.len(), 1, "it is tried again after six hours");
        bench.model.knows = UpdatedSince::Honoured;
        bench.pass(7.0);
        assert_eq!(bench.registry.status().marks.updated_since, UpdatedSince::Honoured);
        assert!(bench.begun().1.len() > 5);
    }
}

#[test]
fn one_that_ignores_it_and_is_slow_rests_twenty_times_as_long() {
    let mut bench = bench(250);
    bench.request_duration = Duration::from_secs(20);
    bench.model.knows = UpdatedSince::Ignored;
    bench.pass(1.0);
    bench.begun();
    bench.pass(10.0);
    // A walk takes a minute.
    let walks = bench.begun().0;
    assert!((27..=30).contains(&walks), "{walks}");
}

#[test]
fn an_outage_is_followed_by_what_changed_meanwhile() {
    let mut bench = bench(250);
    bench.pass(1.0);
    bench.synchroniser.set_walkable(false, bench.now);
    bench.model.publish(3, bench.now.wall);
    bench.begun();
    bench.pass(1.0);
    assert_eq!(bench.model.requests.len(), 0, "it is left in peace");
    bench.synchroniser.set_walkable(true, bench.now);
    bench.step(Timestamp::MAX);
    let (walks, increments) = bench.begun();
    assert_eq!((walks, increments.len()), (0, 1));
    assert_eq!(bench.listed(), bench.model.contents());
}

#[test]
fn a_collapse_is_confirmed_by_the_next_scheduled_walk_only() {
    let mut bench = bench(250);
    bench.pass(1.0);
    let before = bench.listed();
    for number in 50..250 {
        bench.model.remove(number);
    }
    bench.pass(6.0);
    assert_eq!(
        bench.registry.status().held.as_ref().map(|held| (held.listing.versions, held.removed)),
        Some((50, 200))
    );
    assert_eq!(bench.listed(), before);
    bench.registry.request_refresh(false);
    bench.pass(0.5);
    assert_eq!(bench.listed(), before, "a walk that was asked for comes too soon to confirm it");
    let held_since = bench.registry.status().held.as_ref().map(|held| held.since);
    bench.restart();
    bench.pass(0.5);
    assert_eq!(bench.registry.status().held.as_ref().map(|held| held.since), held_since);
    bench.pass(8.0);
    assert_eq!(bench.listed(), bench.model.contents());
    assert!(bench.registry.status().held.is_none());
}

#[test]
fn the_retry_of_a_walk_that_was_asked_for_confirms_no_collapse() {
    let mut bench = bench(250);
    bench.pass(1.0);
    (50..250).for_each(|number| bench.model.remove(number));
    bench.pass(6.0);
    let before = bench.listed();
    bench.registry.request_refresh(false);
    bench.model.faults = vec![status(403), status(403)];
    bench.pass(1.0);
    assert!(bench.registry.status().held.is_some());
    assert_eq!(bench.listed(), before);
    bench.pass(8.0);
    assert_eq!(bench.listed(), bench.model.contents());
}

#[test]
fn an_administrator_may_accept_a_collapse_that_is_held_and_one_that_comes() {
    let mut bench = bench(250);
    bench.pass(1.0);
    (50..250).for_each(|number| bench.model.remove(number));
    bench.registry.request_refresh(false);
    bench.pass(0.1);
    assert!(bench.registry.status().held.is_some());
    bench.registry.request_refresh(true);
    assert_eq!(bench.listed(), bench.model.contents(), "at once");
    (0..100).for_each(|number| bench.model.publish(number, bench.now.wall));
    bench.pass(0.1);
    (0..90).for_each(|number| bench.model.remove(number));
    bench.registry.request_refresh(true);
    bench.begun();
    bench.pass(0.05);
    assert_eq!(bench.begun().0, 1);
    assert_eq!(bench.listed(), bench.model.contents());
    // That was for once.
    (100..300).for_each(|number| bench.model.publish(number, bench.now.wall));
    bench.pass(0.1);
    (100..300).for_each(|number| bench.model.remove(number));
    bench.registry.request_refresh(false);
    bench.pass(0.1);
    assert!(bench.registry.status().held.is_some());
}

#[test]
fn a_walk_in_progress_is_not_cut_short_and_another_one_follows() {
    let mut bench = bench(1_000);
    for _ in 0..5 {
        bench.step(Timestamp::MAX);
    }
    bench.registry.request_refresh(true);
    bench.registry.request_refresh(false);
    bench.pass(0.05);
    assert_eq!(bench.begun().0, 2);
}

#[test]
fn the_watermark_goes_with_the_clock_of_the_registry_and_never_into_the_future() {
    let mut bench = bench(1_000);
    bench.pass(1.0);
    for skew in [None, Some(SignedDuration::from_hours(24)), Some(SignedDuration::from_hours(-24))] {
        bench.model.skew = skew;
        bench.pass(0.2);
        for _ in 0..100 {
            bench.pass(0.1);
            let watermark = bench.registry.status().marks.watermark.expect("there is one");
            let clock = bench.now.wall + skew.unwrap_or_default().min(SignedDuration::ZERO);
            let behind = clock.duration_since(watermark);
            assert!(!behind.is_negative() && behind < SignedDuration::from_mins(7), "{skew:?}: {behind}");
        }
    }
}

#[test]
fn a_clock_that_is_set_back_hides_changes_for_one_increment_at_most() {
    let mut bench = bench(250);
    bench.pass(1.0);
    bench.model.skew = Some(SignedDuration::from_mins(-30));
    bench.pass(0.1);
    bench.model.publish(3, bench.now.wall);
    bench.pass(0.1);
    assert_eq!(bench.listed(), bench.model.contents());
    assert_eq!(bench.begun().0, 1, "no walk was needed");
}

#[test]
fn a_clock_that_is_set_back_during_a_walk_hides_nothing_after_it() {
    let mut bench = bench(1_000);
    bench.pass(1.0);
    bench.request_duration = Duration::from_mins(2);
    bench.registry.request_refresh(false);
    bench.pass(0.1);
    bench.model.skew = Some(SignedDuration::from_mins(-30));
    while bench.synchroniser.is_walking() {
        bench.step(Timestamp::MAX);
    }
    bench.request_duration = Duration::from_millis(200);
    bench.pass(0.1);
    bench.begun();
    bench.model.publish(3, bench.now.wall);
    bench.pass(0.1);
    assert_eq!(bench.listed(), bench.model.contents());
    assert_eq!(bench.begun().0, 0, "no walk was needed");
}

#[test]
fn one_who_has_answered_increments_is_believed_to_refuse_them_after_three_refusals() {
    let mut bench = bench(250);
    bench.pass(1.0);
    let judged = |bench: &Bench| bench.registry.status().marks.updated_since;
    bench.begun();
    bench.model.faults = vec![status(400), status(400)];
    bench.pass(0.5);
    assert_eq!(judged(&bench), UpdatedSince::Honoured, "two in a row");
    let (walks, increments) = bench.begun();
    assert_eq!(walks, 0);
    assert!((5..=7).contains(&increments.len()), "at the schedule's interval: {}", increments.len());
    bench.model.faults = vec![status(400), status(400)];
    bench.pass(0.5);
    assert_eq!(judged(&bench), UpdatedSince::Honoured, "they were counted anew");
    bench.model.knows = UpdatedSince::Rejected;
    bench.begun();
    bench.pass(0.3);
    assert_eq!(judged(&bench), UpdatedSince::Rejected);
    assert_eq!(bench.begun().1.len(), 3);
}

#[test]
fn a_retry_after_holds_for_walks_and_increments_alike() {
    let too_many = || FetchError::Status { status: 429, retry_after: Some(Duration::from_mins(4)) };
    let mut bench = bench(250);
    bench.pass(1.0);
    // To an increment, and a walk is asked for meanwhile.
    bench.model.faults = vec![too_many()];
    while !bench.model.faults.is_empty() {
        bench.step(Timestamp::MAX);
    }
    bench.registry.request_refresh(false);
    bench.begun();
    bench.pass(3.9 / 60.0);
    assert_eq!(bench.model.requests.len(), 0, "it is left in peace");
    bench.pass(0.2 / 60.0);
    assert!(!bench.model.requests.is_empty());
    bench.pass(0.2);
    // To a walk, and an increment becomes due meanwhile.
    bench.model.faults = vec![too_many()];
    bench.registry.request_refresh(false);
    bench.step(Timestamp::MAX);
    assert!(bench.model.faults.is_empty());
    bench.begun();
    bench.synchroniser.set_walkable(false, bench.now);
    bench.synchroniser.set_walkable(true, bench.now);
    bench.pass(3.9 / 60.0);
    assert_eq!(bench.model.requests.len(), 0, "it is left in peace");
    bench.pass(0.2 / 60.0);
    let (walks, increments) = bench.begun();
    assert_eq!((walks, increments.len()), (1, 1));
}

#[test]
fn a_request_that_was_not_served_is_served_after_a_restart() {
    let mut bench = bench(250);
    bench.pass(1.0);
    (50..250).for_each(|number| bench.model.remove(number));
    bench.begun();
    bench.registry.request_refresh(true);
    bench.restart();
    bench.pass(0.05);
    assert_eq!(bench.begun().0, 1);
    assert_eq!(bench.listed(), bench.model.contents(), "it was to be believed");
    bench.restart();
    bench.pass(0.05);
    assert_eq!(bench.begun().0, 0, "once");
    // One that has begun, and comes to no end.
    bench.registry.request_refresh(false);
    bench.model.faults = vec![status(503)];
    bench.step(Timestamp::MAX);
    assert!(bench.model.faults.is_empty());
    bench.restart();
    bench.begun();
    bench.pass(0.05);
    assert_eq!(bench.begun().0, 1);
    let successor = super::super::model::registry();
    bench.registry.request_refresh(false);
    successor.take_over(&bench.registry);
    bench.registry = successor;
    bench.restart();
    bench.pass(0.05);
    assert_eq!(bench.begun().0, 1, "by the registry that comes after it");
}

#[test]
fn one_without_dates_is_found_out_at_the_first_increment() {
    let mut bench = bench(250);
    bench.model.knows = UpdatedSince::Ignored;
    bench.model.has_dates = false;
    bench.pass(0.1);
    assert_eq!(bench.registry.status().marks.updated_since, UpdatedSince::Ignored);
    assert_eq!(bench.begun().1.len(), 1);
}

#[test]
fn the_error_of_a_held_list_goes_with_it() {
    let mut bench = bench(250);
    let error = |bench: &Bench| bench.registry.status().last_error.clone();
    for is_accepted in [true, false] {
        (50..250).for_each(|number| bench.model.publish(number, bench.now.wall));
        bench.pass(0.5);
        (50..250).for_each(|number| bench.model.remove(number));
        bench.pass(8.0);
        assert!(bench.registry.status().held.is_some() && error(&bench).is_some());
        if is_accepted {
            bench.registry.request_refresh(true);
        } else {
            bench.pass(8.0);
        }
        assert_eq!(error(&bench), None);
        bench.pass(0.1);
    }
}
