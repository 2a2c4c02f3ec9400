//! What is known of one registry: health, the last test, the last good listing and where it came from.
//! Plain state; `Registry` guards it, and `serve` shows it.

use std::sync::Arc;

use jiff::Timestamp;

use super::health::{Config, Health, Outcome, State, WhenUnhealthy};
use super::probe::Check;
use super::wire::{Refused, RefusedEntries};
use crate::catalog::listing::Listing;

/// What is known of a registry.
#[derive(Clone, Debug)]
pub struct Status {
    /// Its health.
    pub health: Health,
    /// The last test.
    pub last_check: Option<Check>,
    /// The last good listing.
    pub listing: Option<Arc<Listing>>,
    /// When the registry last confirmed that listing or brought it up to date.
    pub listed_at: Option<Timestamp>,
    /// What a first walk has brought so far.
    pub partial: Option<Arc<Listing>>,
    /// The entries that were left out of the listing.
    pub refused: RefusedEntries,
    /// The last walk that has ended.
    pub last_sync: Option<SyncReport>,
    /// The last thing that went wrong, and when.
    pub last_error: Option<(Timestamp, String)>,
    /// Whether the first attempt to fetch has ended, well or badly.
    pub attempted: bool,
    /// Whether it lists what we serve.
    pub loops: Loops,
    /// How far its walks have come.
    pub marks: Marks,
}

/// How far the walks of a registry have come: what the next one builds on. It belongs to the listing, and is kept
/// and handed over with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// The start of the last walk or increment that ended well, by the registry's own clock and never in the future.
    pub watermark: Option<Timestamp>,
    /// When the last full walk ended well.
    pub walked_at: Option<Timestamp>,
}

/// What is known of our own id in a registry's answers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Loops {
    /// How often it was found. What was fetched while this changed is not believed.
    pub found: u64,
    /// Whether the listing at hand dates from before the last time: it may hold what we serve, so nobody sees it
    /// until a full walk has replaced it.
    pub is_listing_tainted: bool,
    /// Whether it was found since the registry was last healthy.
    is_present: bool,
}

/// A walk that has ended, or the reading of a file.
#[derive(Clone, Debug)]
pub struct SyncReport {
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// How many pages it read.
    pub pages: u32,
    /// How many versions the listing has after it.
    pub versions: usize,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

impl SyncReport {
    /// One that ended well.
    #[must_use]
    pub fn finished(started_at: Timestamp, finished_at: Timestamp, pages: u32, versions: usize) -> Self {
        Self { started_at, finished_at, pages, versions, error: None }
    }
}

impl Status {
    /// The status of a registry of which nothing is known.
    #[must_use]
    pub fn starting(now: Timestamp) -> Self {
        Self {
            health: Health::starting(now),
            last_check: None,
            listing: None,
            listed_at: None,
            partial: None,
            refused: RefusedEntries::default(),
            last_sync: None,
            last_error: None,
            attempted: false,
            loops: Loops::default(),
            marks: Marks::default(),
        }
    }

    /// The listing that is served: the last good one, or what a first walk has brought so far.
    #[must_use]
    pub fn served_listing(&self) -> Option<&Arc<Listing>> {
        self.listing.as_ref().or(self.partial.as_ref())
    }

    /// Whether the registry's servers may be served (contract §1), and the instant at which that ends by
    /// itself.
    #[must_use]
    pub fn usable(&self, config: &Config, now: Timestamp) -> (bool, Option<Timestamp>) {
        match self.health.state {
            _ if self.loops.is_listing_tainted => (false, None),
            State::Healthy => (true, None),
            State::Starting => (self.listing.is_some(), None),
            State::Unhealthy if config.when_unhealthy == WhenUnhealthy::ServeStale => {
                let expires = self.listed_at.and_then(|listed_at| listed_at.checked_add(config.max_stale).ok());
                let expires = expires.filter(|expires| now < *expires);
                (expires.is_some(), expires)
            }
            State::Unhealthy => (false, None),
        }
    }

    /// Takes one outcome into account; says whether that is news: the state flipped, or a loop is the reason now.
    pub(super) fn observe(&mut self, outcome: Outcome, config: &Config, now: Timestamp) -> bool {
        let flipped = self.health.observe(outcome, config, now);
        let was_loop = self.loops.is_present;
        if outcome == Outcome::Loop {
            self.loops.found += 1;
            self.loops.is_present = true;
            self.loops.is_listing_tainted = self.served_listing().is_some();
        }
        self.loops.is_present &= self.health.state == State::Unhealthy;
        // A registry that does not respond has had its first attempt; its walk would wait for it.
        self.attempted |= self.health.state == State::Unhealthy;
        flipped || !was_loop && self.loops.is_present
    }

    pub(super) fn note_check(&mut self, check: Check) {
        if let Some((stage, reason)) = check.failure() {
            self.last_error = Some((check.at, format!("{}: {reason}", stage.as_str())));
        }
        self.last_check = Some(check);
    }

    /// Takes over a listing, unless a loop was found since `loops` was read. Says whether it did.
    pub(super) fn accept(
        &mut self,
        listing: Arc<Listing>,
        refused: RefusedEntries,
        sync: SyncReport,
        loops: u64,
    ) -> bool {
        if self.loops.found != loops {
            return false;
        }
        self.listed_at = Some(sync.finished_at);
        // A walk that found everything as it was changes nothing: whoever compares by pointer sees that.
        let is_news = self.listing.as_ref().is_none_or(|known| !known.is_same_as(&listing));
        if is_news {
            self.listing = Some(listing);
        }
        self.partial = None;
        self.refused = refused;
        self.last_sync = Some(sync);
        self.attempted = true;
        // Only full walks come this far where the listing before was tainted.
        self.loops.is_listing_tainted = false;
        true
    }

    pub(super) fn accept_partial(&mut self, listing: Arc<Listing>, refused: RefusedEntries) {
        // A walk that begins again has less at first than the one before it had in the end.
        let is_more = self.partial.as_ref().is_none_or(|partial| partial.versions <= listing.versions);
        if self.listing.is_none() && is_more {
            self.partial = Some(listing);
            self.refused = refused;
        }
    }

    /// The refused entries after an increment that made `now` of the listing and refused `more`: those before,
    /// without what the increment repaired or refused again.
    #[must_use]
    pub fn refused_after_changes(&self, now: &Listing, more: RefusedEntries) -> RefusedEntries {
        let is_repaired = |name: &str, version: &str| {
            let before = self.listing.as_ref().and_then(|before| before.entry(name, version));
            let now = now.entry(name, version);
            now.is_some_and(|now| before.is_none_or(|before| !Arc::ptr_eq(before, now)))
        };
        let is_settled = |entry: &Refused| match (&entry.name, &entry.version) {
            (Some(name), Some(version)) => {
                let is_again = |more: &Refused| (&more.name, &more.version) == (&entry.name, &entry.version);
                is_repaired(name, version) || more.entries.iter().any(is_again)
            }
            _ => false,
        };
        let mut refused = self.refused.clone();
        refused.entries.retain(|entry| !is_settled(entry));
        refused.count -= self.refused.entries.len() - refused.entries.len();
        refused.append(more);
        refused
    }

    pub(super) fn note_failed_page(&mut self, now: Timestamp, page: u32, error: &str) {
        self.last_error = Some((now, format!("walk: page {page}: {error}")));
    }

    pub(super) fn note_failed_sync(&mut self, sync: SyncReport) {
        self.last_error = sync.error.clone().map(|error| (sync.finished_at, format!("walk: {error}")));
        self.last_sync = Some(sync);
        self.attempted = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unhealthy(when_unhealthy: WhenUnhealthy, listed_at: Option<i64>, now: i64) -> (bool, Option<i64>) {
        let at = |second| Timestamp::from_second(second).expect("in range");
        let mut status = Status::starting(at(0));
        status.health.state = State::Unhealthy;
        status.listed_at = listed_at.map(at);
        let config = Config { when_unhealthy, max_stale: std::time::Duration::from_secs(100), ..Config::default() };
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
}
