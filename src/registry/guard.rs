//! The collapse guard: a walk that would remove most of what a registry lists is kept aside until the next
//! scheduled one lists the same, or an administrator says that it is right. Pure.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::wire::RefusedEntries;
use crate::catalog::listing::Listing;

/// A walk that removes no more versions than this is believed.
const COLLAPSE_ABOVE: usize = 50;

/// A listing that is not believed yet.
#[derive(Clone, Debug)]
pub struct Held {
    /// The listing, brought up to date by the increments since.
    pub listing: Arc<Listing>,
    /// The entries that were left out of it.
    pub refused: RefusedEntries,
    /// When a walk first brought this listing.
    pub since: Timestamp,
    /// How many versions of the last good listing it lacks.
    pub removed: usize,
}

/// What is said of a listing that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldFacts {
    /// When a walk first brought it.
    pub since: Timestamp,
    /// How many versions it has.
    pub versions: usize,
    /// How many versions of the last good listing it lacks.
    pub removed: usize,
}

impl Held {
    /// What is said of it.
    #[must_use]
    pub fn facts(&self) -> HeldFacts {
        HeldFacts { since: self.since, versions: self.listing.versions, removed: self.removed }
    }
}

/// How far a full walk is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It came when it was due: it may confirm what is held.
    Scheduled,
    /// An administrator wanted it at once: it comes too soon to confirm anything.
    AskedFor,
    /// An administrator takes it, whatever it removes.
    Accepted,
}

/// What becomes of the listing that a full walk brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It replaces the last good one.
    Believed,
    /// So too, after a walk before it that listed the same versions and was held.
    Confirmed,
    /// It is kept aside, in place of whatever is.
    Held {
        /// How many versions it would remove.
        removed: usize,
    },
    /// It lists the same as what is kept aside, and is too early to confirm it.
    TooEarly,
}

/// How many versions a new listing removes, if that is more than half of them and more than 50.
#[must_use]
pub fn collapse(previous: &Listing, new: &Listing) -> Option<usize> {
    let removed = previous.missing_from(new);
    (COLLAPSE_ABOVE < removed && previous.versions < removed * 2).then_some(removed)
}

/// Judges the listing that a full walk brought against the last good one and against the one that is held.
#[must_use]
pub fn judge(previous: Option<&Listing>, held: Option<&Held>, new: &Listing, trust: Trust) -> Verdict {
    let Some(removed) = previous.and_then(|previous| collapse(previous, new)) else { return Verdict::Believed };
    let is_same = held.is_some_and(|held| held.listing.has_same_versions_as(new));
    match (trust, is_same) {
        (Trust::Accepted, _) => Verdict::Believed,
        (Trust::Scheduled, true) => Verdict::Confirmed,
        (Trust::AskedFor, true) => Verdict::TooEarly,
        (Trust::Scheduled | Trust::AskedFor, false) => Verdict::Held { removed },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::listing::ListingBuilder;
    use crate::registry::wire::{Context, decode};
    use proptest::prelude::*;

    fn listing(numbers: impl Iterator<Item = usize>) -> Listing {
        let entry = |number| serde_json::json!({"name": format!("a/{}", number / 2), "description": "d", "version": format!("{number}")});
        let document = serde_json::Value::from(numbers.map(entry).collect::<Vec<_>>()).to_string();
        let context =
            Context { now: Timestamp::UNIX_EPOCH, provenance_key: "k", previous: None, max_entry_size: 256 << 10 };
        let mut builder = ListingBuilder::new("https://x.example".into(), None);
        for (name, entry) in decode(document.as_bytes(), &context).expect("a list").entries {
            builder.insert(&name, entry);
        }
        builder.snapshot()
    }

    fn held(listing: Listing) -> Held {
        let refused = RefusedEntries::default();
        Held { listing: Arc::new(listing), refused, since: Timestamp::UNIX_EPOCH, removed: 0 }
    }

    #[test]
    fn more_than_half_and_more_than_fifty_is_a_collapse() {
        for (before, left, expected) in [
            (100, 49, Some(51)),
            (100, 50, None),
            (101, 50, Some(51)),
            (60, 10, None),
            (60, 9, Some(51)),
            (300, 150, None),
            (300, 149, Some(151)),
            (50, 0, None),
        ] {
            assert_eq!(collapse(&listing(0..before), &listing(0..left)), expected, "{left} of {before} left");
        }
        let renamed = listing(1_000..1_300);
        assert_eq!(collapse(&listing(0..300), &renamed), Some(300), "as many others do not make up for it");
    }

    #[test]
    fn a_collapse_is_believed_when_the_next_scheduled_walk_lists_the_same() {
        let good = listing(0..200);
        let (small, other) = (listing(0..20), listing(5..25));
        let judge = |held: Option<&Held>, new: &Listing, trust| judge(Some(&good), held, new, trust);
        assert_eq!(judge(None, &small, Trust::Scheduled), Verdict::Held { removed: 180 });
        let kept = held(small.clone());
        assert_eq!(judge(Some(&kept), &small, Trust::Scheduled), Verdict::Confirmed);
        assert_eq!(judge(Some(&kept), &small, Trust::AskedFor), Verdict::TooEarly);
        assert_eq!(judge(Some(&kept), &other, Trust::Scheduled), Verdict::Held { removed: 180 });
        assert_eq!(judge(Some(&kept), &other, Trust::Accepted), Verdict::Believed);
        assert_eq!(judge(Some(&kept), &good, Trust::Scheduled), Verdict::Believed);
        assert_eq!(judge(None, &small, Trust::Accepted), Verdict::Believed);
    }

    proptest! {
        #[test]
        fn what_is_missing_is_counted_right(before in prop::collection::btree_set(0_usize..40, 0..40), after in prop::collection::btree_set(0_usize..40, 0..40)) {
            let (old, new) = (listing(before.iter().copied()), listing(after.iter().copied()));
            prop_assert_eq!(old.missing_from(&new), before.difference(&after).count());
            prop_assert_eq!(old.has_same_versions_as(&new), before == after);
            let union = old.with_changes(&new);
            prop_assert_eq!(union.versions, before.union(&after).count());
            prop_assert!(union.has_same_versions_as(&listing(before.union(&after).copied())));
        }
    }
}
