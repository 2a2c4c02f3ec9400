//! From listings to a published catalog: for the first time, and after an increment.

use std::sync::{Arc, LazyLock};

use criterion::{BatchSize, BenchmarkId, Criterion};
use mcp_registry_proxy::catalog::Catalog;
use mcp_registry_proxy::catalog::current::Current;
use mcp_registry_proxy::catalog::merge::{Policy, Source};

use crate::corpus::{Corpus, Size, TENFOLD};
use crate::scale::{Scale, World, pages, scales};
use crate::world::{merged, source, walk};

/// How many registries list at the same time.
const REGISTRIES: usize = 3;

pub(crate) fn bench(criterion: &mut Criterion) {
    first(criterion);
    publish(criterion);
}

/// Three registries of which none has been merged before.
fn first(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("merge three registries");
    group.sample_size(10);
    for scale in scales() {
        let (sources, policy) = (LazyLock::new(|| sources(scale)), Policy::default());
        group.bench_function(label(scale), |bencher| {
            let sources = &*sources;
            let merge = || merged(&policy, sources, &Catalog::default());
            bencher.iter_batched(|| (), |()| merge(), BatchSize::PerIteration);
        });
    }
    group.finish();
}

/// Three registries of a million each would not fit in the memory of most machines: there, they have one together.
fn size_of_each(scale: &Scale) -> Size {
    let Size { names, versions } = scale.size;
    if versions < TENFOLD.versions {
        scale.size
    } else {
        Size { names: names / REGISTRIES, versions: versions / REGISTRIES }
    }
}

fn label(scale: &Scale) -> String {
    format!("{}k each", size_of_each(scale).versions / 1_000)
}

/// Two thirds of what each lists are its own, the rest all have in common, to the byte.
fn sources(scale: &Scale) -> Vec<Source> {
    let Size { names, versions } = size_of_each(scale);
    let common = Corpus::new(Size { names: names / 3, versions: versions / 3 }, 99);
    let each = (1..=REGISTRIES).map(|number| {
        let own = Size { names: names - names / 3, versions: versions - versions / 3 };
        let mut corpus = Corpus::new(own, number as u64);
        corpus.rows.extend_from_slice(&common.rows);
        source(&format!("registry-{number}"), walk(pages(&corpus)))
    });
    each.collect()
}

/// An increment that brought a hundred changes, up to the point where requests see them.
fn publish(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("publish 100 changes");
    for scale in scales() {
        group.sample_size(scale.samples);
        group.bench_function(BenchmarkId::from_parameter(scale.label), |bencher| {
            let (world, current) = (scale.world(), Current::default());
            bencher.iter(|| publish_changes(world, &current));
        });
    }
    group.finish();
}

fn publish_changes(world: &World, current: &Current) {
    let listing = Some(Arc::new(world.listing().with_changes(&world.changes)));
    let source = Source { listing, ..world.source.clone() };
    current.publish(Arc::new(merged(&world.policy, &[source], &world.catalog)));
}
