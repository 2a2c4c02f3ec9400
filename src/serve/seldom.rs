//! What strangers can bring about as often as they like is said in the log at once, and then seldom.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// When something may be said again.
#[derive(Debug)]
pub(super) struct Seldom {
    interval: Duration,
    born: Instant,
    /// Milliseconds from `born` to then.
    next: AtomicU64,
}

impl Seldom {
    /// Once in every interval, from now on.
    pub(super) fn every(interval: Duration) -> Self {
        Self { interval, born: Instant::now(), next: AtomicU64::new(0) }
    }

    /// Whether it may be said now; if so, it counts as said. Of several at a time, one may.
    pub(super) fn may(&self, now: Instant) -> bool {
        let since_born = now.saturating_duration_since(self.born);
        let milliseconds = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let (now, again) = (milliseconds(since_born), milliseconds(since_born.saturating_add(self.interval)));
        let next = self.next.load(Ordering::Relaxed);
        next <= now && self.next.compare_exchange(next, again, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_time_counts_and_then_once_in_every_interval() {
        let seldom = Seldom::every(Duration::from_mins(1));
        let start = Instant::now();
        let said: Vec<u64> = (0..200).filter(|second| seldom.may(start + Duration::from_secs(*second))).collect();
        assert_eq!(said, [0, 60, 120, 180]);
    }
}
