//! What a registry's tests and walks bring is noted here, and told to whom it concerns: the log, the catalog, and
//! the walk itself.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;

use super::Registry;
use super::error::{FetchError, Stage};
use super::guard::Trust;
use super::health::{Outcome, State};
use super::limits::Limits;
use super::probe::Check;
use super::status::{SyncReport, Taken};
use super::wire::RefusedEntries;
use crate::catalog::listing::Listing;

/// How often administrators have asked for a full walk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RefreshRequests {
    /// In all.
    pub asked: u64,
    /// So that whatever it brings is believed.
    pub accepted: u64,
}

impl Registry {
    /// Takes over a complete listing, unless a loop was found since `loops` was read of the status: then what was
    /// fetched may hold what we serve. Says whether it took the listing.
    #[must_use]
    pub fn accept(&self, listing: Listing, refused: RefusedEntries, sync: SyncReport, loops: u64) -> bool {
        let accepted = self.status().accept(Arc::new(listing), refused, sync, loops);
        if accepted {
            self.changed.notify_one();
        }
        accepted
    }

    /// Takes over what a full walk brought, unless the collapse guard keeps it aside, or a loop was found since `loops`
    /// was read of the status.
    #[must_use]
    pub fn take_walk(
        &self,
        listing: Listing,
        refused: RefusedEntries,
        sync: SyncReport,
        loops: u64,
        trust: Trust,
    ) -> Taken {
        let taken = self.status().take_walk(Arc::new(listing), refused, sync, loops, trust);
        self.changed.notify_one();
        taken
    }

    /// Takes over what an increment brought, unless a loop was found since `loops` was read of the status, or the
    /// listing is of another URL.
    #[must_use]
    pub fn take_changes(&self, changes: &Listing, refused: RefusedEntries, sync: SyncReport, loops: u64) -> Taken {
        let taken = self.status().take_changes(changes, refused, sync, loops);
        self.changed.notify_one();
        taken
    }

    /// Whether the listing has room for these changes.
    ///
    /// # Errors
    /// A sentence that names the limit.
    pub fn check_room_for(&self, changes: &Listing) -> Result<(), String> {
        let Some(listing) = self.status().listing.clone().filter(|_| changes.versions > 0) else { return Ok(()) };
        let Limits { max_listing_versions, max_listing_size, .. } = self.settings.limits;
        // What only replaces takes no room.
        if max_listing_versions < listing.versions + changes.missing_from(&listing) {
            return Err(format!("the list would have more than {max_listing_versions} versions"));
        }
        if max_listing_size < (listing.bytes + changes.bytes).saturating_sub(listing.bytes_replaced_by(changes)) {
            return Err(format!("the list would have more than {max_listing_size} bytes"));
        }
        Ok(())
    }

    /// Asks for a full walk as soon as may be: at once, or after the walk that is in progress, which is not cut short;
    /// of a registry that is unhealthy, once it is healthy again. Several requests that come before it begins are one.
    /// A file is read again.
    ///
    /// With `accept`, a listing that the collapse guard holds is believed at once, and so is whatever the walk in
    /// progress and the one that follows bring, except an empty list. Without it, the walk cannot confirm what is held: only a scheduled one
    /// can.
    pub fn request_refresh(&self, accept: bool) {
        // What another replica holds is not here: that one is told.
        if accept && self.is_ours_to_ask() && self.status().accept_held() {
            tracing::info!(registry = self.name(), "believed the listing that was held: an administrator accepts it");
            self.changed.notify_one();
        }
        self.requests.send_modify(|requests| {
            requests.asked += 1;
            requests.accepted += u64::from(accept);
        });
    }

    /// Follows what administrators ask for.
    #[must_use]
    pub fn watch_requests(&self) -> watch::Receiver<RefreshRequests> {
        self.requests.subscribe()
    }

    /// Shows what a first walk has brought so far. Never replaces a complete listing.
    pub fn accept_partial(&self, listing: Listing, refused: RefusedEntries) {
        self.status().accept_partial(Arc::new(listing), refused);
        self.changed.notify_one();
    }

    /// Notes that a page failed, and that it is asked for again.
    pub fn note_failed_page(&self, page: u32, error: &str) {
        self.status().note_failed_page(Timestamp::now(), page, error);
    }

    /// Notes that a walk failed.
    pub fn note_failed_sync(&self, sync: SyncReport) {
        self.status().note_failed_sync(sync);
        self.changed.notify_one();
    }

    /// Takes a check into account.
    pub fn observe_check(&self, check: Check) {
        self.tally.note_check(&check);
        let outcome = check.outcome;
        let failure = check.failure().map(|(stage, reason)| named(stage, reason));
        self.status().note_check(check);
        self.lineage.end_test(outcome, &self.settings.health);
        self.observe(outcome, failure.as_deref());
    }

    /// Takes a finished page or walk into account.
    pub fn observe_success(&self) {
        self.observe(Outcome::Success, None);
    }

    /// Takes into account that a page names us among the proxies behind it.
    pub(super) fn observe_loop(&self) {
        let found = FetchError::Loop;
        self.observe(Outcome::Loop, Some(&named(found.stage(), &found.to_string())));
    }

    fn observe(&self, outcome: Outcome, failure: Option<&str>) {
        // Held to the end: two outcomes at the same time are told in the order in which they counted.
        let mut status = self.status();
        let is_news = status.observe(outcome, &self.settings.health, Timestamp::now());
        if is_news {
            if let Some(reason) = failure {
                tracing::warn!(registry = self.name(), reason, "registry is unhealthy");
            } else {
                tracing::info!(registry = self.name(), "registry is healthy");
            }
            self.changed.notify_one();
        }
        let state = status.health.state;
        let is_walkable = state == State::Healthy || state == State::Starting && outcome == Outcome::Neither;
        self.walkable.send_if_modified(|known| std::mem::replace(known, is_walkable) != is_walkable);
    }
}

/// A failure as it is told: after the name of its stage.
fn named(stage: Stage, reason: &str) -> String {
    format!("{}: {reason}", stage.as_str())
}
