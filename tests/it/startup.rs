//! The first minutes: what is served while nothing, or only a part, has been fetched, and when `/readyz`
//! says so.

use crate::support::entry::numbered;
use crate::support::proxy::Setup;
use crate::support::raw::nobody;
use crate::support::registry::{Behaviour, FakeRegistry, Seen};
use crate::support::{check, eventually};

/// Tests shall not give up on a registry that is only held.
const PATIENT: &str = "[health]\ntimeout = \"60s\"";

#[tokio::test]
async fn before_anything_is_fetched_every_answer_is_503_and_says_so() {
    let registry = FakeRegistry::start(numbered("com.example", 3)).await;
    registry.always(Behaviour::Hold);
    let proxy = Setup::new().settings(PATIENT).registry("alpha", &registry.url()).start().await;
    for target in ["/readyz", "/v0.1/servers", "/v0.1/servers/com.example%2Fserver-0000/versions/latest"] {
        let reply = proxy.get(target).await;
        assert_eq!(reply.status, 503, "{target}: {}", reply.text());
        assert!(!reply.header("retry-after").is_empty(), "{target}: {:?}", reply.headers);
    }
    eventually("the answer named the registry", async || {
        let reply = proxy.get("/v0.1/servers").await;
        check(reply.detail().contains("alpha (starting"), reply.text())
    })
    .await;
    assert_eq!(proxy.get("/livez").await.status, 200);

    registry.release().await;
    registry.behave();
    proxy.until_ready().await;
    assert_eq!(proxy.walk("", 100).await.len(), 3);
    proxy.stop().await;
}

#[tokio::test]
async fn what_has_been_fetched_so_far_is_served_during_the_first_walk() {
    let registry = FakeRegistry::start(numbered("com.example", 250)).await;
    registry.when(Seen::has_cursor, Behaviour::Hold);
    let proxy = Setup::new().settings(PATIENT).registry("alpha", &registry.url()).start().await;
    proxy.until_answered("/v0.1/servers", 200).await;
    assert_eq!(proxy.walk("", 100).await.len(), 100);
    assert_eq!(proxy.get("/v0.1/servers/com.example%2Fserver-0099/versions/1.0.0").await.status, 200);
    assert_eq!(proxy.get("/readyz").await.status, 503);
    for name in ["com.example%2Fserver-0249", "not-in-registry"] {
        for target in ["versions", "versions/latest", "versions/1.0.0"] {
            let reply = proxy.get(&format!("/v0.1/servers/{name}/{target}")).await;
            assert_eq!(reply.status, 503, "nobody can say yet that it is not listed: {}", reply.text());
            assert!(!reply.header("retry-after").is_empty() && reply.detail().contains("alpha"), "{}", reply.text());
        }
    }

    registry.release().await;
    registry.behave();
    proxy.until_ready().await;
    assert_eq!(proxy.walk("", 100).await.len(), 250);
    assert_eq!(proxy.get("/v0.1/servers/not-in-registry/versions/latest").await.status, 404);
    proxy.stop().await;
}

#[tokio::test]
async fn an_unlisted_version_of_a_listed_name_is_503_too_before_the_first_attempts_have_ended() {
    let registry = FakeRegistry::start(numbered("com.example", 150)).await;
    registry.when(Seen::has_cursor, Behaviour::Hold);
    let proxy = Setup::new().settings(PATIENT).registry("alpha", &registry.url()).start().await;
    // The held page may hold further versions of the last name of the page before.
    let target = "/v0.1/servers/com.example%2Fserver-0099/versions/2.0.0";
    proxy.until_answered("/v0.1/servers", 200).await;
    let reply = proxy.get(target).await;
    assert_eq!(reply.status, 503, "{}", reply.text());
    registry.release().await;
    registry.behave();
    proxy.until_ready().await;
    assert_eq!(proxy.get(target).await.status, 404);
    proxy.stop().await;
}

#[tokio::test]
async fn ready_means_that_each_first_attempt_has_ended_well_or_badly() {
    let good = FakeRegistry::start(numbered("com.good", 3)).await;
    let slow = FakeRegistry::start(numbered("com.slow", 150)).await;
    slow.when(Seen::has_cursor, Behaviour::Hold);
    let broken = FakeRegistry::start(Vec::new()).await;
    broken.always(Behaviour::status(500));
    let forbidden = FakeRegistry::start(Vec::new()).await;
    forbidden.when(Seen::is_page, Behaviour::status(403));
    let proxy = Setup::new()
        .settings(PATIENT)
        .registry("good", &good.url())
        .registry("slow", &slow.url())
        .registry("broken", &broken.url())
        .registry("forbidden", &forbidden.url())
        .registry("closed", &nobody().await)
        .start()
        .await;
    proxy.until("good", "it was walked", |registry| registry["lastSync"]["ok"] == true).await;
    proxy.until("forbidden", "its walk failed", |registry| registry["lastSync"]["ok"] == false).await;
    proxy.until_state("broken", "unhealthy").await;
    proxy.until_state("closed", "unhealthy").await;
    slow.until_held().await;
    let reply = proxy.get("/readyz").await;
    assert_eq!(reply.status, 503, "one registry is still being walked: {}", reply.text());
    slow.release().await;
    slow.behave();
    proxy.until_ready().await;
    assert_eq!(proxy.walk("", 100).await.len(), 153);
    proxy.stop().await;
}

#[tokio::test]
async fn readiness_does_not_go_back() {
    let registry = FakeRegistry::start(numbered("com.example", 3)).await;
    let proxy = Setup::new().registry("alpha", &registry.url()).start_ready().await;
    registry.always(Behaviour::status(500));
    proxy.until_state("alpha", "unhealthy").await;
    assert_eq!(proxy.get("/readyz").await.status, 200);
    proxy.stop().await;
}
