//! What the catalog before tells a merge: which servers may stay as they are, and since when versions
//! count as changed.

use std::cmp::Ordering;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::effects::Effects;
use super::entry::{Entry, Name};
use super::listing::Listed;
use super::merge::{Moment, Source};
use super::{Catalog, Contribution, Participant, Server, Version};

/// What one registry lists under the name at hand: its position, and the versions.
pub(super) type Head<'a> = (usize, &'a Arc<Listed>);

/// The previous catalog's servers, read in the order of their names beside the new listings.
pub(super) struct Previous<'a> {
    moment: Moment,
    /// The newest `updatedAt` that a client can have seen.
    newest_update: Timestamp,
    servers: &'a [Arc<Server>],
    unserved: &'a [Arc<Server>],
    registries: &'a [Participant],
    has_same_rules: bool,
    /// What was before this process.
    restored: Option<&'a Effects>,
}

impl<'a> Previous<'a> {
    pub(super) fn new(catalog: &'a Catalog, registries: &[Participant], moment: Moment) -> Self {
        Self {
            moment,
            newest_update: catalog.newest_update,
            servers: &catalog.servers,
            unserved: &catalog.unserved,
            registries: &catalog.registries,
            has_same_rules: have_same_rules(registries, &catalog.registries),
            restored: catalog.restored.as_deref(),
        }
    }

    /// The previous server of this name. Names must be asked for in ascending order.
    pub(super) fn server(&mut self, name: &Name) -> Option<&'a Arc<Server>> {
        advance(&mut self.servers, name).or_else(|| advance(&mut self.unserved, name))
    }

    /// Whether nothing that a previous server was merged from has changed.
    pub(super) fn is_unchanged(&self, server: &Server, sources: &[Source], listed: &[Head<'_>]) -> bool {
        self.has_same_rules
            && server.contributions.len() == listed.len()
            && server.contributions.iter().zip(listed).all(|(before, (registry, now))| {
                before.registry == *registry
                    && before.usable == sources[*registry].usable
                    && Arc::ptr_eq(&before.listed, now)
            })
    }

    /// Whether the registries besides its winner list a previous server's version as they did.
    pub(super) fn is_listed_alike(&self, server: &Server, contributions: &[Contribution], version: &Version) -> bool {
        let entry = |contribution: &'_ Contribution| {
            contribution.listed.entry(version.entry.version()).filter(|_| contribution.counts()).map(Arc::as_ptr)
        };
        self.has_same_rules
            && server.contributions.len() == contributions.len()
            && server.contributions.iter().zip(contributions).all(|(was, is)| {
                was.registry == is.registry && (is.registry == version.registry || entry(was) == entry(is))
            })
    }

    /// The name of the registry that a previous version came from.
    fn winner(&self, version: &Version) -> Option<&'a str> {
        self.registries.get(version.registry).map(|registry| &*registry.rules.name)
    }

    /// The first instant after every `updatedAt` that was ever served. It counts only where a registry dates entries
    /// into the future, or a clock goes back: a client that has seen such a date must not miss what comes after.
    fn after_all_updates(&self) -> Timestamp {
        self.newest_update.checked_add(SignedDuration::from_nanos(1)).unwrap_or(Timestamp::MAX)
    }

    /// The instant that `updated_since` compares for a version (see [`Version::effective_at`]), given the
    /// previous version of the same key. Until clients can have synchronised with this process, those count who
    /// did with the one before it.
    pub(super) fn effective_at(
        &self,
        before: Option<&Version>,
        name: &str,
        entry: &Arc<Entry>,
        registry: &str,
        is_latest: bool,
    ) -> Timestamp {
        let updated_at = entry.updated_at();
        let from_now = || updated_at.max(self.moment.now).max(self.after_all_updates());
        match before {
            Some(before)
                if is_same(&before.entry, entry)
                    && before.is_latest == is_latest
                    && self.winner(before) == Some(registry) =>
            {
                before.effective_at
            }
            _ if self.moment.is_ready => from_now(),
            _ => self.restored.map_or(updated_at, |restored| {
                restored.of_version(name, entry, registry, is_latest).unwrap_or_else(from_now)
            }),
        }
    }
}

/// Whether two entries are served alike, `isLatest` and provenance aside.
fn is_same(before: &Arc<Entry>, now: &Arc<Entry>) -> bool {
    Arc::ptr_eq(before, now) || before.form() == now.form() && before.has_official_of(now)
}

/// Whether the same registries stand at the same positions with the same rules.
fn have_same_rules(ours: &[Participant], theirs: &[Participant]) -> bool {
    ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| Arc::ptr_eq(&ours.rules, &theirs.rules))
}

/// Drops the servers before `name` and returns the one of that name.
fn advance<'a>(servers: &mut &'a [Arc<Server>], name: &Name) -> Option<&'a Arc<Server>> {
    while let Some((first, rest)) = servers.split_first() {
        // Names are shared where what is listed under them stays: most need not be read.
        if std::ptr::eq(first.name.as_str(), name.as_str()) {
            return Some(first);
        }
        match first.name.cmp(name) {
            Ordering::Less => *servers = rest,
            Ordering::Equal => return Some(first),
            Ordering::Greater => return None,
        }
    }
    None
}
