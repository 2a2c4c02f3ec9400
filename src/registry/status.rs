//! What is known of one registry: health, the last test, the last good listing and where it came from.
//! Plain state; `Registry` guards it, and `serve` shows it.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::guard::{Held, HeldFacts, Trust, Verdict, judge};
use super::health::{Config, Health, Outcome, State, WhenUnhealthy};
use super::history::History;
use super::marks::Marks;
use super::observe::RefreshRequests;
use super::probe::Check;
use super::syncs::Syncs;
use super::wire::{Refused, RefusedEntries};
use crate::catalog::listing::Listing;

/// What is known of a registry.
#[derive(Clone, Debug)]
pub struct Status {
    /// Its health.
    pub health: Health,
    /// The last test.
    pub last_check: Option<Check>,
    /// What the last tests came to.
    pub history: History,
    /// When the next test is due.
    pub next_check: Option<Timestamp>,
    /// The last good listing.
    pub listing: Option<Arc<Listing>>,
    /// When the registry last confirmed that listing or brought it up to date.
    pub listed_at: Option<Timestamp>,
    /// Whether it was read from the store, and the registry has not confirmed it since.
    pub is_restored: bool,
    /// What a first walk has brought so far.
    pub partial: Option<Arc<Listing>>,
    /// The entries that were left out of the listing.
    pub refused: RefusedEntries,
    /// The last walk that has ended.
    pub last_sync: Option<SyncReport>,
    /// The walks in progress, and the next ones.
    pub syncs: Syncs,
    /// The last thing that went wrong, and when.
    pub last_error: Option<(Timestamp, String)>,
    /// Whether the first attempt to fetch has ended, well or badly.
    pub attempted: bool,
    /// Whether it lists what we serve.
    pub loops: Loops,
    /// How far its walks have come.
    pub marks: Marks,
    /// A listing that is kept aside, because it would remove most of the last good one.
    pub held: Option<Held>,
    /// What another replica of this proxy, which asks the registry for all, says of a listing that it holds. That one
    /// alone can believe it.
    pub held_elsewhere: Option<HeldFacts>,
    /// The requests of administrators that a full walk has served.
    pub served: RefreshRequests,
}

/// What became of the listing that a walk brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// What the collapse guard says.
    Judged(Verdict),
    /// Nothing of it is taken: a loop was found meanwhile, or the registry has another URL now.
    Nothing,
}

/// What is known of our own id in a registry's answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
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

/// What is said of a registry whose list collapsed.
const HELD: &str = "walk: lists less than half of what it listed; what it listed before stays until the next full walk \
                    lists the same, or an administrator accepts it";

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
            history: History::default(),
            next_check: None,
            listing: None,
            listed_at: None,
            is_restored: false,
            partial: None,
            refused: RefusedEntries::default(),
            last_sync: None,
            syncs: Syncs::default(),
            last_error: None,
            attempted: false,
            loops: Loops::default(),
            marks: Marks::default(),
            held: None,
            held_elsewhere: None,
            served: RefreshRequests::default(),
        }
    }

    /// What is said of a listing that is held, here or by the replica that asks the registry.
    #[must_use]
    pub fn held_facts(&self) -> Option<HeldFacts> {
        self.held.as_ref().map(Held::facts).or(self.held_elsewhere)
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
            self.held = None;
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
        self.history.note(&check);
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
        self.forget_marks_of_another_url(&listing);
        self.held = None;
        self.listed_at = Some(sync.finished_at);
        self.is_restored = false;
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

    /// Clocks and habits belong to the URL.
    fn forget_marks_of_another_url(&mut self, listing: &Listing) {
        if self.listing.as_ref().is_some_and(|known| known.url != listing.url) {
            self.marks = Marks::default();
        }
    }

    /// Takes over what a full walk brought, if the collapse guard lets it.
    pub(super) fn take_walk(
        &mut self,
        listing: Arc<Listing>,
        refused: RefusedEntries,
        sync: SyncReport,
        loops: u64,
        trust: Trust,
    ) -> Taken {
        if self.loops.found != loops {
            return Taken::Nothing;
        }
        // What may come from us is no measure. Where the list was then does not matter: a base URL has it at v0.1 or
        // at v0, and another configured URL is another registry.
        let previous = self.listing.as_ref().filter(|_| !self.loops.is_listing_tainted);
        let verdict = judge(previous.map(AsRef::as_ref), self.held.as_ref(), &listing, trust);
        let removed = match verdict {
            Verdict::Believed | Verdict::Confirmed => {
                self.forget_held();
                self.accept(listing, refused, sync, loops);
                return Taken::Judged(verdict);
            }
            Verdict::TooEarly => None,
            Verdict::Held { removed } => Some(removed),
        };
        self.last_error = Some((sync.finished_at, HELD.to_owned()));
        if let Some(removed) = removed {
            self.held = Some(Held { listing, refused, since: sync.finished_at, removed });
        }
        self.last_sync = Some(sync);
        Taken::Judged(verdict)
    }

    /// Takes over what an increment brought: into the listing, and into the one that is held.
    pub(super) fn take_changes(
        &mut self,
        changes: &Listing,
        refused: RefusedEntries,
        mut sync: SyncReport,
        loops: u64,
    ) -> Taken {
        let known = self.listing.as_ref().filter(|known| known.url == changes.url && !self.loops.is_listing_tainted);
        let Some(known) = known.filter(|_| self.loops.found == loops) else { return Taken::Nothing };
        let listing =
            if changes.servers.is_empty() { Arc::clone(known) } else { Arc::new(known.with_changes(changes)) };
        let held = self.held.take().map(|held| Held { listing: Arc::new(held.listing.with_changes(changes)), ..held });
        let refused = self.refused_after_changes(&listing, refused);
        sync.versions = listing.versions;
        self.accept(listing, refused, sync, loops);
        self.held = held;
        Taken::Judged(Verdict::Believed)
    }

    /// Takes away what is held, and what was said of it.
    pub(super) fn forget_held(&mut self) -> Option<Held> {
        self.held_elsewhere = None;
        self.last_error.take_if(|(_, error)| error == HELD);
        self.held.take()
    }

    /// Believes the listing that is held. Says whether there was one.
    pub(super) fn accept_held(&mut self) -> bool {
        let Some(held) = self.forget_held() else { return false };
        // Increments may have confirmed it later than the walk that brought it.
        self.listed_at = self.listed_at.max(Some(held.since));
        self.forget_marks_of_another_url(&held.listing);
        self.listing = Some(held.listing);
        self.refused = held.refused;
        // The registry has shown it to this very process.
        self.is_restored = false;
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
    /// without what the increment repaired or refused again. Where there are more than are kept, what it refused counts
    /// as refused again: it may be among the others, and the next full walk counts anew.
    #[must_use]
    pub fn refused_after_changes(&self, now: &Listing, more: RefusedEntries) -> RefusedEntries {
        let is_repaired = |name: &str, version: &str| {
            let before = self.listing.as_ref().and_then(|before| before.entry(name, version));
            let now = now.entry(name, version);
            now.is_some_and(|now| before.is_none_or(|before| !Arc::ptr_eq(before, now)))
        };
        let mut again: HashMap<_, usize> = HashMap::new();
        for entry in &more.entries {
            *again.entry(identity(entry)).or_default() += 1;
        }
        let (mut entries, mut repaired) = (Vec::new(), 0);
        for entry in &self.refused.entries {
            let key = entry.name.as_ref().zip(entry.version.as_ref());
            if key.is_some_and(|(name, version)| is_repaired(name, version)) {
                repaired += 1;
            } else if let Some(left) = again.get_mut(&identity(entry)).filter(|left| 0 < **left) {
                *left -= 1;
            } else {
                entries.push(entry.clone());
            }
        }
        let (known, count) = (self.refused.entries.len(), self.refused.count);
        let most = if known < count { count - repaired } else { usize::MAX };
        let mut refused = RefusedEntries { count: count - (known - entries.len()), entries };
        refused.append(more);
        refused.count = refused.count.min(most).max(refused.entries.len());
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

/// What tells a refused entry from others: its name and version, or, where it has none, the reason.
fn identity(refused: &Refused) -> (Option<&str>, Option<&str>, Option<&str>) {
    let (name, version) = (refused.name.as_deref(), refused.version.as_deref());
    let reason = (name.is_none() || version.is_none()).then_some(refused.reason.as_str());
    (name, version, reason)
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
