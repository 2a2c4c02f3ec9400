//! The configuration changes while the proxy runs: what is right takes effect without a restart and without a failed
//! request, what is wrong changes nothing.

use std::time::Duration;

use mcp_registry_proxy::serve::Deadlines;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;

use crate::support::entry::{Entry, keys, keys_of, numbered};
use crate::support::lineage::{HEADER, id, ids};
use crate::support::proxy::{Proxy, Setup, walk};
use crate::support::registry::{Behaviour, FakeRegistry, Seen};
use crate::support::stream::{connect, read_to_end};
use crate::support::{check, eventually};

/// Reading `/registries` again and again must always give an answer.
async fn names(proxy: &Proxy) -> Vec<String> {
    let body = proxy.json("/registries").await;
    let registries = body["registries"].as_array().expect("`registries`");
    registries.iter().map(|registry| registry["name"].as_str().unwrap_or_default().to_owned()).collect()
}

fn two(alpha: &FakeRegistry, beta: &FakeRegistry) -> Setup {
    Setup::new().registry("alpha", &alpha.url()).registry("beta", &beta.url())
}

#[tokio::test]
async fn registries_come_go_and_change_places() {
    let (a, b) = (numbered("com.alpha", 3), numbered("com.beta", 3));
    let alpha = FakeRegistry::start(a.clone()).await;
    let beta = FakeRegistry::start(b.clone()).await;
    let proxy = Setup::new().registry("alpha", &alpha.url()).start_ready().await;
    proxy.until_listed(&keys_of(&a)).await;

    proxy.reconfigure(two(&alpha, &beta));
    proxy.until_listed(&keys_of(&[a.clone(), b.clone()].concat())).await;
    proxy.reconfigure(Setup::new().registry("beta", &beta.url()).registry("alpha", &alpha.url()));
    proxy.until_configuration("it was read", |_| true).await;
    eventually("the order changed", async || {
        let names = names(&proxy).await;
        check(names == ["beta", "alpha"], names)
    })
    .await;
    assert_eq!(alpha.requests_where(Seen::begins_full_walk).len(), 1, "what is unaffected is not walked again");

    proxy.reconfigure(Setup::new().registry("beta", &beta.url()));
    proxy.until_listed(&keys_of(&b)).await;
    assert_eq!(names(&proxy).await, ["beta"]);
    alpha.forget_requests();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(alpha.requests().len(), 0, "who is no longer configured is no longer asked");
    proxy.stop().await;
}

#[tokio::test]
async fn a_registry_with_other_settings_keeps_its_listing_and_health() {
    let entries = vec![Entry::new("com.acme/a", "1"), Entry::new("com.other/b", "1")];
    let alpha = FakeRegistry::start(entries.clone()).await;
    let proxy = Setup::new().registry("alpha", &alpha.url()).start_ready().await;
    proxy.until_listed(&keys_of(&entries)).await;
    // From now on nothing can be fetched: what is listed was kept.
    alpha.when(Seen::is_page, Behaviour::status(500));
    let since = proxy.registry("alpha").await["since"].clone();

    let url = alpha.url();
    let keys = format!("url = {url:?}\nexclude = [\"com.other/*\"]\nhealth.unhealthy_after = 1000");
    proxy.reconfigure(Setup::new().registry_with("alpha", &keys));
    proxy.until_listed(&keys_of(&entries[..1])).await;
    let status = proxy.registry("alpha").await;
    assert_eq!((&status["state"], &status["since"]), (&Value::from("healthy"), &since));

    // Another place is another registry.
    proxy.reconfigure(Setup::new().registry_with("alpha", &format!("{keys}\n").replace("/v0.1/", "/v0/")));
    proxy.until("alpha", "it starts anew", |status| status["counts"]["versions"] == 0).await;
    proxy.stop().await;
}

#[tokio::test]
async fn what_is_wrong_is_refused_whole_and_named() {
    let entries = numbered("com.alpha", 3);
    let alpha = FakeRegistry::start(entries.clone()).await;
    let proxy = Setup::new().registry("alpha", &alpha.url()).start_ready().await;
    proxy.until_listed(&keys_of(&entries)).await;
    let before = proxy.until_configuration("it is there", |_| true).await;

    let secret = "canary-value";
    let wrong = [
        ("not = [toml".to_owned(), "test.toml"),
        (
            format!("[cache]\nmax_age = \"{secret}\"\n[[registries]]\nname=\"b\"\nurl=\"http://b.example\""),
            "cache.max_age",
        ),
        ("[[registries]]\nname = \"alpha\"\nurl = \"ftp://nowhere\"".to_owned(), "registries.alpha.url"),
    ];
    for (text, named) in wrong {
        proxy.rewrite(&text);
        let refused = proxy
            .until_configuration("the change is refused", |state| {
                state["refused"]["error"].as_str().is_some_and(|error| error.contains(named))
            })
            .await;
        let error = refused["refused"]["error"].as_str().unwrap_or_default();
        assert!(error.contains("test.toml") && !error.contains(secret) && !error.contains('/'), "{error}");
        assert_eq!(refused["loadedAt"], before["loadedAt"]);
        assert_eq!(keys(&proxy.walk("", 100).await), keys_of(&entries), "nothing has changed");
        assert_eq!(names(&proxy).await, ["alpha"]);
    }
    std::fs::remove_file(proxy.directory().join("test.toml")).expect("the file");
    proxy.until_configuration("it is missed", |state| state["refused"]["error"].as_str().is_some()).await;

    proxy.reconfigure(Setup::new().settings("[cache]\nmax_age = \"7s\"").registry("alpha", &alpha.url()));
    let after = proxy.until_configuration("it is taken", |state| state["refused"].is_null()).await;
    assert_ne!(after["loadedAt"], before["loadedAt"]);
    assert!(proxy.get("/v0.1/servers").await.header("cache-control").contains("max-age=7,"));
    proxy.stop().await;
}

#[tokio::test]
async fn what_needs_a_restart_waits_for_it_and_says_so() {
    let alpha = FakeRegistry::start(numbered("com.alpha", 1)).await;
    let proxy = Setup::new().registry("alpha", &alpha.url()).start_ready().await;
    let changed = "[store]\npath = \"elsewhere\"\n[server]\nlisten = \"127.0.0.1:1\"\ncors_origins = [\"https://a.example\"]\n\
                   [provenance]\nkey = \"com.acme/provenance\"";
    proxy.reconfigure(Setup::new().settings(changed).registry("alpha", &alpha.url()));
    let state =
        proxy.until_configuration("keys wait", |state| state["pending"] != Value::from(Vec::<Value>::new())).await;
    assert_eq!(state["pending"], serde_json::json!(["server.listen", "store", "provenance.key"]));
    let reply = proxy.get_with("/v0.1/servers", &[("origin", "https://a.example")]).await;
    assert_eq!(reply.header("access-control-allow-origin"), "https://a.example", "the rest is in effect");
    assert!(reply.text().contains("mcp-registry-proxy/provenance"));
    proxy.reconfigure(Setup::new().registry("alpha", &alpha.url()));
    proxy.until_configuration("nothing waits", |state| state["pending"] == Value::from(Vec::<Value>::new())).await;
    proxy.stop().await;
}

#[tokio::test]
async fn other_ways_of_merging_take_effect() {
    let one = FakeRegistry::start(vec![Entry::new("com.acme/a", "1")]).await;
    let other = FakeRegistry::start(vec![Entry::new("com.acme/a", "2")]).await;
    let proxy = two(&one, &other).start_ready().await;
    proxy.until_listed(&["com.acme/a@1".to_owned(), "com.acme/a@2".to_owned()]).await;
    proxy.reconfigure(two(&one, &other).settings("[catalog]\nmerge = \"first\""));
    proxy.until_listed(&["com.acme/a@1".to_owned()]).await;
    proxy.reconfigure(two(&one, &other).settings("[provenance]\npublish_urls = false"));
    proxy.until_listed(&["com.acme/a@1".to_owned(), "com.acme/a@2".to_owned()]).await;
    assert!(!proxy.get("/v0.1/servers").await.text().contains("127.0.0.1"), "no URL is shown");
    proxy.stop().await;
}

#[tokio::test]
async fn an_id_follows_the_registries_and_the_ones_before_still_count() {
    let alpha = FakeRegistry::start(numbered("com.alpha", 1)).await;
    let proxy = Setup::new().registry("alpha", &alpha.url()).start_ready().await;
    let before = id(&proxy).await;
    let beta = FakeRegistry::start(numbered("com.beta", 1)).await;
    proxy.reconfigure(two(&alpha, &beta));
    proxy.until_answered("/registries/beta", 200).await;
    proxy.until_state("beta", "healthy").await;
    let after = ids(&proxy.get("/v0.1/servers").await);
    assert_ne!(after[0], before);
    // Somebody still passes on the id that we had.
    beta.always(Behaviour::Headers(vec![(HEADER, format!("them, {before}"))]));
    proxy
        .until("beta", "the loop is found", |status| {
            status["lastError"]["message"].as_str().is_some_and(|message| message.contains("loop"))
        })
        .await;
    proxy.stop().await;
}

#[tokio::test]
async fn connections_stay_open_and_no_request_fails() {
    let (a, b) = (numbered("com.alpha", 40), numbered("com.beta", 40));
    let alpha = FakeRegistry::start(a.clone()).await;
    let beta = FakeRegistry::start(b.clone()).await;
    let proxy = two(&alpha, &beta).start_ready().await;
    proxy.until_listed(&keys_of(&[a.clone(), b].concat())).await;
    let always = keys_of(&a);
    let mut idle = connect(proxy.address()).await;
    let address = proxy.address();
    for expected in [1, 2, 1, 2] {
        let alone = || Setup::new().registry("alpha", &alpha.url());
        proxy.reconfigure(if expected == 2 { two(&alpha, &beta) } else { alone() });
        loop {
            let listed = keys(&walk(address, "", 7).await);
            assert!(always.iter().all(|key| listed.contains(key)), "alpha's entries are always there");
            if names(&proxy).await.len() == expected {
                break;
            }
        }
    }
    let request = b"GET /livez HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    idle.write_all(request).await.expect("a connection from before is open");
    assert!(read_to_end(&mut idle).await.starts_with("HTTP/1.1 200"));
    proxy.stop().await;
}

#[tokio::test]
async fn a_change_while_the_proxy_starts_is_not_lost() {
    let (alpha, beta) = (FakeRegistry::start(numbered("com.alpha", 1)).await, FakeRegistry::start(Vec::new()).await);
    let setup = Setup::new().registry("alpha", &alpha.url());
    let (directory, origin) = setup.written();
    let loaded = origin.load().expect("a valid configuration");
    // After it was read, and before anything follows it.
    let file = directory.path().join("test.toml");
    let text = std::fs::read_to_string(&file).expect("the file");
    std::fs::write(&file, format!("{text}[[registries]]\nname = \"beta\"\nurl = {:?}\n", beta.url()))
        .expect("writable");
    let proxy = Proxy::start_from(directory, origin, &loaded, Deadlines::default()).await;
    proxy.until_answered("/registries/beta", 200).await;
    proxy.stop().await;
}
