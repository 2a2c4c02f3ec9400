//! What a catalog is merged from, and whether another one is due. Pure: what is known of the registries is read once,
//! and the time is an argument.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::IDLE;
use crate::catalog::merge::Source;
use crate::registry::Registry;

/// What is known of all registries at one moment, as far as the catalog depends on it.
#[derive(Debug)]
pub(super) struct Sources {
    /// The registries' parts in a merge, in configuration order.
    pub(super) parts: Vec<Source>,
    /// Whether the first attempt to fetch each registry has ended.
    pub(super) are_attempted: bool,
    /// How long until a listing that is served stale may no longer be served; at most [`IDLE`].
    pub(super) expire_in: Duration,
}

impl Sources {
    /// Reads what is known.
    pub(super) fn read(registries: &[Arc<Registry>], now: Timestamp) -> Self {
        // Before the parts are read: what they hold is at least as new as what this says.
        let are_attempted = registries.iter().all(|registry| registry.status().attempted);
        let expiries = registries.iter().filter_map(|registry| registry.usable(now).1).min();
        let parts = registries.iter().map(|registry| registry.merge_source(now)).collect();
        let expire_in = expiries.map(|expiry| Duration::try_from(expiry.duration_since(now)).unwrap_or_default());
        Self { parts, are_attempted, expire_in: expire_in.unwrap_or(IDLE).min(IDLE) }
    }

    /// Whether a merge of these would not give the catalog that was merged from `merged`.
    pub(super) fn differ_from(&self, merged: &[Source]) -> bool {
        !are_same(&self.parts, merged)
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
                && ours.is_partial == theirs.is_partial
                && same_listing(ours, theirs)
        })
}
