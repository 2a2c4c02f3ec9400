//! The admin listener: what it does, and for whom.

use std::time::Duration;

use http::Method;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::support::entry::{keys_of, numbered};
use crate::support::http::{Reply, send, send_with};
use crate::support::proxy::{Proxy, Setup};
use crate::support::raw::nobody;
use crate::support::registry::FakeRegistry;
use crate::support::stream::{connect, exchange, status};
use crate::support::{PATIENCE, check, eventually};

const LISTEN: &str = "[admin]\nlisten = \"127.0.0.1:0\"";

async fn get(proxy: &Proxy, target: &str) -> Reply {
    send(proxy.admin(), Method::GET, target).await
}

async fn post(proxy: &Proxy, target: &str) -> Reply {
    send(proxy.admin(), Method::POST, target).await
}

/// The lines of `/metrics` about one figure, without what they have in common.
async fn figure(proxy: &Proxy, name: &str) -> Vec<String> {
    let reply = get(proxy, "/metrics").await;
    assert_eq!(reply.status, 200);
    assert!(reply.header("content-type").starts_with("text/plain"));
    let start = format!("mcp_registry_proxy_{name}");
    let lines = reply.text().lines().filter_map(|line| line.strip_prefix(&start));
    let mut lines: Vec<String> = lines.map(str::to_owned).collect();
    lines.sort();
    lines
}

#[tokio::test]
async fn what_only_reads_is_answered_as_in_public_and_without_cors() {
    let entries = numbered("com.alpha", 3);
    let alpha = FakeRegistry::start(entries.clone()).await;
    let proxy = Setup::new().settings(LISTEN).registry("alpha", &alpha.url()).start_ready().await;
    proxy.until_listed(&keys_of(&entries)).await;
    for target in
        ["/v0.1/servers", "/servers", "/registries", "/registries/alpha", "/livez", "/readyz", "/openapi.json"]
    {
        let (public, admin) = (proxy.get(target).await, get(&proxy, target).await);
        assert_eq!((public.status, admin.status), (200, 200), "{target}");
        assert!(public.headers.contains_key("access-control-allow-origin"));
        let cors = admin.headers.keys().find(|name| name.as_str().starts_with("access-control"));
        assert_eq!(cors, None, "{target}");
        assert!(!admin.header("cache-control").contains("public"), "{target}");
    }
    for (method, target) in [(Method::GET, "/metrics"), (Method::POST, "/registries/alpha/test")] {
        let public = send(proxy.address(), method, target).await;
        assert!(matches!(public.status, 404 | 405), "{target} is not in public: {}", public.status);
    }
    proxy.stop().await;
}

#[tokio::test]
async fn strangers_and_pages_of_strangers_are_not_let_in() {
    let alpha = FakeRegistry::start(numbered("com.alpha", 1)).await;
    let proxy = Setup::new().settings(LISTEN).registry("alpha", &alpha.url()).start_ready().await;
    let with = async |method: Method, headers: &[(&str, &str)]| {
        send_with(proxy.admin(), method, "/registries/alpha/test", headers).await.status
    };
    for (request, expected) in [
        ("GET /registries", "evil.example"),
        ("POST /registries/alpha/test", "evil.example"),
        ("POST /registries/alpha/test", "127.0.0.1.evil.example"),
    ]
    .map(|(request, host)| (format!("{request} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"), 403))
    {
        assert_eq!(status(&exchange(proxy.admin(), &request).await), expected, "{request}");
    }
    let absolute = "GET http://evil.example/metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    assert_eq!(status(&exchange(proxy.admin(), absolute).await), 403, "the target names the host");
    assert_eq!(with(Method::POST, &[("origin", "http://evil.example")]).await, 403);
    let ours = format!("http://{}", proxy.admin());
    assert_eq!(with(Method::POST, &[("origin", &ours)]).await, 200);
    assert_eq!(with(Method::POST, &[]).await, 200);
    assert_eq!(with(Method::GET, &[]).await, 405);
    proxy.stop().await;
}

#[tokio::test]
async fn actions_have_the_bounds_and_the_options_of_every_route() {
    let alpha = FakeRegistry::start(numbered("com.alpha", 1)).await;
    let proxy = Setup::new().settings(LISTEN).registry("alpha", &alpha.url()).start_ready().await;
    for (target, allow) in [
        ("/metrics", "GET, HEAD, OPTIONS"),
        ("/registries/alpha/test", "POST, OPTIONS"),
        ("/registries/alpha/refresh", "POST, OPTIONS"),
    ] {
        let options = send(proxy.admin(), Method::OPTIONS, target).await;
        assert_eq!((options.status, options.header("allow")), (204, allow), "{target}");
        let wrong = send(proxy.admin(), Method::DELETE, target).await;
        assert_eq!((wrong.status, wrong.header("allow")), (405, allow), "{target}");
    }
    let long = format!("/registries/alpha/refresh?accept=true{}", "&".repeat(8 << 10));
    assert_eq!(post(&proxy, &long).await.status, 414);
    assert_eq!(post(&proxy, "/registries/alpha%00/test").await.status, 400);
    assert_eq!(get(&proxy, "/metrics?%00").await.status, 400);
    proxy.stop().await;
}

/// The bounds of the admin listener hold before any token is looked at.
#[tokio::test]
async fn who_shows_no_token_has_no_more_than_a_few_connections() {
    let alpha = FakeRegistry::start(numbered("com.alpha", 1)).await;
    let proxy = Setup::new().settings(LISTEN).registry("alpha", &alpha.url()).start_ready().await;
    let mut idle = Vec::new();
    for _ in 0..64 {
        let mut stream = connect(proxy.admin()).await;
        stream.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("it reads");
        stream.read_exact(&mut [0; 15]).await.expect("it is answered");
        idle.push(stream);
    }
    let mut waiting = connect(proxy.admin()).await;
    waiting.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("the kernel takes it");
    let early = timeout(Duration::from_millis(100), waiting.read(&mut [0; 15])).await;
    assert!(early.is_err(), "it waits until one of the others ends: {early:?}");
    assert_eq!(proxy.get("/livez").await.status, 200, "the public listener has its own");
    idle.pop();
    timeout(PATIENCE, waiting.read_exact(&mut [0; 15])).await.expect("in time").expect("it is answered");
    proxy.stop().await;
}

#[tokio::test]
async fn a_token_is_asked_for_where_there_is_one() {
    let alpha = FakeRegistry::start(numbered("com.alpha", 1)).await;
    let setup = Setup::new().settings(&format!("{LISTEN}\ntoken_file = \"token\"\n")).registry("alpha", &alpha.url());
    let file = setup.path("token");
    std::fs::write(&file, "first\n").expect("a writable directory");
    let proxy = setup.start_ready().await;
    let answered = async |authorization: &str| {
        let reply = send_with(proxy.admin(), Method::GET, "/registries", &[("authorization", authorization)]).await;
        assert_eq!(reply.headers.contains_key("www-authenticate"), reply.status == 401);
        reply.status
    };
    assert_eq!(get(&proxy, "/livez").await.status, 401);
    assert_eq!(answered("Bearer first").await, 200);
    assert_eq!(answered("Basic YW55Ym9keTpmaXJzdA==").await, 200, "anybody:first");
    assert_eq!(answered("Bearer second").await, 401);
    std::fs::write(&file, "second\n").expect("a writable directory");
    assert_eq!(answered("Bearer first").await, 401);
    assert_eq!(answered("Bearer second").await, 200, "the file is read again");
    assert_eq!(proxy.get("/registries").await.status, 200, "the public listener wants none");
    proxy.stop().await;
}

#[tokio::test]
async fn a_listener_that_stays_open_keeps_its_token() {
    let alpha = FakeRegistry::start(numbered("com.alpha", 1)).await;
    let everywhere = "[admin]\nlisten = \"0.0.0.0:0\"\ntoken_file = \"token\"\n";
    let setup = Setup::new().settings(everywhere).registry("alpha", &alpha.url());
    std::fs::write(setup.path("token"), "first\n").expect("a writable directory");
    let proxy = setup.start_ready().await;
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], proxy.admin().port()));
    assert_eq!(send(address, Method::GET, "/metrics").await.status, 401);
    // Right by itself: a listener on loopback needs no token. But this one is not there yet.
    proxy.reconfigure(Setup::new().settings(LISTEN).registry("alpha", &alpha.url()));
    proxy
        .until_configuration("it is refused", |state| {
            state["refused"]["error"].as_str().is_some_and(|error| error.contains("admin.token_file"))
        })
        .await;
    assert_eq!(send(address, Method::GET, "/metrics").await.status, 401);
    // With the token, the change waits for its restart.
    let moved = format!("{LISTEN}\ntoken_file = \"token\"\n");
    proxy.reconfigure(Setup::new().settings(&moved).registry("alpha", &alpha.url()));
    let state = proxy.until_configuration("it waits", |state| state["refused"].is_null()).await;
    assert_eq!(state["pending"], serde_json::json!(["admin.listen"]));
    assert_eq!(send(address, Method::GET, "/metrics").await.status, 401);
    proxy.stop().await;
}

#[tokio::test]
async fn a_test_shows_its_stages_and_counts() {
    let alpha = FakeRegistry::start(numbered("com.alpha", 1)).await;
    let setup = Setup::new().settings(LISTEN).settings("[health]\ninterval = \"1h\"");
    let proxy = setup.registry("alpha", &alpha.url()).registry("gone", &nobody().await).start_ready().await;
    let tested = post(&proxy, "/registries/alpha/test").await.json();
    assert_eq!((&tested["name"], &tested["ok"]), (&Value::from("alpha"), &Value::from(true)));
    assert_eq!(tested["stages"].as_array().map(Vec::len), Some(3));
    let last = proxy.registry("alpha").await["lastCheck"].clone();
    assert_eq!(last["at"], tested["at"], "it is a test like any other");
    let failed = post(&proxy, "/registries/gone/test").await.json();
    assert_eq!((&failed["ok"], &failed["stages"][0]["ok"]), (&Value::from(false), &Value::from(false)));
    assert_eq!(post(&proxy, "/registries/nobody/test").await.status, 404);
    proxy.stop().await;
}

#[tokio::test]
async fn a_refresh_walks_the_whole_list_now() {
    let alpha = FakeRegistry::start(numbered("com.alpha", 2)).await;
    let setup = Setup::new().settings(LISTEN).settings("[refresh]\ninterval = \"1h\"\nfull_interval = \"2h\"");
    let proxy = setup.registry("alpha", &alpha.url()).start_ready().await;
    let more = numbered("com.alpha", 5);
    alpha.set_entries(more.clone());
    let asked = post(&proxy, "/registries/alpha/refresh").await;
    assert_eq!(asked.status, 202);
    assert_eq!(asked.json(), serde_json::json!({"name": "alpha", "refresh": "requested", "accept": false}));
    proxy.until_listed(&keys_of(&more)).await;
    assert_eq!(post(&proxy, "/registries/alpha/refresh?accept=perhaps").await.status, 400);
    assert_eq!(post(&proxy, "/registries/nobody/refresh").await.status, 404);
    proxy.stop().await;
}

#[tokio::test]
async fn figures_show_registries_and_the_configuration() {
    let entries = numbered("com.alpha", 3);
    let alpha = FakeRegistry::start(entries.clone()).await;
    let setup = || Setup::new().settings(LISTEN);
    let gone = nobody().await;
    let proxy = setup().registry("alpha", &alpha.url()).registry("gone", &gone).start_ready().await;
    proxy.until_listed(&keys_of(&entries)).await;
    assert_eq!(figure(&proxy, "registry_usable").await, ["{registry=\"alpha\"} 1", "{registry=\"gone\"} 0"]);
    assert!(figure(&proxy, "registry_state").await.contains(&"{registry=\"gone\",state=\"unhealthy\"} 1".to_owned()));
    assert_eq!(figure(&proxy, "catalog_versions").await, [" 3"]);
    assert_eq!(figure(&proxy, "config_last_reload_successful").await, [" 1"]);

    proxy.rewrite("[cache]\nmax_age = \"canary-value\"");
    eventually("the refusal shows", async || {
        let figure = figure(&proxy, "config_last_reload_successful").await;
        check(figure == [" 0"], figure)
    })
    .await;
    let shown = get(&proxy, "/registries").await.json()["metadata"]["configuration"]["refused"]["error"].clone();
    assert!(shown.as_str().is_some_and(|error| error.contains("canary-value")), "in full: {shown}");
    proxy.reconfigure(setup().registry("alpha", &alpha.url()).registry("gone", &gone));
    eventually("the refusal is over", async || {
        let figure = figure(&proxy, "config_last_reload_successful").await;
        check(figure == [" 1"], figure)
    })
    .await;
    proxy.stop().await;
}
