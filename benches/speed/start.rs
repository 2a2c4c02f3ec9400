//! From nothing to the first catalog: out of a registry's pages, and out of what the store has.

use std::sync::LazyLock;

use criterion::{BatchSize, BenchmarkId, Criterion};
use mcp_registry_proxy::catalog::Catalog;
use mcp_registry_proxy::catalog::lineage::Lineage;
use mcp_registry_proxy::catalog::listing::Listing;
use mcp_registry_proxy::catalog::merge::{Policy, Source};
use mcp_registry_proxy::registry::marks::Marks;
use mcp_registry_proxy::registry::restore::{ListDigest, Stored};
use mcp_registry_proxy::registry::wire::RefusedEntries;
use mcp_registry_proxy::store::{Config, Store};
use tempfile::TempDir;

use crate::corpus::Corpus;
use crate::scale::{Scale, pages, scales};
use crate::world::{NOW, PROVENANCE_KEY, merged, source, walk};

const REGISTRY: &str = "official";
/// How many threads read a file, as at a start on two cores.
const THREADS: usize = 2;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("start");
    group.sample_size(10);
    for scale in scales() {
        let pages = LazyLock::new(|| pages(&Corpus::new(scale.size, 1)));
        group.bench_function(BenchmarkId::new("cold", scale.label), |bencher| {
            let pages = &*pages;
            bencher.iter_batched(|| (), |()| first_catalog(walk(pages)), BatchSize::PerIteration);
        });
        let kept = LazyLock::new(|| kept(scale));
        group.bench_function(BenchmarkId::new("warm", scale.label), |bencher| {
            let (_directory, store) = &*kept;
            let read = || store.read_listing(REGISTRY, THREADS).expect("a whole file").expect("it was written").listing;
            bencher.iter_batched(|| (), |()| first_catalog(read()), BatchSize::PerIteration);
        });
    }
    group.finish();
}

fn first_catalog(listing: impl Into<std::sync::Arc<Listing>>) -> Catalog {
    merged(&Policy::default(), &[source(REGISTRY, listing)], &Catalog::default())
}

/// A store with the registry's listing, and the directory, which lives as long as that.
fn kept(scale: &Scale) -> (TempDir, Store) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().to_str().expect("a path in UTF-8").to_owned();
    let store = Store::of(&Config { path: Some(path), ..Config::default() }).expect("a store on disk");
    let Source { listing, .. } = scale.world().source.clone();
    let stored = Stored {
        registry: REGISTRY.to_owned(),
        list: ListDigest([0; 32]),
        provenance_key: PROVENANCE_KEY.to_owned(),
        listing: listing.expect("it was walked"),
        listed_at: NOW,
        marks: Marks::default(),
        refused: RefusedEntries::default(),
        lineage: Lineage::default(),
    };
    store.begin().expect("nobody else writes").listing(&stored).expect("a disk with room");
    (directory, store)
}
