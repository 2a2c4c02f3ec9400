//! Several registries, one list: which entry wins, what its provenance says, which version is the latest,
//! and who may supply a name (contract §4).

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::entry::{Entry, OFFICIAL, keys, list, numbered, provenance};
use crate::support::proxy::{Proxy, Setup};
use crate::support::registry::{Behaviour, FakeRegistry, Seen};
use crate::support::{check, eventually};

/// The served entry of one version.
async fn version(proxy: &Proxy, name: &str, version: &str) -> Value {
    proxy.json(&format!("/v0.1/servers/{}/versions/{version}", name.replace('/', "%2F"))).await
}

async fn start(registries: &[Vec<Entry>], settings: &str) -> (Vec<FakeRegistry>, Proxy) {
    let mut fakes = Vec::new();
    let mut setup = Setup::new().settings(settings);
    for (name, entries) in ["alpha", "beta", "gamma"].into_iter().zip(registries) {
        let fake = FakeRegistry::start(entries.clone()).await;
        setup = setup.registry(name, &fake.url());
        fakes.push(fake);
    }
    (fakes, setup.start_ready().await)
}

#[tokio::test]
async fn a_union_has_every_version_of_every_registry_once_with_its_provenance() {
    let shared = Entry::new("com.example/shared", "1.0.0");
    let alpha = vec![shared.clone(), Entry::new("com.example/different", "1.0.0").server("title", "Alpha")];
    let beta = vec![
        shared.clone(),
        Entry::new("com.example/different", "1.0.0").server("title", "Beta"),
        Entry::new("com.example/shared", "2.0.0"),
    ];
    let gamma = vec![shared, Entry::new("com.example/alone", "0.1.0")];
    let (fakes, proxy) = start(&[alpha, beta, gamma], "").await;

    let expected = [
        ("com.example/alone@0.1.0", "gamma", json!([]), false),
        ("com.example/different@1.0.0", "alpha", json!(["beta"]), true),
        ("com.example/shared@1.0.0", "alpha", json!(["beta", "gamma"]), false),
        ("com.example/shared@2.0.0", "beta", json!([]), false),
    ];
    let entries = proxy.walk("", 100).await;
    assert_eq!(keys(&entries), expected.each_ref().map(|(key, ..)| *key));
    for (entry, (key, registry, also_in, divergent)) in entries.iter().zip(&expected) {
        let block = provenance(entry);
        assert_eq!(block["registry"], *registry, "{key}");
        assert_eq!(block["alsoIn"], *also_in, "{key}");
        assert_eq!(block["divergent"], *divergent, "{key}");
        let fake = ["alpha", "beta", "gamma"].iter().position(|name| name == registry).expect("one of them");
        assert_eq!(block["url"], fakes[fake].url(), "{key}");
        assert!(block["fetchedAt"].as_str().is_some_and(|time| time.ends_with('Z')), "{key}");
    }
    assert_eq!(entries[1]["server"]["title"], "Alpha");
    proxy.stop().await;
}

#[tokio::test]
async fn the_configuration_and_not_the_order_of_answers_decides() {
    let named = |title: &str| vec![Entry::new("com.example/both", "1.0.0").server("title", title)];
    let slow = FakeRegistry::start(named("Slow")).await;
    slow.always(Behaviour::Hold);
    let fast = FakeRegistry::start(named("Fast")).await;
    let proxy = Setup::new()
        .settings("[health]\ntimeout = \"60s\"")
        .registry("slow", &slow.url())
        .registry("fast", &fast.url())
        .start()
        .await;
    proxy.until_answered("/v0/servers/com.example%2Fboth/versions/1.0.0", 200).await;
    assert_eq!(version(&proxy, "com.example/both", "1.0.0").await["server"]["title"], "Fast");
    slow.release().await;
    slow.behave();
    proxy.until_ready().await;
    let entry = version(&proxy, "com.example/both", "1.0.0").await;
    assert_eq!(entry["server"]["title"], "Slow");
    assert_eq!(provenance(&entry)["alsoIn"], json!(["fast"]));
    proxy.stop().await;
}

#[tokio::test]
async fn an_unusable_registry_neither_wins_nor_is_named() {
    let named = |title: &str| vec![Entry::new("com.example/both", "1.0.0").server("title", title)];
    let (fakes, proxy) = start(&[named("Alpha"), named("Beta")], "").await;
    assert_eq!(provenance(&version(&proxy, "com.example/both", "1.0.0").await)["registry"], "alpha");
    fakes[0].always(Behaviour::status(500));
    eventually("the other registry won", async || {
        let entry = version(&proxy, "com.example/both", "1.0.0").await;
        let block = provenance(&entry);
        let expected = (&json!("beta"), &json!([]), &json!(false));
        check((&block["registry"], &block["alsoIn"], &block["divergent"]) == expected, block)
    })
    .await;
    proxy.stop().await;
}

#[tokio::test]
async fn the_digest_is_of_the_content_and_not_of_its_spelling() {
    let canonical = r#"{"description":"café","name":"com.example/a","version":"1.0.0","x":[1,10]}"#;
    let spelled = r#"[{"server":{"x":[1.0,1e1],"version":"1.0.0","name":"com.example\/a","description":"caf\u00e9",
                     "_meta":{"io.modelcontextprotocol.registry/publisher-provided":{"note":"not content"}}}}]"#;
    let plain = format!("{{\"servers\":[{{\"server\":{canonical}}}]}}");
    let proxy = Setup::new().file("spelled", spelled).file("plain", plain).start_ready().await;
    let entry = version(&proxy, "com.example/a", "1.0.0").await;
    let block = provenance(&entry);
    assert_eq!(block["sha256"], hexadecimal(&Sha256::digest(canonical)));
    assert_eq!(
        (&block["registry"], &block["alsoIn"], &block["divergent"]),
        (&json!("spelled"), &json!(["plain"]), &json!(false))
    );
    proxy.stop().await;
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

#[tokio::test]
async fn fetched_at_stays_for_as_long_as_the_content_does() {
    let registry = FakeRegistry::start(vec![Entry::new("com.example/a", "1.0.0")]).await;
    let settings = "[refresh]\nfull_interval = \"100ms\"";
    let proxy = Setup::new().settings(settings).registry("alpha", &registry.url()).start_ready().await;
    let time = |value: &Value| value.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok()).expect("a time");
    let first = version(&proxy, "com.example/a", "1.0.0").await;
    let fetched_at = time(&provenance(&first)["fetchedAt"]);

    // It has whole seconds: a walk more than one later would show.
    let later = fetched_at + std::time::Duration::from_millis(1_100);
    proxy.until("alpha", "it was walked again", |status| later < time(&status["lastSync"]["startedAt"])).await;
    assert_eq!(version(&proxy, "com.example/a", "1.0.0").await, first);

    registry.set_entries(vec![Entry::new("com.example/a", "1.0.0").server("title", "Changed")]);
    eventually("the new content had a time of its own", async || {
        let entry = version(&proxy, "com.example/a", "1.0.0").await;
        let is_later = fetched_at < time(&provenance(&entry)["fetchedAt"]);
        check(entry["server"]["title"] == "Changed" && is_later, entry)
    })
    .await;
    proxy.stop().await;
}

#[tokio::test]
async fn exactly_one_version_of_each_name_is_the_latest() {
    let of = |name: &str, versions: &[&str]| -> Vec<Entry> {
        // Every registry flags all of its own; that must not count.
        versions.iter().map(|version| Entry::new(name, version).official("isLatest", true)).collect()
    };
    let alpha = [of("a/semantic", &["1.0.0", "1.10.0", "1.9.0"]), of("a/mixed", &["2026.06.09", "0.0.1"])].concat();
    let mut beta = of("a/semantic", &["2.0.0-rc.1", "1.9.5"]);
    beta.extend(of("a/deleted", &["1.0.0"]));
    beta.push(Entry::new("a/deleted", "2.0.0").official("isLatest", true).deleted());
    beta.push(Entry::new("a/odd", "zwei").published_at("2026-01-01T00:00:00Z"));
    beta.push(Entry::new("a/odd", "drei").published_at("2026-01-02T00:00:00Z"));
    beta.push(Entry::new("a/gone", "1.0.0").deleted());
    let (_fakes, proxy) = start(&[alpha, beta], "").await;

    let entries = proxy.walk("include_deleted=true", 100).await;
    let is_latest = |entry: &&Value| entry["_meta"][OFFICIAL]["isLatest"] == true;
    let is_listed = |entry: &&Value| entry["_meta"][OFFICIAL]["status"] != "deleted";
    let latest: Vec<Value> = entries.iter().filter(is_latest).filter(is_listed).cloned().collect();
    let expected = ["a/deleted@1.0.0", "a/mixed@0.0.1", "a/odd@drei", "a/semantic@2.0.0-rc.1"];
    assert_eq!(keys(&latest), expected);
    assert_eq!(keys(&proxy.walk("version=latest", 100).await), expected);
    for key in expected {
        let name = key.split_once('@').expect("a key").0;
        assert_eq!(keys(&[version(&proxy, name, "latest").await]), [key]);
    }
    proxy.stop().await;
}

#[tokio::test]
async fn with_first_a_name_belongs_to_the_first_registry_that_lists_it_also_while_it_is_unusable() {
    let alpha = vec![Entry::new("com.example/both", "1.0.0")];
    let beta = vec![Entry::new("com.example/both", "2.0.0"), Entry::new("com.example/only-beta", "1.0.0")];
    let (fakes, proxy) = start(&[alpha, beta], "[catalog]\nmerge = \"first\"").await;
    assert_eq!(keys(&proxy.walk("", 100).await), ["com.example/both@1.0.0", "com.example/only-beta@1.0.0"]);
    assert_eq!(proxy.get("/v0/servers/com.example%2Fboth/versions/2.0.0").await.status, 404);

    fakes[0].always(Behaviour::status(500));
    proxy.until_listed(&["com.example/only-beta@1.0.0".to_owned()]).await;
    for target in ["versions", "versions/latest", "versions/1.0.0"] {
        let reply = proxy.get(&format!("/v0/servers/com.example%2Fboth/{target}")).await;
        assert!(reply.status == 503 && reply.detail().contains("alpha"), "{target}: {}", reply.text());
    }
    proxy.stop().await;
}

#[tokio::test]
async fn a_claimed_name_comes_only_from_the_registries_that_claim_it() {
    let acme =
        FakeRegistry::start(vec![Entry::new("com.acme/search", "1.0.0"), Entry::new("com.acme/b", "1.0.0")]).await;
    let other = vec![
        Entry::new("com.acme/search", "1.0.0").server("title", "Forged"),
        Entry::new("com.acme/search", "9.9.9"),
        Entry::new("com.Acme/evil", "1.0.0"),
        Entry::new("com.acme.evil/x", "1.0.0"),
    ];
    let other = FakeRegistry::start(other).await;
    let proxy = Setup::new()
        .registry("other", &other.url())
        .registry_with("acme", &format!("url = {:?}\nnamespaces = [\"com.acme/*\"]", acme.url()))
        .start_ready()
        .await;
    let entries = proxy.walk("", 100).await;
    assert_eq!(keys(&entries), ["com.acme.evil/x@1.0.0", "com.acme/b@1.0.0", "com.acme/search@1.0.0"]);
    assert_eq!(provenance(&entries[2])["alsoIn"], json!([]));
    assert_eq!(entries[2]["server"].get("title"), None);
    assert_eq!(proxy.get("/v0/servers/com.acme%2Fsearch/versions/9.9.9").await.status, 404);

    let refused = &proxy.registry("other").await["refused"];
    assert_eq!(refused["count"], 3, "{refused}");
    let entries = refused["entries"].as_array().expect("refused entries");
    assert!(entries.iter().all(|entry| entry["reason"].as_str().is_some_and(|reason| reason.contains("namespace"))));
    let names: Vec<_> = entries.iter().map(|entry| format!("{}@{}", entry["name"], entry["version"])).collect();
    assert_eq!(names.len(), 3);
    assert!(names.contains(&"\"com.Acme/evil\"@\"1.0.0\"".to_owned()), "{names:?}");

    // The owner's outage is no opening for somebody else.
    acme.always(Behaviour::Reset);
    proxy.until_listed(&["com.acme.evil/x@1.0.0".to_owned()]).await;
    let reply = proxy.get("/v0/servers/com.acme%2Fsearch/versions/latest").await;
    assert!(reply.status == 503 && reply.detail().contains("acme"), "{}", reply.text());
    proxy.stop().await;
}

#[tokio::test]
async fn include_and_exclude_choose_among_a_registrys_names() {
    let names = ["com.acme/a", "com.acme/experimental-b", "org.other/c"];
    let registry = FakeRegistry::start(names.iter().map(|name| Entry::new(name, "1.0.0")).collect()).await;
    let rules = "include = [\"com.acme/*\"]\nexclude = [\"com.acme/Experimental-*\"]";
    let toml = format!("url = {:?}\n{rules}", registry.url());
    let proxy = Setup::new().registry_with("alpha", &toml).start_ready().await;
    assert_eq!(keys(&proxy.walk("", 100).await), ["com.acme/a@1.0.0"]);
    assert_eq!(proxy.get("/v0/servers/org.other%2Fc/versions/latest").await.status, 404);
    assert_eq!(proxy.registry("alpha").await["counts"]["filtered"], 2);
    proxy.stop().await;
}

#[tokio::test]
async fn a_refresh_that_changes_one_name_changes_nothing_else() {
    let entries = numbered("com.example", 150);
    let registry = FakeRegistry::start(entries.clone()).await;
    let curated = list(&entries[..10], None).to_string();
    let settings = "[refresh]\nfull_interval = \"100ms\"";
    let proxy =
        Setup::new().settings(settings).registry("alpha", &registry.url()).file("curated", curated).start_ready().await;
    let before = proxy.walk("", 100).await;

    let mut changed = entries;
    changed[4] = changed[4].clone().server("title", "Changed");
    registry.set_entries(changed);
    eventually("the change was served", async || {
        let entry = version(&proxy, "com.example/server-0004", "1.0.0").await;
        check(entry["server"]["title"] == "Changed" && provenance(&entry)["divergent"] == true, entry)
    })
    .await;
    let after = proxy.walk("", 100).await;
    let differing: Vec<usize> = (0..150).filter(|index| before[*index] != after[*index]).collect();
    assert_eq!(differing, [4]);
    assert!(registry.requests().iter().any(Seen::has_cursor));
    proxy.stop().await;
}
