//! What requests to a registry carry, and how fast they come: identification, credentials, one at a time,
//! no faster than configured.

use std::time::Duration;

use tokio::time::Instant;

use crate::support::entry::numbered;
use crate::support::proxy::Setup;
use crate::support::registry::{Behaviour, FakeRegistry, Seen};
use crate::support::{check, eventually};

#[tokio::test]
async fn every_request_says_who_asks() {
    let registry = FakeRegistry::start(numbered("com.example", 150)).await;
    let proxy = Setup::new().registry("alpha", &registry.url()).start_ready().await;
    let requests = registry.requests();
    assert!(requests.iter().any(Seen::is_probe) && requests.iter().any(Seen::has_cursor), "{requests:?}");
    let expected = format!("mcp-registry-proxy/{}", env!("CARGO_PKG_VERSION"));
    for request in &requests {
        assert!(request.header("user-agent").starts_with(&expected), "{request:?}");
        assert!(request.header("accept").contains("application/json"), "{request:?}");
        assert_eq!(request.header("authorization"), "", "nobody configured credentials");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn token_and_headers_go_with_every_request() {
    let registry = FakeRegistry::start(numbered("com.example", 150)).await;
    let toml = format!(
        "url = {:?}\nbearer_token = \"s3cret\"\n[registries.headers]\nX-API-Key = \"k3y\"\nX-Tenant-ID = \"acme\"",
        registry.url()
    );
    let proxy = Setup::new().registry_with("alpha", &toml).start_ready().await;
    let requests = registry.requests();
    assert!(requests.len() >= 3, "a test and two pages");
    for request in &requests {
        assert_eq!(request.header("authorization"), "Bearer s3cret");
        assert_eq!(request.header("x-api-key"), "k3y");
        assert_eq!(request.header("x-tenant-id"), "acme");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn a_token_file_is_read_again_when_it_changes() {
    let registry = FakeRegistry::start(numbered("com.example", 5)).await;
    let setup = Setup::new();
    let token = setup.path("token");
    std::fs::write(&token, "first\n").expect("a writable directory");
    let toml = format!("url = {:?}\nbearer_token_file = \"token\"", registry.url());
    let proxy = setup.registry_with("alpha", &toml).start_ready().await;
    assert!(registry.requests().iter().all(|request| request.header("authorization") == "Bearer first"));

    std::fs::write(&token, "second\n").expect("a writable directory");
    eventually("a request carried the new token", async || {
        let last = registry.requests().pop().expect("a request");
        check(last.header("authorization") == "Bearer second", last)
    })
    .await;
    proxy.stop().await;
}

#[tokio::test]
async fn a_token_file_that_vanishes_fails_the_network_stage_and_no_request_goes_without_it() {
    let registry = FakeRegistry::start(numbered("com.example", 5)).await;
    let setup = Setup::new();
    let token = setup.path("token");
    std::fs::write(&token, "first").expect("a writable directory");
    let toml = format!("url = {:?}\nbearer_token_file = \"token\"", registry.url());
    let proxy = setup.registry_with("alpha", &toml).start_ready().await;

    std::fs::remove_file(&token).expect("it is there");
    let status = proxy.until_state("alpha", "unhealthy").await;
    let stage = &status["lastCheck"]["stages"][0];
    assert_eq!((&stage["stage"], &stage["ok"]), (&"network".into(), &false.into()), "{status}");
    assert!(stage["reason"].as_str().is_some_and(|reason| reason.contains("bearer_token_file")), "{status}");
    assert!(registry.requests().iter().all(|request| request.header("authorization") == "Bearer first"));
    proxy.stop().await;
}

#[tokio::test]
async fn credentials_in_a_url_are_used_and_never_shown() {
    let registry = FakeRegistry::start(numbered("com.example", 5)).await;
    let url = format!("http://user:pa55word@127.0.0.1:{}/v0.1/servers?key=s3cret", registry.port());
    let proxy = Setup::new().registry("alpha", &url).start_ready().await;
    for request in registry.requests() {
        assert_eq!(request.header("authorization"), "Basic dXNlcjpwYTU1d29yZA==", "{request:?}");
        assert_eq!(request.parameter("key").as_deref(), Some("s3cret"), "{request:?}");
    }
    let mut shown = proxy.get("/registries").await.text().to_owned();
    assert!(shown.contains(&registry.url()), "{shown}");
    registry.always(Behaviour::status(500));
    proxy.until_state("alpha", "unhealthy").await;
    for target in ["/registries", "/registries/alpha", "/v0.1/servers"] {
        shown.push_str(proxy.get(target).await.text());
    }
    for secret in ["pa55word", "s3cret", "user:"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn one_request_at_a_time_goes_to_a_registry() {
    let registry = FakeRegistry::start(numbered("com.example", 1_000)).await;
    registry.always(Behaviour::Slow(Duration::from_millis(30)));
    // Tests come far more often than a page takes.
    let proxy =
        Setup::new().settings("[health]\ninterval = \"10ms\"").registry("alpha", &registry.url()).start_ready().await;
    let requests = registry.requests();
    let first_page = requests.iter().position(Seen::is_page).expect("a page");
    assert!(requests[first_page..].iter().any(Seen::is_probe), "tests came while the walk went on");
    assert_eq!(proxy.walk("", 100).await.len(), 1_000);
    assert_eq!(registry.most_in_flight(), 1);
    proxy.stop().await;
}

#[tokio::test]
async fn requests_come_no_faster_than_max_rate() {
    let registry = FakeRegistry::start(numbered("com.example", 1_000)).await;
    let toml = format!("url = {:?}\n[registries.refresh]\nmax_rate = 20", registry.url());
    let started = Instant::now();
    let proxy = Setup::new().registry_with("alpha", &toml).start_ready().await;
    let requests = registry.requests();
    assert!(requests.len() >= 11, "a test and ten pages");
    for (before, request) in requests.iter().enumerate().skip(1) {
        let earliest = started + Duration::from_millis(50) * u32::try_from(before).expect("few requests");
        assert!(earliest <= request.at, "request {before} came too early");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn a_registry_that_does_not_answer_holds_up_no_other() {
    let silent = FakeRegistry::start(numbered("com.silent", 5)).await;
    silent.always(Behaviour::Hold);
    let lively = FakeRegistry::start(numbered("com.lively", 150)).await;
    let proxy = Setup::new()
        .settings("[health]\ntimeout = \"60s\"")
        .registry("silent", &silent.url())
        .registry("lively", &lively.url())
        .start()
        .await;
    proxy.until("lively", "the other walk ended", |registry| registry["lastSync"]["ok"] == true).await;
    proxy.until_answered("/v0.1/servers/com.lively%2Fserver-0149/versions/latest", 200).await;
    assert_eq!(proxy.registry("silent").await["state"], "starting");
    proxy.stop().await;
}
