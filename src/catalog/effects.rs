//! Since when versions count as changed ([`Version::effective_at`](super::Version::effective_at)), in a form that
//! outlives the process: what was served, as a fingerprint, and since when.
//!
//! A version that is served after a restart exactly as before it has the effect that it had. Any other one counts
//! as changed now: whoever synchronised before the restart may not have seen it. So a record that is older than the
//! listings, or was cut short, costs clients bandwidth and never a change.

use jiff::Timestamp;

use super::entry::Entry;
use super::{Catalog, Server, Version};

/// The most effects that are recorded: four million versions. What lies beyond counts as changed at a restart.
pub const MAX_EFFECTS: usize = 4_000_000;
/// How far from where its value says a fingerprint is looked for first. Of a million, four standard deviations are two
/// thousand at most.
const WINDOW: usize = if cfg!(test) { 1 } else { 2 << 10 };
/// How much room is made for what a fingerprint covers.
const USUAL_BYTES: usize = 512;

/// Since when a version counts as changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Effect {
    /// Identifies the version and all that clients see of it, from one release of the program to the next.
    pub fingerprint: u64,
    /// The instant.
    pub at: Timestamp,
}

/// The effects of all versions of a catalog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// The newest `updatedAt` that was ever served.
    pub newest_update: Timestamp,
    /// Sorted.
    known: Vec<Effect>,
}

impl Effects {
    /// Effects in any order.
    #[must_use]
    pub fn new(newest_update: Timestamp, mut known: Vec<Effect>) -> Self {
        known.sort_unstable();
        Self { newest_update, known }
    }

    /// The effects of a catalog.
    #[must_use]
    pub fn of(catalog: &Catalog) -> Self {
        let versions = catalog.servers().iter().flat_map(|server| server.versions.iter().map(move |v| (server, v)));
        let effect = |(server, version): (&std::sync::Arc<Server>, &Version)| {
            let registry = catalog.registries.get(version.registry).map_or("", |registry| &registry.rules.name);
            let fingerprint = fingerprint(server.name.as_str(), &version.entry, registry, version.is_latest);
            Effect { fingerprint, at: version.effective_at }
        };
        Self::new(catalog.newest_update, versions.take(MAX_EFFECTS).map(effect).collect())
    }

    /// All of them, sorted.
    #[must_use]
    pub fn known(&self) -> &[Effect] {
        &self.known
    }

    /// Since when a version counts as changed that was served exactly so before.
    pub(super) fn of_version(&self, name: &str, entry: &Entry, registry: &str, is_latest: bool) -> Option<Timestamp> {
        let wanted = fingerprint(name, entry, registry, is_latest);
        let known = self.around(wanted);
        let found = known.binary_search_by_key(&wanted, |effect| effect.fingerprint).ok()?;
        known.get(found).map(|effect| effect.at)
    }

    /// A part of them where a fingerprint has to be, if it is one of them. Fingerprints are hashes: they stand about
    /// where their value says, and so few of them have to be read.
    fn around(&self, fingerprint: u64) -> &[Effect] {
        let length = self.known.len();
        let guess = usize::try_from((u128::from(fingerprint) * length as u128) >> 64).unwrap_or(length);
        let (from, to) = (guess.saturating_sub(WINDOW), guess.saturating_add(WINDOW).min(length));
        let window = &self.known[from.min(to)..to];
        let begins_before = from == 0 || window.first().is_some_and(|first| first.fingerprint < fingerprint);
        let ends_behind = to == length || window.last().is_some_and(|last| fingerprint < last.fingerprint);
        if begins_before && ends_behind { window } else { &self.known }
    }
}

/// Stable over releases: it is written to disk.
fn fingerprint(name: &str, entry: &Entry, registry: &str, is_latest: bool) -> u64 {
    let official = entry.official();
    let parts = [name.as_bytes(), entry.version().as_bytes(), &entry.form().0, &official, registry.as_bytes()];
    let mut all = Vec::with_capacity(USUAL_BYTES);
    for part in parts {
        all.extend_from_slice(&(part.len() as u64).to_le_bytes());
        all.extend_from_slice(part);
    }
    all.push(u8::from(is_latest));
    let mut first = [0; 8];
    first.copy_from_slice(&blake3::hash(&all).as_bytes()[..8]);
    u64::from_le_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_found_wherever_it_stands() {
        let at = Timestamp::UNIX_EPOCH;
        for step in [1, u64::MAX / 40, u64::MAX / 1_000] {
            let known: Vec<Effect> = (0..40).map(|number| Effect { fingerprint: number * step, at }).collect();
            let effects = Effects::new(at, known);
            for Effect { fingerprint, .. } in &effects.known {
                let is_in = |fingerprint| effects.around(fingerprint).iter().any(|it| it.fingerprint == fingerprint);
                assert!(is_in(*fingerprint), "{fingerprint} of {step}");
                assert!(!is_in(fingerprint + 1) || step == 1);
            }
        }
        assert!(Effects::default().around(7).is_empty());
    }
}
