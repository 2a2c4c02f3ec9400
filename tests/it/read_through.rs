//! What the catalog lacks is asked of the registries that may have it: whom, how often, and what clients see of it.

use std::time::Duration;

use http::Method;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::support::description::Description;
use crate::support::entry::{Entry, OFFICIAL, keys, list, provenance};
use crate::support::http::{Reply, send};
use crate::support::lineage::id;
use crate::support::proxy::{Proxy, Setup};
use crate::support::registry::{Behaviour, FakeRegistry, Seen};
use crate::support::{check, eventually};

/// One walk at the start and none after it: what is published later, only look-ups find.
pub(crate) const ONE_WALK: &str = "[refresh]\ninterval = \"1h\"\nfull_interval = \"1h\"";
/// Other tests have it off.
pub(crate) const ON: &str = "[read_through]\nenabled = true";

pub(crate) fn path(name: &str, rest: &str) -> String {
    format!("/v0.1/servers/{}/versions{rest}", name.replace('/', "%2F"))
}

pub(crate) async fn ask(proxy: &Proxy, name: &str, rest: &str) -> Reply {
    proxy.get(&path(name, rest)).await
}

pub(crate) fn look_ups(registry: &FakeRegistry) -> usize {
    registry.requests_where(Seen::is_look_up).len()
}

/// Two registries that have been walked and have got a new version each since.
pub(crate) async fn start(settings: &str) -> (FakeRegistry, FakeRegistry, Proxy) {
    let known = || vec![Entry::new("com.example/known", "1.0.0")];
    let (alpha, beta) = (FakeRegistry::start(known()).await, FakeRegistry::start(known()).await);
    let setup = Setup::new().settings(ONE_WALK).settings(ON).settings(settings);
    let proxy = setup.registry("alpha", &alpha.url()).registry("beta", &beta.url()).start_ready().await;
    proxy.until_listed(&["com.example/known@1.0.0".to_owned()]).await;
    for registry in ["alpha", "beta"] {
        proxy.until(registry, "it was walked", |status| status["listing"] == "complete").await;
    }
    (alpha, beta, proxy)
}

/// The names that a test makes up.
pub(crate) fn unknown(number: usize) -> String {
    format!("com.example/unknown-{number}")
}

#[tokio::test]
async fn what_one_of_the_registries_has_got_since_is_served_as_if_it_had_been_mirrored() {
    let (alpha, beta, proxy) = start("").await;
    let more = vec![
        Entry::new("com.example/known", "1.0.0"),
        Entry::new("com.example/known", "2.0.0"),
        Entry::new("com.example/new", "0.1.0"),
        Entry::new("com.example/new", "0.2.0"),
    ];
    beta.set_entries(more.clone());

    let reply = ask(&proxy, "com.example/known", "/2.0.0").await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("cache-status"), "mcp-registry-proxy; fwd=miss; fwd-status=200; stored");
    assert_eq!(reply.header("cache-control"), "public, max-age=30");
    let entry = reply.json();
    assert_eq!(entry["server"], more[1].clone().into_value()["server"]);
    assert_eq!(entry["_meta"][OFFICIAL]["isLatest"], true);
    let block = provenance(&entry);
    assert_eq!((&block["registry"], &block["alsoIn"]), (&json!("beta"), &json!([])));
    assert_eq!(block["url"], beta.url());

    let again = ask(&proxy, "com.example/known", "/2.0.0").await;
    let left = again.header("cache-status").strip_prefix("mcp-registry-proxy; hit; ttl=");
    let left = left.and_then(|rest| rest.strip_suffix("; detail=read-through")).map(str::parse::<u64>);
    assert!(matches!(left, Some(Ok(50..=60))), "what is left of a minute: {}", again.header("cache-status"));
    assert_eq!((again.header("etag"), &again.body), (reply.header("etag"), &reply.body));
    let (target, tag) = (path("com.example/known", "/2.0.0"), [("if-none-match", reply.header("etag"))]);
    let unchanged = proxy.get_with(&target, &tag).await;
    assert_eq!(unchanged.status, 304);
    let description = Description::of(&proxy).await;
    for reply in [&reply, &again, &unchanged] {
        description.check("/v0.1/servers/{serverName}/versions/{version}", &Method::GET, &target, reply);
    }
    let zstd = proxy.get_with(&target, &[("accept-encoding", "zstd")]).await;
    assert_eq!((zstd.status, zstd.header("vary")), (200, "Accept-Encoding"));
    assert_eq!((look_ups(&alpha), look_ups(&beta)), (1, 1), "both were asked, once");

    let latest = ask(&proxy, "com.example/new", "/latest").await.json();
    assert_eq!(keys(&[latest]), ["com.example/new@0.2.0"]);
    let all = ask(&proxy, "com.example/new", "").await.json();
    let versions = all["servers"].as_array().expect("`servers`");
    assert_eq!(keys(versions), ["com.example/new@0.2.0", "com.example/new@0.1.0"]);
    let latest = versions.iter().map(|entry| entry["_meta"][OFFICIAL]["isLatest"] == true).collect::<Vec<_>>();
    assert_eq!(latest, [true, false]);
    // A list is the catalog's alone.
    assert_eq!(keys(&proxy.walk("", 100).await), ["com.example/known@1.0.0"]);
    proxy.stop().await;
}

#[tokio::test]
async fn the_configuration_decides_between_registries_that_both_have_it() {
    let (alpha, beta, proxy) = start("").await;
    let titled = |title: &str| vec![Entry::new("com.example/new", "1.0.0").server("title", title)];
    alpha.set_entries(titled("Alpha"));
    alpha.when(Seen::is_look_up, Behaviour::Slow(Duration::from_millis(100)));
    beta.set_entries(titled("Beta"));
    let entry = ask(&proxy, "com.example/new", "/1.0.0").await.json();
    assert_eq!(entry["server"]["title"], "Alpha");
    let block = provenance(&entry);
    let expected = (&json!("alpha"), &json!(["beta"]), &json!(true));
    assert_eq!((&block["registry"], &block["alsoIn"], &block["divergent"]), expected);
    proxy.stop().await;
}

#[tokio::test]
async fn however_many_ask_and_whoever_hangs_up_there_is_one_flight() {
    let (alpha, beta, proxy) = start("").await;
    beta.set_entries(vec![Entry::new("com.example/new", "1.0.0")]);
    beta.when(Seen::is_look_up, Behaviour::Hold);
    let (address, target) = (proxy.address(), path("com.example/new", "/1.0.0"));
    let asking = |count: usize| {
        let mut clients = JoinSet::new();
        for _ in 0..count {
            let target = target.clone();
            clients.spawn(async move { send(address, Method::GET, &target).await });
        }
        clients
    };
    // The first ones, the one whose flight it is among them, are gone before it lands.
    let mut gone = asking(50);
    beta.until_held().await;
    gone.shutdown().await;
    let clients = asking(200);
    beta.release().await;
    let replies = clients.join_all().await;
    assert!(replies.iter().all(|reply| reply.status == 200), "{:?}", replies.iter().map(|r| r.status).max());
    assert!(replies.iter().all(|reply| reply.header("cache-status").contains("; fwd=miss; ")
        || reply.header("cache-status").contains("detail=read-through")));
    assert_eq!((look_ups(&alpha), look_ups(&beta)), (1, 1));
    proxy.stop().await;
}

#[tokio::test]
async fn a_slow_registry_costs_three_seconds_once_and_its_answer_is_kept() {
    let (_alpha, beta, proxy) = start("").await;
    beta.set_entries(vec![Entry::new("com.example/new", "1.0.0")]);
    beta.when(Seen::is_look_up, Behaviour::Hold);
    let started = Instant::now();
    let reply = ask(&proxy, "com.example/new", "/latest").await;
    let elapsed = started.elapsed();
    assert_eq!((reply.status, reply.header("cache-control")), (404, "no-store"), "beta may have it");
    assert!((Duration::from_secs(3)..Duration::from_secs(5)).contains(&elapsed), "{elapsed:?}");
    beta.release().await;
    proxy.until_answered(&path("com.example/new", "/latest"), 200).await;
    assert_eq!(look_ups(&beta), 1);
    proxy.stop().await;
}

#[tokio::test]
async fn that_nobody_has_it_is_remembered_for_a_while() {
    let (alpha, beta, proxy) = start("negative_ttl = \"300ms\"").await;
    for _ in 0..5 {
        let reply = ask(&proxy, "com.example/new", "/latest").await;
        assert_eq!((reply.status, reply.header("cache-control")), (404, "public, max-age=30"));
    }
    assert_eq!((look_ups(&alpha), look_ups(&beta)), (1, 1));
    beta.set_entries(vec![Entry::new("com.example/new", "1.0.0")]);
    proxy.until_answered(&path("com.example/new", "/latest"), 200).await;
    proxy.stop().await;
}

#[tokio::test]
async fn a_registry_is_asked_thirty_times_a_minute_at_most() {
    let (alpha, beta, proxy) = start("").await;
    for number in 0..40 {
        let reply = ask(&proxy, &unknown(number), "/latest").await;
        // Where nobody has been asked, nothing is certain.
        let may_be_kept = if number < 30 { "public, max-age=30" } else { "no-store" };
        assert_eq!((reply.status, reply.header("cache-control")), (404, may_be_kept), "{number}");
    }
    assert_eq!((look_ups(&alpha), look_ups(&beta)), (30, 30));
    // What is known already is served on.
    assert_eq!(ask(&proxy, "com.example/known", "/latest").await.status, 200);
    proxy.stop().await;
}

#[tokio::test]
async fn a_registry_has_no_more_than_four_look_ups_at_a_time() {
    let (alpha, _beta, proxy) = start("").await;
    alpha.when(Seen::is_look_up, Behaviour::Hold);
    let address = proxy.address();
    let mut clients = JoinSet::new();
    for number in 0..12 {
        clients.spawn(async move { send(address, Method::GET, &path(&unknown(number), "/latest")).await.status });
    }
    eventually("only those waited whose look-up is under way", async || {
        while let Some(answered) = clients.try_join_next() {
            assert_eq!(answered.expect("no panic"), 404);
        }
        check((clients.len(), look_ups(&alpha)) == (4, 4), (clients.len(), look_ups(&alpha)))
    })
    .await;
    alpha.release().await;
    clients.join_all().await;
    assert_eq!(look_ups(&alpha), 4);
    proxy.stop().await;
}

#[tokio::test]
async fn who_says_too_often_is_left_alone_and_no_failure_counts_for_health() {
    let (alpha, beta, proxy) = start("[health]\nunhealthy_after = 1\ninterval = \"1h\"").await;
    alpha.when(Seen::is_look_up, Behaviour::Status(429, vec![("retry-after", "60".to_owned())]));
    let failures = [
        Behaviour::status(500),
        Behaviour::status(400),
        Behaviour::Reset,
        Behaviour::CloseBeforeResponse,
        Behaviour::Truncated,
        Behaviour::text("<html>"),
        Behaviour::Redirect("http://elsewhere.example/".to_owned()),
        Behaviour::json(&Entry::new("com.example/another", "1.0.0").into_value()),
        Behaviour::Headers(vec![("mcp-registry-proxy", id(&proxy).await)]),
    ];
    let before = (proxy.registry("alpha").await["since"].clone(), proxy.registry("beta").await["since"].clone());
    for (number, failure) in failures.into_iter().enumerate() {
        beta.set_entries(vec![Entry::new(&unknown(number), "1.0.0")]);
        beta.next_when(1, Seen::is_look_up, failure);
        let reply = ask(&proxy, &unknown(number), "/latest").await;
        assert_eq!((reply.status, reply.header("cache-control")), (404, "no-store"), "{number}");
        assert_eq!(look_ups(&beta), number + 1);
    }
    assert_eq!(look_ups(&alpha), 1, "it said so");
    for (registry, since) in [("alpha", &before.0), ("beta", &before.1)] {
        let status = proxy.registry(registry).await;
        assert_eq!((&status["state"], &status["since"]), (&json!("healthy"), since), "{status}");
        assert_eq!(status.get("lastError"), None, "{status}");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn an_answer_that_is_for_something_else_is_none() {
    let (_alpha, beta, proxy) = start("").await;
    let forged = Entry::new("com.example/forged", "9.9.9");
    beta.when(|seen| seen.path.ends_with("/versions"), Behaviour::json(&list(std::slice::from_ref(&forged), None)));
    beta.when(Seen::is_look_up, Behaviour::json(&forged.into_value()));
    for (name, rest) in [
        ("com.example/known", "/2.0.0"),
        ("com.example/new", "/latest"),
        ("com.example/new", ""),
        ("com.example/forged", "/1.0.0"),
    ] {
        assert_eq!(ask(&proxy, name, rest).await.status, 404, "{name}{rest}");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn some_names_never_leave_the_house() {
    let listed = vec![Entry::new("com.example/gone", "1.0.0").deleted(), Entry::new("com.example/known", "1.0.0")];
    let [open, acme, closed, hosted] =
        [listed, vec![], vec![], vec![]].map(|entries| async { FakeRegistry::start(entries).await });
    let (open, acme, closed, hosted) = tokio::join!(open, acme, closed, hosted);
    hosted.always(Behaviour::json(&list(&[], None)));
    let open_keys = format!("url = {:?}\nexclude = [\"com.example/secret-*\"]", open.url());
    let acme_keys = format!("url = {:?}\nnamespaces = [\"com.acme/*\"]\nread_through = false", acme.url());
    let proxy = Setup::new()
        .settings(ONE_WALK)
        .settings(ON)
        .registry_with("open", &open_keys)
        .registry_with("acme", &acme_keys)
        .registry_with("closed", &format!("url = {:?}\nread_through = false", closed.url()))
        .registry("hosted", &format!("{}/registry.json", hosted.base()))
        .file("file", "[]")
        .start_ready()
        .await;
    let all = ["com.example/gone@1.0.0".to_owned(), "com.example/known@1.0.0".to_owned()];
    proxy.until_listed(&all).await;
    let everybody = [&open, &acme, &closed, &hosted];
    for (name, rest) in [
        ("no-slash", "/latest"),
        ("Salesforce%20DX%20MCP", ""),
        ("a/b%2Fc", "/latest"),
        ("..%2F..", ""),
        ("com.example/..", "/latest"),
        ("com.example/new", "/.."),
        ("com.example/new", "/a%2Fb"),
        ("com.example/gone", ""),
        ("com.example/gone", "/latest"),
        ("com.example/gone", "/1.0.0"),
        ("com.example/secret-plan", "/latest"),
        ("com.acme/internal", "/latest"),
        ("com.ACME/internal", "/1.0.0"),
    ] {
        assert_eq!(ask(&proxy, name, rest).await.status, 404, "{name}{rest}");
    }
    proxy.json("/v0.1/servers?search=com.example/searched").await;
    assert_eq!(everybody.map(look_ups), [0; 4]);

    let target = path("com.example/new", "/latest");
    for (header, value) in [("mcp-registry-proxy", "abc"), ("user-agent", "mcp-registry-proxy/9.9.9")] {
        let reply = proxy.get_with(&target, &[(header, value)]).await;
        assert_eq!((reply.status, reply.header("cache-control")), (404, "no-store"), "it is not a client's");
    }
    assert_eq!(everybody.map(look_ups), [0; 4]);
    // And this is what all of them would have got.
    assert_eq!(proxy.get(&target).await.status, 404);
    assert_eq!(everybody.map(look_ups), [1, 0, 0, 0]);
    let seen = open.requests_where(Seen::is_look_up).remove(0);
    assert_eq!(seen.path, "/v0.1/servers/com.example%2Fnew/versions");
    assert_eq!(seen.header("mcp-registry-proxy"), id(&proxy).await);
    assert!(seen.header("user-agent").starts_with("mcp-registry-proxy/"));
    proxy.stop().await;
}

#[tokio::test]
async fn with_read_through_off_nobody_is_asked() {
    let alpha = FakeRegistry::start(vec![Entry::new("com.example/known", "1.0.0")]).await;
    let setup = Setup::new().settings(ONE_WALK).settings("[read_through]\nenabled = false");
    let proxy = setup.registry("alpha", &alpha.url()).start_ready().await;
    proxy.until_answered(&path("com.example/known", "/latest"), 200).await;
    alpha.set_entries(vec![Entry::new("com.example/new", "1.0.0")]);
    assert_eq!(ask(&proxy, "com.example/new", "/latest").await.status, 404);
    assert_eq!(look_ups(&alpha), 0);
    proxy.stop().await;
}

#[tokio::test]
async fn an_unusable_registry_is_not_asked_and_what_it_said_before_no_longer_counts() {
    let (alpha, beta, proxy) = start("").await;
    beta.set_entries(vec![Entry::new("com.example/new", "1.0.0")]);
    assert_eq!(ask(&proxy, "com.example/new", "/1.0.0").await.status, 200);
    beta.always(Behaviour::status(500));
    proxy.until_state("beta", "unhealthy").await;
    assert_eq!(ask(&proxy, "com.example/new", "/1.0.0").await.status, 404);
    beta.forget_requests();
    assert_eq!(ask(&proxy, "com.example/other", "/1.0.0").await.status, 404);
    assert_eq!((look_ups(&alpha), look_ups(&beta)), (2, 0));
    // That nobody has it is no longer true of everybody.
    beta.set_entries(vec![Entry::new("com.example/other", "1.0.0")]);
    beta.behave();
    proxy.until_state("beta", "healthy").await;
    assert_eq!(ask(&proxy, "com.example/other", "/1.0.0").await.status, 200);
    proxy.stop().await;
}

#[tokio::test]
async fn what_only_an_unusable_registry_lists_may_be_found_at_another() {
    let alone = vec![Entry::new("com.example/alone", "1.0.0")];
    let (down, up) = (FakeRegistry::start(alone.clone()).await, FakeRegistry::start(Vec::new()).await);
    let setup = Setup::new().settings(ONE_WALK).settings(ON).settings("negative_ttl = \"1ms\"");
    let proxy = setup.registry("down", &down.url()).registry("up", &up.url()).start_ready().await;
    proxy.until_answered(&path("com.example/alone", "/latest"), 200).await;
    down.always(Behaviour::status(500));
    proxy.until_answered(&path("com.example/alone", "/latest"), 503).await;
    up.set_entries(alone);
    let entry = eventually("the other one was asked", async || {
        let reply = ask(&proxy, "com.example/alone", "/latest").await;
        check(reply.status == 200, reply.text()).map(|()| reply.json())
    })
    .await;
    assert_eq!((&provenance(&entry)["registry"], &provenance(&entry)["alsoIn"]), (&json!("up"), &json!([])));
    proxy.stop().await;
}

#[tokio::test]
async fn with_first_only_the_owner_of_a_name_is_asked() {
    let (alpha, beta, proxy) = start("[catalog]\nmerge = \"first\"").await;
    beta.set_entries(vec![Entry::new("com.example/known", "2.0.0"), Entry::new("com.example/new", "1.0.0")]);
    assert_eq!(ask(&proxy, "com.example/known", "/2.0.0").await.status, 404);
    assert_eq!((look_ups(&alpha), look_ups(&beta)), (1, 0));
    assert_eq!(ask(&proxy, "com.example/new", "/1.0.0").await.status, 200, "it belongs to nobody yet");
    proxy.stop().await;
}

#[tokio::test]
async fn before_all_have_been_walked_the_usable_ones_are_asked() {
    let (walked, held) = (FakeRegistry::start(Vec::new()).await, FakeRegistry::start(Vec::new()).await);
    held.when(Seen::is_page, Behaviour::Hold);
    let setup =
        Setup::new().settings(ONE_WALK).settings(ON).registry("walked", &walked.url()).registry("held", &held.url());
    let proxy = setup.start().await;
    for registry in ["walked", "held"] {
        proxy.until_state(registry, "healthy").await;
    }
    proxy.until("walked", "it was walked", |status| status["listing"] == "complete").await;
    proxy.until_answered("/v0.1/servers", 200).await;
    walked.set_entries(vec![Entry::new("com.example/new", "1.0.0")]);
    assert_eq!(ask(&proxy, "com.example/other", "/latest").await.status, 503, "not everybody has been asked for all");
    let reply = ask(&proxy, "com.example/new", "/latest").await;
    assert_eq!((reply.status, reply.header("cache-control")), (200, "no-store"));
    held.release().await;
    proxy.until_ready().await;
    proxy.stop().await;
}

#[tokio::test]
async fn what_the_catalog_has_got_meanwhile_is_the_catalogs() {
    let beta = FakeRegistry::start(vec![Entry::new("com.example/known", "1.0.0")]).await;
    let settings = "[refresh]\nfull_interval = \"500ms\"\ninterval = \"500ms\"";
    let proxy = Setup::new().settings(settings).settings(ON).registry("beta", &beta.url()).start_ready().await;
    beta.set_entries(vec![Entry::new("com.example/known", "1.0.0"), Entry::new("com.example/new", "1.0.0")]);
    let target = path("com.example/new", "/1.0.0");
    let first = proxy.get(&target).await;
    assert_eq!(first.status, 200);
    eventually("the catalog had it", async || {
        let reply = proxy.get(&target).await;
        assert_eq!(reply.status, 200);
        check(
            reply.header("cache-status").starts_with("mcp-registry-proxy; hit; ttl=30")
                && !reply.header("cache-status").contains("read-through"),
            reply.headers,
        )
    })
    .await;
    proxy.stop().await;
}

#[tokio::test]
async fn a_flight_that_hangs_does_not_hold_up_the_end() {
    let (_alpha, beta, proxy) = start("").await;
    beta.when(Seen::is_look_up, Behaviour::Hold);
    let address = proxy.address();
    let mut client = JoinSet::new();
    client.spawn(async move { send(address, Method::GET, &path("com.example/new", "/latest")).await });
    beta.until_held().await;
    client.shutdown().await;
    timeout(Duration::from_secs(5), proxy.stop()).await.expect("it ends before the look-up would");
}

/// Two proxies that list each other would ask each other without end, were a proxy's question passed on.
#[tokio::test]
async fn a_proxy_behind_this_one_does_not_pass_the_question_on() {
    let leaf = FakeRegistry::start(vec![Entry::new("com.example/known", "1.0.0")]).await;
    let inner = Setup::new().settings(ONE_WALK).settings(ON).registry("leaf", &leaf.url()).start_ready().await;
    let url = format!("http://{}/v0.1/servers", inner.address());
    let outer = Setup::new().settings(ONE_WALK).settings(ON).registry("inner", &url).start_ready().await;
    outer.until_listed(&["com.example/known@1.0.0".to_owned()]).await;
    leaf.set_entries(vec![Entry::new("com.example/new", "1.0.0")]);
    assert_eq!(ask(&outer, "com.example/new", "/latest").await.status, 404);
    assert_eq!(look_ups(&leaf), 0);
    assert_eq!(ask(&inner, "com.example/new", "/latest").await.status, 200);
    outer.stop().await;
    inner.stop().await;
}
