//! Keeping the last good listings: when what is written. How, `store` knows.
//!
//! A change is written within a second or so, and after that every 30 seconds while changes go on; that a registry
//! has confirmed what it lists, every five minutes; and everything at the end. So a crash costs half a minute of
//! changes, and a clean end nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::time::{Instant, sleep, timeout};

use super::lasting::Lasting;
use super::pace::{Difference, Pace};
use super::{Start, Task};
use crate::aside::aside;
use crate::catalog::Catalog;
use crate::catalog::current::Current;
use crate::catalog::effects::Effects;
use crate::catalog::feed::{self, Cursor, Feed};
use crate::catalog::listing::Listing;
use crate::registry::Registry;
use crate::registry::marks::Marks;
use crate::registry::restore::ToKeep;
use crate::store::{self, Health, Store, Writing};

/// How often it is looked for changes.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// How long the last writing may take.
const LAST_WRITE_LIMIT: Duration = Duration::from_secs(5);

/// Keeps the listings of registries in a store.
#[derive(Debug)]
pub struct Keeper {
    store: Arc<Store>,
    current: Arc<Current>,
    /// The registries whose listings are kept. Not a part of the books: whoever changes it must not wait for a disk.
    registries: ArcSwap<Vec<Arc<Registry>>>,
    /// Whoever writes holds it.
    books: Mutex<Books>,
}

/// What is where, and since when.
#[derive(Debug, Default)]
struct Books {
    /// By the registry's name.
    kept: HashMap<String, Kept>,
    effects: Pace,
    /// The revision of the catalog whose effects are kept.
    revision: Option<u64>,
    changes: Pace,
    /// How far the feed of changes goes that is kept.
    kept_to: Option<Cursor>,
    /// Whether the last writing is over.
    is_closed: bool,
}

/// What is kept of one registry.
#[derive(Debug, Default)]
struct Kept {
    listing: Option<Arc<Listing>>,
    facts: Facts,
    is_removed: bool,
    pace: Pace,
}

/// What belongs to a listing and moves without it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Facts {
    listed_at: Option<Timestamp>,
    marks: Marks,
    refused: usize,
}

impl Kept {
    /// What is kept of a registry that was just restored.
    fn of(registry: &Registry, now: Instant) -> Self {
        let status = registry.status();
        if !status.is_restored {
            return Self::default();
        }
        let pace = Pace::of_what_was_read(now);
        let (listing, facts) = (status.listing.clone(), Facts::of(&status));
        Self { listing, facts, pace, is_removed: false }
    }

    fn difference(&self, registry: &Registry) -> Difference {
        let status = registry.status();
        if status.loops.is_listing_tainted {
            return if self.is_removed { Difference::None } else { Difference::Tainted };
        }
        match (&status.listing, &self.listing) {
            (None, _) => Difference::None,
            (Some(now), Some(kept)) if Arc::ptr_eq(now, kept) => {
                if self.facts == Facts::of(&status) {
                    Difference::None
                } else {
                    Difference::Confirmed
                }
            }
            _ => Difference::Changed,
        }
    }
}

impl Facts {
    fn of(status: &crate::registry::status::Status) -> Self {
        Self { listed_at: status.listed_at, marks: status.marks, refused: status.refused.count }
    }
}

/// Opens the store of the configuration, if it is on disk, and takes up what was kept of these registries: before
/// anything is asked of them, and before anybody asks us.
pub async fn open(config: &store::Config, registries: &[Arc<Registry>], current: Arc<Current>) -> Option<Arc<Keeper>> {
    let store = Arc::new(Store::of(config)?);
    let keeper = Arc::new(Keeper { store, current, registries: ArcSwap::default(), books: Mutex::default() });
    let (restoring, registries) = (Arc::clone(&keeper), registries.to_vec());
    aside(move || {
        let effects = store::restore::restore(&restoring.store, &registries, Timestamp::now());
        let changes = store::restore::changes(&restoring.store);
        if effects.is_some() || changes.is_some() {
            restoring.current.publish(Arc::new(restored(effects, changes)));
        }
        restoring.books().follow(&registries);
        restoring.keep_those(registries);
    })
    .await;
    Some(keeper)
}

/// The empty catalog of a proxy that was started again. Its revisions go on where those of the last one ended.
fn restored(effects: Option<Effects>, changes: Option<feed::Kept>) -> Catalog {
    let mut catalog = effects.map(Catalog::after).unwrap_or_default();
    if let Some(changes) = changes {
        catalog.revision = changes.revision;
        catalog.changes.store(Arc::new(Feed::resumed(changes, fastrand::u64(1..))));
    }
    catalog
}

impl Keeper {
    /// How the store is doing.
    #[must_use]
    pub fn health(&self) -> &Arc<Health> {
        self.store.health()
    }

    /// Takes up what was kept of a registry that came later.
    async fn restore_one(self: &Arc<Self>, registry: Arc<Registry>) {
        let keeper = Arc::clone(self);
        // By one thread: the others have requests to answer.
        aside(move || store::restore::restore_one(&keeper.store, &registry, Timestamp::now(), 1)).await;
    }

    /// Keeps the listings of these registries from now on. Of others, what is kept stays as it is.
    fn keep_those(&self, registries: Vec<Arc<Registry>>) {
        self.registries.store(Arc::new(registries));
    }

    /// Writes what has to be written, for ever.
    async fn run(self: Arc<Self>) {
        loop {
            sleep(LOOK_INTERVAL).await;
            let keeper = Arc::clone(&self);
            aside(move || keeper.write(false)).await;
        }
    }

    /// Writes for the last time, everything that has changed, and lets others write.
    async fn write_last(self: Arc<Self>) {
        let last = aside(move || self.write(true));
        if timeout(LAST_WRITE_LIMIT, last).await.is_err() {
            tracing::warn!(
                "the store was too slow for a last writing: what changed in the last half minute may be lost"
            );
        }
    }

    fn write(&self, is_last: bool) {
        let (mut books, now) = (self.books(), Instant::now());
        if books.is_closed {
            return;
        }
        let registries = self.registries.load_full();
        books.follow(&registries);
        self.store.forget_all_but(registries.iter().map(|registry| registry.name()));
        let due = books.due(&registries, &self.current, now, is_last);
        if !due.is_empty() {
            books.write(&due, &self.store, &self.current, now);
        }
        if is_last {
            books.is_closed = true;
            self.store.release();
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lasting for Keeper {
    fn tasks(self: Arc<Self>) -> Vec<(String, Start)> {
        vec![("store".to_owned(), Box::new(move || -> Task { Box::pin(Arc::clone(&self).run()) }))]
    }

    fn publishes(&self) -> bool {
        false
    }

    fn restore(self: Arc<Self>, registry: Arc<Registry>) -> Task {
        Box::pin(async move { self.restore_one(registry).await })
    }

    fn follow(&self, registries: Vec<Arc<Registry>>) {
        self.keep_those(registries);
    }

    fn finish(self: Arc<Self>) -> Task {
        Box::pin(self.write_last())
    }
}

/// What has to be written.
#[derive(Debug, Default)]
struct Due {
    effects: bool,
    changes: bool,
    registries: Vec<(Arc<Registry>, Difference)>,
}

impl Due {
    fn is_empty(&self) -> bool {
        !self.effects && !self.changes && self.registries.is_empty()
    }
}

impl Books {
    /// Opens a page for each registry that has none, and drops those of others.
    fn follow(&mut self, registries: &[Arc<Registry>]) {
        self.kept.retain(|name, _| registries.iter().any(|registry| registry.name() == name));
        for registry in registries {
            let kept = || Kept::of(registry, Instant::now());
            self.kept.entry(registry.name().to_owned()).or_insert_with(kept);
        }
    }

    fn due(&self, registries: &[Arc<Registry>], current: &Current, now: Instant, is_last: bool) -> Due {
        let is_due =
            |pace: &Pace, difference| difference != Difference::None && (is_last || pace.is_due(difference, now));
        let differs = |registry: &Arc<Registry>| {
            let kept = self.kept.get(registry.name())?;
            let difference = kept.difference(registry);
            is_due(&kept.pace, difference).then(|| (Arc::clone(registry), difference))
        };
        // Until clients can have synchronised with this process, those count who did with the one before it.
        let has_effects = current.is_ready() && self.revision != Some(current.load().revision);
        let effects = if has_effects { Difference::Changed } else { Difference::None };
        let followed = registries.iter().filter(|registry| !registry.is_file());
        let feed = current.load().changes.load_full();
        let has_changes = !feed.is_waiting() && self.kept_to != Some(feed.end());
        let changes = if has_changes { Difference::Changed } else { Difference::None };
        Due {
            effects: is_due(&self.effects, effects),
            changes: is_due(&self.changes, changes),
            registries: followed.filter_map(differs).collect(),
        }
    }

    /// The effects come first: where a crash leaves newer effects beside older listings, what differs counts as
    /// changed at the restart, as it would the other way round. The feed comes last: it is right beside whatever there is.
    fn write(&mut self, due: &Due, store: &Store, current: &Current, now: Instant) {
        let mut writing = store.begin().ok();
        if due.effects {
            let catalog = current.load().clone();
            let effects = || Effects::of(&catalog);
            let is_written = writing.as_mut().is_some_and(|writing| writing.effects(&effects()).is_ok());
            self.effects.note(Difference::Changed, is_written, now);
            self.revision = if is_written { Some(catalog.revision) } else { self.revision };
        }
        for (registry, difference) in &due.registries {
            let Some(kept) = self.kept.get_mut(registry.name()) else { continue };
            let is_written = writing.as_mut().is_some_and(|writing| kept.write(registry, writing));
            kept.pace.note(*difference, is_written, now);
        }
        if due.changes {
            let catalog = current.load().clone();
            let end = catalog.changes.load().end();
            // What is kept of the feed vouches for every entry, which takes a look at each of them.
            let is_written = writing
                .as_mut()
                .is_some_and(|writing| feed::Kept::of(&catalog).is_some_and(|kept| writing.changes(&kept).is_ok()));
            self.changes.note(Difference::Changed, is_written, now);
            self.kept_to = if is_written { Some(end) } else { self.kept_to };
        }
    }
}

impl Kept {
    /// Writes what there is now. Says whether that went well.
    fn write(&mut self, registry: &Registry, writing: &mut Writing<'_>) -> bool {
        match registry.to_keep() {
            ToKeep::Nothing => true,
            ToKeep::Tainted => {
                self.listing = None;
                self.is_removed = writing.remove_listing(registry.name()).is_ok();
                self.is_removed
            }
            ToKeep::Listing(stored) => {
                let is_written = writing.listing(&stored).is_ok();
                if is_written {
                    let (listed_at, refused) = (Some(stored.listed_at), stored.refused.count);
                    self.facts = Facts { listed_at, marks: stored.marks, refused };
                    self.listing = Some(stored.listing);
                    self.is_removed = false;
                }
                is_written
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_changes_what_is_followed_does_not_wait_for_a_disk() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = Some(directory.path().to_string_lossy().into_owned());
        let store = Store::of(&store::Config { path, url: None, ..store::Config::default() }).expect("a store on disk");
        let keeper = Keeper {
            store: Arc::new(store),
            current: Arc::default(),
            registries: ArcSwap::default(),
            books: Mutex::default(),
        };
        // As while something is being written.
        let _books = keeper.books();
        keeper.keep_those(Vec::new());
    }
}
