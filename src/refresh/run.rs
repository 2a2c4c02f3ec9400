//! One walk or increment of a registry as it is driven, and what the synchroniser has to know of it besides.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::schedule::Now;
use crate::catalog::listing::Listing;
use crate::registry::crawl::{Known, Progress, Walk, WalkError};
use crate::registry::error::FetchError;
use crate::registry::status::SyncReport;
use crate::registry::{Fetched, ListUrl, REGISTRY_ATTRIBUTE, Registry};
use crate::trace::{self, KeyValue, Parent, Span};

/// A first walk shows its first page at once, and what it has by then after this long; then each time that it has taken
/// twice as long and has twice as much. So all that it shows before its end costs about as much as the end itself.
const PARTIAL_INTERVAL: Duration = Duration::from_secs(5);

/// What there is to fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errand {
    FullWalk,
    /// What changed since an instant of the registry's own clock.
    Changes(Timestamp),
}

impl Errand {
    fn span(&self, registry: &Registry) -> Span {
        let name = match self {
            Self::FullWalk => "walk",
            Self::Changes(_) => "increment",
        };
        Span::root(name, || vec![trace::text(REGISTRY_ATTRIBUTE, registry.name())])
    }
}

/// A page that is asked for, as a part of its walk.
#[derive(Debug)]
pub(super) struct NextPage {
    number: u32,
    parent: Parent,
}

impl NextPage {
    /// The span of one attempt at it.
    pub(super) fn span(&self, registry: &Registry) -> Span {
        Span::part_of(self.parent.clone(), "page", || {
            let number = KeyValue::new("mcp_registry_proxy.page", i64::from(self.number));
            vec![trace::text(REGISTRY_ATTRIBUTE, registry.name()), number]
        })
    }
}

/// One walk as it is driven.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) errand: Errand,
    pub(super) list: ListUrl,
    pub(super) walk: Walk,
    /// The last good listing of the same URL, as it stands.
    pub(super) previous: Option<Arc<Listing>>,
    pub(super) began: Now,
    /// When the registry answered first, by its own clock.
    first_date: Option<Timestamp>,
    /// Since when an outage holds it up, and for how long outages did so before.
    resting_since: Option<Instant>,
    rested: Duration,
    shown: Option<(Instant, usize)>,
    /// How often a loop had been found when it began.
    pub(super) loops: u64,
    /// Whether an increment has ended well since it began.
    pub(super) has_seen_increments: bool,
    /// From its beginning to its end, for traces.
    pub(super) span: Span,
}

impl Run {
    pub(super) fn new(registry: &Registry, errand: Errand, list: ListUrl, now: Now) -> Self {
        // A listing belongs to its URL: at another one, everything starts anew.
        let url: Arc<str> = list.public().into();
        let (listing, marks, loops) = {
            let status = registry.status();
            (status.listing.clone(), status.marks, status.loops)
        };
        let previous = listing.clone().filter(|listing| listing.url == url);
        let limits = registry.settings().limits;
        let walk = match errand {
            Errand::FullWalk => {
                let known = Known {
                    previous: previous.clone(),
                    visible: listing.as_ref().map_or(0, |listing| listing.visible_versions()),
                    last_good: listing.filter(|_| !loops.is_listing_tainted),
                    // What the registry knows belongs to the URL.
                    lists_deleted: previous.is_some() && marks.lists_deleted,
                };
                Walk::full(url, known, limits, now.at)
            }
            Errand::Changes(since) => Walk::since(url, since, limits, now.at),
        };
        let (first_date, resting_since, rested, shown) = (None, None, Duration::ZERO, None);
        Self {
            errand,
            list,
            walk,
            previous,
            began: now,
            first_date,
            resting_since,
            rested,
            shown,
            loops: loops.found,
            has_seen_increments: false,
            span: errand.span(registry),
        }
    }

    /// Whether an attempt at its present page has failed.
    pub(super) fn is_in_trouble(&self) -> bool {
        self.walk.trouble().is_some()
    }

    pub(super) fn rest(&mut self, is_resting: bool, now: Instant) {
        match (is_resting, self.resting_since) {
            (true, None) => self.resting_since = Some(now),
            (false, Some(since)) => {
                self.rested += now - since;
                self.resting_since = None;
            }
            _ => {}
        }
    }

    /// Whether an outage holds it up now.
    pub(super) fn is_resting(&self) -> bool {
        self.resting_since.is_some()
    }

    /// Whether an outage held it up.
    pub(super) fn has_rested(&self) -> bool {
        !self.rested.is_zero() || self.resting_since.is_some()
    }

    /// How long it has taken, outages aside.
    pub(super) fn duration(&self, now: Instant) -> Duration {
        (now - self.began.at).saturating_sub(self.rested)
    }

    /// Where the next increment may begin after this one: its start by the registry's own clock, never in our future.
    pub(super) fn watermark(&self, now: Now) -> Timestamp {
        self.first_date.unwrap_or(self.began.wall).min(now.wall)
    }

    /// What its next page is to a trace.
    pub(super) fn next_page(&self) -> NextPage {
        NextPage { number: self.walk.pages() + 1, parent: self.span.as_parent() }
    }

    /// Tells a trace what it brought.
    pub(super) fn note_end(&self, report: &SyncReport) {
        self.span.set("mcp_registry_proxy.pages", i64::from(report.pages));
        self.span.set("mcp_registry_proxy.versions", i64::try_from(report.versions).unwrap_or(i64::MAX));
    }

    pub(super) fn report(&self, now: Now) -> SyncReport {
        SyncReport::finished(self.began.wall, now.wall, self.walk.pages(), self.walk.versions())
    }

    /// Ends the walk if a loop has been found since it began: its pages may hold what we serve.
    pub(super) fn end_at_loop(&mut self, registry: &Registry, now: Now) -> Result<(), WalkError> {
        if registry.status().loops.found == self.loops {
            return Ok(());
        }
        self.walk.observe(Err(FetchError::Loop), now.at, 0.0).map(|_| ())
    }

    /// Takes in what a request brought.
    pub(super) fn take(
        &mut self,
        registry: &Registry,
        fetched: Result<Fetched, FetchError>,
        now: Now,
        random: f64,
    ) -> Result<Progress, WalkError> {
        let (name, page) = (registry.name(), self.walk.pages() + 1);
        let outcome = fetched.map(|Fetched { page, date }| {
            self.first_date = self.first_date.or(date);
            page
        });
        let progress = self.walk.observe(outcome, now.at, random)?;
        if self.walk.pages() == page {
            tracing::debug!(registry = name, page, "a page arrived");
            // An increment that brings nothing says nothing of the list: one that has been emptied brings as little.
            if self.errand == Errand::FullWalk {
                registry.observe_success();
            }
        } else if let Some((error, attempts)) = self.walk.trouble() {
            registry.note_failed_page(page, error);
            if attempts == 1 {
                tracing::warn!(registry = name, page, error, "a page failed; it is asked for again");
            }
        }
        Ok(progress)
    }

    /// Shows what a first walk has brought so far: while there is no catalog, a part is better than nothing.
    pub(super) fn show_partial(&mut self, registry: &Registry, now: Instant) {
        let versions = self.walk.versions();
        let is_due = self.shown.is_none_or(|(at, shown)| {
            let wait = PARTIAL_INTERVAL.max(at - self.began.at);
            wait <= now - at && 2 * shown <= versions
        });
        if self.previous.is_none() && versions > 0 && is_due {
            let (listing, refused) = self.walk.snapshot();
            registry.accept_partial(listing, refused);
            self.shown = Some((now, versions));
        }
    }
}
