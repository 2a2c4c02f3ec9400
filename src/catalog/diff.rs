//! Two catalogs in, what changed between them out. Pure.
//!
//! A version counts as changed where its served bytes do: content, official block, provenance, whatever it is. The
//! cost is one pass of pointer comparisons over the names, and work for those that were merged anew.

mod fields;

use std::cmp::Ordering;
use std::sync::Arc;

use super::entry::{Name, Status};
use super::{Catalog, Server, Version};

/// What happened to one entry, or to which one `latest` means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What happened.
    pub kind: Kind,
    /// The registry that the content comes from; of what was removed, came from.
    pub registry: Box<str>,
    /// The registry that it came from before, where that was another one.
    pub former_registry: Option<Box<str>>,
    /// The server.
    pub name: Name,
    /// The version. Where `latest` moved, the one that it means now.
    pub version: Box<str>,
    /// Where `latest` moved, the version that it meant before.
    pub previous_version: Option<Box<str>>,
    /// What differs in the entry as it is served, as JSON Pointers (RFC 6901) into it; see [`MAX_FIELDS`].
    pub fields: Vec<Box<str>>,
}

/// What can happen to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It was not served before.
    Added,
    /// It is served otherwise than before.
    Changed,
    /// It is served otherwise, and its status has become `deprecated`.
    Deprecated,
    /// It is served otherwise, and its status has become `deleted`.
    Deleted,
    /// It is not served any more.
    Removed,
    /// Another version of the name is the latest. What else changed in the two stands in events of their own.
    LatestMoved,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Added, Self::Changed, Self::Deprecated, Self::Deleted, Self::Removed, Self::LatestMoved];

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Deprecated => "deprecated",
            Self::Deleted => "deleted",
            Self::Removed => "removed",
            Self::LatestMoved => "latest-moved",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn from_wire(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

pub use fields::{MAX_FIELDS, MAX_FIELDS_BYTES};

/// What changed from one catalog to the next, by name and version; none where that concerns more than `at_once`
/// entries.
#[must_use]
pub fn diff(before: &Catalog, after: &Catalog, at_once: usize) -> Option<Vec<Change>> {
    let mut differing = Differing { before, after, at_once, entries: 0, changes: Vec::new() };
    let (mut old, mut new) = (before.servers(), after.servers());
    loop {
        let order = match (old.first(), new.first()) {
            (None, None) => return Some(differing.changes),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(was), Some(is)) if Arc::ptr_eq(was, is) => {
                (old, new) = (&old[1..], &new[1..]);
                continue;
            }
            (Some(was), Some(is)) => was.name.cmp(&is.name),
        };
        let was = if order == Ordering::Greater { None } else { take_first(&mut old) };
        let is = if order == Ordering::Less { None } else { take_first(&mut new) };
        differing.compare(was, is)?;
    }
}

fn take_first<'a>(servers: &mut &'a [Arc<Server>]) -> Option<&'a Server> {
    let (first, rest) = servers.split_first()?;
    *servers = rest;
    Some(first)
}

/// What was found to differ so far.
struct Differing<'a> {
    before: &'a Catalog,
    after: &'a Catalog,
    at_once: usize,
    entries: usize,
    changes: Vec<Change>,
}

impl Differing<'_> {
    /// Compares one name before and after; none where there is too much that differs.
    fn compare(&mut self, was: Option<&Server>, is: Option<&Server>) -> Option<()> {
        let Some(name) = is.or(was).map(|server| &server.name) else { return Some(()) };
        let (mut old, mut new) = (versions_of(was).peekable(), versions_of(is).peekable());
        loop {
            let order = match (old.peek(), new.peek()) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(was), Some(is)) => was.entry.version().cmp(is.entry.version()),
            };
            let was = if order == Ordering::Greater { None } else { old.next() };
            let is = if order == Ordering::Less { None } else { new.next() };
            if let Some(change) = self.change(name, was, is) {
                self.entries += 1;
                if self.at_once < self.entries {
                    return None;
                }
                self.changes.push(change);
            }
        }
        let latest = was.and_then(Server::latest).zip(is.and_then(Server::latest));
        if let Some((was, is)) = latest.filter(|(was, is)| was.entry.version() != is.entry.version()) {
            let previous_version = Some(was.entry.version().into());
            let moved = self.about(Kind::LatestMoved, name, is, Vec::new());
            self.changes.push(Change { previous_version, ..moved });
        }
        Some(())
    }

    /// What happened to one version, if anything did.
    fn change(&self, name: &Name, was: Option<&Version>, is: Option<&Version>) -> Option<Change> {
        let (was, is) = match (was, is) {
            (None, None) => return None,
            (None, Some(is)) => return Some(self.about(Kind::Added, name, is, Vec::new())),
            (Some(was), None) => {
                let registry = registry(self.before, was);
                return Some(Change { registry, ..self.about(Kind::Removed, name, was, Vec::new()) });
            }
            (Some(was), Some(is)) => (was, is),
        };
        if is_served_alike(was, is) {
            return None;
        }
        let kind = match (was.entry.status(), is.entry.status()) {
            (was, is) if was == is => Kind::Changed,
            (_, Status::Deprecated) => Kind::Deprecated,
            (_, Status::Deleted) => Kind::Deleted,
            _ => Kind::Changed,
        };
        let change = self.about(kind, name, is, fields::between(was, is));
        let former = registry(self.before, was);
        let former_registry = (former != change.registry).then_some(former);
        Some(Change { former_registry, ..change })
    }

    fn about(&self, kind: Kind, name: &Name, version: &Version, fields: Vec<Box<str>>) -> Change {
        Change {
            kind,
            registry: registry(self.after, version),
            former_registry: None,
            name: name.clone(),
            version: version.entry.version().into(),
            previous_version: None,
            fields,
        }
    }
}

fn versions_of(server: Option<&Server>) -> std::slice::Iter<'_, Version> {
    server.map_or(&[][..], |server| &server.versions).iter()
}

fn registry(catalog: &Catalog, version: &Version) -> Box<str> {
    catalog.registries.get(version.registry).map_or("", |registry| &*registry.rules.name).into()
}

/// Whether two versions are served with the same bytes.
fn is_served_alike(was: &Version, is: &Version) -> bool {
    if Arc::ptr_eq(&was.entry, &is.entry) {
        return was.is_latest == is.is_latest && was.provenance == is.provenance;
    }
    was.served_length() == is.served_length() && served(was) == served(is)
}

/// The bytes of a version as it is served.
fn served(version: &Version) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(version.served_length());
    version.write_to(&mut bytes);
    bytes
}

/// What a catalog serves, in 32 bytes: equal where every entry is served with the same bytes.
#[must_use]
pub fn fingerprint(catalog: &Catalog) -> [u8; 32] {
    let mut hash = blake3::Hasher::new();
    let mut bytes = Vec::new();
    for version in catalog.servers().iter().flat_map(|server| &server.versions) {
        bytes.clear();
        version.write_to(&mut bytes);
        // With its length, so that no two lists of entries read the same.
        hash.update(&(bytes.len() as u64).to_le_bytes());
        hash.update(&bytes);
    }
    *hash.finalize().as_bytes()
}

#[cfg(test)]
#[path = "diff_tests.rs"]
mod tests;
