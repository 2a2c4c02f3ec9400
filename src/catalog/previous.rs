//! What the catalog before tells a merge: which names need not be looked at, which servers may stay as they are, and
//! since when versions count as changed.

use std::cmp::Ordering;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::effects::Effects;
use super::entry::{Entry, Name};
use super::listing::{Listed, Listing};
use super::merge::{Moment, Source};
use super::splice::differing;
use super::times::Times;
use super::{Catalog, Contribution, Participant, Server, Version};

/// Where more than one of so many names has to be looked at, all are.
const FEW_ONE_IN: usize = if cfg!(test) { 1 } else { 8 };

/// What one registry lists under the name at hand: its position, and the versions.
pub(super) type Head<'a> = (usize, &'a Arc<Listed>);

/// What is known of the previous catalog.
pub(super) struct Previous<'a> {
    moment: Moment,
    pub(super) catalog: &'a Catalog,
    has_same_rules: bool,
    /// Until clients can have synchronised with this process, what those know who did with the one before it.
    restored: Option<Arc<Effects>>,
    /// Since when versions count as changed, where another replica says so.
    given: Option<&'a Times>,
}

impl<'a> Previous<'a> {
    pub(super) fn new(
        catalog: &'a Catalog,
        registries: &[Participant],
        moment: Moment,
        given: Option<&'a Times>,
    ) -> Self {
        let restored = catalog.restored.load_full();
        Self { moment, catalog, has_same_rules: have_same_rules(registries, &catalog.registries), restored, given }
    }

    /// The names that are listed in another way than before, in order; none where all names have to be looked at:
    /// because something changed that each of them may depend on, or because they are many.
    pub(super) fn changed_names(&self, sources: &'a [Source]) -> Option<Vec<&'a Name>> {
        let Catalog { registries, listings, servers, unserved, .. } = self.catalog;
        let is_as_usable = |(was, is): (&Participant, &Source)| was.usable == is.usable;
        if !self.has_same_rules || !registries.iter().zip(sources).all(is_as_usable) {
            return None;
        }
        let mut names = Vec::new();
        for (was, is) in listings.iter().zip(sources) {
            names.extend(differing(listed(was.as_ref()), listed(is.listing.as_ref())));
        }
        if let Some(given) = self.given {
            // Of a catalog that was made otherwise, nobody knows without a look where it differs.
            names.extend(given.names_that_differ(self.catalog.given.as_deref()?));
        }
        names.sort_unstable();
        names.dedup();
        (names.len() <= (servers.len() + unserved.len()) / FEW_ONE_IN).then_some(names)
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
            && server.versions.iter().all(|version| self.agrees_on(&server.name, version))
    }

    /// Whether a previous version counts as changed since the instant that is given, where one is.
    pub(super) fn agrees_on(&self, name: &Name, version: &Version) -> bool {
        self.given.is_none_or(|given| given.of(name, &version.entry) == version.effective_at)
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
        self.catalog.registries.get(version.registry).map(|registry| &*registry.rules.name)
    }

    /// The first instant after every `updatedAt` that was ever served. It counts only where a registry dates entries
    /// into the future, or a clock goes back: a client that has seen such a date must not miss what comes after.
    fn after_all_updates(&self) -> Timestamp {
        self.catalog.newest_update.checked_add(SignedDuration::from_nanos(1)).unwrap_or(Timestamp::MAX)
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
        if let Some(given) = self.given {
            return given.of_text(name, entry);
        }
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
            _ => self.restored.as_ref().map_or(updated_at, |restored| {
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

/// What a registry lists.
pub(super) fn listed(listing: Option<&Arc<Listing>>) -> &[Arc<Listed>] {
    listing.map_or(&[], |listing| &listing.servers)
}

/// The previous catalog's servers, read in the order of their names beside the new listings.
pub(super) struct Beside<'a> {
    servers: &'a [Arc<Server>],
    unserved: &'a [Arc<Server>],
}

impl<'a> Beside<'a> {
    pub(super) fn new(catalog: &'a Catalog) -> Self {
        Self { servers: &catalog.servers, unserved: &catalog.unserved }
    }

    /// The previous server of this name. Names must be asked for in ascending order.
    pub(super) fn server(&mut self, name: &Name) -> Option<&'a Arc<Server>> {
        // Names are shared where what is listed under them stays: most need not be read.
        let is_shared = |server: &Server| std::ptr::eq(server.name.as_str(), name.as_str());
        let order = |server: &Arc<Server>| if is_shared(server) { Ordering::Equal } else { server.name.cmp(name) };
        advance(&mut self.servers, order).or_else(|| advance(&mut self.unserved, order))
    }
}

/// The previous version of an entry's. Versions must be asked for in ascending order.
pub(super) fn version<'a>(versions: &mut &'a [Version], entry: &Arc<Entry>) -> Option<&'a Version> {
    let is_shared = |version: &Version| Arc::ptr_eq(&version.entry, entry);
    let compare = |version: &Version| version.entry.version().cmp(entry.version());
    advance(versions, |version| if is_shared(version) { Ordering::Equal } else { compare(version) })
}

/// Drops what stands before what is asked for, and returns that.
fn advance<'a, T>(sorted: &mut &'a [T], order: impl Fn(&T) -> Ordering) -> Option<&'a T> {
    while let Some((first, rest)) = sorted.split_first() {
        match order(first) {
            Ordering::Less => *sorted = rest,
            Ordering::Equal => return Some(first),
            Ordering::Greater => return None,
        }
    }
    None
}
