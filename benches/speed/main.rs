//! How long the parts of the proxy take, over made-up registries of the official one's size and shape, and with
//! `BENCH_TENFOLD` set, of ten times that size. `cargo bench -- TEXT` runs those whose name contains the text.
//!
//! One program for all, since linking one takes longer than running most of them.

mod decode;
mod merge;
mod pages;
mod scale;
mod search;
mod service;
mod start;

#[expect(unreachable_pub, reason = "it is shared with the other benchmarks")]
#[path = "../support/corpus.rs"]
mod corpus;
#[path = "../support/world.rs"]
mod world;

use std::time::Duration;

use criterion::Criterion;

fn main() {
    // So that all takes two minutes and not ten; the interval that is printed shows whether that was enough.
    let criterion = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    let mut criterion = criterion.configure_from_args();
    for bench in [decode::bench, merge::bench, pages::bench, search::bench, service::bench, start::bench] {
        bench(&mut criterion);
    }
    criterion.final_summary();
}
