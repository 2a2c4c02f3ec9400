//! The scripted registry itself: what it gets wrong, every other test would get wrong with it.

use std::net::SocketAddr;

use http::Method;

use crate::support::entry::{Entry, keys, numbered};
use crate::support::http::{Reply, send};
use crate::support::registry::{Behaviour, FakeRegistry};

async fn get(registry: &FakeRegistry, target: &str) -> Reply {
    send(SocketAddr::from(([127, 0, 0, 1], registry.port())), Method::GET, target).await
}

async fn listed(registry: &FakeRegistry, query: &str) -> Vec<String> {
    let page = get(registry, &format!("/v0/servers?{query}")).await.json();
    keys(page["servers"].as_array().expect("an array"))
}

#[tokio::test]
async fn it_pages_as_the_official_registry_does() {
    let registry = FakeRegistry::start(numbered("a", 40)).await;
    assert_eq!(listed(&registry, "").await.len(), 30);
    let page = get(&registry, "/v0.1/servers?limit=20").await.json();
    assert_eq!(page["metadata"]["nextCursor"], "a/server-0019:1.0.0");
    let page = get(&registry, "/v0.1/servers?limit=20&cursor=a/server-0019:1.0.0").await.json();
    assert_eq!(page["servers"][0]["server"]["name"], "a/server-0020");
    assert_eq!(page["metadata"]["nextCursor"], "a/server-0039:1.0.0", "a full page names a next one");
    let page = get(&registry, "/v0.1/servers?limit=20&cursor=a/server-0039:1.0.0").await.json();
    assert_eq!(page.to_string(), r#"{"servers":[],"metadata":{"count":0}}"#);
    for (target, status) in [("/v0/servers?limit=0", 422), ("/v0/servers?limit=101", 422), ("/v1/servers", 404)] {
        assert_eq!(get(&registry, target).await.status, status, "{target}");
    }
}

#[tokio::test]
async fn it_hides_deleted_entries_and_knows_when_entries_changed() {
    let at = |name: &str, time: &str| Entry::new(name, "1.0.0").published_at(time);
    let entries = vec![
        at("a/a", "2026-01-01T00:00:00Z"),
        at("a/b", "2026-01-02T00:00:00Z"),
        at("a/c", "2026-01-03T00:00:00Z").deleted(),
    ];
    let registry = FakeRegistry::start(entries).await;
    assert_eq!(listed(&registry, "").await, ["a/a@1.0.0", "a/b@1.0.0"]);
    assert_eq!(listed(&registry, "include_deleted=true").await.len(), 3);
    assert_eq!(listed(&registry, "updated_since=2026-01-02T00:00:00Z").await, ["a/c@1.0.0"]);
}

#[tokio::test]
async fn a_rule_counts_for_as_many_requests_as_it_was_given() {
    let registry = FakeRegistry::start(numbered("a", 1)).await;
    registry.next_when(2, |seen| seen.path == "/v0/servers", Behaviour::status(500));
    let mut statuses = Vec::new();
    for target in ["/v0.1/servers", "/v0/servers", "/v0/servers", "/v0/servers"] {
        statuses.push(get(&registry, target).await.status);
    }
    assert_eq!(statuses, [200, 500, 500, 200]);
    assert_eq!(registry.requests().len(), 4);
}

#[tokio::test]
#[should_panic(expected = "the script of a registry panicked: no such request was expected")]
async fn a_panic_in_a_script_fails_the_test() {
    let registry = FakeRegistry::start(numbered("a", 1)).await;
    registry.next_when(1, |_| true, Behaviour::depends(|_| panic!("no such request was expected")));
    // The client sees a closed connection, as any client would; that is not what this test is about.
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", registry.port())).await.expect("a connection");
    tokio::io::AsyncWriteExt::write_all(&mut { stream }, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .expect("a request");
    crate::support::eventually("the request arrived", async || {
        crate::support::check(!registry.requests().is_empty(), "no request")
    })
    .await;
}
