//! Filters and pages over a catalog.
//!
//! A page is positional: it begins after a (name, version), whether that still exists or not, so a walk
//! outlives any number of publications without repeating or skipping what stays. Encoding positions
//! into cursors is `serve`'s part.

use std::hint::black_box;
use std::sync::Arc;

use jiff::Timestamp;

use super::entry::Status;
use super::facets::{Facet, Kind};
use super::index::{Candidate, Index, Question};
use super::search::Needle;
use super::{Catalog, Server, Version, first_from};

/// The `version` filter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum VersionFilter {
    /// All versions.
    #[default]
    Any,
    /// Each name's latest.
    Latest,
    /// This very text.
    Exact(Box<str>),
}

/// What a list request asks for, page size and position aside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    /// A text to find in name, title or description, letter case ignored.
    pub search: Option<Box<str>>,
    /// Only what took effect after this instant ([`Version::effective_at`]); implies deleted versions.
    pub updated_since: Option<Timestamp>,
    /// Which versions.
    pub version: VersionFilter,
    /// Whether deleted versions are listed.
    pub include_deleted: bool,
    /// Only what this registry lists.
    pub registry: Option<Box<str>>,
    /// Only what has packages, or remotes.
    pub kind: Option<Kind>,
    /// Only what has a package of this type.
    pub package_type: Option<Box<str>>,
    /// Only what speaks over this transport.
    pub transport: Option<Box<str>>,
    /// Only what has this status; `deleted` implies deleted versions.
    pub status: Option<Status>,
}

impl Filter {
    /// Whether deleted versions are listed, asked for by name or implied.
    #[must_use]
    pub fn shows_deleted(&self) -> bool {
        self.include_deleted || self.updated_since.is_some() || self.status == Some(Status::Deleted)
    }

    /// The facets that a version's entry must have.
    fn of_entries(&self) -> Vec<String> {
        let facets = [
            self.kind.map(Facet::Kind),
            self.package_type.as_deref().map(Facet::PackageType),
            self.transport.as_deref().map(Facet::Transport),
        ];
        facets.into_iter().flatten().map(|facet| facet.to_string()).collect()
    }

    /// The facets that a server must have for one of its versions to pass.
    pub(super) fn of_servers(&self) -> Vec<String> {
        let more = [self.registry.as_deref().map(Facet::Registry), self.status.as_ref().map(Facet::Status)];
        self.of_entries().into_iter().chain(more.into_iter().flatten().map(|facet| facet.to_string())).collect()
    }
}

/// Where a page begins: after this name and version. Without a version it begins after the whole name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// The last name of the page before.
    pub name: Box<str>,
    /// The last version of the page before.
    pub version: Option<Box<str>>,
}

/// A page of versions in the order of the list: by the bytes of the name, then of the version.
#[derive(Debug)]
pub struct Page<'a> {
    /// The versions.
    pub versions: Vec<&'a Version>,
    /// Where the next page begins; none on the last page.
    pub next: Option<Position>,
}

impl Catalog {
    /// The page of at most `limit` versions that pass the filter and stand after the position.
    #[must_use]
    pub fn page(&self, filter: &Filter, after: Option<&Position>, limit: usize) -> Page<'_> {
        let mut matching = Matching::new(self, filter, after);
        matching.read_ahead(limit);
        let found: Vec<(&Arc<Server>, &Version)> = matching.by_ref().take(limit).collect();
        let more = matching.next().is_some();
        let next = found.last().filter(|_| more).map(|(server, version)| Position {
            name: server.name.as_str().into(),
            version: (filter.version != VersionFilter::Latest).then(|| version.entry.version().into()),
        });
        let versions: Vec<&Version> = found.into_iter().map(|(_, version)| version).collect();
        black_box(versions.iter().fold(0, |seen, version| seen ^ version.entry.read_ahead()));
        Page { versions, next }
    }
}

/// The versions that pass a filter, in order, from a position on.
struct Matching<'a, 'q> {
    catalog: &'a Catalog,
    filter: &'q Filter,
    /// The catalog's, as it was at the beginning: it may be made meanwhile.
    index: &'a Index,
    question: Question,
    needle: Option<Needle>,
    /// The facets that a version's entry must have.
    facets: Vec<String>,
    /// The position of the registry that must list a version.
    registry: Option<usize>,
    server: usize,
    version: usize,
    /// What the index says of `server`, once it has named it.
    candidate: Option<Candidate<'a>>,
    /// Whether the needle is in the server's name.
    is_named: bool,
}

impl<'a, 'q> Matching<'a, 'q> {
    fn new(catalog: &'a Catalog, filter: &'q Filter, after: Option<&Position>) -> Self {
        let needle = filter.search.as_deref().filter(|term| !term.is_empty()).map(Needle::new);
        let position = |name: &str| catalog.registries.iter().position(|registry| &*registry.rules.name == name);
        let registry = filter.registry.as_deref().map(position);
        let (server, version) = match registry {
            // One that is not configured lists nothing.
            Some(None) => (catalog.servers.len(), 0),
            _ => after.map_or((0, 0), |after| start(catalog, after)),
        };
        let index = catalog.index();
        Self {
            catalog,
            filter,
            index,
            question: index.question(filter, needle.as_ref().map(Needle::lowercase)),
            needle,
            facets: filter.of_entries(),
            registry: registry.flatten(),
            server,
            version,
            candidate: None,
            is_named: false,
        }
    }

    /// Reads what most walks will read of the next servers: each part of all of them before the next part. Thus the
    /// processor waits for many places of memory at a time, where the walk itself would wait for each.
    fn read_ahead(&self, limit: usize) {
        let Filter { updated_since, version, status, .. } = self.filter;
        let skips = self.needle.is_some() || self.registry.is_some() || updated_since.is_some() || status.is_some();
        if skips || !self.facets.is_empty() || matches!(version, VersionFilter::Exact(_)) {
            return;
        }
        let servers = self.catalog.servers.get(self.server..).unwrap_or_default();
        let servers = &servers[..limit.min(servers.len())];
        black_box(servers.iter().fold(0, |seen, server| seen ^ server.versions.len()));
        let first = |server: &'a Arc<Server>| server.latest().or(server.versions.first());
        black_box(servers.iter().filter_map(first).fold(false, |seen, version| seen ^ version.is_latest));
        black_box(servers.iter().filter_map(first).fold(false, |seen, version| seen ^ version.entry.is_deleted()));
    }

    /// Moves to the first server at or after the present one that can match.
    fn settle(&mut self) -> Option<(&'a Arc<Server>, Candidate<'a>)> {
        if let Some(candidate) = self.candidate {
            return Some((self.catalog.servers.get(self.server)?, candidate));
        }
        let candidate = self.index.next(&self.question, self.server)?;
        if candidate.server != self.server {
            (self.server, self.version) = (candidate.server, 0);
        }
        let server = self.catalog.servers.get(self.server)?;
        let is_named = |needle: &mut Needle| needle.is_in(server.name.as_str());
        self.is_named = candidate.may_be_named(&self.question) && self.needle.as_mut().is_none_or(is_named);
        self.candidate = Some(candidate);
        Some((server, candidate))
    }

    fn leave_server(&mut self) {
        self.server += 1;
        self.version = 0;
        self.candidate = None;
    }

    /// The server's next version that the `version` filter names.
    fn next_version(&mut self, server: &'a Server) -> Option<(usize, &'a Version)> {
        let index = match &self.filter.version {
            VersionFilter::Any => self.version,
            VersionFilter::Latest => server.latest?,
            VersionFilter::Exact(version) => server.position(version)?,
        };
        if index < self.version {
            return None;
        }
        self.version = index + 1;
        Some((index, server.versions.get(index)?))
    }

    fn passes(&mut self, server: &Server, version: &Version) -> bool {
        let Filter { updated_since, status, .. } = self.filter;
        let entry = &version.entry;
        (self.filter.shows_deleted() || !entry.is_deleted())
            && updated_since.is_none_or(|since| since < version.effective_at)
            && status.as_ref().is_none_or(|status| status == entry.status())
            && (self.facets.is_empty() || entry.facets().have_all(&self.facets))
            && self.registry.is_none_or(|registry| server.is_listed_by(version, registry))
            && (self.is_named || self.needle.as_mut().is_none_or(|needle| needle.is_in_texts_of(entry)))
    }
}

impl<'a> Iterator for Matching<'a, '_> {
    type Item = (&'a Arc<Server>, &'a Version);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (server, candidate) = self.settle()?;
            while let Some((index, version)) = self.next_version(server) {
                let may_pass = self.is_named || candidate.may_contain(&self.question, index);
                if may_pass && self.passes(server, version) {
                    return Some((server, version));
                }
            }
            self.leave_server();
        }
    }
}

/// The indexes of the first server and version after a position.
fn start(catalog: &Catalog, after: &Position) -> (usize, usize) {
    let server = first_from(&catalog.servers, &after.name);
    let Some(found) = catalog.servers.get(server).filter(|found| found.name.as_str() == &*after.name) else {
        return (server, 0);
    };
    match &after.version {
        None => (server + 1, 0),
        Some(version) => (server, found.versions.partition_point(|known| known.entry.version() <= &**version)),
    }
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
