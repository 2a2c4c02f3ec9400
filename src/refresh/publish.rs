//! From what is known of the registries to a published catalog.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{sleep, timeout};

use super::{Members, Refresh};
use crate::catalog::Catalog;
use crate::catalog::current::Current;
use crate::catalog::lineage::Lineage;
use crate::catalog::merge::{Moment, Policy, Source, merge};
use crate::registry::Registry;

/// Changes that arrive together become one catalog.
const SETTLE: Duration = Duration::from_millis(20);
/// The longest sleep when nothing is due.
const IDLE: Duration = Duration::from_hours(1);

/// Publishes a new catalog whenever what is known of the registries calls for one.
pub(super) async fn publish(refresh: Arc<Refresh>) {
    let Refresh { members, current, changed } = &*refresh;
    let mut merged: Vec<Source> = Vec::new();
    let mut was_cut = false;
    loop {
        let now = Timestamp::now();
        let members = members.load_full();
        let Members { registries, policy } = &*members;
        // Before the sources are read: what they hold is at least as new as what this says.
        let attempted = registries.iter().all(|registry| registry.status().attempted);
        let sources: Vec<Source> = registries.iter().map(|registry| registry.merge_source(now)).collect();
        was_cut |= pass_on_lineage(registries, &sources, current, was_cut);
        if !are_same(&sources, &merged) {
            let moment = Moment { now, is_ready: current.is_ready() };
            current.publish(Arc::new(merge_aside(policy, &sources, current.load().clone(), moment).await));
            merged = sources;
        }
        if attempted && !current.is_ready() {
            current.set_ready();
            let catalog = current.load();
            tracing::info!(servers = catalog.servers().len(), versions = catalog.versions(), "ready");
        }
        // What arrives while this one settles becomes one catalog; what arrived first was published at once.
        sleep(SETTLE).await;
        // Elapsing is as good as being told: the sources are compared again.
        let _ = timeout(next_expiry(registries, now), changed.notified()).await;
    }
}

/// Names the proxies behind the registries, before anything that came from them is published: whoever sees our
/// content sees whose it is. Says whether some had to be left out; the first time, the log has it too.
fn pass_on_lineage(registries: &[Arc<Registry>], sources: &[Source], current: &Current, was_cut: bool) -> bool {
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
    let merging = tokio::task::spawn_blocking(move || {
        let started = std::time::Instant::now();
        let mut catalog = merge(&policy, &sources, &previous, moment);
        // Until now, clients got the one before.
        catalog.published_at = Timestamp::now();
        let elapsed_ms = started.elapsed().as_millis();
        tracing::debug!(revision = catalog.revision, versions = catalog.versions(), elapsed_ms, "published a catalog");
        catalog
    });
    match merging.await {
        Ok(catalog) => catalog,
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}

/// Whether a merge would give the same catalog.
fn are_same(ours: &[Source], theirs: &[Source]) -> bool {
    let same_listing = |ours: &Source, theirs: &Source| match (&ours.listing, &theirs.listing) {
        (None, None) => true,
        (Some(ours), Some(theirs)) => Arc::ptr_eq(ours, theirs),
        _ => false,
    };
    ours.len() == theirs.len()
        && ours.iter().zip(theirs).all(|(ours, theirs)| {
            // The rules stand for the policy too: another policy comes with other rules.
            Arc::ptr_eq(&ours.rules, &theirs.rules)
                && ours.usable == theirs.usable
                && ours.stale_since == theirs.stale_since
                && same_listing(ours, theirs)
        })
}

/// How long until a stale listing may no longer be served.
fn next_expiry(registries: &[Arc<Registry>], now: Timestamp) -> Duration {
    let expiries = registries.iter().filter_map(|registry| registry.usable(now).1);
    let until = expiries.min().map(|expiry| Duration::try_from(expiry.duration_since(now)).unwrap_or_default());
    until.unwrap_or(IDLE).min(IDLE)
}
