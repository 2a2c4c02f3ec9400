//! The collapse guard: a list that loses most of what it had is not believed until the next full walk lists the same.

use serde_json::{Value, json};

use crate::support::entry::{Entry, keys_of, list, numbered};
use crate::support::proxy::{Proxy, Setup};
use crate::support::registry::{Behaviour, FakeRegistry, Seen};

const OFTEN: &str = "[refresh]\ninterval = \"100ms\"\nfull_interval = \"100ms\"";

/// A registry of 80 versions whose every further walk waits to be released, and a proxy that has its list.
async fn listed() -> (FakeRegistry, Proxy) {
    let registry = FakeRegistry::start(numbered("com.example", 80)).await;
    let proxy = Setup::new().settings(OFTEN).registry("alpha", &registry.url()).start_ready().await;
    proxy.until_listed(&keys_of(&numbered("com.example", 80))).await;
    registry.when(Seen::begins_full_walk, Behaviour::Hold);
    registry.until_held().await;
    (registry, proxy)
}

fn some(range: std::ops::Range<usize>) -> Vec<Entry> {
    numbered("com.example", 80)[range].to_vec()
}

/// Lets the walk on hold list these, and waits until the next one is on hold.
async fn walk(registry: &FakeRegistry, entries: Vec<Entry>) {
    registry.set_entries(entries);
    registry.forget_requests();
    registry.release().await;
    crate::support::eventually("the next walk began", async || {
        let begun = registry.requests_where(Seen::begins_full_walk).len();
        crate::support::check(begun == 1, begun)
    })
    .await;
    registry.until_held().await;
}

fn held(status: &Value) -> (&Value, &Value) {
    (&status["held"]["versions"], &status["held"]["removed"])
}

#[tokio::test]
async fn a_collapse_is_held_reported_and_believed_when_the_next_walk_lists_the_same() {
    let (registry, proxy) = listed().await;
    walk(&registry, some(0..20)).await;
    let status = proxy.registry("alpha").await;
    assert_eq!(held(&status), (&json!(20), &json!(60)), "{status}");
    assert_eq!((&status["state"], &status["counts"]["versions"]), (&json!("healthy"), &json!(80)), "{status}");
    assert!(status["lastError"]["message"].to_string().contains("less than half"), "{status}");
    assert_eq!(proxy.json("/registries").await["registries"][0]["held"], status["held"]);
    proxy.until_listed(&keys_of(&some(0..80))).await;

    registry.release().await;
    proxy.until_listed(&keys_of(&some(0..20))).await;
    assert_eq!(proxy.registry("alpha").await["held"], Value::Null);
    proxy.stop().await;
}

#[tokio::test]
async fn another_collapse_confirms_nothing_and_a_whole_list_clears_what_is_held() {
    let (registry, proxy) = listed().await;
    walk(&registry, some(0..20)).await;
    let since = proxy.registry("alpha").await["held"]["since"].clone();
    walk(&registry, some(1..21)).await;
    let status = proxy.registry("alpha").await;
    assert_eq!(held(&status), (&json!(20), &json!(60)), "{status}");
    assert_ne!(status["held"]["since"], since, "it is another one");
    proxy.until_listed(&keys_of(&some(0..80))).await;
    walk(&registry, some(0..80)).await;
    assert_eq!(proxy.registry("alpha").await["held"], Value::Null);
    walk(&registry, some(1..21)).await;
    assert_eq!(held(&proxy.registry("alpha").await).0, &json!(20), "it starts anew");
    proxy.until_listed(&keys_of(&some(0..80))).await;
    proxy.stop().await;
}

#[tokio::test]
async fn increments_go_on_while_a_collapse_is_held_and_do_not_keep_it_from_being_confirmed() {
    let (registry, proxy) = listed().await;
    walk(&registry, some(0..20)).await;
    // The next walk fails for now, and leaves room for increments.
    registry.behave();
    registry.when(Seen::begins_full_walk, Behaviour::status(503));
    registry.release().await;
    let new = Entry::new("org.example/new", "1.0.0").published_at(&jiff::Timestamp::now().to_string());
    registry.set_entries([some(0..20), vec![new.clone()]].concat());
    proxy.until_listed(&keys_of(&[some(0..80), vec![new.clone()]].concat())).await;
    assert_eq!(held(&proxy.registry("alpha").await).0, &json!(21), "it is kept up to date");
    registry.behave();
    proxy.until_listed(&keys_of(&[some(0..20), vec![new]].concat())).await;
    proxy.stop().await;
}

#[tokio::test]
async fn a_list_that_moves_to_another_api_version_is_measured_by_what_it_was() {
    let (v0, settings) = (|seen: &Seen| seen.path == "/v0/servers", "[refresh]\nfull_interval = \"300ms\"");
    let registry = FakeRegistry::start(some(0..80)).await;
    registry.when(|seen| seen.path == "/v0.1/servers", Behaviour::status(404));
    let proxy = Setup::new().settings(settings).registry("alpha", &registry.base()).start_ready().await;
    proxy.until_listed(&keys_of(&some(0..80))).await;
    registry.behave();
    registry.when(v0, Behaviour::status(404));
    registry.when(Seen::begins_full_walk, Behaviour::Hold);
    registry.set_entries(some(0..20));
    registry.until_held().await;
    registry.release().await;
    proxy.until("alpha", "it was held", |status| held(status) == (&json!(20), &json!(60))).await;
    proxy.until_listed(&keys_of(&some(0..80))).await;
    registry.behave();
    registry.when(v0, Behaviour::status(404));
    proxy.until_listed(&keys_of(&some(0..20))).await;
    assert_eq!(proxy.registry("alpha").await["held"], Value::Null);
    proxy.stop().await;
}

#[tokio::test]
async fn half_of_a_list_may_go_at_once() {
    let (registry, proxy) = listed().await;
    walk(&registry, some(0..30)).await;
    assert_eq!(proxy.registry("alpha").await["held"], Value::Null, "fifty are not more than fifty");
    proxy.until_listed(&keys_of(&some(0..30))).await;
    proxy.stop().await;
}

#[tokio::test]
async fn a_file_is_believed_as_it_is() {
    let proxy = Setup::new().file("curated", list(&some(0..80), None).to_string()).start_ready().await;
    proxy.until_listed(&keys_of(&some(0..80))).await;
    let path = proxy.directory().join("curated.json");
    std::fs::write(path, list(&some(0..1), None).to_string()).expect("writable");
    proxy.until_listed(&keys_of(&some(0..1))).await;
    assert_eq!(proxy.registry("curated").await["held"], Value::Null);
    proxy.stop().await;
}
