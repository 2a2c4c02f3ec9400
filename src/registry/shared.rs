//! What replicas of one proxy tell one another of a registry: everything that `/registries` shows, that decides whether
//! its servers may be served, and that whoever asks it next builds on. One replica asks it; the others take up what that
//! one reports, and show it as theirs. How it travels, `store` knows.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use url::Url;

use super::endpoint::public_url;
use super::guard::HeldFacts;
use super::health::{Health, State};
use super::marks::Marks;
use super::probe::Check;
use super::restore::ListDigest;
use super::status::{Loops, Status, SyncReport};
use super::syncs::Syncs;
use super::wire::RefusedEntries;
use super::{Origin, Registry};
use crate::catalog::lineage::{Lineage, ProxyId};
use crate::catalog::listing::Listing;

/// What the replica that asks a registry knows of it, its listing and the refused entries aside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Its name in the configuration.
    pub name: String,
    /// Identifies where its list is, where that is known: a base URL's may be in two places.
    list: Option<[u8; 32]>,
    health: Health,
    last_check: Option<Check>,
    listed_at: Option<Timestamp>,
    is_restored: bool,
    last_sync: Option<SyncReport>,
    last_error: Option<(Timestamp, String)>,
    attempted: bool,
    loops: Loops,
    marks: Marks,
    held: Option<HeldFacts>,
    /// The proxies behind it.
    lineage: Vec<String>,
}

/// All that is known of a registry, as replicas share it.
#[derive(Clone, Debug)]
pub struct Known {
    /// The facts.
    pub report: Report,
    /// The entries that were left out.
    pub refused: RefusedEntries,
    /// The last good listing, or what a first walk has brought so far.
    pub listing: Option<Arc<Listing>>,
    /// Whether that is no more than a part.
    pub is_partial: bool,
}

impl Report {
    /// When the registry last confirmed its listing.
    #[must_use]
    pub fn listed_at(&self) -> Option<Timestamp> {
        self.listed_at
    }

    /// Whether all that is new is another test with the same outcome, or another walk that changed nothing.
    #[must_use]
    pub fn differs_by_a_check_alone(&self, later: &Self) -> bool {
        let has_same_outcome = match (&self.last_check, &later.last_check) {
            (Some(was), Some(is)) => was.failure() == is.failure(),
            (was, is) => was.is_none() && is.is_none(),
        };
        has_same_outcome && *self == Self { last_check: self.last_check.clone(), ..later.clone() }
    }

    /// Whether the first attempt to fetch it has ended.
    #[must_use]
    pub fn is_attempted(&self) -> bool {
        self.attempted
    }
}

impl Registry {
    /// What this process knows of it.
    #[must_use]
    pub fn known(&self) -> Known {
        let (is_usable, _) = self.usable(Timestamp::now());
        let lineage = self.lineage(is_usable);
        let status = self.status();
        let list = status.served_listing().and_then(|listing| {
            let url = self.list_urls().find(|url| public_url(url) == *listing.url)?;
            Some(ListDigest::new(self.name(), &url).0)
        });
        let report = Report {
            name: self.name().to_owned(),
            list,
            health: status.health.clone(),
            last_check: status.last_check.clone(),
            listed_at: status.listed_at,
            is_restored: status.is_restored,
            last_sync: status.last_sync.clone(),
            last_error: status.last_error.clone(),
            attempted: status.attempted,
            loops: status.loops,
            marks: status.marks,
            // The listing itself stays with whoever holds it: who takes over walks the registry anew, and judges for
            // itself.
            held: status.held_facts(),
            lineage: lineage.ids().map(|id| id.as_str().to_owned()).collect(),
        };
        let listing = status.served_listing().cloned();
        Known { report, refused: status.refused.clone(), listing, is_partial: status.listing.is_none() }
    }

    /// Takes up what another replica knows of it, in place of what was known here.
    pub fn adopt(&self, known: Known) {
        let list = known.report.list;
        // Before the listing: whose content it is has to be known when it is published.
        self.lineage.adopt(known.report.lineage.iter().filter_map(|id| ProxyId::new(id)).collect::<Lineage>());
        let state = known.report.health.state;
        self.status().adopt(known);
        self.walkable.send_if_modified(|walkable| {
            std::mem::replace(walkable, state == State::Healthy) != (state == State::Healthy)
        });
        let is_its = |url: &Url| Some(ListDigest::new(self.name(), url).0) == list;
        let url = self.list_urls().find(is_its);
        if let (Origin::Http(http), Some(url)) = (&self.source, url) {
            http.settle_on(url);
        }
    }

    /// Identifies what is listed where, and read how: what another replica knows of a registry counts for this one where
    /// both have the same.
    #[must_use]
    pub fn place(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut urls: Vec<_> = self.list_urls().map(|url| ListDigest::new(self.name(), &url).0).collect();
        // A base URL's list may be in two places, and which of them is tried first depends on what was found.
        urls.sort_unstable();
        for url in &urls {
            hash.update(url);
        }
        if let Origin::File(file) = &self.source {
            hash.update(file.public_url());
        }
        for part in [self.name(), &self.settings.provenance_key] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }

    /// Forgets what another replica said of a listing that it holds: this one asks the registry now.
    pub fn forget_what_others_hold(&self) {
        let mut status = self.status();
        if status.held_elsewhere.is_some() {
            let own = status.forget_held();
            status.held = own;
        }
    }

    /// Lets this process ask it from now on, or leaves that to another replica. A new shift begins anew: with a test,
    /// and with what has changed.
    pub fn set_duty(&self, shift: Option<u64>) {
        self.duty.send_if_modified(|duty| std::mem::replace(duty, shift) != shift);
    }

    /// Follows in which shift this process asks it.
    #[must_use]
    pub fn watch_duty(&self) -> watch::Receiver<Option<u64>> {
        self.duty.subscribe()
    }

    /// Whether it is for this process to ask it.
    #[must_use]
    pub fn is_ours_to_ask(&self) -> bool {
        self.duty.borrow().is_some()
    }

    /// What administrators have asked for here and nobody has served: whether a full walk, and whether whatever that
    /// brings is believed. From now on it counts as served: it is for another replica to serve it.
    #[must_use]
    pub fn pass_on_requests(&self) -> Option<bool> {
        let asked = *self.requests.borrow();
        let served = std::mem::replace(&mut self.status().served, asked);
        (served != asked).then_some(served.accepted != asked.accepted)
    }
}

impl Status {
    fn adopt(&mut self, known: Known) {
        let Known { report, refused, listing, is_partial } = known;
        let (listing, partial) = if is_partial { (None, listing) } else { (listing, None) };
        // Tests that another replica has made count here as well.
        let mut history = std::mem::take(&mut self.history);
        let known = self.last_check.as_ref().map(|check| check.at);
        if let Some(check) = report.last_check.as_ref().filter(|check| known < Some(check.at)) {
            history.note(check);
        }
        *self = Self {
            health: report.health,
            last_check: report.last_check,
            history,
            // What is under way, and what is next, whoever asks the registry knows.
            next_check: None,
            syncs: Syncs::default(),
            listing,
            listed_at: report.listed_at,
            is_restored: report.is_restored,
            partial,
            refused,
            last_sync: report.last_sync,
            last_error: report.last_error,
            attempted: report.attempted,
            loops: report.loops,
            marks: report.marks,
            held: None,
            held_elsewhere: report.held,
            served: self.served,
        };
    }
}
