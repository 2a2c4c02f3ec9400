use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::catalog::entry::{Digest, Form, Official, Status};
use crate::catalog::listing::ListingBuilder;
use crate::catalog::page::{Filter, Position, VersionFilter};

/// One version as a registry of these tests lists it.
#[derive(Clone, Debug)]
struct Row {
    name: &'static str,
    version: &'static str,
    /// Two rows have the same content where this is the same.
    content: u8,
    published_at: i64,
    deleted: bool,
}

const NAMES: [&str; 6] = ["a/one", "a/two", "b/one", "com.acme/x", "com.Acme/x", "io.Zed/y"];
const VERSIONS: [&str; 7] = ["1.0.0", "1.0.0-rc.1", "2.0.10", "2.0.9", "2.1", "auto", "v3.0.0"];

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (0..NAMES.len(), 0..VERSIONS.len(), 0_u8..3, 0_i64..5, prop::bool::weighted(0.2));
    let row = row.prop_map(|(name, version, content, published_at, deleted)| Row {
        name: NAMES[name],
        version: VERSIONS[version],
        content,
        published_at,
        deleted,
    });
    prop::collection::vec(row, 0..25)
}

fn entry(row: &Row) -> Arc<Entry> {
    let at = Timestamp::from_second(row.published_at).expect("in range");
    let status = if row.deleted { Status::Deleted } else { Status::Active };
    let mut form = [row.content; 16];
    (form[0], form[1]) = (u8::from(row.deleted), u8::try_from(row.published_at).expect("small"));
    Arc::new(Entry {
        version: row.version.into(),
        server: format!(r#"{{"name":"{}","version":"{}","content":{}}}"#, row.name, row.version, row.content).into(),
        official: Official { status, published_at: at, updated_at: at, rendered: r#""status":"x""#.into() },
        extra_meta: "".into(),
        upstream: None,
        legacy_ids: None,
        digest: Digest([row.content; 32]),
        form: Form(form),
        search_text: format!("title\0content {}", row.content).into(),
        fetched_at: at,
    })
}

fn listing(rows: &[Row]) -> Listing {
    let mut builder = ListingBuilder::new("https://x.example".into(), None);
    for row in rows {
        builder.insert(&Name::new(row.name).expect("a name"), entry(row));
    }
    builder.snapshot()
}

/// A registry of these tests: what it lists, whether it is usable, and whether it claims `com.acme/*`.
type Setup = Vec<(Vec<Row>, bool, bool)>;

fn setup() -> impl Strategy<Value = Setup> {
    prop::collection::vec((rows(), prop::bool::weighted(0.8), prop::bool::weighted(0.3)), 1..5)
}

fn sources(setup: &Setup) -> Vec<Source> {
    let source = |(index, (rows, usable, claims)): (usize, &(Vec<Row>, bool, bool))| {
        let namespaces = if *claims { vec!["com.acme/*".to_owned()] } else { Vec::new() };
        let rules = RegistryRules::new(&format!("r{index}"), &namespaces, &[], &[]).expect("valid patterns");
        Source { rules: Arc::new(rules), usable: *usable, listing: Some(Arc::new(listing(rows))) }
    };
    setup.iter().enumerate().map(source).collect()
}

/// Every served version as its bytes, under its name and version.
fn served(catalog: &Catalog) -> BTreeMap<(String, String), String> {
    let versions = catalog.servers().iter().flat_map(|server| server.versions.iter().map(move |v| (server, v)));
    versions
        .map(|(server, version)| {
            let mut bytes = Vec::new();
            version.write_to(&mut bytes);
            let key = (server.name.to_string(), version.entry.version.to_string());
            (key, String::from_utf8(bytes).expect("UTF-8"))
        })
        .collect()
}

/// What the contract says must be listed, computed the slow and obvious way: key → winner's position.
fn expected(setup: &Setup, mode: MergeMode) -> BTreeMap<(String, String), usize> {
    let claimed = |name: &str| {
        let matches = name.to_lowercase().starts_with("com.acme/");
        matches && setup.iter().any(|(_, _, claims)| *claims)
    };
    let may_supply = |index: usize, name: &str| !claimed(name) || setup[index].2;
    let mut winners = BTreeMap::new();
    for (index, (rows, usable, _)) in setup.iter().enumerate() {
        for row in rows.iter().filter(|row| may_supply(index, row.name)) {
            let lists =
                |other: &usize| may_supply(*other, row.name) && setup[*other].0.iter().any(|r| r.name == row.name);
            let owner = (0..setup.len()).find(lists).expect("this one lists it");
            if *usable && (mode == MergeMode::Union || owner == index) {
                winners.entry((row.name.to_owned(), row.version.to_owned())).or_insert(index);
            }
        }
    }
    winners
}

proptest! {
    #[test]
    fn nothing_is_lost_and_the_first_in_configuration_order_wins(setup in setup(), first in any::<bool>()) {
        let mode = if first { MergeMode::First } else { MergeMode::Union };
        let catalog = merge(&Policy { mode, ..Policy::default() }, &sources(&setup), &Catalog::default());
        let winners: BTreeMap<_, _> = catalog
            .servers()
            .iter()
            .flat_map(|server| server.versions.iter().map(move |version| {
                ((server.name.to_string(), version.entry.version.to_string()), version.registry)
            }))
            .collect();
        prop_assert_eq!(winners, expected(&setup, mode));
        prop_assert_eq!(catalog.versions(), served(&catalog).len());
    }

    #[test]
    fn each_name_has_exactly_one_latest_among_those_not_deleted(setup in setup()) {
        let catalog = merge(&Policy::default(), &sources(&setup), &Catalog::default());
        for server in catalog.servers() {
            let latest: Vec<_> = server.versions.iter().filter(|version| version.is_latest).collect();
            prop_assert_eq!(latest.len(), 1);
            let all_deleted = server.versions.iter().all(|version| version.entry.is_deleted());
            prop_assert_eq!(latest[0].entry.is_deleted(), all_deleted);
            prop_assert!(std::ptr::eq(latest[0], server.latest().expect("one")));
        }
    }

    #[test]
    fn the_order_of_arrival_never_shows(setup in setup(), order in Just((0..5).collect::<Vec<usize>>()).prop_shuffle()) {
        let all = sources(&setup);
        let at_once = merge(&Policy::default(), &all, &Catalog::default());
        let mut arrived: Vec<Source> = all.iter().map(|source| Source { listing: None, ..source.clone() }).collect();
        let mut step_by_step = merge(&Policy::default(), &arrived, &Catalog::default());
        for index in order.into_iter().filter(|index| *index < all.len()) {
            arrived[index].listing.clone_from(&all[index].listing);
            step_by_step = merge(&Policy::default(), &arrived, &step_by_step);
        }
        prop_assert_eq!(served(&step_by_step), served(&at_once));
    }

    #[test]
    fn merging_twice_changes_nothing_and_shares_everything(setup in setup()) {
        let sources = sources(&setup);
        let once = merge(&Policy::default(), &sources, &Catalog::default());
        let twice = merge(&Policy::default(), &sources, &once);
        prop_assert_eq!(served(&once), served(&twice));
        prop_assert!(once.servers().iter().zip(twice.servers()).all(|(one, two)| Arc::ptr_eq(one, two)));
        prop_assert_eq!(twice.revision, once.revision + 1);
    }

    #[test]
    fn merging_on_top_of_any_other_catalog_gives_the_same(before in setup(), mut after in setup()) {
        // The same registries, with the same rules, at another time.
        let before_sources = sources(&before);
        after.truncate(before.len());
        let mut sources = sources(&after);
        for (source, earlier) in sources.iter_mut().zip(&before_sources) {
            source.rules = Arc::clone(&earlier.rules);
        }
        let previous = merge(&Policy::default(), &before_sources, &Catalog::default());
        let fresh = merge(&Policy::default(), &sources, &Catalog::default());
        prop_assert_eq!(served(&merge(&Policy::default(), &sources, &previous)), served(&fresh));
    }

    #[test]
    fn a_walk_of_any_page_size_through_any_filter_finds_what_a_scan_finds(
        setup in setup(), limit in 1_usize..7, search in prop::option::of(prop_oneof![Just("one"), Just("content 1"), Just("ZED"), Just("nothing")]),
        version in prop_oneof![Just(VersionFilter::Any), Just(VersionFilter::Latest), Just(VersionFilter::Exact("2.1".into()))],
        since in prop::option::of(0_i64..5), include_deleted in any::<bool>(),
    ) {
        let catalog = merge(&Policy::default(), &sources(&setup), &Catalog::default());
        let updated_since = since.map(|second| Timestamp::from_second(second).expect("in range"));
        let filter = Filter { search: search.map(Into::into), updated_since, version, include_deleted };
        let mut walked = Vec::new();
        let mut after: Option<Position> = None;
        loop {
            let page = catalog.page(&filter, after.as_ref(), limit);
            prop_assert!(page.versions.len() == limit || page.next.is_none());
            walked.extend(page.versions.iter().map(|version| std::ptr::from_ref(*version)));
            after = page.next;
            if after.is_none() { break; }
        }
        let passes = |server: &Server, version: &Version| {
            let entry = &version.entry;
            let needle = search.unwrap_or_default().to_lowercase();
            (include_deleted || updated_since.is_some() || !entry.is_deleted())
                && updated_since.is_none_or(|since| since < entry.official.updated_at)
                && (server.name.as_str().to_lowercase().contains(&needle) || entry.search_text.contains(&needle))
                && match &filter.version {
                    VersionFilter::Any => true,
                    VersionFilter::Latest => version.is_latest,
                    VersionFilter::Exact(text) => *text == entry.version,
                }
        };
        let scanned: Vec<_> = catalog
            .servers()
            .iter()
            .flat_map(|server| server.versions.iter().filter(move |version| passes(server, version)))
            .map(std::ptr::from_ref)
            .collect();
        prop_assert_eq!(walked, scanned);
    }

    #[test]
    fn a_look_up_says_withheld_only_of_what_an_unusable_registry_may_supply(setup in setup()) {
        let sources = sources(&setup);
        let catalog = merge(&Policy::default(), &sources, &Catalog::default());
        let listed: BTreeSet<_> = expected(&setup, MergeMode::Union).into_keys().map(|(name, _)| name).collect();
        let all_usable: Setup = setup.iter().cloned().map(|(rows, _, claims)| (rows, true, claims)).collect();
        let possible: BTreeSet<_> = expected(&all_usable, MergeMode::Union).into_keys().map(|(name, _)| name).collect();
        for name in NAMES {
            let Some(server) = catalog.server(name) else {
                prop_assert!(!possible.contains(name));
                continue;
            };
            let withheld = server.withheld_by(None, true);
            prop_assert_eq!(!server.versions.is_empty(), listed.contains(name));
            prop_assert!(withheld.iter().all(|index| !sources[*index].usable));
            if server.versions.is_empty() {
                prop_assert_eq!(!withheld.is_empty(), possible.contains(name));
            }
        }
    }
}

#[test]
fn provenance_says_who_else_lists_a_version_and_whether_with_other_content() {
    let row = |content| Row { name: "a/one", version: "1.0.0", content, published_at: 0, deleted: false };
    let setup = vec![
        (vec![row(1)], true, false),
        (vec![row(1)], true, false),
        (vec![row(2)], true, false),
        (vec![row(3)], false, false),
    ];
    let bytes = served(&merge(&Policy::default(), &sources(&setup), &Catalog::default()));
    let entry: serde_json::Value = serde_json::from_str(bytes.values().next().expect("one entry")).expect("JSON");
    let provenance = &entry["_meta"]["mcp-registry-proxy/provenance"];
    assert_eq!(provenance["registry"], "r0");
    assert_eq!(provenance["url"], "https://x.example");
    assert_eq!(provenance["alsoIn"], serde_json::json!(["r1", "r2"]));
    assert_eq!(provenance["divergent"], true);
    assert_eq!(provenance["fetchedAt"], "1970-01-01T00:00:00Z");
    assert_eq!(provenance["sha256"], "01".repeat(32));
}
