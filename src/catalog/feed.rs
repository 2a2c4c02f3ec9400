//! The feed of changes: what happened between catalogs, newest last, as far back as there is room. Pure and
//! immutable: each catalog carries the feed that leads to it, so whoever reads both reads one state of things.
//!
//! A client that stands at a [`Cursor`] and applies every event after it (reads the named entries again, walks the list
//! again at a reset) has what the catalog has. Where that cannot be promised, it is told to walk the list again:
//!
//! - events are numbered, and the numbers belong to an *incarnation*, one for each start of the process. After a crash
//!   that lost the last events, numbers come again and mean something else; a cursor says of which incarnation its
//!   number is, and the feed knows how far each of them got ([`Feed::locate`]).
//! - after a restart nothing is said until all registries have been tried ([`Feed::settle`]). Then the catalog is
//!   compared with the one that the kept events led to: the same bytes, or a reset.
//! - a first catalog is a reset, and so is a change of more than [`Bounds::at_once`] entries. One that follows another
//!   takes its place.

mod kept;
mod shared;

use std::sync::Arc;

use jiff::Timestamp;

use super::Catalog;
use super::diff::{Change, diff, fingerprint};
pub use kept::Kept;
pub use shared::Parts;

/// The most events that are held.
pub const MAX_EVENTS: usize = 10_000;
/// The most bytes that they may take.
pub const MAX_BYTES: usize = 8 << 20;
/// The most entries that may change at once before it is a reset.
pub const MAX_AT_ONCE: usize = 1_000;
/// How many starts of the process cursors are known of.
pub const MAX_INCARNATIONS: usize = 64;
/// How many events another replica may have told its clients more than this one has heard of.
const MAX_AHEAD: u64 = MAX_EVENTS as u64;
/// What an event takes besides its texts, about.
const EVENT_BYTES: usize = 256;

/// How much a feed holds.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Events.
    pub events: usize,
    /// What they take, in bytes.
    pub bytes: usize,
    /// Entries that change at once, in events.
    pub at_once: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { events: MAX_EVENTS, bytes: MAX_BYTES, at_once: MAX_AT_ONCE }
    }
}

/// Where a client stands: after the event of that number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Of which start of the process the number is.
    pub incarnation: u64,
    /// The event's number.
    pub sequence: u64,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number; later events have greater ones, with gaps.
    pub sequence: u64,
    /// When the catalog that it led to was published.
    pub time: Timestamp,
    /// That catalog's revision.
    pub revision: u64,
    /// What happened; none for a reset: everything may have changed.
    pub change: Option<Change>,
}

impl Event {
    fn bytes(&self) -> usize {
        let texts = self.change.as_ref().map_or(0, |change| {
            let optional = |text: &Option<Box<str>>| text.as_ref().map_or(0, |text| text.len());
            let fields: usize = change.fields.iter().map(|field| size_of_val(field) + field.len()).sum();
            let names = change.name.as_str().len() + change.version.len() + change.registry.len();
            names + fields + optional(&change.former_registry) + optional(&change.previous_version)
        });
        EVENT_BYTES + texts
    }
}

/// One start of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incarnation {
    /// Random, so that no two are the same.
    pub id: u64,
    /// The number of the last event before it.
    pub begins: u64,
}

/// Whether the feed says what happens.
#[derive(Clone, Debug, Default)]
enum Phase {
    /// Not yet: the first catalogs are a part of what is coming. Each that differs from the one before is a reset.
    #[default]
    Beginning,
    /// Not yet: what was kept led to a catalog with this fingerprint.
    Resuming([u8; 32]),
    /// It does.
    Following,
}

/// The events that led to a catalog.
#[derive(Clone, Debug, Default)]
pub struct Feed {
    /// Oldest first; none before the first catalog.
    incarnations: Vec<Incarnation>,
    /// By number.
    events: Vec<Arc<Event>>,
    bytes: usize,
    /// The number of the newest event there ever was.
    last: u64,
    /// The number of the newest event that was dropped.
    forgotten: u64,
    phase: Phase,
    /// Whether another replica says what happens, which may have said more to its clients already.
    is_copy: bool,
}

impl Feed {
    /// The feed of the catalog `after` that is published in place of `before`, whose feed this is. A first one begins
    /// with `incarnation`, a random number that is not 0.
    #[must_use]
    pub fn record(self: &Arc<Self>, before: &Catalog, after: &Catalog, incarnation: u64, bounds: Bounds) -> Arc<Self> {
        match &self.phase {
            Phase::Beginning => {
                let is_first = self.incarnations.is_empty();
                if !is_first && diff(before, after, 0).is_some() {
                    return Arc::clone(self);
                }
                let mut next = Self::clone(self);
                if is_first {
                    next.incarnations.push(Incarnation { id: incarnation, begins: next.last });
                }
                next.reset(after);
                next.forget_beyond(bounds);
                Arc::new(next)
            }
            Phase::Resuming(_) => Arc::clone(self),
            Phase::Following => self.follow(before, after, bounds),
        }
    }

    /// The feed of the same catalog now that all registries have been tried, or have been waited for long enough. It
    /// may read every entry.
    #[must_use]
    pub fn settle(self: &Arc<Self>, catalog: &Catalog, bounds: Bounds) -> Arc<Self> {
        let is_unknown = match &self.phase {
            Phase::Following => return Arc::clone(self),
            Phase::Beginning => false,
            Phase::Resuming(known) => *known != fingerprint(catalog),
        };
        let mut next = Self { phase: Phase::Following, ..Self::clone(self) };
        if is_unknown {
            next.reset(catalog);
            next.forget_beyond(bounds);
        }
        Arc::new(next)
    }

    fn follow(self: &Arc<Self>, before: &Catalog, after: &Catalog, bounds: Bounds) -> Arc<Self> {
        let changes = diff(before, after, bounds.at_once);
        if changes.as_ref().is_some_and(Vec::is_empty) {
            return Arc::clone(self);
        }
        let mut next = Self::clone(self);
        match changes {
            Some(changes) => changes.into_iter().for_each(|change| next.push(after, Some(change))),
            None => next.reset(after),
        }
        next.forget_beyond(bounds);
        Arc::new(next)
    }

    /// Everything may have changed: a reset before this one says nothing any more.
    fn reset(&mut self, catalog: &Catalog) {
        if let Some(last) = self.events.pop_if(|last| last.change.is_none()) {
            self.bytes -= last.bytes();
        }
        self.push(catalog, None);
    }

    fn push(&mut self, catalog: &Catalog, change: Option<Change>) {
        self.is_copy = false;
        self.last += 1;
        let event = Event { sequence: self.last, time: catalog.published_at, revision: catalog.revision, change };
        self.bytes += event.bytes();
        self.events.push(Arc::new(event));
    }

    /// Drops the oldest events that there is no room for.
    fn forget_beyond(&mut self, bounds: Bounds) {
        let mut dropped = 0;
        for event in &self.events {
            if self.events.len() - dropped <= bounds.events && self.bytes <= bounds.bytes {
                break;
            }
            dropped += 1;
            self.bytes -= event.bytes();
            self.forgotten = event.sequence;
        }
        self.events.drain(..dropped);
    }

    /// Whether it waits for all registries to be tried before it says what happens.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        !matches!(self.phase, Phase::Following)
    }

    /// All events that there are, oldest first.
    #[must_use]
    pub fn events(&self) -> &[Arc<Event>] {
        &self.events
    }

    /// The number of the newest event there ever was.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Where a client stands that has seen everything.
    #[must_use]
    pub fn end(&self) -> Cursor {
        self.cursor_at(self.last)
    }

    /// Where a client stands after the event of that number. Of several incarnations that know the number the oldest is
    /// named: that one is surely kept.
    #[must_use]
    pub fn cursor_at(&self, sequence: u64) -> Cursor {
        if let Some(newest) = self.incarnations.last().filter(|_| self.is_copy && self.last < sequence) {
            return Cursor { incarnation: newest.id, sequence };
        }
        let ends = self.incarnations.iter().skip(1).map(|next| next.begins).chain([self.last]);
        let mut of = self.incarnations.iter().zip(ends);
        let incarnation = of.find(|(_, end)| sequence <= *end).map_or(0, |(incarnation, _)| incarnation.id);
        Cursor { incarnation, sequence }
    }

    /// The number after which a client's next event stands; none where the feed does not know the cursor, or not all
    /// that has happened since: that client has to walk the list again, and stands at [`Feed::end`] then.
    ///
    /// Where another replica says what happens, a client may come from there with more than is known here: it has
    /// nothing to do but to wait.
    #[must_use]
    pub fn locate(&self, cursor: Cursor) -> Option<u64> {
        let of = self.incarnations.iter().position(|known| known.id == cursor.incarnation)?;
        let begins = self.incarnations.get(of)?.begins;
        let is_ahead = self.is_copy && of + 1 == self.incarnations.len() && self.last < cursor.sequence;
        if is_ahead && cursor.sequence - self.last <= MAX_AHEAD {
            return Some(cursor.sequence);
        }
        let ends = self.incarnations.get(of + 1).map_or(self.last, |next| next.begins);
        let is_known = (begins..=ends).contains(&cursor.sequence) && self.has_all_after(cursor.sequence);
        is_known.then_some(cursor.sequence)
    }

    /// Whether nothing was dropped of what happened after the event of that number.
    #[must_use]
    pub fn has_all_after(&self, sequence: u64) -> bool {
        self.forgotten <= sequence
    }

    /// The events after the one of that number.
    #[must_use]
    pub fn after(&self, sequence: u64) -> &[Arc<Event>] {
        self.events.get(self.events.partition_point(|event| event.sequence <= sequence)..).unwrap_or_default()
    }
}

#[cfg(test)]
#[path = "feed_tests.rs"]
mod tests;
