//! The sizes at which everything is measured, and what is measured there. Inputs are made when they are first used,
//! once in the process.

use std::sync::{Arc, LazyLock};

use mcp_registry_proxy::catalog::Catalog;
use mcp_registry_proxy::catalog::listing::Listing;
use mcp_registry_proxy::catalog::merge::{Policy, Source};

use crate::corpus::{self, Corpus, PAGE, Size};
use crate::world::{merged, source, walk};

/// What an increment brings.
const CHANGES: usize = 100;
const CHANGED_AT: &str = "2026-11-23T00:00:00Z";

/// A size.
pub(crate) struct Scale {
    pub(crate) label: &'static str,
    pub(crate) size: Size,
    /// How often it is worth measuring there what takes long.
    pub(crate) samples: usize,
    world: LazyLock<World>,
}

impl Scale {
    pub(crate) fn world(&self) -> &World {
        &self.world
    }
}

static TODAY: Scale =
    Scale { label: "101k", size: corpus::TODAY, samples: 50, world: LazyLock::new(|| World::new(corpus::TODAY)) };
static TENFOLD: Scale =
    Scale { label: "1M", size: corpus::TENFOLD, samples: 10, world: LazyLock::new(|| World::new(corpus::TENFOLD)) };

/// The sizes that were asked for.
pub(crate) fn scales() -> impl Iterator<Item = &'static Scale> {
    let wants_tenfold = std::env::var_os("BENCH_TENFOLD").is_some_and(|value| !value.is_empty() && value != "0");
    [&TODAY].into_iter().chain(wants_tenfold.then_some(&TENFOLD))
}

/// One registry, the catalog of it, and what changes in it.
pub(crate) struct World {
    pub(crate) policy: Policy,
    pub(crate) source: Source,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) changes: Listing,
    /// A page from the middle of the registry's list.
    pub(crate) page: String,
}

impl World {
    fn new(size: Size) -> Self {
        let corpus = Corpus::new(size, 1);
        let policy = Policy::default();
        let mut pages = pages(&corpus);
        let source = source("official", walk(&pages));
        let catalog = merged(&policy, std::slice::from_ref(&source), &Catalog::default());
        assert_eq!(catalog.versions(), size.versions);
        let changes = walk([corpus.changes(CHANGES, CHANGED_AT).document()]);
        assert_eq!(changes.versions, CHANGES);
        let page = pages.swap_remove(pages.len() / 2);
        Self { policy, source, catalog: Arc::new(catalog), changes, page }
    }

    pub(crate) fn listing(&self) -> &Arc<Listing> {
        self.source.listing.as_ref().expect("it was walked")
    }
}

/// The documents of a walk.
pub(crate) fn pages(corpus: &Corpus) -> Vec<String> {
    corpus.pages(PAGE).into_iter().map(|(_, page)| page).collect()
}
