//! Proxies that list proxies: chains, and loops of every length, which every member must see and refuse.

use serde_json::json;

use crate::support::entry::{keys_of, numbered, provenance};
use crate::support::lineage::{HEADER, assert_stays_refused, id, ids, until_refused};
use crate::support::proxy::{Proxy, Setup};
use crate::support::registry::{Behaviour, FakeRegistry, Seen};
use crate::support::relay::Relay;
use crate::support::{check, eventually};

/// An answer that names this proxy.
fn naming(id: &str) -> Behaviour {
    Behaviour::Headers(vec![(HEADER, format!("somebody, {id}"))])
}

#[tokio::test]
async fn a_proxy_that_lists_itself_refuses_itself() {
    let (relay, alpha) = (Relay::start().await, FakeRegistry::start(numbered("com.alpha", 3)).await);
    let setup = Setup::new().settings("[health]\nwhen_unhealthy = \"serve-stale\"");
    let proxy = setup.registry("itself", &relay.url()).registry("alpha", &alpha.url()).start().await;
    relay.lead_to(proxy.address());
    proxy.until_listed(&keys_of(&numbered("com.alpha", 3))).await;
    assert_stays_refused(&proxy, "itself").await;
    for entry in proxy.walk("", 100).await {
        assert_eq!((&provenance(&entry)["registry"], &provenance(&entry)["alsoIn"]), (&json!("alpha"), &json!([])));
    }
    proxy.stop().await;
}

#[tokio::test]
async fn with_nothing_but_itself_a_proxy_says_why_it_has_nothing() {
    let relay = Relay::start().await;
    let proxy = Setup::new().registry("itself", &relay.url()).start().await;
    relay.lead_to(proxy.address());
    // What it answers to its own test is a 503; that it is its own says more.
    assert_stays_refused(&proxy, "itself").await;
    let reply = proxy.get("/v0.1/servers").await;
    assert!(reply.status == 503 && reply.detail().contains("itself (unhealthy; response: loop: "), "{}", reply.text());
    assert_eq!(ids(&reply), [id(&proxy).await], "ours comes once");
    proxy.stop().await;
}

/// Proxies in a ring, each of which lists the next one and a registry of its own.
async fn ring(length: usize) -> (Vec<Relay>, Vec<FakeRegistry>, Vec<Proxy>) {
    let (mut relays, mut fakes, mut proxies) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..length {
        relays.push(Relay::start().await);
        fakes.push(FakeRegistry::start(numbered(&format!("com.own{number}"), 3)).await);
    }
    for number in 0..length {
        let setup = Setup::new().registry("next", &relays[(number + 1) % length].url());
        let proxy = setup.registry("own", &fakes[number].url()).start().await;
        relays[number].lead_to(proxy.address());
        proxies.push(proxy);
    }
    (relays, fakes, proxies)
}

async fn assert_ring_is_refused(length: usize) {
    let (_relays, _fakes, proxies) = ring(length).await;
    for proxy in &proxies {
        until_refused(proxy, "next").await;
    }
    for (number, proxy) in proxies.iter().enumerate() {
        assert_stays_refused(proxy, "next").await;
        proxy.until_listed(&keys_of(&numbered(&format!("com.own{number}"), 3))).await;
        assert_eq!(ids(&proxy.get("/v0.1/servers").await).len(), length);
    }
    for proxy in proxies {
        proxy.stop().await;
    }
}

#[tokio::test]
async fn two_proxies_that_list_each_other_refuse_each_other() {
    assert_ring_is_refused(2).await;
}

#[tokio::test]
async fn a_ring_of_three_is_refused_by_all() {
    assert_ring_is_refused(3).await;
}

#[tokio::test]
async fn a_ring_of_four_is_refused_by_all() {
    assert_ring_is_refused(4).await;
}

/// Waits until a proxy names exactly these, itself first.
async fn until_named(proxy: &Proxy, expected: &[&Proxy]) {
    let mut named = Vec::new();
    for proxy in expected {
        named.push(id(proxy).await);
    }
    eventually("it named those behind it and nobody else", async || {
        let found = ids(&proxy.get("/livez").await);
        check(found == named, (found, &named))
    })
    .await;
}

/// The first one lists the other two, the second one the first, the third one the second: two loops.
async fn two_loops(relays: &[Relay; 3], fake: &FakeRegistry) -> [Proxy; 3] {
    let setup = || Setup::new().registry("own", &fake.url());
    let first = setup().registry("second", &relays[1].url()).registry("third", &relays[2].url()).start().await;
    let second = setup().registry("first", &relays[0].url()).start().await;
    let third = setup().registry("second", &relays[1].url()).start().await;
    let proxies = [first, second, third];
    for (relay, proxy) in relays.iter().zip(&proxies) {
        relay.lead_to(proxy.address());
    }
    proxies
}

#[tokio::test]
async fn those_who_refuse_each_other_do_not_keep_alive_what_is_gone() {
    let relays = [Relay::start().await, Relay::start().await, Relay::start().await];
    let fake = FakeRegistry::start(numbered("com.own", 3)).await;
    let [first, second, third] = two_loops(&relays, &fake).await;
    assert_stays_refused(&first, "second").await;
    assert_stays_refused(&second, "first").await;
    assert_stays_refused(&first, "third").await;
    // Nothing comes back to the third one: the first takes nothing in.
    third.until("second", "it was taken", |status| status["usable"] == true).await;
    until_named(&third, &[&third, &second, &first]).await;

    // The first one no longer lists the third one, and starts with another id.
    first.stop().await;
    let first = Setup::new().registry("own", &fake.url()).registry("second", &relays[1].url()).start_ready().await;
    relays[0].lead_to(first.address());
    assert_stays_refused(&first, "second").await;
    assert_stays_refused(&second, "first").await;
    until_named(&first, &[&first, &second]).await;
    until_named(&second, &[&second, &first]).await;
    until_named(&third, &[&third, &second, &first]).await;
    assert_eq!(third.registry("second").await["usable"], true);
    for proxy in [first, second, third] {
        proxy.stop().await;
    }
}

#[tokio::test]
async fn a_member_that_dies_is_named_by_nobody() {
    let relays = [Relay::start().await, Relay::start().await, Relay::start().await];
    let fake = FakeRegistry::start(numbered("com.own", 3)).await;
    let [first, second, third] = two_loops(&relays, &fake).await;
    assert_stays_refused(&first, "second").await;
    assert_stays_refused(&first, "third").await;
    second.stop().await;
    // Through it alone there were loops.
    first.until("third", "it was taken back", |status| status["usable"] == true).await;
    until_named(&third, &[&third]).await;
    until_named(&first, &[&first, &third]).await;
    third.until("second", "it was dropped", |status| status["usable"] == false).await;
    first.stop().await;
    third.stop().await;
}

/// Two proxies that list 64 others, and each other last.
#[tokio::test]
async fn hubs_of_many_proxies_see_each_other() {
    let roots: Vec<String> = (0..64).map(|number| format!("/{number}/v0/servers")).collect();
    let fake =
        FakeRegistry::start_at(&roots.iter().map(String::as_str).collect::<Vec<_>>(), numbered("com.own", 3)).await;
    for (number, root) in roots.iter().enumerate() {
        let behind: Vec<String> = (0..10).map(|depth| format!("somebody-of-{number}-at-{depth}")).collect();
        let root = root.clone();
        fake.when(move |seen| seen.path == root, Behaviour::Headers(vec![(HEADER, behind.join(", "))]));
    }
    let relays = [Relay::start().await, Relay::start().await];
    let mut hubs = Vec::new();
    for other in [1, 0] {
        let spoke =
            |setup: Setup, number| setup.registry(&format!("spoke-{number}"), &format!("{}/{number}/v0", fake.base()));
        let setup = (0..64).fold(Setup::new().settings("[health]\ninterval = \"300ms\""), spoke);
        hubs.push(setup.registry("other", &relays[other].url()).start().await);
        relays[1 - other].lead_to(hubs[1 - other].address());
    }
    for hub in &hubs {
        assert_stays_refused(hub, "other").await;
        assert_eq!(hub.walk("", 100).await.len(), 3);
    }
    for hub in hubs {
        hub.stop().await;
    }
}

#[tokio::test]
async fn a_chain_is_no_loop_and_tells_where_everything_comes_from() {
    let fake = FakeRegistry::start(numbered("com.example", 3)).await;
    let url = |proxy: &Proxy| format!("http://{}", proxy.address());
    let last = Setup::new().registry("source", &fake.url()).start_ready().await;
    let middle = Setup::new().registry("last", &url(&last)).start_ready().await;
    let first = Setup::new().registry("middle", &url(&middle)).start_ready().await;
    first.until_listed(&keys_of(&numbered("com.example", 3))).await;

    let expected = [id(&first).await, id(&middle).await, id(&last).await];
    let reply = first.get("/v0.1/servers").await;
    assert_eq!(ids(&reply), expected);
    for entry in first.walk("", 100).await {
        let block = provenance(&entry);
        let registries =
            [&block["registry"], &block["upstream"]["registry"], &block["upstream"]["upstream"]["registry"]];
        assert_eq!(registries, ["middle", "last", "source"], "{block}");
        assert_eq!(block["upstream"]["upstream"]["url"], fake.url());
        assert_eq!(block["sha256"], block["upstream"]["upstream"]["sha256"]);
    }
    for proxy in [first, middle, last] {
        proxy.stop().await;
    }
}

#[tokio::test]
async fn a_ring_that_is_opened_becomes_a_chain() {
    let (relays, fakes, mut proxies) = ring(2).await;
    for proxy in &proxies {
        assert_stays_refused(proxy, "next").await;
    }
    // The second one no longer lists the first one.
    proxies.pop().expect("two proxies").stop().await;
    let second = Setup::new().registry("own", &fakes[1].url()).start_ready().await;
    relays[1].lead_to(second.address());
    let first = proxies.pop().expect("one proxy");
    let status = first.until("next", "it was taken back", |status| status["usable"] == true).await;
    assert_eq!(status["state"], "healthy", "{status}");
    first.until_listed(&keys_of(&[numbered("com.own0", 3), numbered("com.own1", 3)].concat())).await;
    assert_eq!(ids(&first.get("/livez").await), [id(&first).await, id(&second).await]);
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn what_was_fetched_before_a_loop_is_not_served_until_everything_is_fetched_again() {
    let fake = FakeRegistry::start(numbered("com.example", 3)).await;
    let settings = "[health]\nwhen_unhealthy = \"serve-stale\"\ntimeout = \"60s\"";
    let proxy = Setup::new().settings(settings).registry("alpha", &fake.url()).start_ready().await;
    assert_eq!(proxy.walk("", 100).await.len(), 3);
    fake.always(naming(&id(&proxy).await));
    assert_stays_refused(&proxy, "alpha").await;
    assert_eq!(proxy.get("/v0.1/servers").await.status, 503, "not even with serve-stale");
    let lookup = proxy.get("/v0.1/servers/com.example%2Fserver-0000/versions/latest").await;
    assert!(lookup.status == 503 && lookup.detail().contains("loop: "), "{}", lookup.text());

    fake.set_entries(numbered("com.example", 2));
    fake.forget_requests();
    fake.behave();
    fake.when(Seen::is_page, Behaviour::Hold);
    let status = proxy.until_state("alpha", "healthy").await;
    assert_eq!(status["usable"], false, "{status}");
    assert_eq!(proxy.get("/v0.1/servers").await.status, 503);
    fake.let_go().await;
    proxy.until_listed(&keys_of(&numbered("com.example", 2))).await;
    assert!(fake.requests_where(Seen::is_page).iter().all(Seen::begins_full_walk), "no increment");
    proxy.stop().await;
}

#[tokio::test]
async fn a_loop_on_a_page_ends_the_walk_and_nothing_of_it_is_taken() {
    let fake = FakeRegistry::start(numbered("com.example", 250)).await;
    fake.always(Behaviour::Hold);
    // One test at the start, and none after it.
    let settings = "[health]\ninterval = \"1h\"\ntimeout = \"60s\"\nwhen_unhealthy = \"serve-stale\"";
    let proxy = Setup::new().settings(settings).registry("alpha", &fake.url()).start().await;
    fake.until_held().await;
    fake.behave();
    fake.when(Seen::has_cursor, naming(&id(&proxy).await));
    fake.release().await;
    let status = proxy.until_state("alpha", "unhealthy").await;
    assert_eq!((&status["usable"], &status["lastCheck"]["ok"]), (&json!(false), &json!(true)), "{status}");
    let status = proxy.until("alpha", "its walk ended", |status| status["lastSync"]["ok"] == false).await;
    let error = status["lastError"]["message"].as_str().unwrap_or_default();
    assert!(error.starts_with("walk: page 2: loop: "), "{status}");
    proxy.until_answered("/v0.1/servers", 503).await;
    assert_eq!(fake.requests_where(Seen::has_cursor).len(), 1, "it is not asked again");
    proxy.stop().await;
}
