//! What look-ups may cost: the registries that are asked, the clients that wait, and all the others.

use std::time::Duration;

use http::Method;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::read_through::{ON, ONE_WALK, ask, look_ups, path, start};
use crate::support::entry::{Entry, OFFICIAL, key};
use crate::support::http::{Reply, send};
use crate::support::proxy::Setup;
use crate::support::registry::{Behaviour, FakeRegistry, Seen};

#[tokio::test]
async fn a_look_up_is_one_request_wherever_it_is_sent_on_to() {
    let (alpha, beta, proxy) = start("").await;
    beta.set_entries(vec![Entry::new("com.example/new", "1.0.0")]);
    let elsewhere = path("com.example/new", "/1.0.0");
    beta.when(Seen::is_look_up, Behaviour::Redirect(elsewhere.clone()));
    assert_eq!(proxy.get(&elsewhere).await.status, 404);
    assert_eq!((look_ups(&alpha), look_ups(&beta)), (1, 1));
    proxy.stop().await;
}

#[tokio::test]
async fn what_is_deleted_stays_at_home_while_its_registry_is_down() {
    let listed = vec![
        Entry::new("com.example/gone", "1.0.0").deleted(),
        Entry::new("com.example/some", "1.0.0").deleted(),
        Entry::new("com.example/some", "2.0.0"),
    ];
    let (down, up) = (FakeRegistry::start(listed).await, FakeRegistry::start(Vec::new()).await);
    let setup = Setup::new().settings(ONE_WALK).settings(ON);
    let proxy = setup.registry("down", &down.url()).registry("up", &up.url()).start_ready().await;
    proxy.until_answered(&path("com.example/some", "/latest"), 200).await;
    down.always(Behaviour::status(500));
    proxy.until_answered(&path("com.example/some", "/2.0.0"), 503).await;
    up.forget_requests();
    for (name, rest) in [("gone", ""), ("gone", "/latest"), ("gone", "/1.0.0"), ("gone", "/2.0.0"), ("some", "/1.0.0")]
    {
        assert_ne!(ask(&proxy, &format!("com.example/{name}"), rest).await.status, 200);
    }
    assert_eq!(look_ups(&up), 0);
    proxy.stop().await;
}

/// What the catalog does not know at all is asked for as a whole: one version alone would be the latest of itself.
#[tokio::test]
async fn a_name_that_nobody_serves_is_answered_as_if_it_had_been_mirrored() {
    let (alpha, beta, proxy) = start("[catalog]\nmerge = \"first\"").await;
    let versions = |versions: &[&str]| versions.iter().map(|version| Entry::new("com.example/new", version)).collect();
    alpha.set_entries(versions(&["1.0.0", "3.0.0"]));
    beta.set_entries(versions(&["1.0.0", "2.0.0", "3.0.0"]));
    let latest = |reply: Reply| {
        assert_eq!(reply.status, 200, "{}", reply.text());
        let entry = reply.json();
        (key(&entry), entry["_meta"][OFFICIAL]["isLatest"] == true)
    };
    let one = latest(ask(&proxy, "com.example/new", "/1.0.0").await);
    assert_eq!(one, ("com.example/new@1.0.0".to_owned(), false), "there is a later one");
    let newest = latest(ask(&proxy, "com.example/new", "/latest").await);
    assert_eq!(newest, ("com.example/new@3.0.0".to_owned(), true));
    assert_eq!(ask(&proxy, "com.example/new", "/2.0.0").await.status, 404, "the name is alpha's");
    assert_eq!(ask(&proxy, "com.example/new", "").await.json()["servers"].as_array().map(Vec::len), Some(2));
    assert_eq!((look_ups(&alpha), look_ups(&beta)), (1, 1), "one look-up answers all of these");
    proxy.stop().await;
}

#[tokio::test]
async fn a_registry_that_hangs_does_not_keep_back_what_another_one_has() {
    let (alpha, beta, proxy) = start("").await;
    beta.set_entries(vec![Entry::new("com.example/new", "1.0.0")]);
    alpha.when(Seen::is_look_up, Behaviour::Hold);
    let started = Instant::now();
    let reply = ask(&proxy, "com.example/new", "/1.0.0").await;
    let elapsed = started.elapsed();
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("cache-status"), "mcp-registry-proxy; fwd=miss; fwd-status=200");
    assert_eq!(reply.header("cache-control"), "public, max-age=5");
    assert!((Duration::from_secs(3)..Duration::from_secs(5)).contains(&elapsed), "{elapsed:?}");
    // Who comes later than that need not wait at all.
    let started = Instant::now();
    let late = ask(&proxy, "com.example/new", "/latest").await;
    assert_eq!(late.header("cache-status"), "mcp-registry-proxy; fwd=miss; fwd-status=200; collapsed");
    assert!(late.status == 200 && started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!((look_ups(&alpha), look_ups(&beta)), (1, 1));
    proxy.stop().await;
}

/// Those who wait are few: a registry that hangs leaves room for everybody else.
#[tokio::test]
async fn only_so_many_wait_for_a_registry_that_hangs() {
    let (alpha, _beta, proxy) = start("[limits]\nrequests = 16").await;
    alpha.when(Seen::is_look_up, Behaviour::Hold);
    let (address, target) = (proxy.address(), path("com.example/new", "/latest"));
    let mut clients = JoinSet::new();
    for _ in 0..15 {
        let target = target.clone();
        clients.spawn(async move { send(address, Method::GET, &target).await });
    }
    for _ in 0..13 {
        let reply = clients.join_next().await.expect("a client").expect("no panic");
        assert_eq!((reply.status, reply.header("cache-control")), (404, "no-store"));
    }
    alpha.until_held().await;
    assert_eq!((clients.len(), look_ups(&alpha)), (2, 1), "an eighth of 16 waits");
    assert_eq!(ask(&proxy, "com.example/known", "/latest").await.status, 200);
    alpha.release().await;
    let replies = clients.join_all().await;
    assert!(replies.iter().all(|reply| (reply.status, reply.header("cache-control")) == (404, "public, max-age=30")));
    proxy.stop().await;
}
