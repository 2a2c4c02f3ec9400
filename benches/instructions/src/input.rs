//! What the paths are taken with.

use std::sync::Arc;

use http::header::{ETAG, IF_NONE_MATCH};
use http::request::Parts;
use mcp_registry_proxy::catalog::Catalog;
use mcp_registry_proxy::catalog::listing::Listing;
use mcp_registry_proxy::catalog::merge::{Policy, Source};
use mcp_registry_proxy::serve::Entrance;

use crate::corpus::{Corpus, PAGE, Size};
use crate::world::{ask, entrance, get, merged, new_pages, source, walk};

/// A twentieth of the official registry.
const SIZE: Size = Size { names: 1_565, versions: 5_061 };
/// How many changes are merged.
pub(crate) const CHANGES: usize = 100;
const CHANGED_AT: &str = "2026-11-23T00:00:00Z";
/// What VS Code asks for.
const FIRST_PAGE: &str = "/v0.1/servers?limit=50&version=latest";

pub(crate) struct Input {
    pub(crate) entrance: Entrance,
    /// What a registry lists.
    pub(crate) pages: Vec<String>,
    policy: Policy,
    source: Source,
    catalog: Arc<Catalog>,
    changes: Listing,
}

impl Input {
    pub(crate) fn new() -> Self {
        let corpus = Corpus::new(SIZE, 1);
        let pages: Vec<String> = corpus.pages(PAGE).into_iter().map(|(_, page)| page).collect();
        let policy = Policy::default();
        let source = source("official", walk(&pages));
        let catalog = Arc::new(merged(&policy, std::slice::from_ref(&source), &Catalog::default()));
        let changes = walk([corpus.changes(CHANGES, CHANGED_AT).document()]);
        Self { entrance: entrance(Arc::clone(&catalog)), pages, policy, source, catalog, changes }
    }

    /// The same page, which is in the cache.
    pub(crate) fn cached_pages(&self, count: usize) -> Vec<Parts> {
        self.cached(&get(FIRST_PAGE, &[]), count)
    }

    /// The same version, which is in the cache.
    pub(crate) fn cached_versions(&self, count: usize) -> Vec<Parts> {
        let server = &self.catalog.servers()[SIZE.names / 2];
        let name = server.name.as_str().replace('/', "%2F");
        let version = server.versions[0].entry.version();
        self.cached(&get(&format!("/v0.1/servers/{name}/versions/{version}"), &[]), count)
    }

    /// For the same page, by a client that has it.
    pub(crate) fn revalidations(&self, count: usize) -> Vec<Parts> {
        let page = ask(&self.entrance, get(FIRST_PAGE, &[]));
        let tag = page.headers()[ETAG].to_str().expect("a tag is ASCII");
        self.cached(&get(FIRST_PAGE, &[(IF_NONE_MATCH, tag)]), count)
    }

    fn cached(&self, request: &Parts, count: usize) -> Vec<Parts> {
        drop(ask(&self.entrance, request.clone()));
        vec![request.clone(); count]
    }

    /// Pages of fifty that nobody has asked for.
    pub(crate) fn new_pages(&self) -> Vec<Parts> {
        new_pages(&self.entrance, "version=latest", 50)
    }

    /// Searches that nobody has asked for. Each finds one name or two.
    pub(crate) fn new_searches(count: usize) -> Vec<Parts> {
        (0..count).map(|number| get(&format!("/v0.1/servers?search=-{}", 1_000 + number), &[])).collect()
    }

    /// The catalog after some changes.
    pub(crate) fn merge_changes(&self) -> Catalog {
        let listing = self.source.listing.as_ref().map(|listing| Arc::new(listing.with_changes(&self.changes)));
        let source = Source { listing, ..self.source.clone() };
        merged(&self.policy, &[source], &self.catalog)
    }
}
