use proptest::prelude::*;

use super::*;
use crate::catalog::entry::Name;
use crate::catalog::merge::{Policy, merge};
use crate::catalog::testing::{START, second, served, setup, sources, status};

fn text(values: &'static [&'static str]) -> impl Strategy<Value = Option<Box<str>>> {
    prop::option::weighted(0.4, prop::sample::select(values)).prop_map(|text| text.map(Into::into))
}

fn filter() -> impl Strategy<Value = Filter> {
    let version =
        prop_oneof![Just(VersionFilter::Any), Just(VersionFilter::Latest), Just(VersionFilter::Exact("2.1".into()))];
    let kind = prop::option::weighted(0.3, prop_oneof![Just(Kind::Package), Just(Kind::Remote)]);
    let official = (text(&["one", "content 1", "ZED", "nothing"]), prop::option::of(0_i64..5), version, any::<bool>());
    let ours = (
        text(&["r0", "r1", "r3", "unknown"]),
        kind,
        text(&["npm", "oci", "zip"]),
        text(&["stdio", "sse"]),
        prop::option::weighted(0.3, status()),
    );
    (official, ours).prop_map(|((search, since, version, include_deleted), ours)| {
        let (registry, kind, package_type, transport, status) = ours;
        let updated_since = since.map(second);
        let asked = Filter { search, updated_since, version, include_deleted, ..Filter::default() };
        Filter { registry, kind, package_type, transport, status, ..asked }
    })
}

/// Follows the positions to the end, with pages of these sizes in turn.
fn walk<'a>(catalog: &'a Catalog, filter: &Filter, limits: &[usize]) -> Vec<&'a Version> {
    let mut walked = Vec::new();
    let mut after: Option<Position> = None;
    for limit in limits.iter().cycle() {
        let page = catalog.page(filter, after.as_ref(), *limit);
        assert!(page.versions.len() == *limit || page.next.is_none());
        walked.extend(page.versions);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    walked
}

/// Whether a served entry passes, judged by what a client sees of it.
fn passes(filter: &Filter, entry: &serde_json::Value, version: &Version) -> bool {
    let (server, provenance) = (&entry["server"], &entry["_meta"]["mcp-registry-proxy/provenance"]);
    let text = |name: &str| server[name].as_str().expect("a text").to_lowercase();
    let content = server["content"].as_u64().expect("a number");
    let (kinds, package_type, transport) = match content {
        0 => (&[Kind::Package][..], "npm", "stdio"),
        1 => (&[Kind::Remote][..], "", "sse"),
        _ => (&[Kind::Package, Kind::Remote][..], "oci", ""),
    };
    let status = version.entry.status();
    let also_in = provenance["alsoIn"].as_array().expect("an array");
    let registries = || also_in.iter().chain([&provenance["registry"]]);
    let shows_deleted =
        filter.include_deleted || filter.updated_since.is_some() || filter.status == Some(Status::Deleted);
    let finds = |term: &str| text("name").contains(term) || format!("content {content}").contains(term);
    (shows_deleted || *status != Status::Deleted)
        && filter.search.as_deref().is_none_or(|term| finds(&term.to_lowercase()))
        && filter.updated_since.is_none_or(|since| since < version.effective_at)
        && filter.status.as_ref().is_none_or(|wanted| wanted == status)
        && filter.registry.as_deref().is_none_or(|wanted| registries().any(|name| name == wanted))
        && filter.kind.is_none_or(|wanted| kinds.contains(&wanted))
        && filter.package_type.as_deref().is_none_or(|wanted| wanted == package_type)
        && filter.transport.as_deref().is_none_or(|wanted| wanted == transport)
        && match &filter.version {
            VersionFilter::Any => true,
            VersionFilter::Latest => version.is_latest,
            VersionFilter::Exact(wanted) => **wanted == *text("version"),
        }
}

proptest! {
    #[test]
    fn a_walk_of_any_page_sizes_through_any_filter_finds_what_a_scan_finds(
        setup in setup(), filter in filter(), limits in prop::collection::vec(1_usize..7, 1..4),
    ) {
        let catalog = merge(&Policy::default(), &sources(&setup), &Catalog::default(), START);
        let bytes = served(&catalog);
        let versions = catalog.servers().iter().flat_map(|server| server.versions.iter().map(move |v| (server, v)));
        let scanned: Vec<_> = versions
            .filter(|(server, version)| {
                let key = (server.name.to_string(), version.entry.version().to_owned());
                passes(&filter, &serde_json::from_str(&bytes[&key]).expect("JSON"), version)
            })
            .map(|(_, version)| std::ptr::from_ref(version))
            .collect();
        let walked: Vec<_> = walk(&catalog, &filter, &limits).into_iter().map(std::ptr::from_ref).collect();
        prop_assert_eq!(walked, scanned);
    }

    #[test]
    fn a_walk_over_changing_catalogs_repeats_nothing_and_skips_nothing_that_stays(
        setups in prop::collection::vec(setup(), 2..5), filter in filter(), limits in prop::collection::vec(1_usize..4, 1..4),
    ) {
        let merge = |setup| merge(&Policy::default(), &sources(setup), &Catalog::default(), START);
        let catalogs: Vec<Catalog> = setups.iter().map(merge).collect();
        let key = |filter: &Filter, version: &Version| {
            let server: serde_json::Value = serde_json::from_str(&version.entry.server()).expect("JSON");
            let name = server["name"].as_str().expect("a name").to_owned();
            // With `latest`, the list is one of names.
            (name, (filter.version != VersionFilter::Latest).then(|| Box::<str>::from(version.entry.version())))
        };
        let all = |catalog| walk(catalog, &filter, &[100]).into_iter().map(|version| key(&filter, version)).collect::<Vec<_>>();
        let mut walked = Vec::new();
        let mut after: Option<Position> = None;
        for (catalog, limit) in catalogs.iter().cycle().zip(limits.iter().cycle()) {
            let page = catalog.page(&filter, after.as_ref(), *limit);
            walked.extend(page.versions.iter().map(|version| key(&filter, version)));
            after = page.next;
            if after.is_none() { break; }
        }
        prop_assert!(walked.is_sorted_by(|left, right| left < right), "in order, and nothing twice: {walked:?}");
        let stays = all(&catalogs[0]).into_iter().filter(|key| catalogs.iter().all(|catalog| all(catalog).contains(key)));
        for key in stays {
            prop_assert!(walked.contains(&key), "{key:?} was skipped");
        }
    }
}

#[test]
fn a_name_is_found_where_it_would_stand() {
    let server = |number: usize| {
        let name = Name::new(&format!("a/{number:03}")).expect("a name");
        let (versions, contributions, at) = (Vec::new(), Vec::new(), Timestamp::UNIX_EPOCH);
        Arc::new(Server { name, versions, contributions, latest: None, newest_effect: at, newest_update: at })
    };
    for count in (0..40).chain([63, 64, 65, 200, 300]) {
        let servers: Vec<Arc<Server>> = (0..count).map(|number| server(2 * number)).collect();
        for asked in 0..=2 * count {
            let name = format!("a/{asked:03}");
            let expected = servers.partition_point(|server| server.name.as_str() < &*name);
            assert_eq!(first_from(&servers, &name), expected, "{name} of {count}");
        }
    }
}
