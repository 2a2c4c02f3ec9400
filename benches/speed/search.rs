//! Searches that nobody has asked before, as the catalog answers them.

use criterion::{BenchmarkId, Criterion};
use mcp_registry_proxy::catalog::page::Filter;

use crate::pages::middle;
use crate::scale::scales;

/// In no text.
const NONE: &str = "antediluvian";
/// At the end of one name, or of eleven where there are ten times as many.
const FEW: &str = "-21017";
/// In every tenth description: 10,000 hits today.
const MANY: &str = "server: a";
/// The page size, as by default.
const PAGE: usize = 30;
/// To know what all hits cost, and whether there are as many as there should be.
const ALL: usize = usize::MAX;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("search");
    for scale in scales() {
        let tenth = scale.size.versions / 10;
        let searches = [
            ("no hit", NONE, false, PAGE, 0..=0),
            ("few hits", FEW, false, PAGE, 1..=PAGE),
            ("a tenth, first page", MANY, false, PAGE, PAGE..=PAGE),
            ("a tenth, deep page", MANY, true, PAGE, PAGE..=PAGE),
            ("a tenth, all", MANY, false, ALL, tenth * 9 / 10..=tenth * 11 / 10),
        ];
        for (name, text, is_deep, limit, hits) in searches {
            let filter = Filter { search: Some(text.into()), ..Filter::default() };
            group.bench_function(BenchmarkId::new(name, scale.label), |bencher| {
                let catalog = &scale.world().catalog;
                let after = is_deep.then(|| middle(catalog));
                bencher.iter(|| {
                    let page = catalog.page(&filter, after.as_ref(), limit);
                    assert!(hits.contains(&page.versions.len()), "{name}: {} hits", page.versions.len());
                });
            });
        }
    }
    group.finish();
}
