//! Increments: what is asked for and when, what full walks catch that they cannot show, and registries that do not
//! know `updated_since`.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::support::entry::{Entry, OFFICIAL, key, keys_of, list, numbered};
use crate::support::proxy::{NO_INCREMENTS, Proxy, Setup};
use crate::support::registry::{Behaviour, FakeRegistry, Seen};
use crate::support::{check, eventually};

/// Increments and full walks as often as tests can wait for.
const BOTH: &str = "[refresh]\ninterval = \"100ms\"\nfull_interval = \"200ms\"";

fn is_increment(seen: &Seen) -> bool {
    seen.parameter("updated_since").is_some()
}

fn since(seen: &Seen) -> Timestamp {
    seen.parameter("updated_since").expect("an increment").parse().expect("a time")
}

/// Waits until the registry has been asked so.
async fn until_asked(registry: &FakeRegistry, matches: impl Fn(&Seen) -> bool + Copy) -> Seen {
    eventually("the registry was asked so", async || {
        registry.requests_where(matches).pop().ok_or_else(|| format!("{:?}", registry.requests()))
    })
    .await
}

/// Waits until entries are listed with these titles.
async fn until_titled(proxy: &Proxy, expected: &[(&str, &str)]) {
    eventually("the entries had these titles", async || {
        let entries = proxy.walk("", 100).await;
        let title = |name: &str| {
            let entry = entries.iter().find(|entry| entry["server"]["name"] == name);
            entry.and_then(|entry| entry["server"]["title"].as_str()).unwrap_or_default().to_owned()
        };
        let found: Vec<_> = expected.iter().map(|(name, _)| title(name)).collect();
        check(expected.iter().zip(&found).all(|((_, title), found)| title == found), found)
    })
    .await;
}

fn now() -> String {
    Timestamp::now().to_string()
}

#[tokio::test]
async fn an_increment_asks_for_what_changed_since_five_minutes_before_the_last_start() {
    let registry = FakeRegistry::start(numbered("com.example", 3)).await;
    registry.always(Behaviour::Headers(vec![("date", "Fri, 02 Jan 2026 10:00:00 GMT".to_owned())]));
    let proxy = Setup::new().registry("alpha", &registry.url()).start_ready().await;
    let asked = until_asked(&registry, is_increment).await;
    assert_eq!(since(&asked), "2026-01-02T09:55:00Z".parse().expect("a time"), "by the registry's own clock");
    assert_eq!(asked.parameter("include_deleted"), None, "it is implied");

    // A clock that is ahead must not make us miss what happens until then.
    registry.behave();
    registry.always(Behaviour::Headers(vec![("date", "Fri, 02 Jan 2099 10:00:00 GMT".to_owned())]));
    registry.forget_requests();
    let is_later = |seen: &Seen| is_increment(seen) && since(seen).as_second() > 1_780_000_000;
    let asked = until_asked(&registry, is_later).await;
    assert!(since(&asked) <= Timestamp::now() - SignedDuration::from_mins(5), "{asked:?}");
    proxy.stop().await;
}

#[tokio::test]
async fn an_increment_adds_replaces_and_deletes_and_needs_no_full_walk() {
    let mut entries = numbered("com.example", 150);
    let registry = FakeRegistry::start(entries.clone()).await;
    let proxy = Setup::new().registry("alpha", &registry.url()).start_ready().await;
    entries[3] = entries[3].clone().server("title", "New").official("updatedAt", now());
    entries[4] = entries[4].clone().deleted().official("updatedAt", now());
    entries.push(Entry::new("com.example/server-0005", "2.0.0").published_at(&now()));
    entries.push(Entry::new("org.example/new", "1.0.0").published_at(&now()));
    registry.set_entries(entries);
    until_titled(&proxy, &[("com.example/server-0003", "New")]).await;
    let listed = proxy.walk("", 100).await;
    assert_eq!(listed.len(), 151, "one is deleted, two are new");
    let versions = proxy.json("/v0/servers/com.example%2Fserver-0005/versions").await;
    let latest: Vec<bool> = versions["servers"].as_array().expect("versions").iter().map(is_latest).collect();
    assert_eq!(latest, [true, false], "the flag moved, although the registry says nothing of the old version");
    assert_eq!(registry.requests_where(Seen::begins_full_walk).len(), 1);
    assert_eq!(registry.most_in_flight(), 1);
    proxy.stop().await;
}

fn is_latest(entry: &Value) -> bool {
    entry["_meta"][OFFICIAL]["isLatest"] == true
}

#[tokio::test]
async fn increments_run_between_the_pages_of_a_walk_and_outlast_it() {
    let mut entries = numbered("com.example", 250);
    let registry = FakeRegistry::start(entries.clone()).await;
    let proxy = Setup::new().settings(BOTH).registry("alpha", &registry.url()).start_ready().await;
    // The walk that follows has its first page, with the old title, and waits for its second one.
    registry.when(|seen| seen.has_cursor() && !is_increment(seen), Behaviour::status(503));
    registry.forget_requests();
    until_asked(&registry, |seen| seen.has_cursor() && !is_increment(seen)).await;
    entries[0] = entries[0].clone().server("title", "New").official("updatedAt", now());
    entries[249] = entries[249].clone().server("title", "New").official("updatedAt", now());
    entries.push(Entry::new("aaa.example/before-all", "1.0.0").published_at(&now()).server("title", "New"));
    registry.set_entries(entries);
    let expected =
        ["com.example/server-0000", "com.example/server-0249", "aaa.example/before-all"].map(|name| (name, "New"));
    until_titled(&proxy, &expected).await;
    assert!(proxy.registry("alpha").await["lastError"].to_string().contains("page 2"), "the walk is still under way");

    // From now on no increment shows it again, and the walk's first page did not have it.
    registry.behave();
    registry.when(is_increment, Behaviour::json(&list(&[], None)));
    registry.forget_requests();
    let is_last = |seen: &Seen| seen.parameter("cursor").is_some_and(|cursor| cursor.contains("0199"));
    until_asked(&registry, is_last).await;
    // And the walk after it.
    registry.when(Seen::begins_full_walk, Behaviour::Hold);
    registry.until_held().await;
    until_titled(&proxy, &expected).await;
    assert_eq!(proxy.walk("", 100).await.len(), 251);
    proxy.stop().await;
}

#[tokio::test]
async fn full_walks_catch_what_happens_without_a_date() {
    let flagged =
        |version: &str, is_latest: bool| Entry::new("com.example/flag", version).official("isLatest", is_latest);
    let mut entries = numbered("com.example", 5);
    entries.extend([flagged("1.0.0", false), flagged("2.0.0", true)]);
    let registry = FakeRegistry::start(entries.clone()).await;
    let proxy = Setup::new().settings(BOTH).registry("alpha", &registry.url()).start_ready().await;
    // A version vanishes, content changes, and the latest version vanishes, so that the flag moves.
    entries.remove(6);
    entries.remove(1);
    entries[0] = entries[0].clone().server("title", "Rewritten");
    registry.set_entries(entries.clone());
    proxy
        .until_listed(&{
            let mut keys = keys_of(&entries);
            keys.sort();
            keys
        })
        .await;
    until_titled(&proxy, &[("com.example/server-0000", "Rewritten")]).await;
    let latest = proxy.json("/v0/servers/com.example%2Fflag/versions/latest").await;
    assert_eq!((key(&latest).as_str(), is_latest(&latest)), ("com.example/flag@1.0.0", true));
    proxy.stop().await;
}

#[tokio::test]
async fn a_registry_that_ignores_the_parameter_is_walked_whole() {
    let registry = FakeRegistry::start(Vec::new()).await;
    let lists = |entries: &[Entry]| Behaviour::json(&list(entries, None));
    registry.always(lists(&numbered("com.example", 6)));
    let proxy = Setup::new().registry("alpha", &registry.url()).start_ready().await;
    proxy.until("alpha", "it was found out", |status| status["updatedSince"] == "ignored").await;
    registry.behave();
    registry.forget_requests();
    registry.always(lists(&numbered("com.example", 4)));
    proxy.until_listed(&keys_of(&numbered("com.example", 4))).await;
    assert_eq!(registry.requests_where(is_increment).len(), 0, "it is not asked so again before the next trial");
    proxy.stop().await;
}

#[tokio::test]
async fn a_registry_that_rejects_the_parameter_is_walked_whole() {
    for status in [400, 422] {
        let registry = FakeRegistry::start(numbered("com.example", 6)).await;
        registry.when(is_increment, Behaviour::status(status));
        let proxy = Setup::new().registry("alpha", &registry.url()).start_ready().await;
        let found = proxy.until("alpha", "it was found out", |status| status["updatedSince"] == "rejected").await;
        assert_eq!((&found["lastSync"]["ok"], &found["lastError"]), (&Value::Bool(true), &Value::Null), "no failure");
        registry.set_entries(numbered("com.example", 4));
        proxy.until_listed(&keys_of(&numbered("com.example", 4))).await;
        assert_eq!(registry.requests_where(is_increment).len(), 1);
        proxy.stop().await;
    }
}

#[tokio::test]
async fn a_registry_that_learns_the_parameter_is_asked_so_again() {
    let registry = FakeRegistry::start(numbered("com.example", 6)).await;
    registry.next_when(1, is_increment, Behaviour::status(422));
    let settings = "[refresh]\ninterval = \"100ms\"\nfull_interval = \"500ms\"";
    let proxy = Setup::new().settings(settings).registry("alpha", &registry.url()).start_ready().await;
    proxy.until("alpha", "it was found out", |status| status["updatedSince"] == "rejected").await;
    proxy.until("alpha", "it has learned it", |status| status["updatedSince"].is_null()).await;
    proxy.stop().await;
}

#[tokio::test]
async fn an_increment_that_fails_changes_nothing_and_comes_again_from_where_it_was() {
    let registry = FakeRegistry::start(numbered("com.example", 3)).await;
    let settings = "[refresh]\ninterval = \"100ms\"";
    let proxy = Setup::new().settings(settings).registry("alpha", &registry.url()).start_ready().await;
    let date = |text: &str| Behaviour::Headers(vec![("date", text.to_owned())]);
    registry.when(is_increment, date("Fri, 02 Jan 2099 10:00:00 GMT"));
    until_asked(&registry, is_increment).await;
    registry.behave();
    registry.when(is_increment, Behaviour::status(403));
    let failed = proxy.until("alpha", "an increment failed", |status| status["lastSync"]["ok"] == false).await;
    assert_eq!((&failed["state"], &failed["listing"]), (&"healthy".into(), &"complete".into()), "{failed}");
    registry.forget_requests();
    let asked: Vec<Timestamp> = eventually("it was asked three times", async || {
        let asked: Vec<_> = registry.requests_where(is_increment).iter().map(since).collect();
        if asked.len() >= 3 { Ok(asked) } else { Err(format!("{asked:?}")) }
    })
    .await;
    assert!(asked.windows(2).all(|two| two[0] == two[1]), "the watermark does not move: {asked:?}");
    registry.behave();
    proxy.until("alpha", "it recovered", |status| status["lastSync"]["ok"] == true).await;
    assert_eq!(proxy.walk("", 100).await.len(), 3);
    proxy.stop().await;
}

#[tokio::test]
async fn a_page_of_an_increment_that_fails_is_asked_for_again() {
    let registry = FakeRegistry::start(numbered("com.example", 3)).await;
    let proxy = Setup::new().registry("alpha", &registry.url()).start_ready().await;
    let new: Vec<_> = numbered("org.example", 150).into_iter().map(|entry| entry.published_at(&now())).collect();
    registry.next_when(1, |seen| is_increment(seen) && seen.has_cursor(), Behaviour::status(500));
    registry.set_entries([numbered("com.example", 3), new.clone()].concat());
    proxy.until_listed(&[keys_of(&numbered("com.example", 3)), keys_of(&new)].concat()).await;
    let pages = registry.requests_where(|seen| is_increment(seen) && seen.has_cursor());
    assert_eq!(pages[0].query, pages[1].query, "the same page, of the same increment");
    assert!(pages[1].at - pages[0].at >= Duration::from_millis(250));
    proxy.stop().await;
}

#[tokio::test]
async fn changes_that_only_replace_take_no_room() {
    let mut entries = numbered("com.example", 3);
    let registry = FakeRegistry::start(entries.clone()).await;
    let settings = "[limits]\nmax_listing_versions = 3";
    let proxy = Setup::new().settings(settings).registry("alpha", &registry.url()).start_ready().await;
    entries[1] = entries[1].clone().server("title", "New").official("updatedAt", now());
    registry.set_entries(entries.clone());
    until_titled(&proxy, &[("com.example/server-0001", "New")]).await;
    entries.push(Entry::new("org.example/new", "1.0.0").published_at(&now()));
    registry.set_entries(entries);
    let failed = proxy.until("alpha", "an increment failed", |status| status["lastSync"]["ok"] == false).await;
    assert!(failed["lastError"]["message"].to_string().contains("more than 3 versions"), "{failed}");
    assert_eq!(registry.requests_where(Seen::begins_full_walk).len(), 1);
    proxy.stop().await;
}

#[tokio::test]
async fn a_registry_may_have_intervals_of_its_own() {
    let (often, rarely) = (FakeRegistry::start(numbered("com.often", 3)).await, FakeRegistry::start(Vec::new()).await);
    let own =
        "[registries.refresh]\ninterval = \"100ms\"\nfull_interval = \"300ms\"\n[registries.health]\ninterval = \"1h\"";
    let proxy = Setup::new()
        .settings(NO_INCREMENTS)
        .registry_with("often", &format!("url = {:?}\n{own}", often.url()))
        .registry("rarely", &rarely.url())
        .start_ready()
        .await;
    eventually("one had several increments and walks", async || {
        let counts = [is_increment, Seen::begins_full_walk].map(|is| often.requests_where(is).len());
        check(counts.iter().all(|count| *count >= 3), counts)
    })
    .await;
    assert_eq!(often.requests_where(Seen::is_probe).len(), 1, "and one test");
    assert_eq!(rarely.requests_where(Seen::is_page).len(), 1, "the other one had its first walk and nothing more");
    assert!(rarely.requests_where(Seen::is_probe).len() > 3);
    proxy.stop().await;
}

#[tokio::test]
async fn an_empty_list_fails_tests_though_increments_find_nothing_wrong_with_it() {
    let (entries, others) = (numbered("com.example", 3), numbered("org.example", 3));
    let (registry, steady) = (FakeRegistry::start(entries.clone()).await, FakeRegistry::start(others.clone()).await);
    // More increments than tests.
    let settings = "[refresh]\ninterval = \"100ms\"\nfull_interval = \"1h\"\n[health]\ninterval = \"150ms\"";
    let proxy = Setup::new()
        .settings(settings)
        .registry("alpha", &registry.url())
        .registry("beta", &steady.url())
        .start_ready()
        .await;
    let all = keys_of(&[entries, others.clone()].concat());
    proxy.until_listed(&all).await;
    registry.always(Behaviour::json(&list(&[], None)));
    proxy.until_state("alpha", "unhealthy").await;
    proxy.until_listed(&keys_of(&others)).await;
    registry.behave();
    proxy.until_listed(&all).await;
    proxy.stop().await;
}
