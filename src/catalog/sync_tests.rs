//! Synchronising by `updated_since`: a client that asks for what is newer than the newest `updatedAt` it has
//! seen misses nothing, however late registries arrive and whatever moves without `updatedAt`.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;

use super::effects::Effects;
use super::merge::{Moment, Policy, Source, merge};
use super::page::Filter;
use super::testing::{Row, entry, listing, row, second, sources};
use super::{Catalog, Version};

const REGISTRIES: usize = 3;
/// When the first listings arrive; everything that they hold is older.
const READY_AT: i64 = 1_000;

/// What happens between two publications.
#[derive(Clone, Debug)]
enum Event {
    /// A registry lists a version, anew or otherwise than before, dated `age` seconds back, or into the future.
    Lists { registry: usize, row: Row, age: i64 },
    /// A registry no longer lists anything under a name.
    Forgets { registry: usize, name: &'static str },
    /// A registry comes or goes.
    Turns { registry: usize, usable: bool },
    /// Nothing that registries do: a client synchronises.
    Sync,
    /// The proxy is started again, and what registries list in between it does not see.
    Restart,
}

fn event() -> impl Strategy<Value = Event> {
    let registry = 0..REGISTRIES;
    prop_oneof![
        4 => (registry.clone(), row(0..1), -500_i64..2_000).prop_map(|(registry, row, age)| Event::Lists { registry, row, age }),
        1 => (registry.clone(), row(0..1)).prop_map(|(registry, row)| Event::Forgets { registry, name: row.name }),
        2 => (registry, any::<bool>()).prop_map(|(registry, usable)| Event::Turns { registry, usable }),
        3 => Just(Event::Sync),
        1 => Just(Event::Restart),
    ]
}

/// What a client keeps of a version: all that it can act on.
type Kept = (String, String, bool, usize);

fn kept(version: &Version) -> Kept {
    let entry = &version.entry;
    (entry.server(), entry.status().as_str().to_owned(), version.is_latest, version.registry)
}

fn key(version: &Version) -> String {
    let server: serde_json::Value = serde_json::from_str(&version.entry.server()).expect("JSON");
    format!("{}@{}", server["name"], server["version"])
}

#[derive(Default)]
struct Client {
    kept: BTreeMap<String, Kept>,
    newest: Option<Timestamp>,
}

impl Client {
    fn sync(&mut self, catalog: &Catalog) {
        let filter = Filter { updated_since: self.newest, include_deleted: true, ..Filter::default() };
        let mut after = None;
        loop {
            let page = catalog.page(&filter, after.as_ref(), 2);
            for version in page.versions {
                self.kept.insert(key(version), kept(version));
                self.newest = self.newest.max(Some(version.entry.updated_at()));
            }
            after = page.next;
            if after.is_none() {
                return;
            }
        }
    }
}

fn apply(sources: &mut [Source], rows: &mut [Vec<Row>], event: &Event, now: i64) {
    match event {
        Event::Lists { registry, row, age } => {
            let row = Row { updated_at: now - age, ..row.clone() };
            rows[*registry].retain(|known| (known.name, known.version) != (row.name, row.version));
            rows[*registry].push(row);
        }
        Event::Forgets { registry, name } => rows[*registry].retain(|known| known.name != *name),
        Event::Turns { registry, usable } => sources[*registry].usable = *usable,
        Event::Sync | Event::Restart => {}
    }
    if let Event::Lists { registry, .. } | Event::Forgets { registry, .. } = event {
        sources[*registry].listing = Some(Arc::new(listing(&rows[*registry])));
    }
}

proptest! {
    #[test]
    fn a_client_that_asks_for_what_is_newer_than_it_has_seen_misses_nothing(
        start in prop::collection::vec(prop::collection::vec(row(0..READY_AT), 0..8), REGISTRIES),
        events in prop::collection::vec(event(), 1..40),
    ) {
        let mut rows = start.clone();
        let mut sources = sources(&start.into_iter().map(|rows| (rows, true, false)).collect());
        let at_start = Moment { now: second(READY_AT), is_ready: false };
        let mut catalog = merge(&Policy::default(), &sources, &Catalog::default(), at_start);
        let mut client = Client::default();
        client.sync(&catalog);
        // Our clock goes on, but for the instants at which it is set back.
        let clock = (READY_AT + 1..).map(|second| if second % 7 == 0 { second - 20 } else { second });
        let mut is_down = false;
        for (now, event) in clock.zip(&events) {
            apply(&mut sources, &mut rows, event, now);
            if let Event::Restart = event {
                // It comes up with the next event.
                catalog = Catalog::after(Effects::of(&catalog));
                is_down = true;
                continue;
            }
            let moment = Moment { now: second(now), is_ready: !std::mem::take(&mut is_down) };
            catalog = merge(&Policy::default(), &sources, &catalog, moment);
            if matches!(event, Event::Sync) {
                client.sync(&catalog);
                for version in catalog.servers().iter().flat_map(|server| &server.versions) {
                    prop_assert_eq!(client.kept.get(&key(version)), Some(&kept(version)), "{}", key(version));
                }
            }
        }
    }
}

#[test]
fn what_is_served_as_before_a_restart_counts_as_before_it_and_all_else_from_the_restart() {
    let row =
        |name, content| Row { name, version: "1.0.0", content, updated_at: 10, status: super::entry::Status::Active };
    let merge = |rows: &[Row], previous: &Catalog, now, is_ready| {
        let moment = Moment { now: second(now), is_ready };
        merge(&Policy::default(), &sources(&vec![(rows.to_vec(), true, false)]), previous, moment)
    };
    let first = merge(&[row("a/one", 0)], &Catalog::default(), 1_000, false);
    let rows = [row("a/one", 0), row("a/two", 0), row("b/one", 0)];
    let before = merge(&rows, &first, 2_000, true);
    let restarted = Catalog::after(Effects::of(&before));
    let rows = [row("a/one", 0), row("a/two", 0), row("b/one", 1), row("io.Zed/y", 0)];
    let after = merge(&rows, &restarted, 3_000, false);
    let effects = |catalog: &Catalog| rows.each_ref().map(|row| effective(catalog, row.name, "1.0.0"));
    assert_eq!(effects(&after), [10, 2_000, 3_000, 3_000]);
    // Also while the listings still arrive; and then, what comes counts from its arrival as ever.
    assert_eq!(effects(&merge(&rows, &after, 4_000, false)), [10, 2_000, 3_000, 3_000]);
    let ready = merge(&rows[..3], &after, 5_000, true);
    assert_eq!(effective(&merge(&rows, &ready, 6_000, true), "io.Zed/y", "1.0.0"), 6_000);
    // Where nothing is known of what was before, everything counts from the restart.
    assert_eq!(effects(&merge(&rows, &Catalog::after(Effects::default()), 7_000, false)), [7_000; 4]);
}

fn effective(catalog: &Catalog, name: &str, version: &str) -> i64 {
    let found = catalog.server(name).and_then(|server| server.version(version)).expect("a served version");
    found.effective_at.as_second()
}

fn only(row: Row) -> Vec<Source> {
    sources(&vec![(vec![row], true, false)])
}

#[test]
fn what_the_first_listing_brings_counts_from_its_update_and_what_comes_later_from_its_arrival() {
    let row = |version, updated_at| Row {
        name: "a/one",
        version,
        content: 0,
        updated_at,
        status: super::entry::Status::Active,
    };
    let merge = |sources: &[Source], previous: &Catalog, now, is_ready| {
        merge(&Policy::default(), sources, previous, Moment { now: second(now), is_ready })
    };
    let mut sources = only(row("1.0.0", 10));
    let first = merge(&sources, &Catalog::default(), 1_000, false);
    assert_eq!(effective(&first, "a/one", "1.0.0"), 10);
    let unchanged = merge(&sources, &first, 2_000, true);
    assert_eq!(effective(&unchanged, "a/one", "1.0.0"), 10);
    // A new latest version takes the flag from the old one, whose `updatedAt` does not move.
    sources[0].listing = Some(Arc::new(listing(&[row("1.0.0", 10), row("2.0.0", 20)])));
    let flipped = merge(&sources, &unchanged, 3_000, true);
    assert_eq!(effective(&flipped, "a/one", "1.0.0"), 3_000);
    assert_eq!(effective(&flipped, "a/one", "2.0.0"), 3_000);
    let settled = merge(&sources, &flipped, 4_000, true);
    assert_eq!(effective(&settled, "a/one", "1.0.0"), 3_000);
    // What is dated later than its arrival keeps its date.
    sources[0].listing = Some(Arc::new(listing(&[row("1.0.0", 10), row("2.0.0", 9_000)])));
    assert_eq!(effective(&merge(&sources, &settled, 5_000, true), "a/one", "2.0.0"), 9_000);
    assert_eq!(entry(&row("2.0.0", 9_000)).updated_at(), second(9_000));
}
