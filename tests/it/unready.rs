//! A proxy that has not asked all of its registries yet: its list is a part, and says so.

use crate::support::entry::{keys_of, numbered};
use crate::support::proxy::Setup;
use crate::support::registry::{Behaviour, FakeRegistry, Seen};

#[tokio::test]
async fn a_part_is_marked_as_one_and_not_to_be_kept() {
    let registry = FakeRegistry::start(numbered("com.example", 150)).await;
    registry.when(Seen::has_cursor, Behaviour::Hold);
    let proxy = Setup::new().registry("alpha", &registry.url()).start().await;
    registry.until_held().await;
    proxy.until_answered("/v0/servers", 200).await;
    let part = proxy.get("/v0/servers?limit=100").await;
    assert_eq!(part.json()["metadata"]["count"], 100);
    assert_eq!(part.header("cache-control"), "no-store");
    assert_eq!(part.header("cache-status"), "mcp-registry-proxy; hit; detail=partial");
    registry.let_go().await;
    proxy.until_ready().await;
    let whole = proxy.get("/v0/servers?limit=100").await;
    assert!(whole.header("cache-control").starts_with("public, max-age=30"), "{:?}", whole.headers);
    proxy.stop().await;
}

#[tokio::test]
async fn a_proxy_that_mirrors_it_waits_for_the_whole() {
    let registry = FakeRegistry::start(numbered("com.example", 150)).await;
    registry.when(Seen::has_cursor, Behaviour::Hold);
    let inner = Setup::new().registry("alpha", &registry.url()).start().await;
    registry.until_held().await;
    inner.until_answered("/v0/servers", 200).await;
    let outer = Setup::new().registry("inner", &format!("http://{}/v0.1/servers", inner.address())).start().await;
    let is_told = |status: &serde_json::Value| status["lastError"]["message"].to_string().contains("a part yet");
    let status = outer.until("inner", "the part was refused", is_told).await;
    assert_eq!((&status["state"], &status["listing"]), (&"healthy".into(), &"none".into()), "{status}");
    assert_eq!(outer.get("/readyz").await.status, 503);
    registry.let_go().await;
    outer.until_listed(&keys_of(&numbered("com.example", 150))).await;
    outer.until_ready().await;
    outer.stop().await;
    inner.stop().await;
}
