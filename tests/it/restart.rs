//! A proxy that is started again goes on with what it had: it answers at once, says what of that is not confirmed,
//! and clients that synchronise miss nothing.

use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::support::entry::{Entry, keys, keys_of, list, numbered, provenance};
use crate::support::lineage;
use crate::support::proxy::{Proxy, Setup};
use crate::support::registry::{Behaviour, FakeRegistry};
use crate::support::{check, eventually};

/// How long a warm restart may take. It is a matter of milliseconds, where nobody else needs the processor.
const AT_ONCE: Duration = Duration::from_secs(1);

fn directory() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn with_store(store: &TempDir) -> Setup {
    Setup::new().settings(&format!("[store]\npath = '{}'", store.path().display()))
}

/// Runs a proxy until it has the registry's listing, and ends it well.
async fn run_once(setup: Setup) -> Value {
    let proxy = setup.start_ready().await;
    let status = proxy.until("alpha", "it was listed", |status| status["listing"] == "complete").await;
    proxy.stop().await;
    status
}

/// Starts a proxy whose registry does not answer yet.
async fn start_held(fake: &FakeRegistry, setup: Setup) -> Proxy {
    fake.always(Behaviour::Hold);
    setup.start().await
}

#[tokio::test]
async fn a_warm_restart_answers_at_once_and_says_what_is_not_confirmed() {
    let (store, entries) = (directory(), numbered("com.example", 250));
    let fake = FakeRegistry::start(entries.clone()).await;
    let setup = || with_store(&store).registry("alpha", &fake.url());
    let before = setup().start_ready().await;
    before.until_listed(&keys_of(&entries)).await;
    let fetched_at = |entry: &Value| provenance(entry)["fetchedAt"].clone();
    let times: Vec<Value> = before.walk("", 100).await.iter().map(fetched_at).collect();
    let listed_at = before.registry("alpha").await["listedAt"].clone();
    before.stop().await;

    let started = Instant::now();
    let proxy = start_held(&fake, setup()).await;
    proxy.until_ready().await;
    assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
    let listed = proxy.walk("", 100).await;
    assert_eq!(keys(&listed), keys_of(&entries));
    assert_eq!(listed.iter().map(fetched_at).collect::<Vec<_>>(), times);
    let status = proxy.registry("alpha").await;
    for (field, value) in [("state", "starting"), ("listing", "stored")] {
        assert_eq!(status[field], value, "{status}");
    }
    assert_eq!((&status["usable"], &status["listedAt"]), (&true.into(), &listed_at), "{status}");
    assert_eq!(status["counts"]["won"], 250, "{status}");

    fake.let_go().await;
    let status = proxy.until("alpha", "it was confirmed", |status| status["listing"] == "complete").await;
    assert!(status["listedAt"].as_str() > listed_at.as_str(), "{status}");
    proxy.stop().await;
}

#[tokio::test]
async fn a_registry_that_fails_after_the_restart_is_dropped_or_served_stale_as_it_is_configured() {
    let (store, entries) = (directory(), numbered("com.example", 3));
    let fake = FakeRegistry::start(entries.clone()).await;
    let setup = |health: &str| {
        let registry = format!("url = {:?}\n[registries.health]\n{health}", fake.url());
        with_store(&store).registry_with("alpha", &registry)
    };
    let listed_at = run_once(setup("")).await["listedAt"].clone();
    fake.always(Behaviour::status(500));
    let proxy = setup("").start_ready().await;
    let status = proxy.until_state("alpha", "unhealthy").await;
    assert_eq!((&status["usable"], &status["listing"]), (&false.into(), &"stored".into()), "{status}");
    proxy.until_answered("/v0/servers", 503).await;
    let lookup = proxy.get("/v0/servers/com.example%2Fserver-0001/versions/latest").await;
    assert_eq!(lookup.status, 503, "its names are still known: {}", lookup.text());
    proxy.stop().await;

    let proxy = setup("when_unhealthy = \"serve-stale\"").start_ready().await;
    let status = proxy.until_state("alpha", "unhealthy").await;
    assert_eq!((&status["usable"], &status["listedAt"]), (&true.into(), &listed_at), "{status}");
    proxy.until_listed(&keys_of(&entries)).await;
    proxy.stop().await;

    // The time between counts.
    let proxy = setup("when_unhealthy = \"serve-stale\"\nmax_stale = \"100ms\"").start_ready().await;
    let status = proxy.until_state("alpha", "unhealthy").await;
    assert_eq!((&status["usable"], &status["listedAt"]), (&false.into(), &listed_at), "{status}");
    proxy.stop().await;
}

#[tokio::test]
async fn a_listing_belongs_to_its_name_and_url_and_key() {
    let (store, entries) = (directory(), numbered("com.example", 3));
    let fake = FakeRegistry::start(entries.clone()).await;
    let tenant = |tenant: &str| format!("{}?tenant={tenant}", fake.url());
    run_once(with_store(&store).registry("alpha", &tenant("a"))).await;
    let key = "[provenance]\nkey = \"com.example/source\"";
    for setup in [
        with_store(&store).registry("alpha", &tenant("b")),
        with_store(&store).registry("beta", &tenant("a")),
        with_store(&store).registry("alpha", &tenant("a")).settings(key),
        Setup::new().registry("alpha", &tenant("a")).settings("[store]\npath = \"off\""),
    ] {
        let proxy = start_held(&fake, setup).await;
        fake.until_held().await;
        assert_eq!(proxy.get("/readyz").await.status, 503);
        let registries = proxy.json("/registries").await;
        assert_eq!(registries["registries"][0]["listing"], "none", "{registries}");
        fake.behave();
        proxy.stop().await;
    }
    // What nothing replaced is still there, also where a URL is spelled otherwise.
    let proxy =
        start_held(&fake, with_store(&store).registry("alpha", &tenant("a").replace("servers", "servers/"))).await;
    proxy.until_ready().await;
    assert_eq!(proxy.registry("alpha").await["listing"], "stored");
    fake.let_go().await;
    proxy.stop().await;
    // At another URL everything starts anew, and is kept instead.
    run_once(with_store(&store).registry("alpha", &tenant("b"))).await;
    let proxy = start_held(&fake, with_store(&store).registry("alpha", &tenant("b"))).await;
    proxy.until_listed(&keys_of(&entries)).await;
    fake.behave();
    proxy.stop().await;
}

#[tokio::test]
async fn a_base_url_is_looked_for_where_it_was() {
    let store = directory();
    let fake = FakeRegistry::start(numbered("com.example", 3)).await;
    let not_found = || fake.when(|seen| seen.path.starts_with("/v0.1"), Behaviour::status(404));
    not_found();
    let status = run_once(with_store(&store).registry("alpha", &fake.base())).await;
    let proxy = start_held(&fake, with_store(&store).registry("alpha", &fake.base())).await;
    proxy.until_ready().await;
    let restored = proxy.registry("alpha").await;
    assert_eq!((&restored["url"], &restored["listing"]), (&status["url"], &"stored".into()), "{restored}");
    assert!(restored["url"].as_str().is_some_and(|url| url.ends_with("/v0/servers")), "{restored}");
    fake.behave();
    proxy.stop().await;
}

#[tokio::test]
async fn clients_that_synchronise_miss_nothing_over_a_restart() {
    let (store, newest) = (directory(), "2026-06-01T00:00:00Z");
    let old = |name: &str, version: &str| Entry::new(name, version).published_at("2024-01-01T00:00:00Z");
    let same = old("com.example/same", "1.0.0");
    let dated = Entry::new("com.example/dated", "1.0.0").published_at(newest);
    let fake = FakeRegistry::start(vec![dated.clone(), same.clone(), old("com.example/text", "1.0.0")]).await;
    let setup = || {
        let refresh = "[refresh]\ninterval = \"100ms\"\nfull_interval = \"100ms\"";
        // A file is read anew at each start, and is none the newer for it.
        let file = list(&[old("com.file/a", "1.0.0")], None).to_string();
        with_store(&store).settings(refresh).registry("alpha", &fake.url()).file("file", file)
    };
    let sync = async |proxy: &Proxy| keys(&proxy.walk(&format!("updated_since={newest}"), 100).await);
    let before = setup().start_ready().await;
    assert_eq!(before.walk("", 100).await.len(), 4);
    assert_eq!(sync(&before).await, [""; 0]);
    // It arrives late, and the client does not ask again before the restart.
    let late = old("com.example/late", "1.0.0");
    fake.set_entries(vec![dated.clone(), late.clone(), same.clone(), old("com.example/text", "1.0.0")]);
    before.until_answered("/v0/servers/com.example%2Flate/versions/latest", 200).await;
    before.stop().await;

    let proxy = start_held(&fake, setup()).await;
    proxy.until_ready().await;
    assert_eq!(sync(&proxy).await, ["com.example/late@1.0.0"]);
    // What changed without a date while the proxy was down, it sees once the registry answers.
    fake.set_entries(vec![dated, late, same, old("com.example/text", "1.0.0").server("title", "Rewritten")]);
    fake.let_go().await;
    proxy.until("alpha", "it was confirmed", |status| status["listing"] == "complete").await;
    eventually("the change was listed", async || {
        let found = sync(&proxy).await;
        check(found == ["com.example/late@1.0.0", "com.example/text@1.0.0"], found)
    })
    .await;
    proxy.stop().await;
}

#[tokio::test]
async fn what_may_be_ours_is_not_kept() {
    let store = directory();
    let fake = FakeRegistry::start(numbered("com.example", 3)).await;
    let proxy = with_store(&store).registry("alpha", &fake.url()).start_ready().await;
    proxy.until_listed(&keys_of(&numbered("com.example", 3))).await;
    let own = lineage::id(&proxy).await;
    let file = store.path().join("listings/alpha.listing");
    eventually("it was kept", async || check(file.exists(), &file)).await;
    fake.always(Behaviour::Headers(vec![(lineage::HEADER, own)]));
    proxy.until_state("alpha", "unhealthy").await;
    eventually("it was removed", async || check(!file.exists(), &file)).await;
    proxy.stop().await;
    assert!(!file.exists());
}

#[tokio::test]
async fn proxies_behind_a_stored_listing_are_named() {
    let store = directory();
    let fake = FakeRegistry::start(numbered("com.example", 3)).await;
    fake.always(Behaviour::Headers(vec![(lineage::HEADER, "inner-one".to_owned())]));
    run_once(with_store(&store).registry("alpha", &fake.url())).await;
    fake.behave();
    let proxy = start_held(&fake, with_store(&store).registry("alpha", &fake.url())).await;
    proxy.until_ready().await;
    let named = lineage::ids(&proxy.get("/v0/servers").await);
    assert!(named.contains(&"inner-one".to_owned()), "{named:?}");
    fake.behave();
    proxy.stop().await;
}
