//! THE HALL: the merged, immutable catalog that every request reads. Pure: no I/O, no await, no clock,
//! nothing of ours imported. It knows one format, the entry as we serve it.
//!
//! A [`Catalog`] holds one [`Server`] per name, sorted by the bytes of the name. A server holds its
//! merged versions, each with the bytes that follow its `server` object ready to be sent, and what every
//! registry contributed. A merge reuses, by pointer, every server of the previous catalog whose
//! contributions did not change. `version=latest` and look-ups by name need no further index: a server
//! knows its latest version, and names are found by binary search.

pub mod current;
pub mod entry;
pub mod listing;
pub mod merge;
pub mod page;
pub mod provenance;
pub mod rules;
pub mod search;
pub mod version;

mod render;

use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;

use entry::{Entry, Name};
use listing::Listed;
use rules::{Admission, RegistryRules};
use search::SearchIndex;

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

/// One registry of a catalog, at the time of the merge.
#[derive(Clone, Debug)]
pub struct Registry {
    /// Its name and rules.
    pub rules: Arc<RegistryRules>,
    /// Whether its servers may be served.
    pub usable: bool,
    /// Whether it has anything to list, even a part.
    pub listed: bool,
}

/// What one registry contributes to one name.
#[derive(Clone, Debug)]
pub struct Contribution {
    /// The registry's position in the configuration, in [`Catalog::registries`].
    pub registry: usize,
    /// Whether that registry was usable.
    pub usable: bool,
    /// Whether the rules let it supply the name.
    pub admission: Admission,
    /// What it lists.
    pub listed: Arc<Listed>,
}

impl Contribution {
    fn serves(&self) -> bool {
        self.usable && self.admission == Admission::Admitted
    }

    fn is_withheld(&self) -> bool {
        !self.usable && self.admission == Admission::Admitted
    }
}

/// One merged version of a name.
#[derive(Debug)]
pub struct Version {
    /// The winner's entry.
    pub entry: Arc<Entry>,
    /// The winner's position in [`Catalog::registries`].
    pub registry: usize,
    /// Whether this is the version that `latest` means.
    pub is_latest: bool,
    tail: Box<str>,
}

impl Version {
    /// Appends the entry as it is served.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        render::write_entry(out, &self.entry, &self.tail);
    }

    /// How many bytes [`Version::write_to`] appends.
    #[must_use]
    pub fn served_length(&self) -> usize {
        render::length(&self.entry, &self.tail)
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
        self.versions.binary_search_by(|known| known.entry.version.as_ref().cmp(version)).ok()
    }

    /// The versions in the order of `GET …/versions`: newest publication first (registry-api.md §2.2),
    /// the greater version first among equals.
    #[must_use]
    pub fn versions_newest_first(&self) -> Vec<&Version> {
        let mut versions: Vec<&Version> = self.versions.iter().collect();
        versions.sort_by_cached_key(|version| {
            let published_at = version.entry.official.published_at;
            std::cmp::Reverse((published_at, version::Rank::new(&version.entry.version, published_at)))
        });
        versions
    }
}

/// How a look-up by name ended.
#[derive(Debug)]
pub enum Lookup<'a> {
    /// The name is listed.
    Found(&'a Server),
    /// Only registries that are not usable list it (their positions): neither listed nor unlisted.
    Withheld(Vec<usize>),
    /// No registry that may supply it lists it.
    NotListed,
}

/// The merged, immutable snapshot of all registries. Published whole; a request reads exactly one.
#[derive(Debug, Default)]
pub struct Catalog {
    /// Increases with every publication; part of the key of whatever is derived from the catalog.
    pub revision: u64,
    /// All configured registries, in configuration order.
    pub registries: Vec<Registry>,
    servers: Vec<Arc<Server>>,
    unserved: Vec<Arc<Server>>,
    versions: usize,
    search: SearchIndex,
}

impl Catalog {
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

    /// Whether there is anything to answer from: a usable registry that has listed something.
    #[must_use]
    pub fn is_available(&self) -> bool {
        self.registries.iter().any(|registry| registry.usable && registry.listed)
    }

    /// Looks a name up (contract §4: a name that only an unusable registry lists is not "not listed").
    #[must_use]
    pub fn lookup(&self, name: &str) -> Lookup<'_> {
        if let Some(server) = find(&self.servers, name) {
            return Lookup::Found(server);
        }
        let withheld = find(&self.unserved, name).map(|server| withheld_by(server, None)).unwrap_or_default();
        if withheld.is_empty() { Lookup::NotListed } else { Lookup::Withheld(withheld) }
    }
}

/// The unusable registries that list the name, or the version, and may supply it.
#[must_use]
pub fn withheld_by(server: &Server, version: Option<&str>) -> Vec<usize> {
    let lists = |listed: &Listed| version.is_none_or(|version| listed.entry(version).is_some());
    let withheld = server.contributions.iter().filter(|contribution| contribution.is_withheld());
    withheld.filter(|contribution| lists(&contribution.listed)).map(|contribution| contribution.registry).collect()
}

fn find<'a>(servers: &'a [Arc<Server>], name: &str) -> Option<&'a Server> {
    let found = servers.binary_search_by(|server| server.name.as_str().cmp(name)).ok()?;
    servers.get(found).map(AsRef::as_ref)
}
