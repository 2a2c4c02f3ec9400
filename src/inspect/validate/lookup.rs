//! Which names of a catalog have a package or a URL. Made once for a catalog, when it is first asked for: it takes a
//! pass over all versions, some hundred milliseconds of them where there are a hundred thousand. It holds hashes and
//! positions, and of texts only what look-alikes are looked for among.

use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

use super::address;
use super::records::{Address, Record};
use crate::catalog::entry::Entry;
use crate::catalog::{Catalog, Server, Standing};
use crate::inspect::likeness::Names;

/// The most names of one package or URL that are looked at. A registry may list one under as many as it likes.
pub(super) const MAX_CANDIDATES: usize = 64;
/// The most URLs with variables that are held: each is tried for each URL that is not found.
const MAX_TEMPLATES: usize = 10_000;

/// Which names of a catalog have a package or a URL. It does not hold the catalog, so that it keeps nothing alive: who
/// asks it brings the same one.
#[derive(Debug)]
pub struct Lookup {
    hasher: RandomState,
    /// Hashes of keys, and the positions of the servers that have them; sorted.
    keys: Vec<(u64, u32)>,
    /// URLs with variables, and the positions of the servers that have them.
    templates: Vec<(address::Template, u32)>,
    texts: OnceLock<Texts>,
}

/// The texts that look-alikes are looked for among.
#[derive(Debug)]
pub(super) struct Texts {
    /// The names of all servers, by their positions.
    pub(super) names: Names,
    /// The packages (`npm:name`), and what is alike in them: the identifiers.
    pub(super) packages: Vec<Box<str>>,
    pub(super) identifiers: Names,
    /// The hosts of remote servers.
    pub(super) hosts: Vec<Box<str>>,
    pub(super) host_names: Names,
}

/// What a version of a server is known by.
pub(super) enum Key<'a> {
    /// A package, whatever its version.
    Package(&'a str),
    /// An image, whatever its host.
    Image(&'a str),
    /// A remote.
    Url(&'a str),
    /// All remotes of a host.
    Host(&'a str),
}

impl Lookup {
    /// Reads a catalog. Takes its time; see above.
    #[must_use]
    pub fn new(catalog: &Catalog) -> Self {
        let (keys, templates) = (Vec::new(), Vec::new());
        let mut lookup = Self { hasher: RandomState::new(), keys, templates, texts: OnceLock::new() };
        for (position, server) in (0..u32::MAX).zip(catalog.servers().iter().chain(catalog.unserved())) {
            let begin = lookup.keys.len();
            listed(server).for_each(|entry| lookup.add(position, entry));
            // Versions mostly have the same.
            lookup.keys[begin..].sort_unstable();
            let mut kept = begin;
            for at in begin..lookup.keys.len() {
                if at == begin || lookup.keys[at] != lookup.keys[kept - 1] {
                    lookup.keys[kept] = lookup.keys[at];
                    kept += 1;
                }
            }
            lookup.keys.truncate(kept);
        }
        lookup.keys.sort_unstable();
        lookup.keys.shrink_to_fit();
        lookup
    }

    fn add(&mut self, position: u32, entry: &Entry) {
        let Record { packages, remotes } = Record::of(entry);
        for listed in packages {
            let key = self.hash(&Key::Package(&listed.package.key()));
            self.keys.push((key, position));
            if let Some(path) = listed.package.path_of_image() {
                let key = self.hash(&Key::Image(path));
                self.keys.push((key, position));
            }
        }
        for remote in remotes {
            match remote.address {
                Address::At(url) => {
                    let keys = [self.hash(&Key::Url(&url)), self.hash(&Key::Host(address::host(&url)))];
                    self.keys.extend(keys.map(|key| (key, position)));
                }
                Address::Like(template) if self.templates.len() < MAX_TEMPLATES => {
                    let known = self.templates.iter().rev().take_while(|(_, other)| *other == position);
                    if !known.into_iter().any(|(other, _)| *other == template) {
                        self.templates.push((template, position));
                    }
                }
                Address::Like(_) => {}
            }
        }
    }

    fn hash(&self, key: &Key<'_>) -> u64 {
        match key {
            Key::Package(text) => self.hasher.hash_one((0_u8, text)),
            Key::Image(text) => self.hasher.hash_one((1_u8, text)),
            Key::Url(text) => self.hasher.hash_one((2_u8, text)),
            Key::Host(text) => self.hasher.hash_one((3_u8, text)),
        }
    }

    /// The servers that have a key, but for a coincidence of hashes; [`MAX_CANDIDATES`] at most, by name.
    pub(super) fn servers<'c>(&self, catalog: &'c Catalog, key: &Key<'_>) -> Vec<&'c Server> {
        let hash = self.hash(key);
        let first = self.keys.partition_point(|(other, _)| *other < hash);
        let exact = self.keys[first..].iter().take_while(|(other, _)| *other == hash).map(|(_, position)| *position);
        let like = self.templates.iter().filter(|(template, _)| match key {
            Key::Url(url) => template.matches(url),
            _ => false,
        });
        let mut positions: Vec<u32> = exact.chain(like.map(|(_, position)| *position)).take(MAX_CANDIDATES).collect();
        positions.sort_unstable();
        positions.dedup();
        positions.into_iter().filter_map(|position| server(catalog, position as usize)).collect()
    }

    /// The texts that look-alikes are looked for among. The first call takes about as long as [`Lookup::new`].
    pub(super) fn texts(&self, catalog: &Catalog) -> &Texts {
        self.texts.get_or_init(|| {
            let servers = catalog.servers();
            let names = Names::new(servers.iter().map(|server| server.name.as_str()));
            let (mut packages, mut hosts) = (BTreeSet::new(), HashSet::new());
            // What is no longer in the latest version has nothing to lose to an impostor.
            for record in servers.iter().filter_map(|server| server.latest()).map(|latest| Record::of(&latest.entry)) {
                packages.extend(record.packages.iter().map(|listed| listed.package.key().into_boxed_str()));
                hosts.extend(record.remotes.iter().filter_map(|remote| match &remote.address {
                    Address::At(url) => Some(Box::from(address::host(url))),
                    Address::Like(_) => None,
                }));
            }
            let packages: Vec<Box<str>> = packages.into_iter().collect();
            let mut hosts: Vec<Box<str>> = hosts.into_iter().collect();
            hosts.sort_unstable();
            let identifiers = Names::new(packages.iter().map(|key| identifier(key)));
            let host_names = Names::new(hosts.iter().map(AsRef::as_ref));
            Texts { names, packages, identifiers, hosts, host_names }
        })
    }
}

fn server(catalog: &Catalog, position: usize) -> Option<&Server> {
    let served = catalog.servers();
    let unserved = || catalog.unserved().get(position.checked_sub(served.len())?);
    served.get(position).or_else(unserved).map(AsRef::as_ref)
}

/// The part of a package's key that is alike or not.
pub(super) fn identifier(key: &str) -> &str {
    key.split_once(':').map_or(key, |(_, identifier)| identifier)
}

/// What registries list under a name: what is served, and what would be, or may not be.
fn listed(server: &Server) -> impl Iterator<Item = &Entry> {
    let versions = server.versions.iter().map(|version| version.entry.as_ref());
    let others = server.contributions.iter().filter(|contribution| contribution.standing != Standing::Serves);
    versions.chain(others.flat_map(|contribution| contribution.listed.entries.iter().map(AsRef::as_ref)))
}
