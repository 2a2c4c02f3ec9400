//! Registries for the tests of this module: few names and versions, so that they collide.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;

use super::Catalog;
use super::entry::{Digest, Entry, Form, Name, Official, Parts, Status};
use super::facets::{Facet, Facets, Kind};
use super::listing::{Listing, ListingBuilder};
use super::merge::{Moment, Source};
use super::rules::RegistryRules;

/// Before clients could have asked for anything.
pub(super) const START: Moment = Moment { now: Timestamp::UNIX_EPOCH, is_ready: false };

/// One version as a registry of these tests lists it.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) version: &'static str,
    /// Two rows have the same content where this is the same.
    pub(super) content: u8,
    pub(super) updated_at: i64,
    pub(super) status: Status,
}

pub(super) const NAMES: [&str; 6] = ["a/one", "a/two", "b/one", "com.acme/x", "com.Acme/x", "io.Zed/y"];
pub(super) const VERSIONS: [&str; 7] = ["1.0.0", "1.0.0-rc.1", "2.0.10", "2.0.9", "2.1", "auto", "v3.0.0"];

pub(super) fn status() -> impl Strategy<Value = Status> {
    prop_oneof![3 => Just(Status::Active), 1 => Just(Status::Deprecated), 1 => Just(Status::Deleted)]
}

/// A row that was last changed at one of these seconds.
pub(super) fn row(updated_at: std::ops::Range<i64>) -> impl Strategy<Value = Row> {
    let row = (0..NAMES.len(), 0..VERSIONS.len(), 0_u8..3, updated_at, status());
    row.prop_map(|(name, version, content, updated_at, status)| Row {
        name: NAMES[name],
        version: VERSIONS[version],
        content,
        updated_at,
        status,
    })
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec(row(0..5), 0..25)
}

/// The facets that go with a content.
fn facets(content: u8) -> Facets {
    match content {
        0 => Facets::new([Facet::Kind(Kind::Package), Facet::PackageType("npm"), Facet::Transport("stdio")]),
        1 => Facets::new([Facet::Kind(Kind::Remote), Facet::Transport("sse")]),
        _ => Facets::new([Facet::Kind(Kind::Package), Facet::Kind(Kind::Remote), Facet::PackageType("oci")]),
    }
}

pub(super) fn entry(row: &Row) -> Arc<Entry> {
    entry_with(row, row.version, &format!("Content {}", row.content))
}

/// The same with a version and a description of its own.
pub(super) fn entry_with(row: &Row, version: &str, description: &str) -> Arc<Entry> {
    let at = second(row.updated_at);
    let mut form = [row.content; 16];
    form[..8].copy_from_slice(&row.updated_at.to_le_bytes());
    form[8] = row.status.as_str().as_bytes()[2];
    let parts = Parts {
        server: format!(
            r#"{{"name":"{}","version":"{version}","title":"Title","description":"{description}","content":{}}}"#,
            row.name, row.content
        )
        .into(),
        official: Official {
            status: row.status.clone(),
            published_at: at,
            updated_at: at,
            rendered: format!(r#""status":"{}""#, row.status.as_str()).into(),
        },
        extra_meta: String::new(),
        upstream: None,
        legacy_ids: None,
        digest: Digest([row.content; 32]),
        form: Form(form),
        facets: facets(row.content),
        fetched_at: at,
    };
    Arc::new(Entry::new(parts).expect("it has a name and a version"))
}

pub(super) fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("in range")
}

pub(super) fn listing(rows: &[Row]) -> Listing {
    let mut builder = ListingBuilder::new("https://x.example".into(), None);
    for row in rows {
        builder.insert(&Name::new(row.name).expect("a name"), entry(row));
    }
    builder.snapshot()
}

/// A registry of these tests: what it lists, whether it is usable, and whether it claims `com.acme/*`.
pub(super) type Setup = Vec<(Vec<Row>, bool, bool)>;

pub(super) fn setup() -> impl Strategy<Value = Setup> {
    prop::collection::vec((rows(), prop::bool::weighted(0.8), prop::bool::weighted(0.3)), 1..5)
}

pub(super) fn sources(setup: &Setup) -> Vec<Source> {
    let source = |(index, (rows, usable, claims)): (usize, &(Vec<Row>, bool, bool))| {
        let namespaces = if *claims { vec!["com.acme/*".to_owned()] } else { Vec::new() };
        let rules = RegistryRules::new(&format!("r{index}"), &namespaces, &[], &[]).expect("valid patterns");
        let listing = Some(Arc::new(listing(rows)));
        Source { rules: Arc::new(rules), usable: *usable, stale_since: None, is_partial: false, listing }
    };
    setup.iter().enumerate().map(source).collect()
}

/// Every served version as its bytes, under its name and version.
pub(super) fn served(catalog: &Catalog) -> BTreeMap<(String, String), String> {
    let versions = catalog.servers().iter().flat_map(|server| server.versions.iter().map(move |v| (server, v)));
    versions
        .map(|(server, version)| {
            let mut bytes = Vec::new();
            version.write_to(&mut bytes);
            let key = (server.name.to_string(), version.entry.version().to_owned());
            (key, String::from_utf8(bytes).expect("UTF-8"))
        })
        .collect()
}
