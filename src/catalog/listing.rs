//! A listing: all that one registry lists, sorted by name and version, immutable.
//!
//! Successive listings of one registry share every server that did not change, by pointer. That is
//! what lets a merge see in one comparison that a name needs no work.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::collections::btree_map::OccupiedEntry;
use std::sync::Arc;

use super::entry::{Entry, Name};
use super::shared::Shared;
use super::splice::Splice;

/// Names of so many versions grow by one at a time.
const FEW: usize = 4;

/// All versions of one name in one registry, sorted by the bytes of the version; never empty.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The server's name.
    pub name: Name,
    /// Its versions.
    pub entries: Vec<Arc<Entry>>,
}

impl Listed {
    /// The entry of one version.
    #[must_use]
    pub fn entry(&self, version: &str) -> Option<&Arc<Entry>> {
        self.position(version).ok().and_then(|index| self.entries.get(index))
    }

    fn position(&self, version: &str) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| entry.version().cmp(version))
    }

    /// Makes room for one version more. Listings live long, and most names have few versions: those take no more than
    /// they need.
    pub(crate) fn reserve(&mut self) {
        if self.entries.len() < FEW {
            self.entries.reserve_exact(1);
        }
    }

    fn put(&mut self, entry: Arc<Entry>) {
        match self.position(entry.version()) {
            Ok(index) => self.entries[index] = entry,
            Err(index) => {
                self.reserve();
                self.entries.insert(index, entry);
            }
        }
    }

    fn shares_all_entries_with(&self, other: &Self) -> bool {
        self.entries.len() == other.entries.len()
            && self.entries.iter().zip(&other.entries).all(|(ours, theirs)| Arc::ptr_eq(ours, theirs))
    }
}

/// All that one registry lists.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// Where it was fetched from, as provenance names it.
    pub url: Arc<str>,
    /// The servers, sorted by name.
    pub servers: Shared<Listed>,
    /// The number of versions in all.
    pub versions: usize,
    /// How many bytes of JSON it holds.
    pub bytes: usize,
}

impl Listing {
    /// A listing of these servers, which are sorted by name.
    #[must_use]
    pub fn new(url: Arc<str>, servers: impl Into<Shared<Listed>>) -> Self {
        let servers = servers.into();
        let versions = servers.iter().map(|listed| listed.entries.len()).sum();
        let bytes = servers.iter().flat_map(|listed| &listed.entries).map(|entry| entry.bytes()).sum();
        Self { url, servers, versions, bytes }
    }

    /// The versions of one name.
    #[must_use]
    pub fn server(&self, name: &str) -> Option<&Arc<Listed>> {
        self.position(name).and_then(|found| self.servers.get(found))
    }

    /// Whether anything is listed besides deleted versions.
    #[must_use]
    pub fn has_visible_versions(&self) -> bool {
        self.servers.iter().any(|listed| listed.entries.iter().any(|entry| !entry.is_deleted()))
    }

    /// How many versions are not deleted.
    #[must_use]
    pub fn visible_versions(&self) -> usize {
        self.servers.iter().flat_map(|listed| &listed.entries).filter(|entry| !entry.is_deleted()).count()
    }

    /// Whether it is the same as another one, server by server.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.url == other.url
            && self.servers.len() == other.servers.len()
            && self.servers.iter().zip(&other.servers).all(|(ours, theirs)| Arc::ptr_eq(ours, theirs))
    }

    /// How many of its bytes are of versions that these changes bring anew.
    #[must_use]
    pub fn bytes_replaced_by(&self, changes: &Self) -> usize {
        let servers = changes.servers.iter().filter_map(|new| Some((self.server(new.name.as_str())?, new)));
        let replaced = servers.flat_map(|(known, new)| new.entries.iter().filter_map(|new| known.entry(new.version())));
        replaced.map(|entry| entry.bytes()).sum()
    }

    /// The same listing after these changes: versions are added and replaced, none is removed. What is in the same
    /// form as before stays where it was.
    #[must_use]
    pub fn with_changes(&self, changes: &Self) -> Self {
        let mut servers = Splice::new(&self.servers, changes.servers.len());
        let mut versions = self.versions;
        for new in &changes.servers {
            let known = servers.take(&new.name);
            let updated = known.map_or_else(|| Arc::clone(new), |known| updated(known, new));
            versions += updated.entries.len() - known.map_or(0, |known| known.entries.len());
            servers.push(updated);
        }
        let mut now =
            Self { url: Arc::clone(&self.url), servers: servers.finish().into(), versions, bytes: self.bytes };
        now.bytes = self.bytes + now.bytes_replaced_by(changes) - self.bytes_replaced_by(changes);
        now
    }

    /// How many of its versions another listing lacks. A deleted version that is listed as such is not lacking.
    #[must_use]
    pub fn missing_from(&self, other: &Self) -> usize {
        let missing = self.servers.iter().map(|listed| match other.server(listed.name.as_str()) {
            Some(theirs) => listed.entries.iter().filter(|entry| theirs.entry(entry.version()).is_none()).count(),
            None => listed.entries.len(),
        });
        missing.sum()
    }

    /// Whether another listing has the same versions of the same names, whatever their content.
    #[must_use]
    pub fn has_same_versions_as(&self, other: &Self) -> bool {
        self.versions == other.versions && self.missing_from(other) == 0
    }

    /// One version of one name.
    #[must_use]
    pub fn entry(&self, name: &str, version: &str) -> Option<&Arc<Entry>> {
        self.server(name)?.entry(version)
    }

    /// The place of the version that follows one of these, if that is listed and another one follows.
    #[must_use]
    pub fn place_after(&self, name: &str, version: &str) -> Option<Place> {
        let server = self.position(name)?;
        let version = self.servers.get(server)?.position(version).ok()?;
        self.next(Place { server, version })
    }

    /// The place that follows, if there is one.
    #[must_use]
    pub fn next(&self, place: Place) -> Option<Place> {
        let Place { server, version } = place;
        let next = if version + 1 < self.servers.get(server)?.entries.len() {
            Place { server, version: version + 1 }
        } else {
            Place { server: server + 1, version: 0 }
        };
        (next.server < self.servers.len()).then_some(next)
    }

    /// What stands in a place.
    #[must_use]
    pub fn at(&self, place: Place) -> Option<(&Name, &Arc<Entry>)> {
        let listed = self.servers.get(place.server)?;
        listed.entries.get(place.version).map(|entry| (&listed.name, entry))
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.servers.binary_search_by(|listed| listed.name.as_str().cmp(name)).ok()
    }
}

/// Where a version stands in a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    server: usize,
    version: usize,
}

/// A server after these changes; the very same where they change nothing.
fn updated(listed: &Arc<Listed>, changes: &Listed) -> Arc<Listed> {
    let is_news = |entry: &&Arc<Entry>| listed.entry(entry.version()).is_none_or(|known| known.form() != entry.form());
    let mut updated = Arc::clone(listed);
    for entry in changes.entries.iter().filter(is_news) {
        Arc::make_mut(&mut updated).put(Arc::clone(entry));
    }
    updated
}

/// Collects a listing while its pages arrive, in any order.
#[derive(Debug)]
pub struct ListingBuilder {
    url: Arc<str>,
    previous: Option<Arc<Listing>>,
    servers: BTreeMap<Name, Arc<Listed>>,
    versions: usize,
    bytes: usize,
}

impl ListingBuilder {
    /// An empty listing that will share with `previous`, of the same URL, whatever stays as it was.
    #[must_use]
    pub fn new(url: Arc<str>, previous: Option<Arc<Listing>>) -> Self {
        Self { url, previous, servers: BTreeMap::new(), versions: 0, bytes: 0 }
    }

    /// Shares with this listing instead, which has taken the place of the one before.
    pub fn share_with(&mut self, previous: Arc<Listing>) {
        self.previous = Some(previous);
    }

    /// The number of versions so far.
    #[must_use]
    pub fn versions(&self) -> usize {
        self.versions
    }

    /// How many bytes of JSON the listing holds so far.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds a version, or replaces it: of two, the later one counts.
    pub fn insert(&mut self, name: &Name, entry: Arc<Entry>) {
        self.bytes += entry.bytes();
        // Pages are sorted, mostly: then there is nothing to look for.
        let order = self.servers.last_key_value().map_or(Ordering::Greater, |(last, _)| name.cmp(last));
        let listed = match order {
            Ordering::Greater => None,
            Ordering::Equal => self.servers.last_entry().map(OccupiedEntry::into_mut),
            Ordering::Less => self.servers.get_mut(name),
        };
        let Some(listed) = listed else {
            self.versions += 1;
            self.servers.insert(name.clone(), Arc::new(Listed { name: name.clone(), entries: vec![entry] }));
            return;
        };
        match listed.entry(entry.version()) {
            Some(known) if known.form() == entry.form() => self.bytes -= entry.bytes(),
            known => {
                self.bytes -= known.map_or(0, |known| known.bytes());
                self.versions += usize::from(known.is_none());
                Arc::make_mut(listed).put(entry);
            }
        }
    }

    /// Whether it has a version.
    #[must_use]
    pub fn has(&self, name: &Name, version: &str) -> bool {
        self.servers.get(name).is_some_and(|listed| listed.entry(version).is_some())
    }

    /// The listing as it stands.
    #[must_use]
    pub fn snapshot(&self) -> Listing {
        let servers = self.servers.values().map(|listed| self.shared_server(listed)).collect();
        Listing { url: Arc::clone(&self.url), servers, versions: self.versions, bytes: self.bytes }
    }

    /// The previous listing's server where it has the very same entries (decoding sees to that), so that
    /// merges see by its pointer that nothing changed.
    fn shared_server(&self, listed: &Arc<Listed>) -> Arc<Listed> {
        let previous = self.previous.as_ref().and_then(|listing| listing.server(listed.name.as_str()));
        match previous {
            Some(previous) if previous.shares_all_entries_with(listed) => Arc::clone(previous),
            _ => Arc::clone(listed),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::catalog::testing::{listing, row};

    proptest! {
        #[test]
        fn after_changes_a_listing_counts_what_it_holds(
            before in prop::collection::vec(row(0..5), 0..25),
            changes in prop::collection::vec(row(0..5), 0..25),
        ) {
            let (before, changes) = (listing(&before), listing(&changes));
            let after = before.with_changes(&changes);
            let counted = Listing::new(Arc::clone(&after.url), after.servers.clone());
            prop_assert_eq!((after.versions, after.bytes), (counted.versions, counted.bytes));
            prop_assert!(after.servers.is_sorted_by(|left, right| left.name < right.name));
            for listed in &changes.servers {
                let now = |entry: &Arc<Entry>| after.entry(listed.name.as_str(), entry.version()).map(|now| now.form());
                let is_there = listed.entries.iter().all(|entry| now(entry) == Some(entry.form()));
                prop_assert!(is_there);
            }
            prop_assert_eq!(before.missing_from(&after), 0);
        }
    }
}
