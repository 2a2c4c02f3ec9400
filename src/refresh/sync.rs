//! Keeping one registry's listing in step: full walks on a schedule, and after an outage what changed
//! meanwhile. A thin loop; what a walk does next is `registry::crawl`'s decision.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::Config;
use crate::catalog::listing::Listing;
use crate::registry::crawl::{Next, Progress, Walk, WalkError};
use crate::registry::error::FetchError;
use crate::registry::status::SyncReport;
use crate::registry::{Fetched, ListUrl, Registry};

/// How far an increment reaches back before the start of the last walk: a registry stamps a change
/// before it shows it (registry-api.md §2.6).
const OVERLAP: SignedDuration = SignedDuration::from_mins(5);
/// A first walk shows what it has so far at most this often, and only when it has grown by a quarter.
const PARTIAL_INTERVAL: Duration = Duration::from_secs(1);
/// Schedules are spread by up to this part of their interval.
const JITTER: f64 = 0.1;

/// What there is to fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Errand {
    FullWalk,
    /// What changed since an instant of the registry's own clock.
    Changes(Timestamp),
}

/// Keeps one registry's listing in step with the registry. A registry without a list to walk needs none of it.
pub(super) async fn keep_in_sync(registry: Arc<Registry>, schedule: Config) {
    let mut keeper = Keeper { walkable: registry.watch_walkable(), registry, schedule, full_walk_at: Instant::now() };
    let mut errand = Errand::FullWalk;
    until_walkable(&mut keeper.walkable).await;
    while let Some(list) = keeper.registry.list_url() {
        errand = match keeper.run(errand, list).await {
            Some(next) => next,
            None => keeper.next_errand().await,
        };
    }
}

async fn until_walkable(walkable: &mut watch::Receiver<bool>) {
    // The channel cannot close: the registry holds its sender.
    let _ = walkable.wait_for(|walkable| *walkable).await;
}

async fn until_unwalkable(walkable: &mut watch::Receiver<bool>) {
    let _ = walkable.wait_for(|walkable| !*walkable).await;
}

struct Keeper {
    registry: Arc<Registry>,
    schedule: Config,
    walkable: watch::Receiver<bool>,
    full_walk_at: Instant,
}

impl Keeper {
    /// Runs one errand to its end. Returns the next one if that has to follow at once.
    async fn run(&mut self, errand: Errand, list: ListUrl) -> Option<Errand> {
        let started_at = Timestamp::now();
        let mut run = Run::new(Arc::clone(&self.registry), errand, list);
        let driven = run.drive(&mut self.walkable).await;
        let (pages, versions) = (run.walk.pages(), run.walk.versions());
        let report = SyncReport::finished(started_at, Timestamp::now(), pages, versions);
        if let Err(error) = driven.and_then(|()| self.accept(errand, &mut run, report.clone())) {
            let has_moved = self.registry.list_url().is_some_and(|list| list.public() != run.list.public());
            self.note_failure(SyncReport { error: Some(error.to_string()), ..report });
            // A base URL that turned out to have its list elsewhere.
            return has_moved.then_some(Errand::FullWalk);
        }
        self.registry.status().marks.watermark = Some(run.first_date.unwrap_or(started_at).min(report.finished_at));
        self.registry.observe_success();
        // What changed behind a walk that an outage held up is fetched at once.
        run.has_rested.then(|| self.changes()).flatten()
    }

    /// Hands over what a walk brought, unless a loop was found meanwhile.
    fn accept(&mut self, errand: Errand, run: &mut Run, report: SyncReport) -> Result<(), WalkError> {
        let name = self.registry.name();
        let SyncReport { pages, versions, finished_at, .. } = report;
        let (listing, more) = run.walk.snapshot();
        let count = more.count;
        let refused = match errand {
            Errand::FullWalk => more,
            Errand::Changes(_) => self.registry.status().refused_after_changes(&listing, more),
        };
        if !self.registry.accept(listing, refused, report, run.loops) {
            return run.end_at_loop();
        }
        match errand {
            Errand::FullWalk => {
                self.full_walk_at = Instant::now() + jittered(self.schedule.full_interval);
                self.registry.status().marks.walked_at = Some(finished_at);
                tracing::info!(registry = name, pages, versions, refused = count, "walked the whole list");
            }
            Errand::Changes(since) => tracing::info!(registry = name, pages, versions, %since, "fetched what changed"),
        }
        Ok(())
    }

    fn note_failure(&mut self, report: SyncReport) {
        let (name, pages, error) = (self.registry.name(), report.pages, report.error.as_deref());
        if self.registry.status().listing.is_some() {
            tracing::warn!(registry = name, error, pages, "walk failed; the last good listing stays");
        } else {
            tracing::warn!(registry = name, error, pages, "walk failed; there is no complete listing yet");
        }
        self.registry.note_failed_sync(report);
        self.full_walk_at = Instant::now() + jittered(self.schedule.interval);
    }

    /// Waits until a full walk is due, or an outage is over: then, what changed meanwhile is fetched first,
    /// also where a full walk has become due.
    async fn next_errand(&mut self) -> Errand {
        let _ = timeout_at(self.full_walk_at, until_unwalkable(&mut self.walkable)).await;
        if *self.walkable.borrow() {
            return Errand::FullWalk;
        }
        until_walkable(&mut self.walkable).await;
        self.changes().unwrap_or(Errand::FullWalk)
    }

    /// The errand of fetching what changed since the last walk, if there is a listing of this URL to change that
    /// holds nothing of ours.
    fn changes(&self) -> Option<Errand> {
        let url = self.registry.url();
        let status = self.registry.status();
        let since = status.marks.watermark?.checked_sub(OVERLAP).ok()?;
        let is_sound = |listing: &&Arc<Listing>| *listing.url == *url && !status.loops.is_listing_tainted;
        status.listing.as_ref().filter(is_sound)?;
        Some(Errand::Changes(since))
    }
}

/// One walk as it is driven.
struct Run {
    registry: Arc<Registry>,
    list: ListUrl,
    walk: Walk,
    previous: Option<Arc<Listing>>,
    /// When the registry answered first, by its own clock.
    first_date: Option<Timestamp>,
    /// Whether an outage held it up.
    has_rested: bool,
    shown: Option<(Instant, usize)>,
    /// How often a loop had been found when it began.
    loops: u64,
}

impl Run {
    fn new(registry: Arc<Registry>, errand: Errand, list: ListUrl) -> Self {
        let loops = registry.status().loops.found;
        // A listing belongs to its URL: at another one, everything starts anew.
        let url: Arc<str> = list.public().into();
        let previous = registry.status().listing.clone().filter(|previous| previous.url == url);
        let walk = match (errand, &previous) {
            (Errand::Changes(since), Some(listing)) => Walk::since(listing, since, Instant::now()),
            _ => Walk::full(url, previous.clone(), Instant::now()),
        };
        Self { registry, list, walk, previous, first_date: None, has_rested: false, shown: None, loops }
    }

    /// Drives the walk to its end. While the registry is unhealthy it rests, and goes on at the same page.
    async fn drive(&mut self, walkable: &mut watch::Receiver<bool>) -> Result<(), WalkError> {
        loop {
            self.end_at_loop()?;
            if !*walkable.borrow() {
                self.has_rested = true;
                // A walk that rests past its deadline fails at the next question.
                let _ = timeout_at(self.walk.deadline(), until_walkable(walkable)).await;
                self.end_at_loop()?;
            }
            match self.walk.next(Instant::now())? {
                Next::Wait(until) => sleep_until(until).await,
                Next::Fetch(query) => {
                    let page = self.registry.page(&self.list, &query, self.previous.clone());
                    let fetched = tokio::select! {
                        fetched = page => fetched,
                        // A page of a registry that has become unhealthy would only be in the way of its tests.
                        () = until_unwalkable(walkable) => continue,
                    };
                    if let Progress::Finished = self.take(fetched)? {
                        return Ok(());
                    }
                    self.show_partial();
                }
            }
        }
    }

    /// Ends the walk if a test of the registry has found a loop meanwhile: its pages may hold what we serve.
    fn end_at_loop(&mut self) -> Result<(), WalkError> {
        if self.registry.status().loops.found == self.loops {
            return Ok(());
        }
        self.walk.observe(Err(FetchError::Loop), Instant::now(), 0.0).map(|_| ())
    }

    fn take(&mut self, fetched: Result<Fetched, FetchError>) -> Result<Progress, WalkError> {
        let (name, page) = (self.registry.name(), self.walk.pages() + 1);
        let outcome = fetched.map(|Fetched { page, date }| {
            self.first_date = self.first_date.or(date);
            page
        });
        let progress = self.walk.observe(outcome, Instant::now(), fastrand::f64())?;
        if self.walk.pages() == page {
            tracing::debug!(registry = name, page, "a page arrived");
            self.registry.observe_success();
        } else if let Some((error, attempts)) = self.walk.trouble() {
            self.registry.note_failed_page(page, error);
            if attempts == 1 {
                tracing::warn!(registry = name, page, error, "a page failed; it is asked for again");
            }
        }
        Ok(progress)
    }

    /// Shows what a first walk has brought so far: while there is no catalog, a part is better than nothing.
    fn show_partial(&mut self) {
        let versions = self.walk.versions();
        let is_due =
            self.shown.is_none_or(|(at, shown)| PARTIAL_INTERVAL <= at.elapsed() && shown + shown / 4 < versions);
        if self.previous.is_none() && versions > 0 && is_due {
            let (listing, refused) = self.walk.snapshot();
            self.registry.accept_partial(listing, refused);
            self.shown = Some((Instant::now(), versions));
        }
    }
}

fn jittered(interval: Duration) -> Duration {
    interval.mul_f64(1.0 - JITTER + 2.0 * JITTER * fastrand::f64())
}
