//! Filters and pages over a catalog.
//!
//! A page is positional: it begins after a (name, version), whether that still exists or not, so a walk
//! outlives any number of publications without repeating or skipping what stays. Encoding positions
//! into cursors is `serve`'s part.

use std::sync::Arc;

use jiff::Timestamp;
use memchr::memmem::Finder;

use super::search::push_lowercase;
use super::{Catalog, Server, Version};

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
    /// Only what was updated after this instant; implies deleted versions.
    pub updated_since: Option<Timestamp>,
    /// Which versions.
    pub version: VersionFilter,
    /// Whether deleted versions are listed.
    pub include_deleted: bool,
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
        let mut found: Vec<(&Arc<Server>, &Version)> = matching.by_ref().take(limit).collect();
        found.shrink_to_fit();
        let more = matching.next().is_some();
        let next = found.last().filter(|_| more).map(|(server, version)| Position {
            name: server.name.as_str().into(),
            version: (filter.version != VersionFilter::Latest).then(|| version.entry.version.clone()),
        });
        Page { versions: found.into_iter().map(|(_, version)| version).collect(), next }
    }
}

/// The versions that pass a filter, in order, from a position on.
struct Matching<'a, 'q> {
    catalog: &'a Catalog,
    filter: &'q Filter,
    needle: Option<Needle>,
    server: usize,
    version: usize,
    /// Whether the search index has confirmed `server`.
    confirmed: bool,
}

struct Needle {
    lowercase: String,
    finder: Finder<'static>,
}

impl Needle {
    fn new(term: &str) -> Self {
        let mut lowercase = String::with_capacity(term.len());
        push_lowercase(&mut lowercase, term);
        let finder = Finder::new(lowercase.as_bytes()).into_owned();
        Self { lowercase, finder }
    }
}

impl<'a, 'q> Matching<'a, 'q> {
    fn new(catalog: &'a Catalog, filter: &'q Filter, after: Option<&Position>) -> Self {
        let needle = filter.search.as_deref().filter(|term| !term.is_empty()).map(Needle::new);
        let (server, version) = after.map_or((0, 0), |after| start(catalog, after));
        Self { catalog, filter, needle, server, version, confirmed: false }
    }

    /// Moves to the first server at or after the present one that can match.
    fn settle(&mut self) -> Option<&'a Arc<Server>> {
        if let Some(needle) = self.needle.as_ref().filter(|_| !self.confirmed) {
            let found = self.catalog.search.next_match(&needle.finder, self.server)?;
            if found != self.server {
                (self.server, self.version) = (found, 0);
            }
            self.confirmed = true;
        }
        self.catalog.servers.get(self.server)
    }

    fn leave_server(&mut self) {
        self.server += 1;
        self.version = 0;
        self.confirmed = false;
    }

    /// The server's next version that the `version` filter names.
    fn next_version(&mut self, server: &'a Server) -> Option<&'a Version> {
        let index = match &self.filter.version {
            VersionFilter::Any => self.version,
            VersionFilter::Latest => server.latest?,
            VersionFilter::Exact(version) => server.position(version)?,
        };
        if index < self.version {
            return None;
        }
        self.version = index + 1;
        server.versions.get(index)
    }

    fn passes(&self, version: &Version) -> bool {
        let entry = &version.entry;
        let visible = self.filter.include_deleted || self.filter.updated_since.is_some() || !entry.is_deleted();
        visible
            && self.filter.updated_since.is_none_or(|since| since < entry.official.updated_at)
            && self.matches_search(version)
    }

    fn matches_search(&self, version: &Version) -> bool {
        self.needle.as_ref().is_none_or(|needle| {
            version.entry.search_text.contains(&needle.lowercase)
                || self.catalog.search.lowercase_name(self.server).contains(&needle.lowercase)
        })
    }

    /// Whether none of the server's versions can pass, judged without looking at them.
    fn can_skip(&self, server: &Server) -> bool {
        self.filter.updated_since.is_some_and(|since| server.newest_update <= since)
    }
}

impl<'a> Iterator for Matching<'a, '_> {
    type Item = (&'a Arc<Server>, &'a Version);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let server = self.settle()?;
            if !self.can_skip(server) {
                while let Some(version) = self.next_version(server) {
                    if self.passes(version) {
                        return Some((server, version));
                    }
                }
            }
            self.leave_server();
        }
    }
}

/// The indexes of the first server and version after a position.
fn start(catalog: &Catalog, after: &Position) -> (usize, usize) {
    let server = catalog.servers.partition_point(|server| server.name.as_str() < &*after.name);
    let Some(found) = catalog.servers.get(server).filter(|found| found.name.as_str() == &*after.name) else {
        return (server, 0);
    };
    match &after.version {
        None => (server + 1, 0),
        Some(version) => (server, found.versions.partition_point(|known| known.entry.version <= *version)),
    }
}
