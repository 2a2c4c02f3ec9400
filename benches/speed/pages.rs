//! Which entries a page has: the first one, and one from the middle of the list.

use criterion::{BenchmarkId, Criterion};
use mcp_registry_proxy::catalog::Catalog;
use mcp_registry_proxy::catalog::page::{Filter, Position, VersionFilter};

use crate::scale::scales;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("find a page");
    let latest = || Filter { version: VersionFilter::Latest, ..Filter::default() };
    let pages = [("30", Filter::default(), 30), ("50 of latest", latest(), 50), ("100", Filter::default(), 100)];
    for scale in scales() {
        for (name, filter, limit) in &pages {
            for (place, is_deep) in [("first", false), ("deep", true)] {
                group.bench_function(BenchmarkId::new(format!("{place} {name}"), scale.label), |bencher| {
                    let catalog = &scale.world().catalog;
                    let after = is_deep.then(|| middle(catalog));
                    bencher.iter(|| catalog.page(filter, after.as_ref(), *limit));
                });
            }
        }
    }
    group.finish();
}

/// The middle of the list.
pub(crate) fn middle(catalog: &Catalog) -> Position {
    let servers = catalog.servers();
    Position { name: servers[servers.len() / 2].name.as_str().into(), version: None }
}
