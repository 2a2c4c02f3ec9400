//! The wire formats of registry-api.md §4 that the proxy takes, from the seed file of May 2025 to today's:
//! each comes out in the current format.

use serde_json::{Value, json};

use crate::support::entry::{OFFICIAL, keys, provenance};
use crate::support::proxy::Setup;
use crate::support::registry::{Behaviour, FakeRegistry};

const PUBLISHER: &str = "io.modelcontextprotocol.registry/publisher-provided";

/// What the proxy serves for a document that a registry answers every request with.
async fn served(document: &Value) -> Vec<Value> {
    let registry = FakeRegistry::start(Vec::new()).await;
    registry.always(Behaviour::json(document));
    let proxy = Setup::new().registry("alpha", &registry.url()).start_ready().await;
    let entries = proxy.walk("", 100).await;
    let status = proxy.registry("alpha").await;
    assert_eq!(status["refused"]["count"], 0, "{status}");
    proxy.stop().await;
    entries
}

/// The only entry that the proxy serves for a document.
async fn served_one(document: &Value) -> Value {
    let mut entries = served(document).await;
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries.remove(0)
}

#[track_caller]
fn assert_official(entry: &Value, status: &str, published_at: &str, updated_at: &str) {
    let official = &entry["_meta"][OFFICIAL];
    let expected = json!({
        "status": status, "statusChangedAt": updated_at, "publishedAt": published_at, "updatedAt": updated_at,
        "isLatest": true,
    });
    assert_eq!(*official, expected);
}

fn seed() -> Value {
    json!([{
        "id": "4e9cf4cf-71f6-4aca-bae8-2d10a29ca2e0", "name": "io.github.x/seed", "description": "From the seed",
        "repository": { "url": "https://github.com/x/seed", "source": "github", "id": "934577981" },
        "version_detail": { "version": "0.0.1-seed", "release_date": "2025-05-16T18:56:49Z", "is_latest": true },
        "packages": [{
            "registry_name": "docker", "name": "x/seed", "version": "0.0.46",
            "environment_variables": [{ "name": "API_KEY", "description": "A key", "is_secret": true }],
        }],
    }])
}

fn modern_seed() -> Value {
    json!({
        "name": "io.github.x/seed", "description": "From the seed", "version": "0.0.1-seed",
        "repository": { "url": "https://github.com/x/seed", "source": "github", "id": "934577981" },
        "packages": [{
            "registryType": "oci", "identifier": "x/seed", "version": "0.0.46", "transport": { "type": "stdio" },
            "environmentVariables": [{ "name": "API_KEY", "description": "A key", "isSecret": true }],
        }],
    })
}

#[tokio::test]
async fn f0_the_seed_file_is_taken_from_a_file() {
    let proxy = Setup::new().file("seed", seed().to_string()).start_ready().await;
    let entries = proxy.walk("", 100).await;
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(entries[0]["server"], modern_seed());
    assert_official(&entries[0], "active", "2025-05-16T18:56:49Z", "2025-05-16T18:56:49Z");
    assert_eq!(provenance(&entries[0])["ids"], json!({ "id": "4e9cf4cf-71f6-4aca-bae8-2d10a29ca2e0" }));
    proxy.stop().await;
}

#[tokio::test]
async fn f0_the_seed_file_is_taken_from_a_host() {
    assert_eq!(served_one(&seed()).await["server"], modern_seed());
}

#[tokio::test]
async fn f1_flat_entries_are_taken_page_by_page_without_their_detail_calls() {
    let entry = |name: &str| {
        json!({
            "id": name, "name": name, "description": "d", "repository": { "url": "https://github.com/x/y" },
            "version_detail": { "version": "0.2.1", "release_date": "2025-06-15T10:30:00Z", "is_latest": true },
        })
    };
    let registry = FakeRegistry::start(Vec::new()).await;
    let first = json!({ "servers": [entry("io.github.x/a")], "metadata": { "next_cursor": "uuid-a", "count": 1 } });
    let last = json!({ "servers": [entry("io.github.x/b")], "metadata": {} });
    registry.when(|seen| seen.parameter("cursor").as_deref() == Some("uuid-a"), Behaviour::json(&last));
    registry.always(Behaviour::json(&first));
    let proxy = Setup::new().registry("alpha", &registry.url()).start_ready().await;

    let entries = proxy.walk("", 100).await;
    assert_eq!(keys(&entries), ["io.github.x/a@0.2.1", "io.github.x/b@0.2.1"]);
    assert_official(&entries[1], "active", "2025-06-15T10:30:00Z", "2025-06-15T10:30:00Z");
    assert!(registry.requests().iter().all(|seen| seen.path == "/v0.1/servers"), "{:?}", registry.requests());
    proxy.stop().await;
}

#[tokio::test]
async fn f2_the_extension_wrapper_is_taken() {
    let entry = served_one(&json!({ "servers": [{
        "server": {
            "name": "io.github.x/wrapped", "description": "d", "status": "deprecated",
            "version_detail": { "version": "1.0.2" },
            "packages": [{ "registry_type": "npm", "identifier": "@x/y", "version": "1.0.2", "package_arguments": [
                { "type": "positional", "value_hint": "path", "is_repeated": true, "format": "file_path" }] }],
            "remotes": [{ "transport_type": "sse", "url": "https://x.example/sse" }],
        },
        "x-io.modelcontextprotocol.registry": {
            "id": "u1", "published_at": "2025-08-01T00:00:00Z", "updated_at": "2025-08-02T00:00:00.5Z",
            "is_latest": true, "release_date": "2025-07-31T00:00:00Z",
        },
        "x-publisher": { "tool": "t" },
        "x-github": { "name_with_owner": "x/y", "stargazer_count": 1 },
    }], "metadata": { "count": 1, "next_cursor": null } }))
    .await;
    assert_eq!(entry["server"]["version"], "1.0.2");
    assert_eq!(entry["server"]["remotes"], json!([{ "type": "sse", "url": "https://x.example/sse" }]));
    let package = json!({
        "registryType": "npm", "identifier": "@x/y", "version": "1.0.2", "transport": { "type": "stdio" },
        "packageArguments": [{ "type": "positional", "valueHint": "path", "isRepeated": true, "format": "filepath" }],
    });
    assert_eq!(entry["server"]["packages"], json!([package]));
    assert_eq!(entry["server"]["_meta"], json!({ PUBLISHER: { "tool": "t" } }));
    assert_eq!(entry["_meta"]["x-github"], json!({ "name_with_owner": "x/y", "stargazer_count": 1 }));
    assert_official(&entry, "deprecated", "2025-08-01T00:00:00Z", "2025-08-02T00:00:00.5Z");
}

#[tokio::test]
async fn f3_flat_snake_case_is_taken() {
    let entry = served_one(&json!({ "servers": [{
        "$schema": "https://static.modelcontextprotocol.io/schemas/2025-07-09/server.schema.json",
        "name": "io.github.x/snake", "description": "d", "status": "active", "version": "1.0.2",
        "website_url": "https://x.example",
        "packages": [{
            "registry_type": "npm", "registry_base_url": "https://npm.example", "identifier": "y",
            "version": "1", "transport": { "type": "stdio" }, "runtime_hint": "npx", "file_sha256": "00",
            "environment_variables": [{ "name": "K", "is_required": true, "is_secret": true }],
        }],
        "_meta": {
            OFFICIAL: { "id": "u", "published_at": "2025-09-10T00:00:00Z", "updated_at": "2025-09-10T00:00:00Z",
                        "is_latest": true },
            PUBLISHER: { "build": 7 },
        },
    }], "metadata": { "next_cursor": "uuid", "count": 1 } }))
    .await;
    let expected = json!({
        "$schema": "https://static.modelcontextprotocol.io/schemas/2025-07-09/server.schema.json",
        "name": "io.github.x/snake", "description": "d", "version": "1.0.2", "websiteUrl": "https://x.example",
        "packages": [{
            "registryType": "npm", "registryBaseUrl": "https://npm.example", "identifier": "y", "version": "1",
            "transport": { "type": "stdio" }, "runtimeHint": "npx", "fileSha256": "00",
            "environmentVariables": [{ "name": "K", "isRequired": true, "isSecret": true }],
        }],
        "_meta": { PUBLISHER: { "build": 7 } },
    });
    assert_eq!(entry["server"], expected);
    assert_official(&entry, "active", "2025-09-10T00:00:00Z", "2025-09-10T00:00:00Z");
    assert_eq!(provenance(&entry)["ids"], json!({ "id": "u" }));
}

#[tokio::test]
async fn f4_flat_camel_case_is_taken() {
    let entry = served_one(&json!({ "servers": [{
        "name": "io.github.x/camel", "description": "d", "status": "deprecated", "version": "1.0.2",
        "websiteUrl": "https://x.example",
        "packages": [{ "registryType": "pypi", "identifier": "y", "transport": { "type": "stdio" } }],
        "_meta": { OFFICIAL: { "serverId": "s", "versionId": "v", "published_at": "2025-09-17T00:00:00Z",
                               "updatedAt": "2025-09-18T00:00:00Z", "isLatest": true } },
    }], "metadata": { "nextCursor": "uuid", "count": 1 } }))
    .await;
    assert_eq!(
        entry["server"],
        json!({
            "name": "io.github.x/camel", "description": "d", "version": "1.0.2", "websiteUrl": "https://x.example",
            "packages": [{ "registryType": "pypi", "identifier": "y", "transport": { "type": "stdio" } }],
        })
    );
    assert_official(&entry, "deprecated", "2025-09-17T00:00:00Z", "2025-09-18T00:00:00Z");
    assert_eq!(provenance(&entry)["ids"], json!({ "serverId": "s", "versionId": "v" }));
}

#[tokio::test]
async fn f4b_the_transitional_wrapper_is_taken() {
    let server = json!({ "name": "io.github.x/between", "description": "d", "version": "1.0.2" });
    let entry = served_one(&json!({ "servers": [{ "server": server, "_meta": { OFFICIAL: {
        "serverId": "s", "versionId": "v", "status": "active", "publishedAt": "2025-09-25T00:00:00Z",
        "updatedAt": "2025-09-25T00:00:00Z", "isLatest": true } } }], "metadata": { "count": 1 } }))
    .await;
    assert_eq!(entry["server"], server);
    assert_official(&entry, "active", "2025-09-25T00:00:00Z", "2025-09-25T00:00:00Z");
    assert_eq!(provenance(&entry)["ids"], json!({ "serverId": "s", "versionId": "v" }));
}

#[tokio::test]
async fn f5_the_current_format_is_taken_with_the_time_of_its_status() {
    let official = json!({
        "status": "deprecated", "statusChangedAt": "2026-03-01T00:00:00Z", "statusMessage": "Use <the other>",
        "publishedAt": "2025-12-09T00:18:46.752966Z", "updatedAt": "2026-03-01T00:00:00Z", "isLatest": true,
    });
    let server = json!({ "name": "io.github.x/current", "description": "d", "version": "1.0.2" });
    let entry = served_one(&json!({ "servers": [{ "server": server, "_meta": { OFFICIAL: official } }] })).await;
    assert_eq!((&entry["server"], &entry["_meta"][OFFICIAL]), (&server, &official));
}

#[tokio::test]
async fn f7_an_entry_without_an_official_block_gets_one() {
    let server = |name: &str| json!({ "name": name, "description": "d", "version": "1.0.0" });
    let pulse = json!({ "com.pulsemcp/server-version": {
        "status": "deleted", "publishedAt": "2025-11-01T00:00:00Z", "isLatest": true, "source": "x" } });
    let entries = served(&json!({ "servers": [
        { "server": server("org.example/a"), "_meta": {} },
        { "server": server("org.example/b") },
        { "server": server("org.example/c"), "_meta": null },
        { "server": server("org.example/d"), "_meta": { "x-ms-icon": "https://x.example/i.png" } },
        { "server": server("org.example/e"), "_meta": { "com.pulsemcp/server-version": { "status": "active",
          "publishedAt": "2025-11-01T00:00:00Z", "updatedAt": "2025-11-02T00:00:00Z", "isLatest": true } } },
        { "server": server("org.example/f"), "_meta": pulse },
    ], "metadata": { "count": 6 } }))
    .await;
    assert_eq!(entries.len(), 5, "the deleted one is hidden: {entries:?}");
    for entry in &entries[..4] {
        let fetched_at = provenance(entry)["fetchedAt"].as_str().expect("a time");
        assert_official(entry, "active", fetched_at, fetched_at);
    }
    assert_eq!(entries[3]["_meta"]["x-ms-icon"], "https://x.example/i.png");
    assert_official(&entries[4], "active", "2025-11-01T00:00:00Z", "2025-11-02T00:00:00Z");
}

#[tokio::test]
async fn f8_the_upstream_file_of_toolhive_is_taken() {
    let server = json!({ "name": "io.github.stacklok/fetch", "description": "d", "version": "1.0.0" });
    let document = json!({
        "$schema": "https://example.com/upstream-registry.schema.json", "version": "1.0.0",
        "meta": { "last_updated": "2025-11-01T00:00:00Z" }, "data": { "servers": [server], "groups": [] },
    });
    let proxy = Setup::new().file("toolhive", document.to_string()).start_ready().await;
    let entries = proxy.walk("", 100).await;
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(entries[0]["server"], server);
    proxy.stop().await;
}

#[tokio::test]
async fn one_page_may_mix_the_formats() {
    let entries = served(&json!({ "servers": [
        { "id": "1", "name": "a.example/f1", "description": "d", "version_detail": { "version": "1" } },
        { "server": { "name": "b.example/f2", "description": "d", "version_detail": { "version": "2" } },
          "x-publisher": {} },
        { "name": "c.example/f3", "description": "d", "version": "3", "website_url": "https://c.example" },
        { "server": { "name": "d.example/f5", "description": "d", "version": "5" }, "_meta": {} },
    ] }))
    .await;
    assert_eq!(keys(&entries), ["a.example/f1@1", "b.example/f2@2", "c.example/f3@3", "d.example/f5@5"]);
}
