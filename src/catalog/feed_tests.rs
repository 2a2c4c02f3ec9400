//! A client that follows the feed has what the catalog has: whatever registries do, however far it lags behind, and
//! whatever is lost when the process crashes.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::entry::Status;
use super::super::merge::{Moment, Policy, Source, merge};
use super::super::testing::{Row, listing, row, second, served, sources};
use super::*;

const REGISTRIES: usize = 2;
/// Small, so that all of them are met.
const BOUNDS: Bounds = Bounds { events: 12, bytes: 5_000, at_once: 4 };

/// What happens between two publications.
#[derive(Clone, Debug)]
enum Step {
    /// A registry lists a version, anew or otherwise than before.
    Lists { registry: usize, row: Row },
    /// A registry no longer lists anything under a name.
    Forgets { registry: usize, name: &'static str },
    /// A registry comes or goes.
    Turns { registry: usize, usable: bool },
    /// A client takes so many events.
    Follows { client: usize, events: usize },
    /// The store keeps the feed.
    Keep,
    /// The process ends, without a last word to the store, and another one begins.
    Crash,
    /// The same, when the store has kept everything.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let registry = || 0..REGISTRIES;
    prop_oneof![
        6 => (registry(), row(0..5)).prop_map(|(registry, row)| Step::Lists { registry, row }),
        1 => (registry(), row(0..1)).prop_map(|(registry, row)| Step::Forgets { registry, name: row.name }),
        1 => (registry(), any::<bool>()).prop_map(|(registry, usable)| Step::Turns { registry, usable }),
        6 => (0..CLIENTS, 1_usize..20).prop_map(|(client, events)| Step::Follows { client, events }),
        2 => Just(Step::Keep),
        1 => Just(Step::Crash),
        1 => Just(Step::Restart),
    ]
}

const CLIENTS: usize = 3;

#[derive(Default)]
struct Client {
    cursor: Option<Cursor>,
    has: BTreeMap<(String, String), String>,
}

impl Client {
    /// Takes events: those of entries by reading these again, resets by walking the list.
    fn follow(&mut self, catalog: &Catalog, most: usize) {
        let feed = catalog.changes.load();
        let Some(from) = self.cursor.and_then(|cursor| feed.locate(cursor)) else {
            (self.cursor, self.has) = (Some(feed.end()), served(catalog));
            return;
        };
        let all = served(catalog);
        for event in feed.after(from).iter().take(most) {
            self.cursor = Some(feed.cursor_at(event.sequence));
            let Some(change) = &event.change else {
                self.has.clone_from(&all);
                continue;
            };
            let key = (change.name.to_string(), change.version.to_string());
            match all.get(&key) {
                Some(entry) => drop(self.has.insert(key, entry.clone())),
                None => drop(self.has.remove(&key)),
            }
        }
    }

    fn catch_up(&mut self, catalog: &Catalog) {
        self.follow(catalog, usize::MAX);
    }
}

/// A proxy with its registries and its store.
struct World {
    rows: Vec<Vec<Row>>,
    sources: Vec<Source>,
    catalog: Catalog,
    kept: Option<Kept>,
    starts: u64,
    now: i64,
    bounds: Bounds,
}

impl World {
    fn new() -> Self {
        let rows = vec![Vec::new(); REGISTRIES];
        let sources = sources(&rows.iter().map(|rows: &Vec<Row>| (rows.clone(), true, false)).collect());
        let mut world =
            Self { rows, sources, catalog: Catalog::default(), kept: None, starts: 0, now: 0, bounds: BOUNDS };
        world.start();
        world
    }

    fn feed(&self) -> Arc<Feed> {
        self.catalog.changes.load_full()
    }

    fn publish(&mut self, is_settled: bool) {
        self.now += 1;
        let moment = Moment { now: second(self.now), is_ready: is_settled };
        let next = merge(&Policy::default(), &self.sources, &self.catalog, moment);
        let mut feed = self.feed().record(&self.catalog, &next, self.starts, self.bounds);
        if is_settled {
            feed = feed.settle(&next, self.bounds);
        }
        assert!(feed.events.len() <= self.bounds.events && feed.bytes <= self.bounds.bytes);
        assert_eq!(feed.bytes, feed.events.iter().map(|event| event.bytes()).sum::<usize>());
        next.changes.store(feed);
        self.catalog = next;
    }

    /// One registry is tried first, and then the other.
    fn start(&mut self) {
        self.starts += 1;
        self.catalog = Catalog::default();
        if let Some(kept) = self.kept.clone() {
            assert!(kept.is_sound(), "{kept:?}");
            self.catalog.changes.store(Arc::new(Feed::resumed(kept, self.starts)));
        }
        let late = std::mem::take(&mut self.sources[1].listing);
        self.publish(false);
        self.sources[1].listing = late;
        self.publish(false);
        self.publish(true);
    }

    fn keep(&mut self) {
        self.kept = Kept::of(&self.catalog);
    }

    fn apply(&mut self, step: &Step) {
        match step {
            Step::Lists { registry, row } => {
                let rows = &mut self.rows[*registry];
                rows.retain(|known| (known.name, known.version) != (row.name, row.version));
                rows.push(row.clone());
            }
            Step::Forgets { registry, name } => self.rows[*registry].retain(|known| known.name != *name),
            Step::Turns { registry, usable } => self.sources[*registry].usable = *usable,
            Step::Follows { .. } => return,
            Step::Keep => return self.keep(),
            Step::Crash => return self.start(),
            Step::Restart => {
                self.keep();
                return self.start();
            }
        }
        if let Step::Lists { registry, .. } | Step::Forgets { registry, .. } = step {
            self.sources[*registry].listing = Some(Arc::new(listing(&self.rows[*registry])));
        }
        self.publish(true);
    }
}

proptest! {
    #[test]
    fn a_client_that_follows_has_what_the_catalog_has(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        let mut clients: [Client; CLIENTS] = Default::default();
        for step in &steps {
            world.apply(step);
            if let Step::Follows { client, events } = step {
                clients[*client].follow(&world.catalog, *events);
            }
        }
        for client in &mut clients {
            client.catch_up(&world.catalog);
            prop_assert_eq!(&client.has, &served(&world.catalog));
        }
        // And nobody who has caught up is told anything more, nor after a restart that lost nothing.
        let end = world.feed().end();
        prop_assert!(world.feed().locate(end).is_some_and(|at| world.feed().after(at).is_empty()));
        world.apply(&Step::Restart);
        for client in &mut clients {
            let feed = world.feed();
            let at = client.cursor.and_then(|cursor| feed.locate(cursor));
            prop_assert!(at.is_some_and(|at| feed.after(at).is_empty()));
        }
    }
}

fn lists(name: &'static str, content: u8) -> Step {
    let row = Row { name, version: "1.0.0", content, updated_at: 0, status: Status::Active };
    Step::Lists { registry: 0, row }
}

fn resets(feed: &Feed) -> usize {
    feed.events().iter().filter(|event| event.change.is_none()).count()
}

#[test]
fn first_catalogs_and_much_at_once_are_one_reset() {
    let mut world = World::new();
    let words = |world: &World| -> Vec<Option<&'static str>> {
        world.feed().events().iter().map(|event| event.change.as_ref().map(|change| change.kind.as_str())).collect()
    };
    assert_eq!(words(&world), [None], "the catalogs before all registries were tried are one");
    world.apply(&lists("a/one", 0));
    assert_eq!(words(&world), [None, Some("added")]);
    let many = |content| {
        ["1.0.0", "2.0.10", "2.0.9", "2.1", "auto"].map(|version| Row {
            name: "a/two",
            version,
            content,
            updated_at: 0,
            status: Status::Active,
        })
    };
    for content in [0, 1] {
        world.rows[1] = many(content).to_vec();
        world.sources[1].listing = Some(Arc::new(listing(&world.rows[1])));
        world.publish(true);
        assert_eq!(words(&world), [None, Some("added"), None], "a reset takes the place of the one before it");
    }
    let newest = world.feed().events().last().expect("one").clone();
    assert_eq!((newest.revision, newest.time), (world.catalog.revision, world.catalog.published_at));
}

#[test]
fn what_a_crash_lost_is_never_taken_for_what_comes_after() {
    let mut world = World::new();
    world.apply(&lists("a/one", 0));
    world.keep();
    let kept = world.feed().end();
    world.apply(&lists("a/two", 0));
    let lost = world.feed().end();
    assert_eq!(lost.sequence, kept.sequence + 1);
    // The registry is as it was when the feed was kept.
    world.rows[0].pop();
    world.sources[0].listing = Some(Arc::new(listing(&world.rows[0])));
    world.apply(&Step::Crash);
    let feed = world.feed();
    assert_eq!((feed.locate(kept), feed.locate(lost)), (Some(kept.sequence), None));
    assert_eq!(resets(&feed), 1, "nothing changed but the first catalog of all");
    world.apply(&lists("b/one", 0));
    let feed = world.feed();
    assert_eq!((feed.last(), feed.locate(lost)), (lost.sequence, None), "the number came again");
    assert_eq!(feed.locate(Cursor { incarnation: 99, ..kept }), None);
    assert_eq!(feed.locate(Cursor { sequence: feed.last() + 1, ..feed.end() }), None);
    // What it was before the crash has been lost too, where the catalog is another one.
    world.apply(&Step::Crash);
    assert_eq!(resets(&world.feed()), 2);
    assert_eq!(world.feed().after(kept.sequence).len(), 1);
}

#[test]
fn nothing_is_said_before_all_registries_have_been_tried() {
    let mut world = World::new();
    world.apply(&lists("a/one", 0));
    world.keep();
    let end = world.feed().end();
    let whole = world.sources.clone();
    world.starts += 1;
    world.catalog = Catalog::default();
    let kept = world.kept.clone().expect("it was kept");
    world.catalog.changes.store(Arc::new(Feed::resumed(kept, world.starts)));
    world.sources[0].listing = None;
    world.publish(false);
    let feed = world.feed();
    assert!(feed.is_waiting() && Kept::of(&world.catalog).is_none());
    assert!(feed.locate(end).is_some_and(|at| feed.after(at).is_empty()));
    world.sources = whole;
    world.publish(true);
    let feed = world.feed();
    assert!(!feed.is_waiting() && feed.locate(end).is_some_and(|at| feed.after(at).is_empty()));
}

#[test]
fn so_many_starts_with_events_are_known_and_no_more() {
    let mut world = World::new();
    world.bounds = Bounds::default();
    world.apply(&lists("a/one", 0));
    let first = world.feed().end();
    for start in 1..=MAX_INCARNATIONS {
        world.apply(&lists("a/one", u8::try_from(start % 3).expect("small")));
        for _ in 0..3 {
            world.apply(&Step::Restart);
        }
        let feed = world.feed();
        assert_eq!(feed.locate(first).is_some(), start < MAX_INCARNATIONS, "{start}");
        assert!(feed.incarnations.len() <= MAX_INCARNATIONS && resets(&feed) < 2);
        assert_eq!(feed.locate(feed.end()), Some(feed.last()));
    }
}
