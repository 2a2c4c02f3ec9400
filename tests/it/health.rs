//! Registries that fail and recover while clients read: who leaves the catalog, when, and who comes back.
//! Break, degraded answer, restore, healthy.

use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::support::entry::{Entry, keys, keys_of, numbered};
use crate::support::proxy::{NO_INCREMENTS, Proxy, Setup, walk};
use crate::support::raw::nobody;
use crate::support::registry::{Behaviour, FakeRegistry, Seen};
use crate::support::{check, eventually};

/// A client that pages through the list again and again. Every page must be an answer, no walk may repeat
/// an entry, and what is listed throughout must be in every walk.
struct PagingClient {
    stop: oneshot::Sender<()>,
    task: JoinSet<usize>,
}

impl PagingClient {
    fn start(proxy: &Proxy, always_listed: Vec<String>) -> Self {
        let address = proxy.address();
        let (stop, mut stopped) = oneshot::channel();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut walks = 0;
            while stopped.try_recv().is_err() {
                let walked = keys(&walk(address, "", 7).await);
                assert!(walked.is_sorted_by(|before, after| before < after), "repeated or out of order: {walked:?}");
                assert!(always_listed.iter().all(|key| walked.contains(key)), "skipped: {walked:?}");
                walks += 1;
            }
            walks
        });
        Self { stop, task }
    }

    async fn finish(mut self) {
        self.stop.send(()).expect("the client still pages");
        let walks = self.task.join_next().await.expect("one task").expect("the client saw no error");
        assert!(walks > 0, "the client has paged at least once");
    }
}

/// The stage that failed in the last check, and its reason.
fn failure(status: &Value) -> (&str, &str) {
    let stages = status["lastCheck"]["stages"].as_array().expect("stages");
    let failed = stages.iter().find(|stage| stage["ok"] == false).expect("a stage that failed");
    (failed["stage"].as_str().unwrap_or_default(), failed["reason"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn an_unhealthy_registry_leaves_and_comes_back() {
    let (failing, steady) = (numbered("com.failing", 130), numbered("com.steady", 40));
    let (alpha, beta) = (FakeRegistry::start(failing.clone()).await, FakeRegistry::start(steady.clone()).await);
    let proxy = Setup::new()
        .settings("[health]\ntimeout = \"60s\"")
        .settings(NO_INCREMENTS)
        .registry("alpha", &alpha.url())
        .registry("beta", &beta.url())
        .start_ready()
        .await;
    let (all, rest) = (keys_of(&[failing, steady.clone()].concat()), keys_of(&steady));
    proxy.until_listed(&all).await;
    let client = PagingClient::start(&proxy, rest.clone());

    // Exactly three failed tests, and exactly two good ones: what has to happen must happen within them,
    // because the next test is held until it has.
    alpha.forget_requests();
    alpha.next_when(3, Seen::is_probe, Behaviour::status(500));
    alpha.next_when(1, Seen::is_probe, Behaviour::Hold);
    alpha.next_when(1, Seen::is_probe, Behaviour::Behave);
    alpha.when(Seen::is_probe, Behaviour::Hold);
    let status = proxy.until_state("alpha", "unhealthy").await;
    assert_eq!(status["usable"], false);
    assert_eq!(failure(&status).0, "response");
    assert!(failure(&status).1.contains("500"), "{status}");
    proxy.until_listed(&rest).await;
    assert_lookups_name_the_registry(&proxy).await;

    alpha.release().await;
    proxy.until_state("alpha", "healthy").await;
    proxy.until_listed(&all).await;
    assert!(alpha.requests_where(Seen::begins_full_walk).is_empty(), "it came back without a new walk");
    client.finish().await;
    proxy.stop().await;
}

async fn assert_lookups_name_the_registry(proxy: &Proxy) {
    for target in ["versions", "versions/latest", "versions/1.0.0"] {
        let reply = proxy.get(&format!("/v0.1/servers/com.failing%2Fserver-0007/{target}")).await;
        assert_eq!(reply.status, 503, "{target}: {}", reply.text());
        assert!(reply.detail().contains("alpha") && reply.detail().contains("500"), "{}", reply.text());
        assert!(reply.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0), "{:?}", reply.headers);
        let unlisted = proxy.get(&format!("/v0.1/servers/com.failing%2Funlisted/{target}")).await;
        assert_eq!(unlisted.status, 404, "what no listing holds is not listed: {}", unlisted.text());
        let steady = proxy.get(&format!("/v0.1/servers/com.steady%2Fserver-0007/{target}")).await;
        assert_eq!(steady.status, 200, "{}", steady.text());
    }
}

#[tokio::test]
async fn after_an_outage_what_changed_meanwhile_is_fetched_first() {
    let registry = FakeRegistry::start(numbered("com.example", 120)).await;
    let proxy = Setup::new().registry("alpha", &registry.url()).start_ready().await;
    registry.always(Behaviour::Reset);
    proxy.until_state("alpha", "unhealthy").await;

    let mut entries = numbered("com.example", 120);
    let time = jiff::Timestamp::now().to_string();
    entries[3] = Entry::new("com.example/server-0003", "1.0.0").official("updatedAt", time.clone()).deleted();
    entries.push(Entry::new("com.example/server-9999", "2.0.0").published_at(&time));
    registry.set_entries(entries);
    registry.forget_requests();
    registry.behave();
    proxy.until_answered("/v0.1/servers/com.example%2Fserver-9999/versions/latest", 200).await;
    proxy.until_answered("/v0.1/servers/com.example%2Fserver-0003/versions/latest", 404).await;
    assert_eq!(proxy.walk("", 100).await.len(), 120);
    let pages = registry.requests_where(Seen::is_page);
    assert!(pages[0].parameter("updated_since").is_some(), "{pages:?}");
    assert!(registry.requests_where(Seen::begins_full_walk).is_empty(), "{pages:?}");
    proxy.stop().await;
}

#[tokio::test]
async fn a_version_that_only_an_unusable_registry_lists_is_neither_listed_nor_unlisted() {
    let entry = |version: &str| Entry::new("com.example/shared", version);
    let alpha = FakeRegistry::start(vec![entry("1.0.0"), entry("2.0.0")]).await;
    let beta = FakeRegistry::start(vec![entry("1.0.0"), entry("1.1.0")]).await;
    let proxy = Setup::new().registry("alpha", &alpha.url()).registry("beta", &beta.url()).start_ready().await;
    alpha.always(Behaviour::CloseBeforeResponse);
    proxy.until_answered("/v0/servers/com.example%2Fshared/versions/2.0.0", 503).await;
    for (version, status) in [("1.0.0", 200), ("1.1.0", 200), ("9.9.9", 404)] {
        proxy.until_answered(&format!("/v0/servers/com.example%2Fshared/versions/{version}"), status).await;
    }
    let latest = proxy.json("/v0/servers/com.example%2Fshared/versions/latest").await;
    assert_eq!(latest["server"]["version"], "1.1.0");
    proxy.stop().await;
}

#[tokio::test]
async fn too_many_requests_count_as_neither_success_nor_failure() {
    let registry = FakeRegistry::start(numbered("com.example", 3)).await;
    let proxy = Setup::new().registry("alpha", &registry.url()).start_ready().await;
    let healthy = proxy.until_state("alpha", "healthy").await;
    let limited = Behaviour::Status(429, vec![("retry-after", "3600".to_owned())]);
    registry.always(limited.clone());
    until_tested(&registry, 8).await;
    let status = proxy.registry("alpha").await;
    assert_eq!((&status["state"], &status["since"]), (&"healthy".into(), &healthy["since"]), "{status}");
    assert_eq!(failure(&status).0, "response", "{status}");
    assert_eq!(proxy.walk("", 100).await.len(), 3);

    registry.behave();
    registry.always(Behaviour::status(500));
    let unhealthy = proxy.until_state("alpha", "unhealthy").await;
    registry.behave();
    registry.always(limited);
    until_tested(&registry, 8).await;
    let status = proxy.registry("alpha").await;
    assert_eq!((&status["state"], &status["since"]), (&"unhealthy".into(), &unhealthy["since"]), "{status}");
    proxy.stop().await;
}

/// Waits for that many more tests. Those that ignored `Retry-After` come soon; the others within hours.
async fn until_tested(registry: &FakeRegistry, times: usize) {
    registry.forget_requests();
    eventually("the registry was tested often enough", async || {
        let tests = registry.requests_where(Seen::is_probe).len();
        check(tests >= times, tests)
    })
    .await;
}

#[tokio::test]
async fn tests_keep_their_interval_while_a_registry_is_unhealthy() {
    let registry = FakeRegistry::start(numbered("com.example", 3)).await;
    registry.always(Behaviour::Status(503, vec![("retry-after", "3600".to_owned())]));
    let proxy = Setup::new().registry("alpha", &registry.url()).start_ready().await;
    proxy.until_state("alpha", "unhealthy").await;
    until_tested(&registry, 8).await;
    proxy.stop().await;
}

#[tokio::test]
async fn a_test_that_is_not_answered_in_time_fails() {
    let registry = FakeRegistry::start(numbered("com.example", 3)).await;
    let settings = "[health]\ntimeout = \"200ms\"";
    let proxy =
        Setup::new().settings(settings).settings(NO_INCREMENTS).registry("alpha", &registry.url()).start_ready().await;
    registry.when(Seen::is_probe, Behaviour::Hold);
    let status = proxy.until_state("alpha", "unhealthy").await;
    assert_eq!(failure(&status), ("response", "no complete answer within 0.2 s"));
    proxy.stop().await;
}

#[tokio::test]
async fn with_no_registry_usable_every_answer_is_503_and_says_why() {
    let failing = FakeRegistry::start(numbered("com.example", 3)).await;
    failing.always(Behaviour::status(500));
    let later = FakeRegistry::start(numbered("com.example", 3)).await;
    let proxy = Setup::new()
        .registry("failing", &failing.url())
        .registry("closed", &nobody().await)
        .registry("later", &later.url())
        .start_ready()
        .await;
    proxy.until_answered("/v0.1/servers", 200).await;
    later.always(Behaviour::Body("text/html", "<html></html>".into()));
    proxy.until_answered("/v0.1/servers", 503).await;
    let targets = ["/v0.1/servers", "/v0/servers?search=x", "/servers?version=latest", "/v0/servers/a%2Fb/versions/1"];
    for target in targets {
        let reply = proxy.get(target).await;
        assert_eq!(reply.status, 503, "{target}: {}", reply.text());
        assert_eq!(reply.header("content-type"), "application/problem+json");
        assert!(reply.header("retry-after").parse::<u32>().is_ok(), "{target}: {:?}", reply.headers);
        for part in ["failing (", "500", "closed (", "refused", "later (", "HTML"] {
            assert!(reply.detail().contains(part), "{part}: {}", reply.text());
        }
    }
    assert_eq!(proxy.get("/readyz").await.status, 200);
    assert_eq!(proxy.get("/livez").await.status, 200);
    proxy.stop().await;
}
