//! How often reading through did what.

use std::sync::atomic::{AtomicU64, Ordering};

/// The counters.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) found: AtomicU64,
    pub(super) not_listed: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) collapsed: AtomicU64,
    pub(super) crowded: AtomicU64,
}

/// How often what happened since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadThroughCounts {
    /// Look-ups that found something.
    pub found: u64,
    /// Those that the registry answered with "not there".
    pub not_listed: u64,
    /// Those that brought no answer.
    pub failed: u64,
    /// Look-ups that did not happen: a registry was paused, spent or full, or there were too many flights.
    pub refused: u64,
    /// Requests that waited for another one's flight.
    pub collapsed: u64,
    /// Requests that did not wait, because too many did.
    pub crowded: u64,
}

impl Tally {
    pub(super) fn counts(&self) -> ReadThroughCounts {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ReadThroughCounts {
            found: count(&self.found),
            not_listed: count(&self.not_listed),
            failed: count(&self.failed),
            refused: count(&self.refused),
            collapsed: count(&self.collapsed),
            crowded: count(&self.crowded),
        }
    }
}
