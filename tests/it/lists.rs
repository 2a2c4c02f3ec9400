//! What lists and versions hold: order, pages, cursors, filters, deleted entries.

use serde_json::Value;

use crate::support::entry::{Entry, keys, list};
use crate::support::proxy::{Proxy, Setup};

/// Twelve versions of seven names, in the order of the list; two versions are deleted.
const ALL: [&str; 12] = [
    "Com.Example/upper@1.0.0",
    "com.example/beta@1.0.0",
    "com.example/beta@1.10.0",
    "com.example/beta@1.9.0",
    "com.example/gone@1.0.0",
    "com.example/odd@2025.11.13+pr147-5d1f8b0",
    "com.example/zeta@0.9.0",
    "com.example/zeta@1.0.0",
    "com.example/zeta@2.0.0",
    "org.example/git@1.0.0",
    "org.example/git@1.1.0",
    "org.example/web@1.0.0",
];

const GONE: [&str; 2] = ["com.example/gone@1.0.0", "com.example/zeta@2.0.0"];

fn entries() -> Vec<Entry> {
    let entry = |(number, key): (usize, &&str)| {
        let (name, version) = key.split_once('@').expect("a key");
        // Each a day after the one before.
        let entry = Entry::new(name, version).published_at(&format!("2026-01-{:02}T12:00:00Z", number + 1));
        let entry = match *key {
            "org.example/git@1.1.0" => entry.server("title", "Version Control").server("description", "About Commits"),
            _ => entry,
        };
        if GONE.contains(key) { entry.deleted() } else { entry }
    };
    ALL.iter().enumerate().map(entry).collect()
}

async fn proxy() -> Proxy {
    // The order of the file must not matter.
    let shuffled: Vec<Entry> = entries().into_iter().rev().collect();
    Setup::new().file("curated", list(&shuffled, None).to_string()).start_ready().await
}

fn listed() -> Vec<&'static str> {
    ALL.into_iter().filter(|key| !GONE.contains(key)).collect()
}

#[tokio::test]
async fn lists_are_in_byte_order_and_hide_what_is_deleted() {
    let proxy = proxy().await;
    for root in ["/v0", "/v0.1", ""] {
        let page = proxy.json(&format!("{root}/servers")).await;
        assert_eq!(keys(page["servers"].as_array().expect("an array")), listed());
        assert_eq!(page["metadata"], serde_json::json!({ "count": 10 }));
        let page = proxy.json(&format!("{root}/servers?include_deleted=true")).await;
        assert_eq!(keys(page["servers"].as_array().expect("an array")), ALL);
    }
    proxy.stop().await;
}

#[tokio::test]
async fn every_page_size_gives_the_same_walk() {
    let proxy = proxy().await;
    for limit in [1, 2, 3, 5, 9, 10, 11, 100] {
        assert_eq!(keys(&proxy.walk("", limit).await), listed(), "{limit}");
        assert_eq!(keys(&proxy.walk("include_deleted=1", limit).await), ALL, "{limit}");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn the_last_page_has_no_cursor_and_the_others_a_plain_one() {
    let proxy = proxy().await;
    let first = proxy.json("/v0/servers?limit=9").await;
    let cursor = first["metadata"]["nextCursor"].as_str().expect("a cursor");
    assert!(cursor.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')), "{cursor}");
    let last = proxy.get(&format!("/v0/servers?limit=9&cursor={cursor}")).await;
    assert!(last.text().ends_with("],\"metadata\":{\"count\":1}}\n"), "{}", last.text());
    // Ten fit exactly: there is no empty page to come.
    assert!(!proxy.get("/v0/servers?limit=10").await.text().contains("nextCursor"));
    proxy.stop().await;
}

/// Follows a list with another limit for each page, the cursor being all that later pages name.
async fn walk_by_cursor_alone(proxy: &Proxy, query: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut page = proxy.json(&format!("/v0.1/servers?limit=1&{query}")).await;
    for limit in 2.. {
        found.extend(keys(page["servers"].as_array().expect("an array")));
        let Some(cursor) = page["metadata"]["nextCursor"].as_str() else { break };
        page = proxy.json(&format!("/v0.1/servers?cursor={cursor}&limit={limit}")).await;
    }
    found
}

#[tokio::test]
async fn a_cursor_carries_its_filters_and_the_limit_may_change_between_pages() {
    let proxy = proxy().await;
    let queries = [
        ("", 10),
        ("include_deleted=true", 12),
        ("search=COM.example", 7),
        ("version=latest", 6),
        ("version=1.0.0", 5),
        ("updated_since=2026-01-04T12:00:00Z", 8),
        ("version=latest&search=example&include_deleted=true", 7),
    ];
    for (query, count) in queries {
        let walked = walk_by_cursor_alone(&proxy, query).await;
        assert_eq!(walked.len(), count, "{query}: {walked:?}");
        assert_eq!(walked, keys(&proxy.walk(query, 100).await), "{query}");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn a_query_that_contradicts_its_cursor_is_400() {
    let proxy = proxy().await;
    let first = proxy.json("/v0/servers?limit=1&search=example&version=latest").await;
    let cursor = first["metadata"]["nextCursor"].as_str().expect("a cursor");
    let get = async |query: &str| proxy.get(&format!("/v0/servers?cursor={cursor}&{query}")).await;
    for query in ["limit=3", "search=", "search=EXAMPLE&version=latest", "include_deleted=false", "other=1"] {
        let reply = get(query).await;
        assert_eq!(reply.status, 200, "{query}: {}", reply.text());
    }
    let contradictions = [
        ("search=git", "search"),
        ("version=1.0.0", "version"),
        ("include_deleted=true", "include_deleted"),
        ("updated_since=2026-01-01T00:00:00Z", "updated_since"),
    ];
    for (query, key) in contradictions {
        let reply = get(query).await;
        assert_eq!(reply.status, 400, "{query}: {}", reply.text());
        assert!(reply.detail().contains(key), "{query}: {}", reply.text());
    }
    proxy.stop().await;
}

#[tokio::test]
async fn a_mangled_cursor_is_400_and_never_another_page() {
    let proxy = proxy().await;
    let first = proxy.json("/v0/servers?limit=3").await;
    let cursor = first["metadata"]["nextCursor"].as_str().expect("a cursor");
    for position in 0..cursor.len() {
        let mut mangled = cursor.to_owned();
        let other = if mangled[position..].starts_with('A') { "B" } else { "A" };
        mangled.replace_range(position..=position, other);
        let reply = proxy.get(&format!("/v0/servers?cursor={mangled}")).await;
        assert_eq!(reply.status, 400, "{mangled}: {}", reply.text());
    }
    proxy.stop().await;
}

#[tokio::test]
async fn latest_lists_each_name_once_and_an_exact_version_matches_the_whole_text() {
    let proxy = proxy().await;
    let latest = [
        "Com.Example/upper@1.0.0",
        "com.example/beta@1.10.0",
        "com.example/odd@2025.11.13+pr147-5d1f8b0",
        "com.example/zeta@1.0.0",
        "org.example/git@1.1.0",
        "org.example/web@1.0.0",
    ];
    assert_eq!(keys(&proxy.walk("version=latest", 2).await), latest);
    let first = ["Com.Example/upper", "com.example/beta", "com.example/zeta", "org.example/git", "org.example/web"];
    assert_eq!(keys(&proxy.walk("version=1.0.0", 2).await), first.map(|name| format!("{name}@1.0.0")));
    let build = keys(&proxy.walk("version=2025.11.13%2Bpr147-5d1f8b0", 2).await);
    assert_eq!(build, ["com.example/odd@2025.11.13+pr147-5d1f8b0"]);
    for query in ["version=1.0", "version=%5E1.0.0", "version=LATEST"] {
        assert_eq!(keys(&proxy.walk(query, 2).await), [""; 0], "{query}");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn a_search_looks_into_names_titles_and_descriptions_whatever_the_letter_case() {
    let proxy = proxy().await;
    let found = async |term: &str| keys(&proxy.walk(&format!("search={term}"), 100).await);
    assert_eq!(found("GIT").await, ["org.example/git@1.0.0", "org.example/git@1.1.0"]);
    assert_eq!(found("version+control").await, ["org.example/git@1.1.0"]);
    assert_eq!(found("about%20commits").await, ["org.example/git@1.1.0"]);
    assert_eq!(found("example/git").await.len(), 2);
    assert_eq!(found("%25").await, [""; 0], "no wildcards");
    assert_eq!(found("g.t").await, [""; 0], "no patterns");
    proxy.stop().await;
}

#[tokio::test]
async fn updated_since_is_exclusive_and_includes_what_was_deleted() {
    let proxy = proxy().await;
    let since = async |time: &str| keys(&proxy.walk(&format!("updated_since={time}"), 100).await);
    assert_eq!(since("2026-01-09T11:59:59.999999Z").await, ALL[8..], "the deleted one is there");
    assert_eq!(since("2026-01-09T12:00:00Z").await, ALL[9..]);
    assert_eq!(since("2026-01-07T12:00:00Z").await, ALL[7..], "other versions of the name are newer");
    assert_eq!(since("2026-01-09T14:00:00%2B02:00").await, ALL[9..]);
    assert_eq!(since("2030-01-01T00:00:00Z").await, [""; 0]);
    proxy.stop().await;
}

#[tokio::test]
async fn versions_are_newest_first_and_deleted_ones_are_shown_on_request() {
    let proxy = proxy().await;
    let get = async |target: &str| proxy.json(&format!("/v0.1/servers/com.example%2F{target}")).await;
    let of = |page: &Value| keys(page["servers"].as_array().expect("an array"));
    assert_eq!(of(&get("beta/versions").await), [ALL[3], ALL[2], ALL[1]]);
    assert_eq!(of(&get("zeta/versions").await), [ALL[7], ALL[6]]);
    let page = get("zeta/versions?include_deleted=true").await;
    assert_eq!(of(&page), [ALL[8], ALL[7], ALL[6]]);
    assert_eq!(page["metadata"], serde_json::json!({ "count": 3 }));
    assert_eq!(of(&get("gone/versions?include_deleted").await), [ALL[4]]);
    assert_eq!(get("zeta/versions/2.0.0?include_deleted=true").await["server"]["version"], "2.0.0");
    assert_eq!(get("zeta/versions/latest?include_deleted=true").await["server"]["version"], "1.0.0");
    assert_eq!(proxy.get("/v0.1/servers/com.example%2Fzeta/versions/2.0.0").await.status, 404);
    proxy.stop().await;
}

#[tokio::test]
async fn a_cursor_outlives_a_refresh() {
    let proxy = proxy().await;
    let first = proxy.json("/v0/servers?limit=4").await;
    let cursor = first["metadata"]["nextCursor"].as_str().expect("a cursor").to_owned();
    // The very entry that the cursor names goes, and others come before and after it.
    let mut changed: Vec<Entry> = entries().into_iter().filter(|entry| !is(entry, ALL[3])).collect();
    changed.extend([Entry::new("aaa/new", "1.0.0"), Entry::new("com.example/c-new", "1.0.0")]);
    std::fs::write(proxy.directory().join("curated.json"), list(&changed, None).to_string()).expect("writable");
    proxy.until_answered("/v0/servers/aaa%2Fnew/versions/latest", 200).await;
    let rest = proxy.json(&format!("/v0/servers?cursor={cursor}")).await;
    let mut expected = vec!["com.example/c-new@1.0.0"];
    expected.extend(listed().into_iter().filter(|key| *key > ALL[3]));
    assert_eq!(keys(rest["servers"].as_array().expect("an array")), expected);
    proxy.stop().await;
}

fn is(entry: &Entry, key: &str) -> bool {
    crate::support::entry::key(&entry.clone().into_value()) == key
}
