//! Conditional requests: registries that give their pages an `ETag` need not send again what is as it was.

use crate::support::entry::{keys_of, list, numbered};
use crate::support::eventually;
use crate::support::proxy::Setup;
use crate::support::registry::{Behaviour, FakeRegistry, Seen};

/// Full walks only.
const WALKS: &str = "[refresh]\ninterval = \"200ms\"\nfull_interval = \"200ms\"";

/// Gives every page of a full walk a tag of this generation, and answers 304 to who has it.
fn tagged(registry: &FakeRegistry, generation: u32) {
    registry.behave();
    registry.when(
        |seen| seen.is_page() && seen.parameter("updated_since").is_none(),
        Behaviour::depends(move |seen| {
            let tag = format!("\"{generation}-{}\"", seen.parameter("cursor").unwrap_or_default());
            if seen.header("if-none-match") == tag {
                Behaviour::Status(304, vec![("etag", tag)])
            } else {
                Behaviour::Headers(vec![("etag", tag)])
            }
        }),
    );
}

async fn until_walked_again(registry: &FakeRegistry) {
    registry.forget_requests();
    eventually("two walks began", async || {
        let begun = registry.requests_where(Seen::begins_full_walk).len();
        crate::support::check(begun >= 3, begun)
    })
    .await;
}

#[tokio::test]
async fn pages_that_are_as_they_were_are_not_sent_again() {
    let registry = FakeRegistry::start(numbered("com.example", 250)).await;
    tagged(&registry, 1);
    let proxy = Setup::new().settings(WALKS).registry("alpha", &registry.url()).start_ready().await;
    assert!(registry.requests()[0].header("if-none-match").is_empty());
    let first = proxy.get("/v0.1/servers?limit=100").await;
    until_walked_again(&registry).await;
    let walks = registry.requests_where(|seen| seen.is_page() && seen.parameter("updated_since").is_none());
    assert!(walks.iter().all(|seen| !seen.header("if-none-match").is_empty()), "{walks:?}");
    assert!(
        registry
            .requests_where(|seen| seen.parameter("updated_since").is_some() || seen.is_probe())
            .iter()
            .all(|seen| seen.header("if-none-match").is_empty())
    );
    proxy.until_listed(&keys_of(&numbered("com.example", 250))).await;
    assert_eq!(proxy.registry("alpha").await["lastSync"]["ok"], true);
    assert_eq!(proxy.get("/v0.1/servers?limit=100").await.text(), first.text());

    let changed = numbered("com.example", 240);
    registry.set_entries(changed.clone());
    tagged(&registry, 2);
    proxy.until_listed(&keys_of(&changed)).await;
    proxy.stop().await;
}

#[tokio::test]
async fn a_static_host_with_a_tag_costs_one_304_a_walk() {
    let registry = FakeRegistry::start(Vec::new()).await;
    let body = list(&numbered("com.example", 130), None).to_string();
    registry.always(Behaviour::depends(move |seen| {
        if seen.header("if-none-match") == "W/\"1\"" {
            Behaviour::Status(304, vec![("etag", "W/\"1\"".to_owned())])
        } else if seen.is_page() {
            Behaviour::Tagged("W/\"1\"".to_owned(), body.clone().into())
        } else {
            Behaviour::text(&body)
        }
    }));
    let proxy = Setup::new().settings(WALKS).registry("alpha", &registry.url()).start_ready().await;
    until_walked_again(&registry).await;
    let walks = registry.requests_where(Seen::begins_full_walk);
    assert!(walks.iter().all(|seen| seen.header("if-none-match") == "W/\"1\""), "{walks:?}");
    assert_eq!(proxy.walk("", 100).await.len(), 130);
    proxy.stop().await;
}

#[tokio::test]
async fn a_304_that_nobody_asked_for_is_an_error() {
    let registry = FakeRegistry::start(numbered("com.example", 3)).await;
    let proxy = Setup::new().settings(WALKS).registry("alpha", &registry.url()).start_ready().await;
    registry.when(Seen::is_page, Behaviour::Status(304, vec![("etag", "\"1\"".to_owned())]));
    let failed = proxy.until("alpha", "a walk failed", |status| status["lastSync"]["ok"] == false).await;
    assert!(failed["lastError"]["message"].to_string().contains("status 304"), "{failed}");
    assert_eq!(proxy.walk("", 100).await.len(), 3);
    proxy.stop().await;
}
