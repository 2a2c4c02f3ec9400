//! From what is known of the registries to a published catalog.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep, timeout};

use super::sources::Sources;
use super::{Members, Refresh};
use crate::aside::aside;
use crate::catalog::Catalog;
use crate::catalog::current::Current;
use crate::catalog::feed::Bounds;
use crate::catalog::lineage::Lineage;
use crate::catalog::merge::{Moment, Policy, Source, merge_first};
use crate::registry::Registry;

/// Changes that arrive together become one catalog.
pub(super) const SETTLE: Duration = Duration::from_millis(20);
/// How long after the start the feed of changes waits for registries to be tried, at most: one whose first walk never
/// ends shall not keep what happens in the others from those who follow it.
const WAIT_LIMIT: Duration = Duration::from_mins(15);

/// Publishes a new catalog whenever what is known of the registries calls for one.
pub(super) async fn publish(refresh: Arc<Refresh>) {
    let Refresh { members, current, changed, published } = &*refresh;
    let mut merged: Vec<Source> = Vec::new();
    let mut was_cut = false;
    let started = Instant::now();
    loop {
        let now = Timestamp::now();
        let members = members.load_full();
        let Members { registries, policy } = &*members;
        let sources = Sources::read(registries, now);
        was_cut |= pass_on_lineage(registries, &sources.parts, current, was_cut);
        if sources.differ_from(&merged) {
            let moment = Moment { now, is_ready: current.is_ready() };
            current.publish(Arc::new(merge_aside(policy, &sources.parts, current.load().clone(), moment).await));
            published.send_modify(|catalogs| *catalogs += 1);
            merged = sources.parts;
        }
        if sources.are_attempted && !current.is_ready() {
            current.set_ready();
            let catalog = current.load();
            catalog.forget_restored();
            tracing::info!(servers = catalog.servers().len(), versions = catalog.versions(), "ready");
        }
        if !current.load().is_indexed() {
            index_aside(current.load().clone()).await;
        }
        let mut settles_in = until_settled(current, started);
        if settles_in == Some(Duration::ZERO) {
            settle_aside(current.load().clone()).await;
            published.send_modify(|catalogs| *catalogs += 1);
            settles_in = None;
        }
        // What arrives while this one settles becomes one catalog; what arrived first was published at once.
        sleep(SETTLE).await;
        // Elapsing is as good as being told: the sources are compared again.
        let _ = timeout(sources.expire_in.min(settles_in.unwrap_or(Duration::MAX)), changed.notified()).await;
    }
}

/// Makes the index of a catalog that is there for all to see: nobody waits for it, and searches look at every server
/// until it is made.
async fn index_aside(catalog: Arc<Catalog>) {
    aside(move || {
        let started = std::time::Instant::now();
        catalog.make_index();
        tracing::debug!(revision = catalog.revision, elapsed_ms = started.elapsed().as_millis(), "indexed the catalog");
    })
    .await;
}

/// How long the feed of changes waits yet for registries to be tried; none where it does not.
pub(super) fn until_settled(current: &Current, started: Instant) -> Option<Duration> {
    let waits = current.load().changes.load().is_waiting();
    let left = if current.is_ready() { Duration::ZERO } else { WAIT_LIMIT.saturating_sub(started.elapsed()) };
    waits.then_some(left)
}

/// Lets the feed of the catalog say what happens from now on. After the catalog is there for all to see: it may read
/// every entry, and nobody else waits for that.
pub(super) async fn settle_aside(catalog: Arc<Catalog>) {
    aside(move || {
        let settled = catalog.changes.load().settle(&catalog, Bounds::default());
        catalog.changes.store(settled);
    })
    .await;
}

/// Names the proxies behind the registries, before anything that came from them is published: whoever sees our
/// content sees whose it is. Says whether some had to be left out; the first time, the log has it too.
pub(super) fn pass_on_lineage(
    registries: &[Arc<Registry>],
    sources: &[Source],
    current: &Current,
    was_cut: bool,
) -> bool {
    let of = registries.iter().zip(sources);
    let lineages: Vec<_> = of.map(|(registry, source)| registry.lineage(source.usable)).collect();
    let (lineage, is_cut) = Lineage::of(&lineages);
    if is_cut && !was_cut {
        tracing::warn!(
            named = lineage.ids().count(),
            "there are more proxies behind the registries than can be named; a loop through the farthest stays unseen"
        );
    }
    if lineage != **current.lineage() {
        current.set_lineage(Arc::new(lineage));
    }
    is_cut
}

async fn merge_aside(policy: &Arc<Policy>, sources: &[Source], previous: Arc<Catalog>, moment: Moment) -> Catalog {
    let (policy, sources) = (Arc::clone(policy), sources.to_vec());
    aside(move || {
        let started = std::time::Instant::now();
        let mut catalog = merge_first(&policy, &sources, &previous, moment);
        // Until now, clients got the one before.
        catalog.published_at = Timestamp::now();
        let feed = previous.changes.load();
        catalog.changes.store(feed.record(&previous, &catalog, fastrand::u64(1..), Bounds::default()));
        let elapsed_ms = started.elapsed().as_millis();
        tracing::debug!(revision = catalog.revision, versions = catalog.versions(), elapsed_ms, "published a catalog");
        catalog
    })
    .await
}
