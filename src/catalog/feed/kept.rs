//! A feed in the form in which it outlives the process.

use std::sync::Arc;

use super::{Bounds, Catalog, Event, Feed, Incarnation, MAX_EVENTS, MAX_INCARNATIONS, Phase};
use crate::catalog::diff::fingerprint;

/// What is kept of a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The starts of the process, oldest first.
    pub incarnations: Vec<Incarnation>,
    /// The events, oldest first.
    pub events: Vec<Arc<Event>>,
    /// The number of the newest event there ever was.
    pub last: u64,
    /// The number of the newest event that was dropped.
    pub forgotten: u64,
    /// The revision of the catalog that the events led to.
    pub revision: u64,
    /// What that catalog served, as a fingerprint.
    pub fingerprint: [u8; 32],
}

impl Kept {
    /// What is to be kept of the feed of a catalog; nothing while it waits for registries to be tried: what was kept
    /// before is good until then. It reads every entry.
    #[must_use]
    pub fn of(catalog: &Catalog) -> Option<Self> {
        let feed = catalog.changes.load();
        (!feed.is_waiting()).then(|| Self {
            incarnations: feed.incarnations.clone(),
            events: feed.events.clone(),
            last: feed.last,
            forgotten: feed.forgotten,
            revision: catalog.revision,
            fingerprint: fingerprint(catalog),
        })
    }

    /// Whether a feed can have been like this.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let (first, last) = (self.incarnations.first(), self.incarnations.last());
        let are_ordered = self.incarnations.is_sorted_by(|one, next| one.begins <= next.begins);
        let mut ids: Vec<u64> = self.incarnations.iter().map(|start| start.id).collect();
        ids.sort_unstable();
        let numbers = || self.events.iter().map(|event| event.sequence);
        (1..=MAX_INCARNATIONS).contains(&self.incarnations.len())
            && self.events.len() <= MAX_EVENTS
            && are_ordered
            && ids.is_sorted_by(|one, next| one < next)
            && ids.first() != Some(&0)
            && last.is_some_and(|newest| newest.begins <= self.last)
            && first.is_some_and(|oldest| numbers().all(|number| oldest.begins < number))
            && numbers().is_sorted_by(|one, next| one < next)
            && numbers().all(|number| self.forgotten < number && number <= self.last)
            && self.last < u64::MAX / 2
    }
}

impl Feed {
    /// The feed of a process that begins where another one ended. It has nothing to say until registries have been
    /// tried.
    #[must_use]
    pub fn resumed(kept: Kept, incarnation: u64) -> Self {
        let Kept { mut incarnations, mut events, last, mut forgotten, fingerprint, .. } = kept;
        // One without an event was never named in a cursor: the one before it knows the number too.
        if 1 < incarnations.len() {
            incarnations.pop_if(|newest| newest.begins == last);
        }
        incarnations.push(Incarnation { id: incarnation, begins: last });
        let surplus = incarnations.len().saturating_sub(MAX_INCARNATIONS);
        incarnations.drain(..surplus);
        // What is of a start that is not known any more, no cursor can name.
        forgotten = forgotten.max(incarnations.first().map_or(last, |oldest| oldest.begins));
        events.retain(|event| forgotten < event.sequence);
        let bytes = events.iter().map(|event| event.bytes()).sum();
        let mut feed =
            Self { incarnations, events, bytes, last, forgotten, phase: Phase::Resuming(fingerprint), is_copy: false };
        feed.forget_beyond(Bounds::default());
        feed
    }
}
