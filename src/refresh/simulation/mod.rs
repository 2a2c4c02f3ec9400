//! Registries that change, fail, lie and collapse for thousands of days, on a clock of the test's own: no sockets, no
//! tasks, no waiting. What is asked, taken, believed, served and published is decided by the code that the program
//! runs; what must come of it is told a second time, plainly, and compared after every event.
//!
//! `SIMULATION_SEED` runs one seed alone, and `SIMULATION_DAYS` each of them for so many days.

mod faults;
mod member;
mod reference;
mod registry;
mod vitals;
mod witness;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};

use world::World;

/// How many seeds an ordinary run has, and for how many days each.
const SEEDS: u64 = 160;
const DAYS: u64 = 12;

#[expect(clippy::disallowed_methods, reason = "what a failing run is repeated with is no configuration")]
fn wanted(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

/// Runs these seeds on all processors.
fn run(seeds: u64, days: u64) -> u64 {
    let days = wanted("SIMULATION_DAYS").unwrap_or(days);
    if let Some(seed) = wanted("SIMULATION_SEED") {
        return World::new(seed).run(days);
    }
    let (next, simulated) = (AtomicU64::new(0), AtomicU64::new(0));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seeds <= seed {
                return;
            }
            simulated.fetch_add(World::new(seed).run(days), Ordering::Relaxed);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    simulated.into_inner()
}

#[test]
fn whatever_registries_do_the_catalog_is_what_they_list() {
    let simulated = run(SEEDS, DAYS);
    assert!(SEEDS * DAYS <= simulated || wanted("SIMULATION_SEED").is_some() || wanted("SIMULATION_DAYS").is_some());
}

#[test]
#[ignore = "takes many minutes"]
fn and_so_for_a_hundred_thousand_days() {
    run(2_500, 40);
}
