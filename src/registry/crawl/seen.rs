//! What a walk has come across, so that it notices when it goes in circles.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, RandomState};

use super::super::wire::Page;

/// What the walk has come across, as keyed hashes: a registry cannot make two of them meet.
#[derive(Debug, Default)]
pub(super) struct Seen {
    hasher: RandomState,
    hashes: HashSet<u64>,
    pub(super) first_page: Option<u64>,
}

impl Seen {
    /// Remembers a thing, and says whether it is the first time.
    pub(super) fn is_new(&mut self, first: impl Hash, second: impl Hash, third: impl Hash) -> bool {
        let hash = self.hasher.hash_one((first, second, third));
        self.hashes.insert(hash)
    }

    /// Identifies a page by its entries, in order, and its cursor.
    pub(super) fn print(&self, page: &Page) -> u64 {
        let entries: Vec<_> = page.entries.iter().map(|(name, entry)| (name, entry.version(), entry.form())).collect();
        let refused: Vec<_> = page.refused.entries.iter().map(|refused| (&refused.name, &refused.reason)).collect();
        self.hasher.hash_one((entries, refused, &page.next_cursor))
    }
}
