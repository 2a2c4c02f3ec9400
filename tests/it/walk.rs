//! Walks through a registry's list: every page once, to the end, and never in circles. What a walk that
//! fails costs: nothing, the last good listing stays.

use serde_json::Value;

use crate::support::entry::{Entry, keys, keys_of, list, numbered};
use crate::support::proxy::{NO_INCREMENTS, Proxy, Setup};
use crate::support::registry::{Behaviour, FakeRegistry, Seen};
use crate::support::{check, eventually};

/// Full walks as often as a configuration may ask for them.
const OFTEN: &str = "[refresh]\nfull_interval = \"100ms\"";

#[tokio::test]
async fn a_walk_brings_every_version_of_every_page_once() {
    let mut entries = numbered("com.example", 240);
    entries.push(Entry::new("com.example/server-0100", "1.0.0-rc.1"));
    entries.push(Entry::new("Com.Example/upper", "2025.11.13+pr147"));
    let registry = FakeRegistry::start(entries).await;
    let proxy = Setup::new().settings(NO_INCREMENTS).registry("alpha", &registry.url()).start_ready().await;

    let walked = keys(&proxy.walk("", 100).await);
    assert_eq!(walked.len(), 242);
    assert_eq!(walked[0], "Com.Example/upper@2025.11.13+pr147");
    assert_eq!(walked[101..103], ["com.example/server-0100@1.0.0", "com.example/server-0100@1.0.0-rc.1"]);
    assert!(walked.is_sorted());
    assert_eq!(proxy.registry("alpha").await["lastSync"]["pages"], 3);
    proxy.stop().await;
}

#[tokio::test]
async fn pages_of_a_hundred_are_asked_for_with_deleted_versions() {
    let registry = FakeRegistry::start(numbered("com.example", 150)).await;
    let proxy = Setup::new().settings(NO_INCREMENTS).registry("alpha", &registry.url()).start_ready().await;

    let pages = registry.requests_where(Seen::is_page);
    assert_eq!(pages.len(), 2, "{pages:?}");
    for page in &pages {
        assert_eq!(page.parameter("limit").as_deref(), Some("100"));
        assert_eq!(page.parameter("include_deleted").as_deref(), Some("true"));
    }
    assert_eq!(pages[0].parameter("cursor"), None);
    assert_eq!(pages[1].parameter("cursor").as_deref(), Some("com.example/server-0099:1.0.0"));
    proxy.stop().await;
}

#[tokio::test]
async fn a_registry_that_refuses_include_deleted_is_asked_without_it() {
    for status in [400, 422, 501] {
        let registry = FakeRegistry::start(numbered("com.example", 150)).await;
        registry.when(|seen| seen.parameter("include_deleted").is_some(), Behaviour::status(status));
        let proxy = Setup::new().registry("alpha", &registry.url()).start_ready().await;
        assert_eq!(proxy.walk("", 100).await.len(), 150, "{status}");
        let refused = registry.requests_where(|seen| seen.parameter("include_deleted").is_some());
        assert_eq!(refused.len(), 1, "it is asked with the parameter once, not on every page");
        proxy.stop().await;
    }
}

#[tokio::test]
async fn a_refusal_on_the_first_page_brings_no_deleted_version_back() {
    let mut entries = numbered("com.example", 3);
    let all = keys_of(&entries);
    let other = FakeRegistry::start(entries.clone()).await;
    entries[1] = entries[1].clone().deleted();
    let registry = FakeRegistry::start(entries).await;
    let proxy = Setup::new()
        .settings(OFTEN)
        .registry("alpha", &registry.url())
        .registry("beta", &other.url())
        .start_ready()
        .await;
    proxy.until_listed(&all).await;
    let visible = [all[0].clone(), all[2].clone()];
    for status in [403, 404, 400] {
        registry.behave();
        proxy.until("alpha", "it walked", |registry| registry["lastSync"]["ok"] == true).await;
        registry.when(|seen| seen.parameter("include_deleted").is_some(), Behaviour::status(status));
        proxy.until("alpha", "a walk failed", |registry| registry["lastSync"]["ok"] == false).await;
        assert_eq!(keys(&proxy.walk("", 100).await), visible, "{status}");
        let without = registry.requests_where(|seen| seen.is_page() && seen.parameter("include_deleted").is_none());
        assert!(without.iter().all(|seen| seen.parameter("updated_since").is_some()), "{status}: {without:?}");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn an_empty_last_page_ends_a_walk_well() {
    let registry = FakeRegistry::start(numbered("com.example", 200)).await;
    let proxy = Setup::new().settings(NO_INCREMENTS).registry("alpha", &registry.url()).start_ready().await;
    assert_eq!(proxy.walk("", 100).await.len(), 200);
    let sync = &proxy.registry("alpha").await["lastSync"];
    assert_eq!((&sync["ok"], &sync["pages"]), (&Value::Bool(true), &3.into()));
    proxy.stop().await;
}

#[tokio::test]
async fn an_empty_registry_is_an_empty_list() {
    let registry = FakeRegistry::start(Vec::new()).await;
    let proxy = Setup::new().registry("alpha", &registry.url()).start_ready().await;
    assert_eq!(proxy.get("/v0.1/servers").await.text(), "{\"servers\":[],\"metadata\":{\"count\":0}}\n");
    assert_eq!(proxy.registry("alpha").await["state"], "healthy");
    proxy.stop().await;
}

#[tokio::test]
async fn a_static_host_that_ignores_the_query_lists_everything_on_one_page() {
    let registry = FakeRegistry::start(Vec::new()).await;
    let document = list(&numbered("com.example", 130), Some("com.example/server-0129:1.0.0"));
    registry.always(Behaviour::json(&document));
    let proxy = Setup::new().registry("alpha", &registry.url()).start_ready().await;
    assert_eq!(proxy.walk("", 100).await.len(), 130);
    assert_eq!(proxy.registry("alpha").await["lastSync"]["ok"], true);
    proxy.stop().await;
}

#[tokio::test]
async fn the_next_walk_brings_what_is_new_and_drops_what_is_gone() {
    let registry = FakeRegistry::start(numbered("com.example", 130)).await;
    let proxy = Setup::new().settings(OFTEN).registry("alpha", &registry.url()).start_ready().await;
    assert_eq!(proxy.walk("", 100).await.len(), 130);

    let mut entries = numbered("com.example", 110);
    entries.push(Entry::new("org.example/new", "0.1.0"));
    let expected = keys_of(&entries);
    registry.set_entries(entries);
    proxy.until_listed(&expected).await;
    proxy.stop().await;
}

/// Walks well once, and then with that behaviour on the third page. The walk must fail, and must change
/// nothing, although its first two pages bring other content.
async fn a_walk_fails_and_changes_nothing(third_page: Behaviour, reason: &str) {
    let registry = FakeRegistry::start(numbered("com.example", 250)).await;
    let proxy = Setup::new().settings(OFTEN).registry("alpha", &registry.url()).start_ready().await;
    let good = proxy.walk("", 100).await;
    assert_eq!(good.len(), 250);

    registry.when(|seen| seen.parameter("cursor").is_some_and(|cursor| cursor.contains("0199")), third_page);
    registry.set_entries(numbered("com.example", 250).into_iter().map(|entry| entry.server("title", "New")).collect());
    let failed = proxy.until("alpha", "a walk failed", |registry| registry["lastSync"]["ok"] == false).await;
    let error = failed["lastSync"]["error"].as_str().unwrap_or_default();
    assert!(error.contains("page 3") && error.contains(reason), "{error}");
    assert!(failed["lastError"]["message"].as_str().is_some_and(|message| message.contains(reason)), "{failed}");
    assert_eq!(proxy.walk("", 100).await, good);

    registry.behave();
    until_titled(&proxy, "New").await;
    proxy.stop().await;
}

async fn until_titled(proxy: &Proxy, title: &str) {
    eventually("all entries had the new title", async || {
        let entries = proxy.walk("", 100).await;
        let titles: Vec<&Value> = entries.iter().map(|entry| &entry["server"]["title"]).collect();
        check(titles.iter().all(|found| *found == title), titles)
    })
    .await;
}

#[tokio::test]
async fn a_page_that_brings_only_what_was_seen_fails_the_walk() {
    let second = numbered("com.example", 200).split_off(100);
    let again = list(&second, Some("com.example/server-0199-and-on:1.0.0"));
    a_walk_fails_and_changes_nothing(Behaviour::json(&again), "nothing that earlier pages did not").await;
}

#[tokio::test]
async fn a_cursor_that_was_used_before_fails_the_walk() {
    let third = numbered("com.example", 240).split_off(200);
    let loops = list(&third, Some("com.example/server-0099:1.0.0"));
    a_walk_fails_and_changes_nothing(Behaviour::json(&loops), "cursor has been used before").await;
}

#[tokio::test]
async fn an_empty_page_that_names_a_next_one_fails_the_walk() {
    let empty = list(&[], Some("more"));
    a_walk_fails_and_changes_nothing(Behaviour::json(&empty), "nothing that earlier pages did not").await;
}

#[tokio::test]
async fn an_answer_that_asking_again_cannot_mend_fails_the_walk() {
    a_walk_fails_and_changes_nothing(Behaviour::status(403), "status 403").await;
}
