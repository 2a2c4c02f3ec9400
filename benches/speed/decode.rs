//! A page of a hundred entries, from bytes to entries: new ones, and such as the registry listed before.

use criterion::{BenchmarkId, Criterion, Throughput};

use crate::corpus::PAGE;
use crate::scale::scales;
use crate::world::decode;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode a page");
    group.throughput(Throughput::Elements(PAGE as u64));
    for scale in scales() {
        for (name, is_known) in [("new", false), ("as before", true)] {
            group.bench_function(BenchmarkId::new(name, scale.label), |bencher| {
                let world = scale.world();
                let previous = is_known.then_some(&**world.listing());
                bencher.iter(|| decode(&world.page, previous));
            });
        }
    }
    group.finish();
}
