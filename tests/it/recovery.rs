//! Ways back from trouble that are easily missed: what held a registry up must not hold up its return.

use serde_json::{Value, json};

use crate::support::entry::{keys_of, numbered};
use crate::support::proxy::Setup;
use crate::support::registry::{Behaviour, FakeRegistry, Seen};

#[tokio::test]
async fn a_page_that_never_comes_does_not_keep_a_healed_registry_away() {
    let registry = FakeRegistry::start(numbered("com.example", 250)).await;
    registry.when(Seen::has_cursor, Behaviour::Hold);
    let proxy = Setup::new().settings("[health]\ntimeout = \"200ms\"").registry("alpha", &registry.url()).start().await;
    // The page in the way counts as a test that got no answer; the registry is not asked twice at a time.
    let status = proxy.until_state("alpha", "unhealthy").await;
    assert!(
        status["lastError"]["message"].as_str().unwrap_or_default().contains("a page has been under way"),
        "{status}"
    );
    registry.behave();
    proxy.until("alpha", "a complete listing", |status| status["listing"] == "complete").await;
    proxy.until_listed(&keys_of(&numbered("com.example", 250))).await;
    assert_eq!(registry.most_in_flight(), 1);
    proxy.stop().await;
}

#[tokio::test]
async fn a_list_that_turned_to_junk_changes_nothing() {
    let registry = FakeRegistry::start(numbered("com.example", 3)).await;
    let settings = "[refresh]\ninterval = \"200ms\"\nfull_interval = \"200ms\"";
    let proxy = Setup::new().settings(settings).registry("alpha", &registry.url()).start_ready().await;
    registry.when(Seen::is_page, Behaviour::json(&json!({"servers": [{"error": "down for maintenance"}]})));
    let is_noted = |status: &Value| status["lastError"]["message"].to_string().contains("a list of something else");
    let status = proxy.until("alpha", "a page that failed", is_noted).await;
    assert_eq!(status["state"], "healthy", "its tests still pass: {status}");
    assert_eq!(proxy.walk("", 100).await.len(), 3, "the last good listing stays");
    proxy.stop().await;
}

#[tokio::test]
async fn a_registry_that_limits_our_rate_from_the_start_is_walked_all_the_same() {
    let registry = FakeRegistry::start(numbered("com.example", 3)).await;
    registry.when(Seen::is_probe, Behaviour::status(429));
    let proxy = Setup::new().registry("alpha", &registry.url()).start_ready().await;
    let status = proxy.registry("alpha").await;
    assert_eq!(status["state"], "healthy", "a finished page counts as a success: {status}");
    assert_eq!(proxy.walk("", 100).await.len(), 3);
    proxy.stop().await;
}

#[tokio::test]
async fn a_base_url_that_limits_our_rate_at_first_is_walked_where_its_list_turns_out_to_be() {
    let registry = FakeRegistry::start_at(&["/v0/servers"], numbered("com.example", 3)).await;
    registry.always(Behaviour::status(429));
    let proxy = Setup::new().registry("alpha", &registry.base()).start().await;
    proxy.until("alpha", "a test that told nothing", |status| status["lastCheck"]["ok"] == false).await;
    registry.behave();
    let status = proxy.until("alpha", "a complete listing", |status| status["listing"] == "complete").await;
    assert!(status["url"].as_str().is_some_and(|url| url.ends_with("/v0/servers")), "{status}");
    proxy.stop().await;
}
