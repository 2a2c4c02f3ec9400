//! THE HALL: the merged, immutable catalog that every request reads. Pure: no I/O, no await, no clock,
//! nothing of ours imported. It knows one format, the entry as we serve it.
//!
//! A [`Catalog`] holds one [`Server`] per name, sorted by the bytes of the name. A server holds its merged versions,
//! each with what it takes to write it as it is served, and what every registry contributed. A merge reuses, by
//! pointer, every server of the previous catalog whose contributions did not change. `version=latest` and look-ups by
//! name need no further index: a server knows its latest version, and names are found by binary search. Searches and
//! filters read an index in chunks that stands beside the servers, and look only at servers that may match. What
//! happened from one catalog to the next travels with it ([`feed`]).

pub mod current;
pub mod diff;
pub mod effects;
pub mod entry;
pub mod facets;
pub mod feed;
pub mod lineage;
pub mod listing;
pub mod merge;
pub mod page;
pub mod provenance;
pub mod rules;
pub mod search;
pub mod shared;
pub mod times;
pub mod version;

mod halves;
mod index;
mod previous;
mod render;
mod splice;

#[cfg(test)]
mod ownership_tests;
#[cfg(test)]
mod sync_tests;
#[cfg(test)]
mod testing;

use std::sync::{Arc, OnceLock};

use arc_swap::{ArcSwap, ArcSwapOption};
use jiff::Timestamp;
use serde::Deserialize;

use effects::Effects;
use entry::{Entry, Name};
use feed::Feed;
use index::Index;
use listing::{Listed, Listing};
use rules::{Omission, RegistryRules};
use shared::Shared;
use times::Times;

/// `[catalog]` of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How versions of one name from several registries come together.
    pub merge: MergeMode,
}

/// How versions of one name from several registries come together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MergeMode {
    /// Every version from every registry; the first registry in configuration order wins each version.
    #[default]
    Union,
    /// A name belongs to the first registry whose last good listing has it, usable or not.
    First,
}

/// One registry's part in a catalog, at the time of the merge.
#[derive(Clone, Debug)]
pub struct Participant {
    /// Its name and rules.
    pub rules: Arc<RegistryRules>,
    /// Whether its servers may be served.
    pub usable: bool,
    /// Since when nobody has confirmed them, where they are served stale.
    pub stale_since: Option<Timestamp>,
    /// Whether it has anything to list, even a part.
    pub listed: bool,
    /// Whether it has said all that it lists: what a first walk has brought so far is not that.
    pub is_whole: bool,
    /// What became of what it lists.
    pub counts: Counts,
}

/// What became of the versions that one registry lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Served with this registry's content.
    pub won: usize,
    /// Left out by the administrator's `include` and `exclude`.
    pub filtered: usize,
    /// Refused, because other registries claim the name.
    pub foreign: usize,
}

/// What a registry's contribution to a name is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its versions are served, unless an earlier registry serves the same ones.
    Serves,
    /// They would be, were the registry usable.
    Withheld,
    /// With `merge = "first"`, the name belongs to another registry.
    Shadowed,
    /// The rules do not let the registry supply the name.
    LeftOut(Omission),
}

/// What one registry contributes to one name.
#[derive(Clone, Debug)]
pub struct Contribution {
    /// The registry's position in the configuration, in [`Catalog::registries`].
    pub registry: usize,
    /// Whether that registry was usable.
    pub usable: bool,
    /// What its contribution is worth.
    pub standing: Standing,
    /// What it lists.
    pub listed: Arc<Listed>,
}

impl Contribution {
    /// Whether what it lists counts among the registries that list a version: the rules let it supply the
    /// name, and it is usable.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.usable && !matches!(self.standing, Standing::LeftOut(_))
    }
}

/// One merged version of a name.
#[derive(Clone, Debug)]
pub struct Version {
    /// The winner's entry.
    pub entry: Arc<Entry>,
    /// The winner's position in [`Catalog::registries`].
    pub registry: usize,
    /// Whether this is the version that `latest` means.
    pub is_latest: bool,
    /// What `updated_since` compares: `updatedAt`, or, where it is later, the moment at which the version came
    /// into the catalog or changed in it (content, status, `isLatest`, winner) after clients could have
    /// synchronised; and then it is later than any `updatedAt` that was served before. It outlives the process
    /// ([`effects`]). So a client that asks for
    /// what is newer than the newest it has seen misses nothing, though registries arrive late and flags move
    /// without `updatedAt` (registry-api.md §2.6).
    pub effective_at: Timestamp,
    provenance: Arc<provenance::Label>,
}

impl Version {
    /// Appends the entry as it is served.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        render::write_entry(out, &self.entry, self.is_latest, &self.provenance);
    }

    /// Appends what identifies the bytes that [`Version::write_to`] appends, in a tenth of the room, given the version
    /// that was identified before this one, if there was one: those that are written differently have different ones,
    /// also in sequence. The same content has the same in every process.
    pub fn push_identity(&self, out: &mut Vec<u8>, previous: Option<&Self>) {
        self.entry.push_identity(out);
        let has_label_of =
            |other: &Self| Arc::ptr_eq(&self.provenance, &other.provenance) || self.provenance == other.provenance;
        let is_same = previous.is_some_and(has_label_of);
        out.extend_from_slice(&[self.is_latest.into(), is_same.into()]);
        if !is_same {
            self.provenance.push_identity(out);
        }
    }

    /// Our block of `_meta`: where the content came from.
    #[must_use]
    pub fn provenance(&self) -> serde_json::Value {
        let mut block = vec![b'{'];
        self.provenance.write(&mut block, self.entry.fetched_at(), self.entry.digest());
        block.push(b'}');
        let block = serde_json::from_slice::<serde_json::Map<_, _>>(&block).unwrap_or_default();
        block.into_iter().next().map(|(_, block)| block).unwrap_or_default()
    }

    /// How many bytes [`Version::write_to`] appends.
    #[must_use]
    pub fn served_length(&self) -> usize {
        render::length(&self.entry, self.is_latest, &self.provenance)
    }
}

/// One name of the catalog.
#[derive(Debug)]
pub struct Server {
    /// The name.
    pub name: Name,
    /// The merged versions, sorted by the bytes of the version. Empty where every contribution is
    /// withheld (its registry is not usable) or refused.
    pub versions: Vec<Version>,
    /// What each registry lists under the name, in configuration order.
    pub contributions: Vec<Contribution>,
    latest: Option<usize>,
    /// The newest [`Version::effective_at`].
    newest_effect: Timestamp,
    /// The newest `updatedAt`.
    newest_update: Timestamp,
}

impl Server {
    /// The version that `latest` means: the latest that is not deleted, or else the latest.
    #[must_use]
    pub fn latest(&self) -> Option<&Version> {
        self.latest.and_then(|index| self.versions.get(index))
    }

    /// One version.
    #[must_use]
    pub fn version(&self, version: &str) -> Option<&Version> {
        self.position(version).and_then(|index| self.versions.get(index))
    }

    fn position(&self, version: &str) -> Option<usize> {
        self.versions.binary_search_by(|known| known.entry.version().cmp(version)).ok()
    }

    /// Whether a registry, by its position, lists a version of this server: as the one that it is served
    /// from, or besides.
    fn is_listed_by(&self, version: &Version, registry: usize) -> bool {
        version.registry == registry
            || self.contributions.iter().any(|contribution| {
                contribution.registry == registry
                    && contribution.counts()
                    && contribution.listed.entry(version.entry.version()).is_some()
            })
    }

    /// The registries (their positions) that, were they usable, would supply a version that is not served
    /// now: this one, or any where none is named.
    #[must_use]
    pub fn withheld_by(&self, version: Option<&str>, include_deleted: bool) -> Vec<usize> {
        let withheld = self.contributions.iter().filter(|contribution| contribution.standing == Standing::Withheld);
        let would_supply = |contribution: &&Contribution| {
            contribution.listed.entries.iter().any(|entry| {
                let is_asked_for = version.is_none_or(|version| entry.version() == version);
                let is_visible = include_deleted || !entry.is_deleted();
                // Where an earlier registry serves the version, this one's entry would not count.
                let would_win =
                    || self.version(entry.version()).is_none_or(|served| contribution.registry < served.registry);
                is_asked_for && is_visible && would_win()
            })
        };
        withheld.filter(would_supply).map(|contribution| contribution.registry).collect()
    }

    /// The versions in the order of `GET …/versions`: newest publication first (registry-api.md §2.2),
    /// the greater version first among equals.
    #[must_use]
    pub fn versions_newest_first(&self) -> Vec<&Version> {
        let mut versions: Vec<&Version> = self.versions.iter().collect();
        versions.sort_by_cached_key(|version| {
            let published_at = version.entry.published_at();
            std::cmp::Reverse((published_at, version::Rank::new(version.entry.version(), published_at)))
        });
        versions
    }
}

/// The merged, immutable snapshot of all registries. Published whole; a request reads exactly one.
#[derive(Debug, Default)]
pub struct Catalog {
    /// Increases with every publication; part of the key of whatever is derived from the catalog.
    pub revision: u64,
    /// When it was merged.
    pub published_at: Timestamp,
    /// All configured registries, in configuration order.
    pub registries: Vec<Participant>,
    servers: Shared<Server>,
    unserved: Shared<Server>,
    versions: usize,
    /// What each registry listed, so that the next merge sees which names it need not look at.
    listings: Vec<Option<Arc<Listing>>>,
    /// Made after the catalog is published, where that takes long.
    index: OnceLock<Index>,
    /// The newest `updatedAt` that this catalog or one before it served.
    newest_update: Timestamp,
    /// Since when versions counted as changed in the process before this one, until clients can have synchronised
    /// with this one.
    restored: ArcSwapOption<Effects>,
    /// Since when versions count as changed, where another replica of this proxy says so.
    given: Option<Arc<Times>>,
    /// What happened on the way to this catalog. Whoever publishes it records that ([`Feed::record`]). It is replaced
    /// once at most, where the feed has waited for registries to be tried ([`Feed::settle`]).
    pub changes: ArcSwap<Feed>,
}

impl Catalog {
    /// The empty catalog of a proxy that was started again.
    #[must_use]
    pub fn after(effects: Effects) -> Self {
        Self { newest_update: effects.newest_update, restored: Some(Arc::new(effects)).into(), ..Self::default() }
    }

    /// The names that have at least one version to serve, sorted by their bytes.
    #[must_use]
    pub fn servers(&self) -> &[Arc<Server>] {
        &self.servers
    }

    /// The number of versions in all, deleted ones included.
    #[must_use]
    pub fn versions(&self) -> usize {
        self.versions
    }

    /// The names that registries list and the catalog does not serve.
    #[must_use]
    pub fn unserved(&self) -> &[Arc<Server>] {
        &self.unserved
    }

    /// Whether lists that are filtered find their way by an index. Until they do, they look at every server.
    #[must_use]
    pub fn is_indexed(&self) -> bool {
        self.index.get().is_some()
    }

    /// Makes the index, if there is none yet.
    pub fn make_index(&self) {
        self.index.get_or_init(|| Index::after(&index::UNKNOWN, &[], &self.servers, &self.registries));
    }

    fn index(&self) -> &Index {
        self.index.get().unwrap_or(&index::UNKNOWN)
    }

    /// Forgets since when versions counted as changed in the process before this one: clients can have synchronised with
    /// this one, and no merge asks for it again.
    pub fn forget_restored(&self) {
        self.restored.store(None);
    }

    /// The registries that claim a name: only these may supply it, unless there is none.
    pub fn claimants(&self, name: &str) -> impl Iterator<Item = &str> {
        self.registries.iter().filter(move |registry| registry.rules.claims(name)).map(|registry| &*registry.rules.name)
    }

    /// Whether there is anything to answer from: a usable registry that has listed something.
    #[must_use]
    pub fn is_available(&self) -> bool {
        self.registries.iter().any(|registry| registry.usable && registry.listed)
    }

    /// The registries whose servers are not served, or not as fresh as they should be.
    pub fn troubled(&self) -> impl Iterator<Item = &Participant> {
        self.registries.iter().filter(|registry| !registry.usable || registry.stale_since.is_some())
    }

    /// Since when nobody has confirmed a part of what is served, if a registry is served stale.
    #[must_use]
    pub fn stale_since(&self) -> Option<Timestamp> {
        self.registries.iter().filter(|registry| registry.usable).filter_map(|registry| registry.stale_since).min()
    }

    /// Looks a name up. A server that was found may have no version to serve: then it is listed only by
    /// registries that are not usable or may not supply it ([`Server::withheld_by`]).
    #[must_use]
    pub fn server(&self, name: &str) -> Option<&Server> {
        find(&self.servers, name).or_else(|| find(&self.unserved, name))
    }
}

fn find<'a>(servers: &'a [Arc<Server>], name: &str) -> Option<&'a Server> {
    let found = servers.get(first_from(servers, name))?;
    (found.name.as_str() == name).then_some(&**found)
}

/// How many names are looked at side by side.
const WAYS: usize = 8;

/// The position of the first of these servers, sorted by name, that does not stand before a name. A search that halves
/// what is left waits for memory twice for each name that it looks at, and then for the next one; this one looks at
/// several names at a time.
fn first_from(servers: &[Arc<Server>], name: &str) -> usize {
    let is_before = |server: &Arc<Server>| server.name.as_str() < name;
    let (mut start, mut left) = (0, servers);
    while WAYS < left.len() {
        let part = left.len() / WAYS;
        let before = (1..WAYS).filter(|way| left.get(way * part).is_some_and(is_before)).count();
        let end = if before + 1 < WAYS { (before + 1) * part } else { left.len() };
        start += before * part;
        left = left.get(before * part..end).unwrap_or_default();
    }
    start + left.iter().filter(|server| is_before(server)).count()
}
