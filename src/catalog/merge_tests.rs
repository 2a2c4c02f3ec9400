use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::catalog::entry::Status;
use crate::catalog::testing::{NAMES, Row, START, Setup, served, setup, sources};

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
        let catalog = merge(&Policy { mode, ..Policy::default() }, &sources(&setup), &Catalog::default(), START);
        let winners: BTreeMap<_, _> = catalog
            .servers()
            .iter()
            .flat_map(|server| server.versions.iter().map(move |version| {
                ((server.name.to_string(), version.entry.version().to_owned()), version.registry)
            }))
            .collect();
        prop_assert_eq!(winners, expected(&setup, mode));
        prop_assert_eq!(catalog.versions(), served(&catalog).len());
    }

    #[test]
    fn each_name_has_exactly_one_latest_among_those_not_deleted(setup in setup()) {
        let catalog = merge(&Policy::default(), &sources(&setup), &Catalog::default(), START);
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
        let at_once = merge(&Policy::default(), &all, &Catalog::default(), START);
        let mut arrived: Vec<Source> = all.iter().map(|source| Source { listing: None, ..source.clone() }).collect();
        let mut step_by_step = merge(&Policy::default(), &arrived, &Catalog::default(), START);
        for index in order.into_iter().filter(|index| *index < all.len()) {
            arrived[index].listing.clone_from(&all[index].listing);
            step_by_step = merge(&Policy::default(), &arrived, &step_by_step, START);
        }
        prop_assert_eq!(served(&step_by_step), served(&at_once));
    }

    #[test]
    fn merging_twice_changes_nothing_and_shares_everything(setup in setup()) {
        let sources = sources(&setup);
        let once = merge(&Policy::default(), &sources, &Catalog::default(), START);
        let twice = merge(&Policy::default(), &sources, &once, START);
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
        let previous = merge(&Policy::default(), &before_sources, &Catalog::default(), START);
        let fresh = merge(&Policy::default(), &sources, &Catalog::default(), START);
        let merged = merge(&Policy::default(), &sources, &previous, START);
        prop_assert_eq!(served(&merged), served(&fresh));
        let counts = |catalog: &Catalog| {
            let registries: Vec<Counts> = catalog.registries.iter().map(|registry| registry.counts).collect();
            let names = |servers: &[Arc<Server>]| servers.iter().map(|server| server.name.clone()).collect::<Vec<_>>();
            (registries, catalog.versions(), names(catalog.servers()), names(catalog.unserved()))
        };
        prop_assert_eq!(counts(&merged), counts(&fresh));
    }

    #[test]
    fn a_look_up_says_withheld_only_of_what_an_unusable_registry_may_supply(setup in setup()) {
        let sources = sources(&setup);
        let catalog = merge(&Policy::default(), &sources, &Catalog::default(), START);
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
    let row = |content| Row { name: "a/one", version: "1.0.0", content, updated_at: 0, status: Status::Active };
    let setup = vec![
        (vec![row(1)], true, false),
        (vec![row(1)], true, false),
        (vec![row(2)], true, false),
        (vec![row(3)], false, false),
    ];
    let bytes = served(&merge(&Policy::default(), &sources(&setup), &Catalog::default(), START));
    let entry: serde_json::Value = serde_json::from_str(bytes.values().next().expect("one entry")).expect("JSON");
    let provenance = &entry["_meta"]["mcp-registry-proxy/provenance"];
    assert_eq!(provenance["registry"], "r0");
    assert_eq!(provenance["url"], "https://x.example");
    assert_eq!(provenance["alsoIn"], serde_json::json!(["r1", "r2"]));
    assert_eq!(provenance["divergent"], true);
    assert_eq!(provenance["fetchedAt"], "1970-01-01T00:00:00Z");
    assert_eq!(provenance["sha256"], "01".repeat(32));
}
