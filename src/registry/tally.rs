//! How often what happened to a registry since the start, for the figures. Nothing is decided by it.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Registry;
use super::error::{FetchError, Stage};
use super::health::Outcome;
use super::probe::Check;

/// What was fetched: the whole list, what changed, or a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncKind {
    /// A full walk.
    Full,
    /// An increment.
    Increment,
    /// A registry file's reading.
    File,
}

impl SyncKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Full, Self::Increment, Self::File];

    /// The name of the kind.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Increment => "increment",
            Self::File => "file",
        }
    }
}

/// The counters of one registry.
#[derive(Debug, Default)]
pub(super) struct Tally {
    checks: [AtomicU64; 4],
    failed_stages: [AtomicU64; 3],
    fetched: AtomicU64,
    unchanged: AtomicU64,
    failed: AtomicU64,
    rate_limited: AtomicU64,
    syncs: [[AtomicU64; 2]; 3],
}

/// How often what happened since the start. A registry whose settings change goes on counting; one that is replaced by
/// another begins anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tests that passed, failed, told nothing, and found a loop.
    pub checks: [u64; 4],
    /// Tests that failed in each stage, in their order.
    pub failed_stages: [u64; 3],
    /// Pages that came, were still what they had been, and did not come.
    pub pages: [u64; 3],
    /// Answers by which the registry asked for fewer requests (429), to pages.
    pub rate_limited: u64,
    /// Walks of each kind, in the order of [`SyncKind::ALL`], that ended well, and that did not.
    pub syncs: [[u64; 2]; 3],
}

/// The names of what tests come to, in the order of [`Counts::checks`].
pub const CHECK_OUTCOMES: [&str; 4] = ["success", "failure", "neither", "loop"];
/// The names of what becomes of pages, in the order of [`Counts::pages`].
pub const PAGE_OUTCOMES: [&str; 3] = ["fetched", "unchanged", "failed"];

fn more(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

impl Tally {
    pub(super) fn note_check(&self, check: &Check) {
        let outcome = match check.outcome {
            Outcome::Success => 0,
            Outcome::Failure => 1,
            Outcome::Neither => 2,
            Outcome::Loop => 3,
        };
        more(&self.checks[outcome], 1);
        let failed = check.failure().and_then(|(failed, _)| Stage::ALL.into_iter().position(|stage| stage == failed));
        if let Some(stage) = failed {
            more(&self.failed_stages[stage], 1);
        }
    }

    /// Notes what became of a page; `Ok` says whether it was still what it had been.
    pub(super) fn note_page(&self, page: Result<bool, &FetchError>) {
        match page {
            Ok(false) => more(&self.fetched, 1),
            Ok(true) => more(&self.unchanged, 1),
            Err(error) => {
                more(&self.failed, 1);
                more(&self.rate_limited, u64::from(matches!(error, FetchError::Status { status: 429, .. })));
            }
        }
    }

    fn counts(&self) -> Counts {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            checks: self.checks.each_ref().map(count),
            failed_stages: self.failed_stages.each_ref().map(count),
            pages: [&self.fetched, &self.unchanged, &self.failed].map(count),
            rate_limited: count(&self.rate_limited),
            syncs: self.syncs.each_ref().map(|of_kind| of_kind.each_ref().map(count)),
        }
    }

    /// Goes on where the one before this one stopped.
    pub(super) fn take_over(&self, predecessor: &Self) {
        let Counts { checks, failed_stages, pages: [fetched, unchanged, failed], rate_limited, syncs } =
            predecessor.counts();
        let pairs = self.checks.iter().zip(checks).chain(self.failed_stages.iter().zip(failed_stages));
        let pages = [(&self.fetched, fetched), (&self.unchanged, unchanged), (&self.failed, failed)];
        let syncs = self.syncs.iter().flatten().zip(syncs.into_iter().flatten());
        for (counter, count) in pairs.chain(pages).chain([(&self.rate_limited, rate_limited)]).chain(syncs) {
            more(counter, count);
        }
    }
}

impl Registry {
    /// How often what happened since the start.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.tally.counts()
    }

    /// Counts a walk, an increment or a file's reading that has ended, well or badly.
    pub fn count_sync(&self, kind: SyncKind, is_success: bool) {
        more(&self.tally.syncs[kind as usize][usize::from(!is_success)], 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_goes_on_in_the_next_one() {
        let (before, after) = (Tally::default(), Tally::default());
        let limited = FetchError::Status { status: 429, retry_after: None };
        for page in [Ok(false), Ok(true), Err(&limited)] {
            before.note_page(page);
            after.note_page(page);
        }
        more(&before.syncs[SyncKind::Increment as usize][1], 3);
        after.take_over(&before);
        let counts = after.counts();
        assert_eq!((counts.pages, counts.rate_limited), ([2, 2, 2], 2));
        assert_eq!(counts.syncs, [[0, 0], [0, 3], [0, 0]]);
    }
}
