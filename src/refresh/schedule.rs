//! When a registry is asked for what: a pure state machine. Full walks every `full_interval`, increments every
//! `interval`; a registry that does not know `updated_since` is walked whole, as often as is fair.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::Config;
use crate::registry::increments::UpdatedSince;
use crate::registry::marks::Marks;

/// How far an increment reaches back before the start of the last walk: a registry stamps a change
/// before it shows it (registry-api.md §2.6).
const OVERLAP: SignedDuration = SignedDuration::from_mins(5);
/// Schedules are spread by up to this part of their interval, to both sides.
const JITTER: f64 = 0.1;
/// A registry that has to be walked whole rests this many times as long as the walk took.
const REST: u32 = 20;
/// Around midnight UTC, everybody walks (registry-api.md §6.6): full walks that are due between these two begin later.
const BEFORE_MIDNIGHT: Duration = Duration::from_mins(15);
const AFTER_MIDNIGHT: Duration = Duration::from_mins(30);
/// They are spread over this long after it.
const MIDNIGHT_SPREAD: Duration = Duration::from_mins(45);
/// Who walks more often than this walks through midnight too.
const SHORTEST_TO_MOVE: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
/// No clock is further ahead; what is due later than that is due then.
const FARTHEST: Duration = Duration::from_hours(24 * 365);

/// The present moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    /// For waiting.
    pub(super) at: Instant,
    /// For dates.
    pub(super) wall: Timestamp,
}

impl Now {
    pub(super) fn read() -> Self {
        Self { at: Instant::now(), wall: Timestamp::now() }
    }

    /// When the wall clock will show that time; now, where it has.
    fn instant_of(self, time: Timestamp) -> Instant {
        let left = Duration::try_from(time.duration_since(self.wall)).unwrap_or_default();
        self.at + left.min(FARTHEST)
    }

    /// What the wall clock will show then.
    pub(super) fn time_of(self, instant: Instant) -> Timestamp {
        let left = instant.saturating_duration_since(self.at).min(FARTHEST);
        self.wall.checked_add(left).unwrap_or(Timestamp::MAX)
    }
}

/// When the next walk and the next increment of one registry are due.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    config: Config,
    walk_at: Instant,
    increment_at: Instant,
}

impl Schedule {
    /// The schedule of a registry with these marks: where there is a listing, first what changed, and a full walk
    /// `full_interval` after the last one; where there is none, a full walk at once. `random` is in `0.0..1.0`, here
    /// as everywhere.
    pub(super) fn new(config: Config, marks: &Marks, now: Now, random: f64) -> Self {
        let mut schedule = Self { config, walk_at: now.at, increment_at: now.at };
        if marks.walked_at.is_some() {
            schedule.plan_walk(marks, now, random);
        }
        schedule
    }

    /// When the next full walk is due.
    pub(super) fn walk_at(&self) -> Instant {
        self.walk_at
    }

    /// When the next increment is due. Where the registry does not know `updated_since`, it is tried again once in
    /// `full_interval`.
    pub(super) fn increment_at(&self, marks: &Marks, now: Now) -> Instant {
        let next_trial =
            marks.judged_at.and_then(|judged_at| judged_at.min(now.wall).checked_add(self.config.full_interval).ok());
        match (marks.updated_since, next_trial) {
            (UpdatedSince::Ignored | UpdatedSince::Rejected, Some(trial)) => {
                self.increment_at.max(now.instant_of(trial))
            }
            _ => self.increment_at,
        }
    }

    /// What an increment asks for: everything since the watermark and a little before, never in the future.
    pub(super) fn updated_since(marks: &Marks, now: Now) -> Option<Timestamp> {
        marks.watermark?.min(now.wall).checked_sub(OVERLAP).ok()
    }

    /// Plans the next full walk by when the last one ended.
    pub(super) fn plan_walk(&mut self, marks: &Marks, now: Now, random: f64) {
        let spacing = self.spacing(marks, random);
        let from = marks.walked_at.map_or(now.wall, |walked_at| walked_at.min(now.wall));
        let due = from.checked_add(spacing.min(FARTHEST)).unwrap_or(Timestamp::MAX).max(now.wall);
        self.walk_at = now.instant_of(if SHORTEST_TO_MOVE <= spacing { away_from_midnight(due, random) } else { due });
    }

    /// Plans what comes after a full walk that began at `began_at` and came to its end.
    pub(super) fn end_walk(&mut self, marks: &Marks, began_at: Instant, now: Now, random: f64) {
        self.plan_walk(marks, now, random);
        self.increment_at = self.increment_at.max(began_at + jittered(self.config.interval, random));
    }

    /// Plans what comes after a full walk that failed. Where there is no listing yet, nothing else counts.
    pub(super) fn fail_walk(&mut self, has_listing: bool, now: Now, random: f64) {
        let wait = jittered(self.config.interval, random);
        let due = now.wall.checked_add(wait.min(FARTHEST)).unwrap_or(Timestamp::MAX);
        let moves = has_listing && SHORTEST_TO_MOVE <= self.config.full_interval;
        self.walk_at = now.instant_of(if moves { away_from_midnight(due, random) } else { due });
    }

    /// Plans what comes after an increment that began at `began_at` and ended well.
    pub(super) fn end_increment(&mut self, began_at: Instant, now: Now, random: f64) {
        self.increment_at = (began_at + jittered(self.config.interval, random)).max(now.at);
    }

    /// Plans what comes after an increment that failed, or that could not be made.
    pub(super) fn fail_increment(&mut self, now: Now, random: f64) {
        self.increment_at = now.at + jittered(self.config.interval, random);
    }

    /// The next increment is due now.
    pub(super) fn hasten_increment(&mut self, now: Now) {
        self.increment_at = self.increment_at.min(now.at);
    }

    /// The next full walk is due now.
    pub(super) fn hasten_walk(&mut self, now: Now) {
        self.walk_at = self.walk_at.min(now.at);
    }

    /// From the end of one full walk to the start of the next one.
    fn spacing(&self, marks: &Marks, random: f64) -> Duration {
        match marks.updated_since {
            UpdatedSince::Honoured => jittered(self.config.full_interval, random),
            // Never earlier than is fair.
            UpdatedSince::Ignored | UpdatedSince::Rejected => {
                let rest = marks.walk_duration.unwrap_or_default().saturating_mul(REST);
                self.config.interval.max(rest).min(FARTHEST).mul_f64(1.0 + JITTER * random)
            }
        }
    }
}

fn jittered(interval: Duration, random: f64) -> Duration {
    interval.min(FARTHEST).mul_f64(1.0 - JITTER + 2.0 * JITTER * random)
}

/// The same instant, or one behind the window around midnight UTC that it is in.
fn away_from_midnight(time: Timestamp, random: f64) -> Timestamp {
    let clock = time.to_zoned(TimeZone::UTC).time();
    let since_midnight = Duration::from_secs(
        u64::try_from(i64::from(clock.hour()) * 3600 + i64::from(clock.minute()) * 60 + i64::from(clock.second()))
            .unwrap_or_default(),
    );
    let until_midnight = DAY.saturating_sub(since_midnight);
    let to_window_end = if since_midnight < AFTER_MIDNIGHT {
        AFTER_MIDNIGHT.saturating_sub(since_midnight)
    } else if until_midnight <= BEFORE_MIDNIGHT {
        until_midnight + AFTER_MIDNIGHT
    } else {
        return time;
    };
    time.checked_add(to_window_end + MIDNIGHT_SPREAD.mul_f64(random)).unwrap_or(time)
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
