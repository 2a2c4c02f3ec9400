//! Registries that change, fail, lie and collapse for days, on a clock of the test's own. Whatever has happened: nothing
//! is listed that never was, no part replaces a whole, no collapse is believed at once, and after quiet time the listing
//! is the registry's list.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Config;
use super::model::{Bench, Row, contents_of};
use crate::catalog::listing::Listing;
use crate::registry::error::FetchError;
use crate::registry::guard::collapse;
use crate::registry::increments::UpdatedSince;

/// The names that there may be.
const NAMES: usize = 140;
/// How much of the time something happens, and how much is quiet after it.
const TURBULENT_HOURS: u32 = 24;
const QUIET_HOURS: f64 = 20.0;

struct Simulation {
    bench: Bench,
    /// What a registry that collapsed, or emptied its list, had before.
    saved: Option<BTreeMap<String, Row>>,
    /// When the names that are listed came into the listing.
    listed_at: BTreeMap<String, Timestamp>,
    /// What may cost a request more than the schedule says.
    disruptions: usize,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        fastrand::seed(seed);
        let count = fastrand::usize(55..110);
        let full_interval = Duration::from_mins(if fastrand::bool() { 30 } else { 360 });
        let config = Config { full_interval, ..Config::default() };
        let mut bench = Bench::with(config, count, "2026-06-01T09:00:00Z", fastrand::f64);
        bench.model.page_size = fastrand::usize(20..100);
        bench.request_duration = Duration::from_secs(fastrand::u64(1..150));
        bench.model.knows =
            [UpdatedSince::Honoured, UpdatedSince::Honoured, UpdatedSince::Ignored, UpdatedSince::Rejected]
                [fastrand::usize(0..4)];
        Self { bench, saved: None, listed_at: BTreeMap::new(), disruptions: 0 }
    }

    /// Lets time pass step by step, and looks at every new listing.
    fn pass(&mut self, hours: f64) {
        let end = self.bench.now.wall + Duration::from_secs_f64(hours * 3600.0);
        while self.bench.now.wall < end {
            let (before, held) = {
                let status = self.bench.registry.status();
                (status.listing.clone(), status.held.clone())
            };
            self.bench.step(end);
            let Some(after) = self.bench.registry.status().listing.clone() else { continue };
            if before.as_ref().is_some_and(|before| Arc::ptr_eq(before, &after)) {
                continue;
            }
            let held = held.filter(|held| held.listing.has_same_versions_as(&after));
            self.check(before.as_deref(), &after, held.is_some());
        }
    }

    /// Looks at a listing and the one before it.
    fn check(&mut self, before: Option<&Listing>, after: &Listing, was_held: bool) {
        let listed = contents_of(after);
        let unknown: Vec<_> = listed.difference(&self.bench.model.ever).collect();
        assert!(unknown.is_empty(), "never listed: {unknown:?}");
        let listed: BTreeMap<String, u64> = listed.into_iter().collect();
        if let Some(before) = before {
            assert!(collapse(before, after).is_none() || was_held, "a collapse was believed at once");
            for (name, content) in contents_of(before) {
                match (listed.get(&name), self.bench.model.since.get(&name)) {
                    (Some(now), _) => assert!(content <= *now, "{name} went back from {content} to {now}"),
                    (None, Some(since)) => {
                        assert!(self.listed_at[&name] < *since, "{name} was lost, although it was there throughout");
                    }
                    (None, None) => {}
                }
            }
        }
        self.listed_at.retain(|name, _| listed.contains_key(name));
        for name in listed.into_keys() {
            self.listed_at.entry(name).or_insert(self.bench.now.wall);
        }
    }

    fn happen(&mut self) {
        let (now, model) = (self.bench.now.wall, &mut self.bench.model);
        let number = fastrand::usize(0..NAMES);
        match fastrand::u32(0..100) {
            0..35 => model.publish(number, now),
            35..42 => model.rewrite(number),
            42..50 => model.remove(number),
            50..66 => {
                let count = fastrand::usize(1..4);
                model.faults.extend(std::iter::repeat_with(fault).take(count));
                self.disruptions += count;
            }
            66..69 => model.skew = [None, Some(SignedDuration::ZERO), Some(SignedDuration::from_hours(30))][number % 3],
            69..71 => model.skew = Some(SignedDuration::from_mins(-3)),
            71..75 if self.saved.is_none() => {
                self.saved = Some(model.rows.clone());
                let left = [0, 3, 12][number % 3];
                (left..NAMES).for_each(|number| model.remove(number));
            }
            71..82 => self.restore(),
            82..86 => {
                self.bench.restart();
                self.disruptions += 1;
            }
            86..90 => {
                self.bench.registry.request_refresh(false);
                self.disruptions += 1;
            }
            90..94 => {
                self.bench.synchroniser.set_walkable(false, self.bench.now);
                self.pass(fastrand::f64());
                self.bench.synchroniser.set_walkable(true, self.bench.now);
                self.disruptions += 1;
            }
            _ => {}
        }
    }

    /// The list is again what it was, as of now.
    fn restore(&mut self) {
        let Some(rows) = self.saved.take() else { return };
        let now = self.bench.now.wall;
        self.bench.model.restore(rows, now);
    }

    fn run(&mut self) {
        for _ in 0..TURBULENT_HOURS * 6 {
            self.happen();
            self.pass(fastrand::f64() / 3.0);
        }
        self.bench.model.faults.clear();
        if self.bench.model.rows.is_empty() {
            self.restore();
            self.bench.model.publish(0, self.bench.now.wall);
        }
        self.pass(QUIET_HOURS);
        assert_eq!(self.bench.listed(), self.bench.model.contents(), "not in step after quiet time");
        self.check_budget();
    }

    /// Walks and increments begin no more often than every `interval`, disruptions aside: a list that is empty, or
    /// full walks of one who does not know the parameter, come that often.
    fn check_budget(&mut self) {
        let hours = f64::from(TURBULENT_HOURS) * 1.5 + QUIET_HOURS;
        let (walks, increments) = self.bench.begun();
        #[expect(clippy::cast_precision_loss, reason = "there are a few hundred")]
        let (walks, increments, more) = (walks as f64, increments.len() as f64, self.disruptions as f64);
        let most = hours * 60.0 / 4.5 + 2.0 * more + 2.0;
        assert!(walks <= most && increments <= most, "{walks} walks and {increments} increments");
    }
}

fn fault() -> FetchError {
    let status = |status, retry_after| FetchError::Status { status, retry_after };
    match fastrand::u32(0..6) {
        0 => status(429, Some(Duration::from_secs(fastrand::u64(0..600)))),
        1 => status(500, None),
        2 => status(403, None),
        3 => FetchError::Interrupted("reset".to_owned()),
        4 => FetchError::Partial,
        _ => FetchError::Timeout(Duration::from_secs(75)),
    }
}

/// Says which seed it was, should the simulation fail.
struct Seed(u64);

impl Drop for Seed {
    #[expect(clippy::print_stderr, reason = "that is what the failing test is repeated with")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the seed was {}", self.0);
        }
    }
}

#[test]
fn whatever_has_happened_the_listing_comes_to_be_the_list() {
    for seed in 0..8 {
        let seed = Seed(seed);
        Simulation::new(seed.0).run();
    }
}
