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
use crate::registry::health::State;
use crate::registry::status::Sync;
use crate::registry::{Fetched, Registry};

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

/// Keeps one registry's listing in step with the registry.
pub(super) async fn keep_in_sync(registry: Arc<Registry>, schedule: Config) {
    let mut health = registry.watch_health();
    let mut watermark: Option<Timestamp> = None;
    let mut errand = Errand::FullWalk;
    let mut full_walk_at = Instant::now();
    loop {
        until_healthy(&mut health).await;
        let started_at = Timestamp::now();
        let mut run = Run::new(&registry, errand);
        let result = run.drive(&mut health).await;
        let finished_at = Timestamp::now();
        let (pages, versions) = (run.walk.pages(), run.walk.versions());
        let mut sync = Sync::finished(started_at, finished_at, pages, versions);
        match result {
            Ok(()) => {
                watermark = Some(run.first_date.unwrap_or(started_at).min(finished_at));
                let (listing, refused) = run.walk.snapshot();
                log_success(&registry, errand, &sync, refused.count);
                accept(&registry, errand, listing, refused, sync);
                if errand == Errand::FullWalk {
                    full_walk_at = Instant::now() + jittered(schedule.full_interval);
                }
            }
            Err(error) => {
                tracing::warn!(registry = registry.name(), %error, pages, "walk failed; the last good listing stays");
                sync.error = Some(error.to_string());
                registry.note_failed_sync(sync);
                full_walk_at = Instant::now() + jittered(schedule.interval);
            }
        }
        errand = next_errand(&registry, &mut health, full_walk_at, watermark).await;
    }
}

fn log_success(registry: &Registry, errand: Errand, sync: &Sync, refused: usize) {
    let name = registry.name();
    let Sync { pages, versions, .. } = *sync;
    match errand {
        Errand::FullWalk => tracing::info!(registry = name, pages, versions, refused, "walked the whole list"),
        Errand::Changes(since) => tracing::info!(registry = name, pages, versions, %since, "fetched what changed"),
    }
}

fn accept(
    registry: &Registry,
    errand: Errand,
    listing: Listing,
    refused: crate::registry::crawl::RefusedEntries,
    sync: Sync,
) {
    // An increment says nothing of the refused entries that did not change.
    let refused = match errand {
        Errand::FullWalk => refused,
        Errand::Changes(_) => registry.status().refused.clone(),
    };
    registry.accept(listing, refused, sync);
    registry.observe_success();
}

/// Waits for the next full walk, or for the end of an outage: then, what changed meanwhile is fetched
/// first, and at once.
async fn next_errand(
    registry: &Registry,
    health: &mut watch::Receiver<State>,
    full_walk_at: Instant,
    watermark: Option<Timestamp>,
) -> Errand {
    let recovery = async {
        // The channel cannot close: the registry holds its sender.
        let _ = health.wait_for(|state| *state == State::Unhealthy).await;
        until_healthy(health).await;
    };
    let recovered = timeout_at(full_walk_at, recovery).await.is_ok();
    let has_listing = registry.status().listing.is_some();
    match watermark.and_then(|watermark| watermark.checked_sub(OVERLAP).ok()) {
        Some(since) if recovered && has_listing => Errand::Changes(since),
        _ => Errand::FullWalk,
    }
}

async fn until_healthy(health: &mut watch::Receiver<State>) {
    let _ = health.wait_for(|state| *state == State::Healthy).await;
}

/// One walk as it is driven.
struct Run<'a> {
    registry: &'a Registry,
    walk: Walk,
    previous: Option<Arc<Listing>>,
    /// When the registry answered first, by its own clock.
    first_date: Option<Timestamp>,
    shown: Option<(Instant, usize)>,
}

impl<'a> Run<'a> {
    fn new(registry: &'a Registry, errand: Errand) -> Self {
        let previous = registry.status().listing.clone();
        let walk = match (errand, &previous) {
            (Errand::Changes(since), Some(listing)) => Walk::since(listing, since, Instant::now()),
            _ => Walk::full(registry.url().into(), previous.clone(), Instant::now()),
        };
        Self { registry, walk, previous, first_date: None, shown: None }
    }

    /// Drives the walk to its end. While the registry is unhealthy it rests, and goes on at the same page.
    async fn drive(&mut self, health: &mut watch::Receiver<State>) -> Result<(), WalkError> {
        loop {
            // A walk that rests past its deadline fails at the next question.
            let _ = timeout_at(self.walk.deadline(), until_healthy(health)).await;
            match self.walk.next(Instant::now())? {
                Next::Wait(until) => sleep_until(until).await,
                Next::Fetch(query) => {
                    let outcome = self.registry.page(&query, self.previous.clone()).await;
                    let outcome = outcome.map(|Fetched { page, date }| {
                        self.registry.observe_success();
                        self.first_date = self.first_date.or(date);
                        page
                    });
                    if let Err(error) = &outcome {
                        tracing::debug!(registry = self.registry.name(), %error, "page failed");
                    }
                    if let Progress::Finished = self.walk.observe(outcome, Instant::now(), fastrand::f64())? {
                        return Ok(());
                    }
                    self.show_partial();
                }
            }
        }
    }

    /// Shows what a first walk has brought so far: while there is no catalog, a part is better than nothing.
    fn show_partial(&mut self) {
        let versions = self.walk.versions();
        let due = self.shown.is_none_or(|(at, shown)| PARTIAL_INTERVAL <= at.elapsed() && shown + shown / 4 < versions);
        if self.previous.is_none() && versions > 0 && due {
            let (listing, refused) = self.walk.snapshot();
            self.registry.accept_partial(listing, refused);
            self.shown = Some((Instant::now(), versions));
        }
    }
}

fn jittered(interval: Duration) -> Duration {
    interval.mul_f64(1.0 - JITTER + 2.0 * JITTER * fastrand::f64())
}
