//! Real clients against lists that real registries make: what breaks them (clients.md §0, §3) never reaches them,
//! and what they ask, in the very words that they use, is answered.

use serde_json::{Value, json};

use crate::support::decoders;
use crate::support::entry::{Entry, OFFICIAL, keys};
use crate::support::proxy::{Proxy, Setup};

/// Entries as registries really send them, good and bad ones.
fn entries() -> Value {
    let legacy = json!({
        "name": "com.old/flat", "description": "From June 2025", "id": "6f1b",
        "version_detail": { "version": "0.2.1", "release_date": "2025-06-15T10:30:00Z", "is_latest": true },
        "packages": [{ "registry_name": "docker", "name": "old/flat", "version": "0.2.1" }],
        "remotes": [{ "transport_type": "sse", "url": "https://old.example/sse" }],
    });
    let bare =
        json!({ "server": { "name": "com.thv/bare", "description": "Without a block", "version": "1" }, "_meta": {} });
    let without_meta = json!({ "server": { "name": "com.thv/none", "description": "No meta", "version": "1.0.0" } });
    let gone = |name: &str, field: &str, value: Value| Entry::new(name, "1.0.0").server(field, value).into_value();
    let full = Entry::new("com.full/everything", "1.0.0+build.5")
        .server("$schema", "https://static.modelcontextprotocol.io/schemas/2025-10-17/server.schema.json")
        .server("repository", json!({}))
        .server("novel", json!({ "unknown": [1, null] }))
        .server(
            "packages",
            json!([{
                "registryType": "npm", "identifier": "@full/everything", "version": "1.0.0",
                "transport": { "type": "stdio" }, "environmentVariables": [{ "name": "KEY", "isSecret": true }],
            }]),
        )
        .server("remotes", json!([{ "type": "streamable-http", "url": "https://full.example/mcp", "headers": [] }]));
    json!([
        legacy,
        bare,
        without_meta,
        full.into_value(),
        Entry::new("Salesforce DX MCP", "1.0.0").into_value(),
        Entry::new("com.acme/nulls", "1.0.0").official("statusMessage", Value::Null).into_value(),
        Entry::new("com.acme/space", "1.0.0").official("updatedAt", "2026-01-01 00:00:00").into_value(),
        gone("com.bad/description", "description", json!("")),
        gone("com.bad/packages", "packages", Value::Null),
        gone("com.bad/repository", "repository", Value::Null),
        gone("com.bad/default", "packages", json!([{ "environmentVariables": [{ "default": 5 }] }])),
    ])
}

async fn proxy() -> Proxy {
    Setup::new().file("curated", entries().to_string()).start_ready().await
}

/// Every page of a walk, as text.
async fn pages(proxy: &Proxy, query: &str, limit: usize) -> Vec<String> {
    let mut pages = Vec::new();
    let mut cursor = String::new();
    loop {
        let reply = proxy.get(&format!("/v0.1/servers?limit={limit}{query}{cursor}")).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, "application/json"));
        pages.push(reply.text().to_owned());
        match reply.json()["metadata"]["nextCursor"].as_str() {
            // As VS Code and langchain4j do it: as it is.
            Some(next) => cursor = format!("&cursor={next}"),
            None => return pages,
        }
    }
}

#[tokio::test]
async fn every_page_decodes_in_every_client() {
    let proxy = proxy().await;
    for (query, limit) in [("", 1), ("", 3), ("", 100), ("&version=latest", 50), ("&search=com", 2)] {
        for page in pages(&proxy, query, limit).await {
            decoders::go(&page);
            decoders::strict(&page);
            decoders::vs_code(&page);
        }
    }
    let all = proxy.walk("", 100).await;
    for entry in &all {
        let name = entry["server"]["name"].as_str().expect("a name");
        let target = format!(
            "/v0.1/servers/{}/versions",
            percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC)
        );
        decoders::go(proxy.get(&target).await.text());
        decoders::copilot_cli(proxy.get(&format!("{target}/latest")).await.text(), name);
    }
    assert!(keys(&all).iter().all(|key| !key.starts_with("com.bad/")), "{all:?}");
    assert_eq!(proxy.registry("curated").await["refused"]["count"], 4);
    proxy.stop().await;
}

#[tokio::test]
async fn the_blocks_that_clients_read_are_complete_whatever_came() {
    let proxy = proxy().await;
    for entry in proxy.walk("", 100).await {
        let official = entry["_meta"][OFFICIAL].as_object().expect("an object");
        for key in ["status", "statusChangedAt", "publishedAt", "updatedAt", "isLatest"] {
            assert!(!official[key].is_null(), "{entry}");
        }
        assert!(official.values().all(|value| !value.is_null() && value != ""), "{entry}");
    }
    proxy.stop().await;
}

/// Requests as clients word them, and how many servers each finds; `{root}` is an API version.
const ASKED: [(&str, &str, usize); 13] = [
    ("VS Code's probe", "/servers?limit=1", 1),
    ("VS Code's gallery", "/servers?limit=50&version=latest", 7),
    ("VS Code's search", "/servers?limit=50&version=latest&search=Salesforce%20DX", 1),
    ("the Copilot language server's list", "/servers?limit=30&search=&version=latest", 7),
    ("the Copilot language server's search", "/servers?limit=30&search=salesforce+dx&version=latest", 1),
    ("Copilot CLI's search", "/servers?search=com.full&cursor=&limit=10", 1),
    ("thv's probe", "/servers?limit=1&version=latest", 1),
    ("thv's list", "/servers?limit=100&version=latest", 7),
    ("thv's server", "/servers?limit=100", 7),
    ("Docker's catalog", "/servers?version=latest&limit=100", 7),
    ("add-mcp's search", "/servers?version=latest&limit=100&search=everything&source=cli", 1),
    ("Kaiden's list", "/servers?version=latest", 7),
    ("Kaiden's update", "/servers?version=latest&updated_since=2099-01-01T00:00:00.000Z", 0),
];

#[tokio::test]
async fn what_clients_ask_is_answered_in_their_words() {
    let proxy = proxy().await;
    for root in ["/v0", "/v0.1", ""] {
        for (client, target, count) in ASKED {
            let reply = proxy.get(&format!("{root}{target}")).await;
            assert_eq!((reply.status, reply.header("content-type")), (200, "application/json"), "{client}");
            let page = reply.json();
            assert_eq!(page["servers"].as_array().map(Vec::len), Some(count), "{client}");
            assert_eq!(page["metadata"]["count"], count, "{client}");
        }
        for name in ["com.full%2Feverything", "com.full/everything"] {
            for version in ["latest", "1.0.0%2Bbuild.5", "1.0.0+build.5"] {
                let reply = proxy.get(&format!("{root}/servers/{name}/versions/{version}")).await;
                assert_eq!(reply.json()["server"]["name"], "com.full/everything");
            }
        }
    }
    proxy.stop().await;
}

#[tokio::test]
async fn nothing_in_a_requests_headers_is_needed_and_little_matters() {
    let proxy = proxy().await;
    let plain = proxy.get("/v0.1/servers").await;
    for headers in [
        &[("accept", "text/html")][..],
        &[("accept", "application/json, application/problem+json")],
        &[("accept", "nothing/at-all;q=0")],
        &[("content-type", "application/json"), ("user-agent", "GithubCopilot/1.539.0")],
        &[("authorization", "Bearer whatever"), ("cookie", "a=b"), ("x-forwarded-for", "10.0.0.1")],
        &[("te", "trailers"), ("upgrade-insecure-requests", "1")],
    ] {
        let reply = proxy.get_with("/v0.1/servers", headers).await;
        assert_eq!((reply.status, &reply.body), (200, &plain.body), "{headers:?}");
        assert_eq!(reply.header("content-type"), "application/json");
    }
    proxy.stop().await;
}
