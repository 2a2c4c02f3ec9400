use super::*;
use proptest::prelude::*;

const HOUR: Duration = Duration::from_hours(1);
const MINUTE: Duration = Duration::from_mins(1);

fn at(text: &str) -> Now {
    Now { at: Instant::now(), wall: time(text) }
}

fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn later(now: Now, by: Duration) -> Now {
    Now { at: now.at + by, wall: now.wall.checked_add(by).expect("in range") }
}

/// Marks of a registry that was walked at that time.
fn walked(at: &str) -> Marks {
    Marks { watermark: Some(time(at)), walked_at: Some(time(at)), ..Marks::default() }
}

/// How long until the next full walk and the next increment. Half way between both ends of the jitter.
fn due(marks: &Marks, now: Now) -> (Duration, Duration) {
    let schedule = Schedule::new(Config::default(), marks, now, 0.5);
    (schedule.walk_at() - now.at, schedule.increment_at(marks, now) - now.at)
}

#[test]
fn without_marks_a_full_walk_is_due_at_once_at_whatever_time() {
    for time in ["2026-06-01T12:00:00Z", "2026-06-01T00:00:00Z"] {
        assert_eq!(due(&Marks::default(), at(time)).0, Duration::ZERO);
    }
}

#[test]
fn after_a_restart_what_changed_comes_first_and_the_full_walk_when_it_would_have_come() {
    let now = at("2026-06-01T12:00:00Z");
    assert_eq!(due(&walked("2026-06-01T10:00:00Z"), now), (4 * HOUR, Duration::ZERO));
    assert_eq!(due(&walked("2026-05-01T10:00:00Z"), now), (Duration::ZERO, Duration::ZERO), "overdue");
    assert_eq!(due(&walked("2027-01-01T00:00:00Z"), now), (6 * HOUR, Duration::ZERO), "a clock that was put back");
}

#[test]
fn an_increment_reaches_back_and_never_into_the_future() {
    let now = at("2026-06-01T12:00:00Z");
    let asked =
        |watermark: &str| Schedule::updated_since(&Marks { watermark: Some(time(watermark)), ..Marks::default() }, now);
    assert_eq!(asked("2026-06-01T11:30:00Z"), Some(time("2026-06-01T11:25:00Z")));
    assert_eq!(asked("2026-07-01T00:00:00Z"), Some(time("2026-06-01T11:55:00Z")));
    assert_eq!(Schedule::updated_since(&Marks::default(), now), None);
}

#[test]
fn increments_come_at_their_interval_counted_from_their_start() {
    let now = at("2026-06-01T12:00:00Z");
    let marks = walked("2026-06-01T11:00:00Z");
    let mut schedule = Schedule::new(Config::default(), &marks, now, 0.5);
    schedule.end_increment(now.at, later(now, MINUTE), 0.5);
    assert_eq!(schedule.increment_at(&marks, now), now.at + 5 * MINUTE);
    let end = later(now, 9 * MINUTE);
    schedule.end_increment(now.at, end, 0.5);
    assert_eq!(schedule.increment_at(&marks, now), end.at, "it took longer than the interval");
    schedule.fail_increment(end, 0.5);
    assert_eq!(schedule.increment_at(&marks, now), end.at + 5 * MINUTE);
}

#[test]
fn a_failed_walk_comes_again_soon() {
    let now = at("2026-06-01T12:00:00Z");
    let mut schedule = Schedule::new(Config::default(), &Marks::default(), now, 0.5);
    schedule.fail_walk(false, now, 0.5);
    assert_eq!(schedule.walk_at(), now.at + 5 * MINUTE);
}

#[test]
fn who_does_not_know_the_parameter_is_walked_as_often_as_is_fair_and_tried_again() {
    let now = at("2026-06-01T12:00:00Z");
    for updated_since in [UpdatedSince::Ignored, UpdatedSince::Rejected] {
        for (seconds, expected) in [(1, 5 * MINUTE), (60, 20 * MINUTE)] {
            let mut marks = walked("2026-06-01T12:00:00Z");
            marks.walk_duration = Some(Duration::from_secs(seconds));
            marks.judge(updated_since, now.wall);
            let schedule = Schedule::new(Config::default(), &marks, now, 0.0);
            assert_eq!(schedule.walk_at() - now.at, expected);
            assert_eq!(schedule.increment_at(&marks, now) - now.at, 6 * HOUR);
        }
    }
}

#[test]
fn full_walks_keep_away_from_midnight() {
    // Six hours before.
    for (walked_at, expected) in [
        ("2026-06-01T17:40:00Z", "2026-06-01T23:40:00Z"),
        ("2026-06-01T17:45:00Z", "2026-06-02T00:52:30Z"),
        ("2026-06-01T18:00:00Z", "2026-06-02T00:52:30Z"),
        ("2026-06-01T18:29:59Z", "2026-06-02T00:52:30Z"),
        ("2026-06-01T18:30:00Z", "2026-06-02T00:30:00Z"),
    ] {
        let now = at(walked_at);
        let due = due(&walked(walked_at), now).0;
        assert_eq!(now.wall.checked_add(due).expect("in range"), time(expected), "{walked_at}");
    }
    let now = at("2026-06-01T23:58:00Z");
    let mut schedule = Schedule::new(Config::default(), &walked("2026-06-01T23:58:00Z"), now, 0.5);
    schedule.fail_walk(true, now, 0.5);
    assert_eq!(schedule.walk_at() - now.at, 32 * MINUTE + MIDNIGHT_SPREAD / 2);
    let often = Config { full_interval: 10 * MINUTE, ..Config::default() };
    let schedule = Schedule::new(often, &walked("2026-06-01T23:58:00Z"), now, 0.5);
    assert_eq!(schedule.walk_at() - now.at, 10 * MINUTE, "who walks that often does so at midnight too");
}

/// What waits, waits by the clock that cannot jump; the other one only tells how old things are.
#[test]
fn a_clock_that_jumps_brings_neither_a_standstill_nor_a_storm() {
    let (before, years) = (at("2026-06-01T08:00:00Z"), 10 * 365 * 24);
    for hours in [1, -1, years, -years] {
        let mut marks = walked("2026-06-01T07:00:00Z");
        let mut schedule = Schedule::new(Config::default(), &marks, before, 0.5);
        let planned = schedule.walk_at();
        schedule.end_increment(before.at, before, 0.5);
        let wall = before.wall.checked_add(SignedDuration::from_hours(hours)).expect("in range");
        let now = Now { at: before.at + MINUTE, wall };
        assert_eq!((schedule.walk_at(), schedule.increment_at(&marks, now)), (planned, before.at + 5 * MINUTE));
        assert!(Schedule::updated_since(&marks, now) <= Some(wall), "nothing of the future is asked for");
        // The next walk ends under the new clock, and so does an increment.
        marks.walked_at = Some(wall);
        schedule.end_walk(&marks, now.at, now, 0.5);
        let due = schedule.walk_at() - now.at;
        assert!((6 * HOUR..8 * HOUR).contains(&due), "{hours}: {due:?}");
        schedule.end_increment(now.at, now, 0.5);
        assert_eq!(schedule.increment_at(&marks, now) - now.at, 5 * MINUTE);
        // And so does one that fails, or finds that the parameter is not known.
        schedule.fail_walk(true, now, 0.5);
        assert_eq!(schedule.walk_at() - now.at, 5 * MINUTE);
        marks.judge(UpdatedSince::Ignored, before.wall);
        assert!(schedule.increment_at(&marks, now) - now.at <= 6 * HOUR, "{hours}");
    }
}

proptest! {
    #[test]
    fn no_scheduled_walk_begins_around_midnight_nor_outside_its_jitter(second in 0_i64..40_000_000, random in 0.0_f64..1.0) {
        let wall = Timestamp::from_second(1_700_000_000 + second).expect("in range");
        let now = Now { at: Instant::now(), wall };
        let marks = Marks { walked_at: Some(wall), ..Marks::default() };
        let due = Schedule::new(Config::default(), &marks, now, random).walk_at() - now.at;
        prop_assert!((6 * HOUR).mul_f64(0.9) <= due && due <= (6 * HOUR).mul_f64(1.1) + Duration::from_mins(45 + 45));
        let of_day = u64::try_from(wall.as_second()).expect("positive") + due.as_secs();
        let of_day = Duration::from_secs(of_day % (24 * 3600));
        prop_assert!(of_day + Duration::from_secs(1) >= 30 * MINUTE && of_day + 15 * MINUTE < 24 * HOUR, "{of_day:?}");
    }
}
