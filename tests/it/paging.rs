//! Paging while the catalog is replaced over and over: nothing is repeated, and nothing that was there throughout
//! is skipped, whatever the filter and the sizes of the pages.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::support::entry::{Entry, keys, list};
use crate::support::proxy::{Proxy, Setup};

/// How long the catalog goes on changing.
const REPLACEMENTS: usize = 20;
/// Ten times a second.
const INTERVAL: Duration = Duration::from_millis(100);

/// The entries that are there throughout: of every kind that a filter knows.
fn staying() -> Vec<Entry> {
    let package = |kind: &str| json!([{ "registryType": kind, "identifier": "x", "transport": { "type": "stdio" } }]);
    let entry = |number: usize| {
        let entry = Entry::new(&format!("com.stays/server-{number:02}"), "1.0.0");
        match number % 5 {
            0 => entry.server("packages", package("npm")),
            1 => entry.server("remotes", json!([{ "type": "sse", "url": "https://mcp.example/x" }])),
            2 => entry.official("status", "deprecated"),
            3 => entry.deleted(),
            _ => entry.server("title", "Findable"),
        }
    };
    (0..25).map(entry).collect()
}

/// What comes and goes between them, another half of it each time; also a version above each that stays.
fn passing(round: usize) -> Vec<Entry> {
    let entry = |number: usize| Entry::new(&format!("com.stays/server-{number:02}-passing"), "1.0.0");
    let version = |number: usize| Entry::new(&format!("com.stays/server-{:02}", number * 5 + 4), "0.1.0");
    let names = (0..25).filter(|number| (number + round).is_multiple_of(2)).map(entry);
    names.chain((0..5).filter(|number| (number + round).is_multiple_of(2)).map(version)).collect()
}

fn write(path: &PathBuf, round: usize) {
    let entries: Vec<Entry> = staying().into_iter().chain(passing(round)).collect();
    let new = path.with_extension("new");
    std::fs::write(&new, list(&entries, None).to_string()).expect("writable");
    std::fs::rename(new, path).expect("writable");
}

const FILTERS: [&str; 12] = [
    "",
    "version=latest",
    "version=1.0.0",
    "search=findable",
    "include_deleted=true",
    "status=deleted",
    "status=deprecated",
    "type=package&package_type=npm",
    "type=remote",
    "transport=stdio&version=latest",
    "registry=changing&search=stays",
    "updated_since=2020-01-01T00:00:00Z",
];

async fn walk(proxy: &Proxy, filter: &str, limits: &[usize]) -> Vec<String> {
    let mut walked = Vec::new();
    let mut cursor = String::new();
    for limit in limits.iter().cycle() {
        let page = proxy.json(&format!("/v0.1/servers?limit={limit}&{filter}{cursor}")).await;
        walked.extend(keys(page["servers"].as_array().expect("an array")));
        match page["metadata"]["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    walked
}

/// Lists are in the order of the name, then of the version.
fn parts(key: &str) -> (&str, &str) {
    key.split_once('@').expect("a key")
}

#[tokio::test]
async fn walks_through_any_filter_repeat_nothing_and_skip_nothing_that_stays() {
    let health = "[health]\ninterval = \"20ms\"";
    let document = list(&staying(), None).to_string();
    let proxy = Setup::new().settings(health).file("changing", document).start_ready().await;
    let mut expected = Vec::new();
    for filter in FILTERS {
        expected.push(walk(&proxy, filter, &[100]).await);
    }
    assert!(expected.iter().all(|keys| !keys.is_empty()), "{expected:?}");
    let everything = expected[4].clone();
    let mut passing = BTreeSet::new();
    let path = proxy.directory().join("changing.json");
    let mut replacing = JoinSet::new();
    replacing.spawn(async move {
        for round in 0..REPLACEMENTS {
            write(&path, round);
            sleep(INTERVAL).await;
        }
    });
    let mut walks = 0;
    let mut limits = [1, 2, 3];
    while replacing.try_join_next().is_none() {
        for (filter, expected) in FILTERS.iter().zip(&expected) {
            let walked = walk(&proxy, filter, &limits).await;
            assert!(
                walked.is_sorted_by(|left, right| parts(left) < parts(right)),
                "{filter}: repeated or out of order: {walked:?}"
            );
            let skipped: Vec<_> = expected.iter().filter(|key| !walked.contains(key)).collect();
            assert!(skipped.is_empty(), "{filter} skipped {skipped:?}");
            passing.extend(walked.into_iter().filter(|key| !everything.contains(key)));
            walks += 1;
        }
        limits = [limits[2] + 4, limits[0], limits[1]];
        limits[0] = if limits[0] > 40 { 1 } else { limits[0] };
    }
    assert!(walks > FILTERS.len(), "the walks outlasted the changes");
    // What comes and goes was seen, in both of its halves: the catalog was replaced indeed.
    assert_eq!(passing.len(), 25 + 5, "{passing:?}");
    proxy.stop().await;
}
