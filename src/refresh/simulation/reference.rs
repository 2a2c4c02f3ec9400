//! The merge, told plainly: what the catalog must hold, given what each registry is known to list.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::registry::{Key, Rows};
use crate::catalog::entry::Entry;
use crate::catalog::{Catalog, MergeMode};

/// What the reference knows of one registry.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) listing: Option<&'a Rows>,
    pub(super) is_usable: bool,
    /// The start of the names that only those supply who claim it.
    pub(super) claims: Option<&'a str>,
    /// The start of the names that are left out.
    pub(super) excludes: Option<&'a str>,
}

/// Whose content a version has, and which.
type Served<'a> = BTreeMap<&'a Key, (usize, &'a Arc<Entry>)>;

fn starts(name: &str, with: Option<&str>) -> bool {
    with.is_some_and(|start| name.starts_with(start))
}

fn merged<'a>(mode: MergeMode, parts: &[Part<'a>]) -> Served<'a> {
    let mut owners: BTreeMap<&str, usize> = BTreeMap::new();
    let mut served = Served::new();
    let claimed: Vec<&str> = parts.iter().filter_map(|part| part.claims).collect();
    for (index, part) in parts.iter().enumerate() {
        for (key, entry) in part.listing.into_iter().flatten() {
            let name = key.0.as_str();
            let is_claimed = claimed.iter().any(|start| name.starts_with(start));
            if is_claimed && !starts(name, part.claims) || starts(name, part.excludes) {
                continue;
            }
            let is_owner = mode == MergeMode::Union || *owners.entry(name).or_insert(index) == index;
            if part.is_usable && is_owner {
                served.entry(key).or_insert((index, entry));
            }
        }
    }
    served
}

/// The greatest version of each name that is not deleted, or of all where all are.
fn latest<'a>(served: &Served<'a>) -> BTreeMap<&'a str, u8> {
    let mut latest: BTreeMap<&str, (bool, u8)> = BTreeMap::new();
    for ((name, version), (_, entry)) in served {
        let best = latest.entry(name.as_str()).or_default();
        *best = (*best).max((!entry.is_deleted(), *version));
    }
    latest.into_iter().map(|(name, (_, version))| (name, version)).collect()
}

/// The number of a version of the models.
pub(super) fn number(entry: &Entry) -> u8 {
    entry.version().split('.').next().and_then(|number| number.parse().ok()).expect("a version of a model")
}

/// Compares a catalog with what it must hold.
pub(super) fn check(catalog: &Catalog, mode: MergeMode, parts: &[Part<'_>]) {
    let served = merged(mode, parts);
    let latest = latest(&served);
    let mut count = 0;
    for server in catalog.servers() {
        let name = server.name.as_str();
        for version in &server.versions {
            count += 1;
            let key = (server.name.clone(), number(&version.entry));
            let (registry, entry) =
                served.get(&key).unwrap_or_else(|| panic!("{key:?} is served from {}, by no right", version.registry));
            assert_eq!(version.registry, *registry, "{key:?} is served from another registry than it should be");
            assert!(
                Arc::ptr_eq(&version.entry, entry),
                "{key:?} is served otherwise than registry {registry} lists it"
            );
            assert_eq!(version.is_latest, latest.get(name) == Some(&key.1), "isLatest of {key:?}");
        }
        let flags = server.versions.iter().filter(|version| version.is_latest).count();
        assert_eq!(flags, 1, "{name} has one latest version");
    }
    assert_eq!(count, served.len(), "something is missing: {:?}", missing(catalog, &served));
    assert_eq!(catalog.versions(), count);
}

fn missing<'a>(catalog: &Catalog, served: &Served<'a>) -> Vec<&'a Key> {
    let is_there = |key: &Key| {
        let found = catalog.server(key.0.as_str());
        found.is_some_and(|found| found.versions.iter().any(|version| number(&version.entry) == key.1))
    };
    served.keys().copied().filter(|key| !is_there(key)).collect()
}
