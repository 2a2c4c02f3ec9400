//! How often and how many at a time one registry is looked names up at. Pure where time matters.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// The most look-ups at one registry in any minute. The official one allows 180 requests of all kinds.
pub(super) const MAX_A_MINUTE: usize = 30;
pub(super) const MINUTE: Duration = Duration::from_mins(1);
/// The most at a time.
const MAX_AT_A_TIME: usize = 4;
/// How long a 429 keeps us from asking where it does not say for how long, and what it may say.
const PAUSE: Duration = Duration::from_mins(1);
const PAUSES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(5);

/// Why a registry is not asked now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It said that we ask too often.
    Paused,
    /// It has been asked as often as it may be in one minute.
    Spent,
    /// As many look-ups as it may have are under way.
    Full,
}

/// The lane that look-ups at one registry take. A registry that replaces another one takes the same lane: what is
/// under way at the one counts for the other.
#[derive(Debug, Default)]
pub(in crate::registry) struct Lane(Mutex<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    pace: Mutex<Pace>,
    room: Arc<Semaphore>,
}

impl Default for Shared {
    fn default() -> Self {
        Self { pace: Mutex::default(), room: Arc::new(Semaphore::new(MAX_AT_A_TIME)) }
    }
}

impl Lane {
    /// Takes a place, and one ask of the minute.
    pub(super) fn enter(&self, now: Instant) -> Result<OwnedSemaphorePermit, Refusal> {
        let shared = self.shared();
        let room = Arc::clone(&shared.room).try_acquire_owned().map_err(|_| Refusal::Full)?;
        shared.pace().take(now)?;
        Ok(room)
    }

    /// Takes a 429 into account.
    pub(super) fn pause(&self, now: Instant, retry_after: Option<Duration>) {
        self.shared().pace().pause(now, retry_after);
    }

    /// Becomes the lane of the one that this one replaces.
    pub(in crate::registry) fn take_over(&self, predecessor: &Self) {
        let shared = predecessor.shared();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = shared;
    }

    fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Shared {
    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For how long a 429 keeps us from asking.
pub(super) fn pause_for(retry_after: Option<Duration>) -> Duration {
    retry_after.map_or(PAUSE, |asked| asked.clamp(*PAUSES.start(), *PAUSES.end()))
}

/// When a registry was asked lately. A window and not a bucket that fills again: a bucket would let twice as many
/// through in its first minute.
#[derive(Debug, Default)]
struct Pace {
    /// The last ones, the oldest first.
    asks: VecDeque<Instant>,
    paused_until: Option<Instant>,
}

impl Pace {
    fn take(&mut self, now: Instant) -> Result<(), Refusal> {
        if self.paused_until.is_some_and(|until| now < until) {
            return Err(Refusal::Paused);
        }
        if MAX_A_MINUTE <= self.asks.len() {
            let is_free = self.asks.front().is_some_and(|oldest| *oldest + MINUTE <= now);
            if !is_free {
                return Err(Refusal::Spent);
            }
            self.asks.pop_front();
        }
        self.asks.push_back(now);
        Ok(())
    }

    fn pause(&mut self, now: Instant, retry_after: Option<Duration>) {
        self.paused_until = self.paused_until.max(Some(now + pause_for(retry_after)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_no_minute_are_there_more_asks_than_allowed() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let at = |second: u64| start + Duration::from_secs(second);
        let taken: Vec<u64> = (0..200).filter(|second| pace.take(at(*second)).is_ok()).collect();
        for begin in 0..140_u64 {
            let in_minute = taken.iter().filter(|second| (begin..begin + 60).contains(*second)).count();
            assert_eq!(in_minute, MAX_A_MINUTE, "from {begin}");
        }
        let mut pace = Pace::default();
        let burst: Vec<_> = (0..32).map(|_| pace.take(start)).collect();
        assert!(burst[..MAX_A_MINUTE].iter().all(Result::is_ok));
        assert_eq!(burst[MAX_A_MINUTE..], [Err(Refusal::Spent); 2]);
        assert_eq!((pace.take(at(59)), pace.take(at(60))), (Err(Refusal::Spent), Ok(())));
    }

    #[test]
    fn a_429_pauses_for_as_long_as_it_says_within_reason() {
        let start = Instant::now();
        for (retry_after, pause) in [(None, 60), (Some(0), 1), (Some(7), 7), (Some(100_000), 300)] {
            let mut pace = Pace::default();
            pace.pause(start, retry_after.map(Duration::from_secs));
            // A shorter one does not end a longer one.
            pace.pause(start, Some(Duration::ZERO));
            let at = |second: u64| start + Duration::from_secs(second);
            assert_eq!(pace.take(at(pause - 1)), Err(Refusal::Paused), "{retry_after:?}");
            assert_eq!(pace.take(at(pause)), Ok(()), "{retry_after:?}");
        }
    }

    #[test]
    fn who_finds_no_room_has_not_asked() {
        let (lane, now) = (Lane::default(), Instant::now());
        let held: Vec<_> = (0..MAX_AT_A_TIME).map(|_| lane.enter(now).expect("room")).collect();
        assert_eq!(lane.enter(now).err(), Some(Refusal::Full));
        assert_eq!(lane.shared().pace().asks.len(), MAX_AT_A_TIME);
        drop(held);
        assert!(lane.enter(now).is_ok());
    }

    #[test]
    fn two_in_succession_have_one_lane() {
        let (before, after, now) = (Lane::default(), Lane::default(), Instant::now());
        let held: Vec<_> = (0..MAX_AT_A_TIME).map(|_| before.enter(now).expect("room")).collect();
        after.take_over(&before);
        assert_eq!(after.enter(now).err(), Some(Refusal::Full), "what is under way counts");
        drop(held);
        assert!(after.enter(now).is_ok());
        // What the one before hears late, its successor heeds.
        before.pause(now, None);
        assert_eq!(after.enter(now).err(), Some(Refusal::Paused));
    }
}
