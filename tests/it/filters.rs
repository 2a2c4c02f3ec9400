//! Our own filters (contract §4): `registry`, `type`, `package_type`, `transport`, `status`, alone and with all
//! others, on lists that two registries make together.

use serde_json::{Value, json};

use crate::support::entry::{Entry, OFFICIAL, keys, list, provenance};
use crate::support::proxy::{Proxy, Setup};

fn package(kind: &str, transport: &str) -> Value {
    json!([{ "registryType": kind, "identifier": "x", "version": "1.0.0", "transport": { "type": transport } }])
}

fn remote(transport: &str) -> Value {
    json!([{ "type": transport, "url": "https://mcp.example/x" }])
}

/// What registry `alpha` lists.
fn alpha() -> Vec<Entry> {
    vec![
        Entry::new("com.alpha/both", "1.0.0")
            .server("packages", package("npm", "stdio"))
            .server("remotes", remote("sse")),
        Entry::new("com.alpha/both", "1.1.0").server("remotes", remote("streamable-http")),
        Entry::new("com.alpha/gone", "1.0.0").server("packages", package("npm", "stdio")).deleted(),
        Entry::new("com.alpha/neither", "1.0.0").server("packages", json!([])),
        Entry::new("com.alpha/old", "1.0.0")
            .server("packages", package("pypi", "stdio"))
            .official("status", "deprecated"),
        Entry::new("com.shared/x", "1.0.0").server("packages", package("oci", "streamable-http")),
    ]
}

/// What registry `beta` lists: one version of `alpha`'s, and its own.
fn beta() -> Vec<Entry> {
    vec![
        Entry::new("com.beta/odd", "1.0.0").server("packages", package("Zip\u{7}", "carrier-pigeon")),
        Entry::new("com.beta/odd", "2.0.0").official("status", "quarantined"),
        Entry::new("com.shared/x", "1.0.0").server("packages", package("oci", "streamable-http")),
        Entry::new("com.shared/x", "2.0.0").server("packages", package("oci", "streamable-http")),
    ]
}

async fn proxy() -> Proxy {
    let document = |entries: &[Entry]| list(entries, None).to_string();
    Setup::new().file("alpha", document(&alpha())).file("beta", document(&beta())).start_ready().await
}

#[tokio::test]
async fn each_filter_keeps_what_it_says() {
    let proxy = proxy().await;
    let rows: &[(&str, &[&str])] = &[
        ("registry=alpha", &["both@1.0.0", "both@1.1.0", "neither@1.0.0", "old@1.0.0", "x@1.0.0"]),
        ("registry=beta", &["odd@1.0.0", "odd@2.0.0", "x@1.0.0", "x@2.0.0"]),
        ("registry=unknown", &[]),
        ("registry=ALPHA", &[]),
        ("type=package", &["both@1.0.0", "old@1.0.0", "odd@1.0.0", "x@1.0.0", "x@2.0.0"]),
        ("type=remote", &["both@1.0.0", "both@1.1.0"]),
        ("package_type=npm", &["both@1.0.0"]),
        ("package_type=NPM&include_deleted=true", &["both@1.0.0", "gone@1.0.0"]),
        ("package_type=oci", &["x@1.0.0", "x@2.0.0"]),
        ("package_type=zip", &[]),
        ("transport=stdio", &["both@1.0.0", "old@1.0.0"]),
        ("transport=sse", &["both@1.0.0"]),
        ("transport=streamable-http", &["both@1.1.0", "x@1.0.0", "x@2.0.0"]),
        ("transport=carrier-pigeon", &["odd@1.0.0"]),
        ("status=active&type=package", &["both@1.0.0", "odd@1.0.0", "x@1.0.0", "x@2.0.0"]),
        ("status=deprecated", &["old@1.0.0"]),
        ("status=deleted", &["gone@1.0.0"]),
        ("type=remote&transport=stdio", &["both@1.0.0"]),
        ("registry=alpha&type=package&version=latest", &["old@1.0.0"]),
        ("registry=beta&version=latest", &["odd@2.0.0", "x@2.0.0"]),
        ("registry=alpha&search=shared", &["x@1.0.0"]),
        ("registry=alpha&updated_since=2025-01-01T00:00:00Z&status=deleted", &["gone@1.0.0"]),
        ("type=&status=&registry=&transport=&package_type=&search=neither", &["neither@1.0.0"]),
    ];
    for (query, expected) in rows {
        for limit in [1, 2, 100] {
            let found = keys(&proxy.walk(query, limit).await);
            let short: Vec<_> = found.iter().filter_map(|key| key.split_once('/')).map(|(_, rest)| rest).collect();
            assert_eq!(short, *expected, "{query}");
        }
    }
    proxy.stop().await;
}

#[tokio::test]
async fn a_registry_is_the_winner_or_one_that_lists_the_version_too() {
    let proxy = proxy().await;
    let shared = proxy.json("/v0/servers?registry=beta&version=1.0.0&search=shared").await;
    let block = provenance(&shared["servers"][0]).clone();
    assert_eq!((&block["registry"], &block["alsoIn"]), (&json!("alpha"), &json!(["beta"])));
    // A registry that is not usable lists nothing.
    std::fs::write(proxy.directory().join("alpha.json"), "[").expect("writable");
    proxy.until_state("alpha", "unhealthy").await;
    proxy.until_listed(&keys(&proxy.walk("registry=beta&include_deleted=true", 100).await)).await;
    assert_eq!(proxy.walk("registry=alpha", 100).await.len(), 0);
    proxy.stop().await;
}

#[tokio::test]
async fn a_status_of_its_own_is_served_as_it_came_and_cannot_be_asked_for() {
    let proxy = proxy().await;
    let odd = proxy.json("/v0/servers/com.beta%2Fodd/versions/2.0.0").await;
    assert_eq!(odd["_meta"][OFFICIAL]["status"], "quarantined");
    let reply = proxy.get("/v0/servers?status=quarantined&type=server").await;
    assert_eq!(reply.status, 422);
    let errors = &reply.json()["errors"];
    assert_eq!(errors[0]["location"], "query.type");
    assert_eq!(errors[0]["message"], "expected value to be one of \"package, remote\"");
    assert_eq!(errors[1]["location"], "query.status");
    proxy.stop().await;
}
