//! What is counted: requests by route, what the cache had, what was asked of registries; and that registries which are
//! taken out leave nothing behind.

use std::collections::BTreeMap;

use http::Method;

use crate::support::entry::{keys_of, numbered};
use crate::support::http::{send, send_with};
use crate::support::proxy::{NO_INCREMENTS, Proxy, Setup};
use crate::support::raw::nobody;
use crate::support::registry::{Behaviour, FakeRegistry, Seen};
use crate::support::{check, eventually};

const LISTEN: &str = "[admin]\nlisten = \"127.0.0.1:0\"";

/// All figures, by what stands before their values, without what the names have in common.
async fn figures(proxy: &Proxy) -> BTreeMap<String, f64> {
    let reply = send(proxy.admin(), Method::GET, "/metrics").await;
    assert_eq!(reply.status, 200);
    let lines = reply.text().lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.map(|line| line.rsplit_once(' ').expect("a value"));
    let short = |name: &str| name.strip_prefix("mcp_registry_proxy_").unwrap_or(name).to_owned();
    pairs.map(|(name, value)| (short(name), value.parse().expect("a number"))).collect()
}

/// Waits until these figures have these values: an answer counts once it has been sent.
async fn until(proxy: &Proxy, expected: &[(&str, f64)]) {
    eventually("it was counted", async || {
        let found = figures(proxy).await;
        let is_so = |(name, value): &(&str, f64)| found.get(*name).is_some_and(|found| (found - value).abs() < 1e-9);
        let wrong = expected.iter().filter(|pair| !is_so(pair)).map(|(name, value)| (name, value, found.get(*name)));
        let wrong: Vec<_> = wrong.collect();
        check(wrong.is_empty(), wrong)
    })
    .await;
}

#[tokio::test]
async fn requests_are_counted_by_route_method_and_code() {
    let entries = numbered("com.alpha", 3);
    let alpha = FakeRegistry::start(entries.clone()).await;
    let setup = Setup::new().settings(LISTEN).settings(NO_INCREMENTS);
    let proxy = setup.registry("alpha", &alpha.url()).start_ready().await;
    proxy.until_listed(&keys_of(&entries)).await;
    let before = figures(&proxy).await;
    let route = |route: &str, method: &str, code: u16| {
        format!("http_requests_total{{listener=\"public\",route=\"{route}\",method=\"{method}\",code=\"{code}\"}}")
    };
    let list = route("/v0.1/servers", "GET", 200);
    for target in ["/v0.1/servers?limit=2", "/v0/servers?limit=2", "/servers?limit=2", "/v0.1/servers?limit=2"] {
        assert_eq!(proxy.get(target).await.status, 200);
    }
    let public = async |method, target: &str| send(proxy.address(), method, target).await.status;
    assert_eq!(public(Method::GET, "/v0.1/servers?limit=0").await, 422);
    assert_eq!(public(Method::GET, "/v0.1/servers/com.alpha%2Fnone/versions").await, 404);
    assert_eq!(public(Method::GET, "/no/such/route").await, 404);
    assert_eq!(public(Method::POST, "/v0/publish").await, 501);
    assert_eq!(public(Method::HEAD, "/docs").await, 200);
    assert_eq!(public(Method::GET, "/v0.1/ping").await, 200);
    assert_eq!(public(Method::from_bytes(b"BREW").expect("a method"), "/v0.1/ping").await, 405);
    let durations = "http_request_duration_seconds_bucket{le=\"+Inf\",listener=\"public\",route=\"/v0.1/ping\"}";
    let hits = "cache_requests_total{outcome=\"hit\"}";
    until(
        &proxy,
        &[
            (&list, before.get(&list).copied().unwrap_or_default() + 4.0),
            (hits, before[hits] + 3.0),
            (&route("/v0.1/servers", "GET", 422), 1.0),
            (&route("/v0.1/servers/{serverName}/versions", "GET", 404), 1.0),
            (&route("other", "GET", 404), 1.0),
            (&route("other", "POST", 501), 1.0),
            (&route("other", "other", 405), 1.0),
            (&route("/docs", "HEAD", 200), 1.0),
            (&route("/v0.1/ping", "GET", 200), 1.0),
            (durations, 1.0),
            ("requests_in_flight", 0.0),
            ("connections{listener=\"public\"}", 0.0),
        ],
    )
    .await;
    let found = figures(&proxy).await;
    assert!(found["cache_entries"] >= 1.0 && found["cache_bytes"] > 1_000.0, "{found:?}");
    assert!(found["connections_accepted_total{listener=\"public\"}"] >= 11.0);
    assert!(found["process_resident_memory_bytes"] > 1e6 && found["process_open_fds"] > 5.0, "{found:?}");
    assert!(found["process_cpu_seconds_total"] > 0.0 && found["process_start_time_seconds"] > 1.6e9, "{found:?}");
    assert!((found["cache_max_bytes"] - f64::from(64 << 20)).abs() < 1.0);
    let scraped = "http_requests_total{listener=\"admin\",route=\"/metrics\",method=\"GET\",code=\"200\"}";
    assert!(found[scraped] > 1.0);
    proxy.stop().await;
}

#[tokio::test]
async fn registries_are_counted_until_they_are_taken_out() {
    let (alpha, gone) = (FakeRegistry::start(numbered("com.alpha", 3)).await, nobody().await);
    let setup = || Setup::new().settings(LISTEN).settings(NO_INCREMENTS);
    let proxy =
        setup().registry("alpha", &alpha.url()).registry("gone", &gone).file("curated", "[]").start_ready().await;
    until(
        &proxy,
        &[
            ("registry_servers{registry=\"alpha\"}", 3.0),
            ("registry_pages_total{registry=\"alpha\",outcome=\"fetched\"}", 1.0),
            ("registry_syncs_total{registry=\"alpha\",kind=\"full\",outcome=\"success\"}", 1.0),
            ("registry_check_success{registry=\"alpha\",stage=\"format\"}", 1.0),
            ("registry_check_success{registry=\"gone\",stage=\"network\"}", 0.0),
            ("registry_state{registry=\"gone\",state=\"unhealthy\"}", 1.0),
            ("registry_last_sync_failed{registry=\"alpha\"}", 0.0),
            ("catalog_servers", 3.0),
            ("catalog_conflicts{kind=\"content\"}", 0.0),
        ],
    )
    .await;
    let found = figures(&proxy).await;
    assert!(found["registry_checks_total{registry=\"gone\",outcome=\"failure\"}"] >= 1.0);
    assert!(found["registry_check_failures_total{registry=\"gone\",stage=\"network\"}"] >= 1.0);
    assert!(!found.contains_key("registry_check_success{registry=\"gone\",stage=\"format\"}"), "it was not reached");
    assert!(!found.contains_key("registry_pages_total{registry=\"curated\",outcome=\"fetched\"}"));
    assert!(found.contains_key("registry_syncs_total{registry=\"curated\",kind=\"file\",outcome=\"success\"}"));

    alpha.when(Seen::is_page, Behaviour::status(429));
    assert_eq!(send(proxy.admin(), Method::POST, "/registries/alpha/refresh").await.status, 202);
    until(&proxy, &[("registry_rate_limited_total{registry=\"alpha\"}", 1.0)]).await;
    let pages = "registry_pages_total{registry=\"alpha\",outcome=\"fetched\"}";
    // With other settings it is the same registry, and goes on counting.
    proxy.reconfigure(
        setup().registry_with("alpha", &format!("url = {:?}\n[registries.health]\ntimeout = \"4s\"", alpha.url())),
    );
    eventually("the others have gone", async || {
        let names: Vec<String> = figures(&proxy).await.into_keys().collect();
        check(!names.iter().any(|name| name.contains("gone") || name.contains("curated")), names)
    })
    .await;
    assert!(figures(&proxy).await[pages] >= 1.0);
    proxy.stop().await;
}

#[tokio::test]
async fn figures_come_in_the_format_that_is_asked_for() {
    let alpha = FakeRegistry::start(numbered("com.alpha", 1)).await;
    let proxy = Setup::new().settings(LISTEN).registry("alpha", &alpha.url()).start_ready().await;
    let text = send(proxy.admin(), Method::GET, "/metrics").await;
    assert_eq!(text.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert!(text.text().contains("# TYPE mcp_registry_proxy_http_requests_total counter\n"));
    assert!(!text.text().contains("# EOF"));
    let wanted = [("accept", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")];
    let open_metrics = send_with(proxy.admin(), Method::GET, "/metrics", &wanted).await;
    assert!(open_metrics.header("content-type").starts_with("application/openmetrics-text; version=1.0.0"));
    assert!(open_metrics.text().contains("# TYPE mcp_registry_proxy_http_requests counter\n"));
    assert!(open_metrics.text().ends_with("# EOF\n"));
    assert_eq!((text.header("vary"), open_metrics.header("vary")), ("Accept", "Accept"));
    proxy.stop().await;
}
