//! Since when versions count as changed, as one replica of a proxy tells the others: only where that is not their
//! `updatedAt`. Together with the listings it makes the same catalog everywhere, whatever a replica served before.

use std::sync::Arc;

use jiff::Timestamp;

use super::Catalog;
use super::entry::{Entry, Name};

/// Since when one version counts as changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// Its name.
    pub name: Name,
    /// The version.
    pub version: Box<str>,
    /// The instant.
    pub at: Timestamp,
}

/// Since when the versions of a catalog count as changed, where that is not their `updatedAt`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// The newest `updatedAt` that was ever served.
    pub newest_update: Timestamp,
    /// Sorted by name and version.
    known: Vec<Time>,
}

impl Times {
    /// Times in any order.
    #[must_use]
    pub fn new(newest_update: Timestamp, mut known: Vec<Time>) -> Self {
        known.sort_unstable();
        Self { newest_update, known }
    }

    /// Those of a catalog.
    #[must_use]
    pub fn of_catalog(catalog: &Catalog) -> Self {
        let versions = catalog.servers().iter().flat_map(|server| server.versions.iter().map(move |v| (server, v)));
        let unusual = versions.filter(|(_, version)| version.effective_at != version.entry.updated_at());
        let known = unusual.map(|(server, version)| Time {
            name: server.name.clone(),
            version: version.entry.version().into(),
            at: version.effective_at,
        });
        // A catalog is sorted as these are.
        Self { newest_update: catalog.newest_update, known: known.collect() }
    }

    /// All of them, sorted.
    #[must_use]
    pub fn known(&self) -> &[Time] {
        &self.known
    }

    /// Since when an entry counts as changed.
    pub(super) fn of(&self, name: &Name, entry: &Entry) -> Timestamp {
        self.of_text(name.as_str(), entry)
    }

    pub(super) fn of_text(&self, name: &str, entry: &Entry) -> Timestamp {
        let order = |time: &Time| time.name.as_str().cmp(name).then_with(|| (*time.version).cmp(entry.version()));
        let found = self.known.binary_search_by(order).ok().and_then(|at| self.known.get(at));
        found.map_or_else(|| entry.updated_at(), |time| time.at)
    }

    /// The names of which the two say something else.
    pub(super) fn names_that_differ<'a>(&'a self, other: &'a Self) -> Vec<&'a Name> {
        let (mut ours, mut theirs) = (&self.known[..], &other.known[..]);
        let mut names = Vec::new();
        loop {
            let shared = ours.iter().zip(theirs).take_while(|(ours, theirs)| ours == theirs).count();
            (ours, theirs) = (&ours[shared..], &theirs[shared..]);
            let order = match (ours.first(), theirs.first()) {
                (Some(is), Some(was)) => is.cmp(was),
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (None, None) => return names,
            };
            let differs = if order.is_lt() { ours.split_first() } else { theirs.split_first() };
            let Some((first, rest)) = differs else { return names };
            names.push(&first.name);
            if order.is_lt() { ours = rest } else { theirs = rest }
        }
    }
}

impl Catalog {
    /// Whether it was made as another replica says, of these very times.
    #[must_use]
    pub fn is_given(&self, times: &Arc<Times>) -> bool {
        self.given.as_ref().is_some_and(|given| Arc::ptr_eq(given, times))
    }
}

#[cfg(test)]
#[path = "times_tests.rs"]
mod tests;
