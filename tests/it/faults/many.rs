//! Registries that change their minds, fail together, are slow, or are many (U51 to U56, U58).

use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Method;
use serde_json::{Value, json};

use super::{Trial, WALKS, few};
use crate::support::binary::{Serving, Workplace};
use crate::support::entry::{Entry, keys_of, list, numbered, provenance};
use crate::support::http::send;
use crate::support::proxy::Setup;
use crate::support::registry::{Behaviour, FakeRegistry, Seen};
use crate::support::{check, eventually};

async fn until_tested(registry: &FakeRegistry, times: usize) {
    registry.forget_requests();
    eventually("it was tested that often", async || {
        let tests = registry.requests_where(Seen::is_probe).len();
        check(tests >= times, tests)
    })
    .await;
}

#[tokio::test]
async fn u51_a_registry_that_alternates() {
    let trial = Trial::start(few(), "").await;
    let since = trial.proxy.registry("faulty").await["since"].clone();
    let count = AtomicUsize::new(0);
    trial.faulty.when(
        Seen::is_probe,
        Behaviour::depends(move |_| match count.fetch_add(1, Ordering::SeqCst) % 2 {
            0 => Behaviour::status(500),
            _ => Behaviour::Behave,
        }),
    );
    until_tested(&trial.faulty, 20).await;
    let status = trial.proxy.registry("faulty").await;
    assert_eq!((&status["state"], &status["since"]), (&"healthy".into(), &since), "{status}");
    trial.faulty.behave();
    trial.end().await;
}

/// The same from the other side: who fails every other time does not come back.
#[tokio::test]
async fn u51_a_registry_that_alternates_while_it_is_unhealthy() {
    let trial = Trial::start(few(), "").await;
    trial.faulty.always(Behaviour::status(500));
    trial.until_dropped("response", "status 500").await;
    let since = trial.proxy.registry("faulty").await["since"].clone();
    let count = AtomicUsize::new(0);
    trial.faulty.behave();
    trial.faulty.always(Behaviour::depends(move |_| match count.fetch_add(1, Ordering::SeqCst) % 2 {
        0 => Behaviour::status(500),
        _ => Behaviour::Behave,
    }));
    until_tested(&trial.faulty, 10).await;
    let status = trial.proxy.registry("faulty").await;
    assert_eq!((&status["state"], &status["since"]), (&"unhealthy".into(), &since), "{status}");
    trial.faulty.behave();
    trial.until_healthy().await;
    trial.end().await;
}

#[tokio::test]
async fn u52_all_registries_down() {
    let (one, two) = (FakeRegistry::start(few()).await, FakeRegistry::start(numbered("com.steady", 3)).await);
    let proxy = Setup::new().registry("one", &one.url()).registry("two", &two.url()).start_ready().await;
    let all = keys_of(&[few(), numbered("com.steady", 3)].concat());
    proxy.until_listed(&all).await;
    one.always(Behaviour::status(500));
    two.close_port().await;
    proxy.until_answered("/v0.1/servers", 503).await;
    for target in ["/v0.1/servers", super::FAULTY, "/v0.1/servers/org.unknown%2Fx/versions/latest"] {
        let reply = proxy.get(target).await;
        assert_eq!(reply.status, 503, "{target}: {}", reply.text());
        assert!(reply.header("retry-after").parse::<u32>().is_ok(), "{target}: {:?}", reply.headers);
        assert!(["one (", "two ("].iter().all(|name| reply.detail().contains(name)), "{}", reply.text());
    }
    one.behave();
    two.open_port().await;
    proxy.until_listed(&all).await;
    for name in ["one", "two"] {
        proxy.until_state(name, "healthy").await;
    }
    proxy.stop().await;
}

#[tokio::test]
async fn u52_all_registries_down_and_served_stale() {
    let setup = Setup::new().settings(WALKS).settings("[health]\nwhen_unhealthy = \"serve-stale\"");
    let trial = Trial::over(FakeRegistry::start(few()).await, few(), "", setup).await;
    let before = trial.proxy.walk("", 100).await;
    trial.faulty.always(Behaviour::status(500));
    trial.steady.always(Behaviour::Reset);
    for name in ["faulty", "steady"] {
        let status = trial.proxy.until_state(name, "unhealthy").await;
        assert_eq!(status["usable"], true, "{status}");
    }
    assert_eq!(trial.proxy.walk("", 100).await, before);
    let reply = trial.proxy.get("/v0.1/servers").await;
    assert!(!reply.header("proxy-status").is_empty(), "it says so: {:?}", reply.headers);
    trial.faulty.behave();
    trial.steady.behave();
    trial.proxy.until_state("steady", "healthy").await;
    trial.until_healthy().await;
    trial.end().await;
}

/// However long it was away, it is back after as many good tests as it takes.
#[tokio::test]
async fn u53_back_after_a_long_time() {
    let trial = Trial::start(few(), "").await;
    trial.faulty.always(Behaviour::status(500));
    trial.until_dropped("response", "status 500").await;
    until_tested(&trial.faulty, 25).await;
    trial.faulty.forget_requests();
    trial.faulty.behave();
    trial.proxy.until_state("faulty", "healthy").await;
    let tests = trial.faulty.requests_where(Seen::is_probe).len();
    assert!(tests <= 4, "two would do, one may have been under way, and one may have come since: {tests}");
    trial.until_healthy().await;
    trial.end().await;
}

#[tokio::test]
async fn u54_a_slow_registry_holds_up_nobody() {
    let trial = Trial::start(few(), "").await;
    trial.faulty.when(Seen::is_page, Behaviour::Hold);
    trial.faulty.until_held().await;
    let new = Entry::new("com.steady/new", "1.0.0").published_at(&jiff::Timestamp::now().to_string());
    trial.steady.set_entries([numbered("com.steady", 20), vec![new]].concat());
    trial.proxy.until_answered("/v0.1/servers/com.steady%2Fnew/versions/latest", 200).await;
    trial.steady.set_entries(numbered("com.steady", 20));
    trial.faulty.let_go().await;
    trial.until_healthy().await;
    trial.end().await;
}

/// Pages of one entry each, by number.
fn page(all: &[Entry], size: usize, seen: &Seen) -> Behaviour {
    let number: usize = seen.parameter("cursor").and_then(|cursor| cursor.parse().ok()).unwrap_or_default();
    let last = all.len() / size - 1;
    let next = (number < last).then(|| (number + 1).to_string());
    Behaviour::json(&list(&all[number * size..(number + 1) * size], next.as_deref()))
}

#[tokio::test]
async fn u55_connections_are_kept() {
    let keys = "[registries.health]\ninterval = \"1h\"\n[registries.refresh]\nmax_rate = 250";
    let trial = Trial::start(few(), keys).await;
    let all = numbered("com.faulty", 250);
    trial.list(all.clone());
    let (before, pages) = (trial.faulty.connections(), all.clone());
    trial.faulty.forget_requests();
    trial.faulty.when(Seen::is_page, Behaviour::depends(move |seen| page(&pages, 1, seen)));
    trial.until_healthy().await;
    let pages = trial.faulty.requests_where(Seen::has_cursor).len();
    let connections = trial.faulty.connections() - before;
    // A connection is free again a moment after its answer: a request that comes in less than that opens another.
    assert!(pages >= 249 && connections <= pages / 5, "{pages} pages over {connections} connections");
    trial.faulty.behave();
    trial.end().await;
}

#[tokio::test]
async fn u56_one_version_in_two_registries() {
    let trial = Trial::start(few(), "").await;
    let both = |title: &str| Entry::new("com.both/both", "1.0.0").server("title", title);
    let until_from = async |registry: &str, also_in: Value, is_divergent: bool| {
        eventually("it came from there", async || {
            let reply = trial.proxy.get("/v0.1/servers/com.both%2Fboth/versions/latest").await;
            if reply.status != 200 {
                return Err(reply.text().to_owned());
            }
            let entry = reply.json();
            let found = provenance(&entry);
            let title = if registry == "faulty" { "Faulty" } else { "Steady" };
            let is_so = found["registry"] == registry
                && found["alsoIn"] == also_in
                && found["divergent"] == is_divergent
                && entry["server"]["title"] == title;
            check(is_so, &entry)
        })
        .await;
    };
    trial.faulty.set_entries([vec![both("Faulty")], few()].concat());
    trial.steady.set_entries([vec![both("Steady")], numbered("com.steady", 20)].concat());
    until_from("faulty", json!(["steady"]), true).await;
    trial.faulty.always(Behaviour::status(500));
    until_from("steady", json!([]), false).await;
    trial.faulty.behave();
    until_from("faulty", json!(["steady"]), true).await;
    trial.steady.set_entries(numbered("com.steady", 20));
    trial.end().await;
}

/// As many registries, with as many versions each, as the real program, and what it had of memory.
async fn crowd(registries: usize, versions: usize) -> (Serving, Vec<FakeRegistry>, Workplace) {
    let mut configuration =
        "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"off\"\n[network]\nproxy = \"off\"\n\
         [log]\nformat = \"json\"\n[store]\npath = \"off\"\n[refresh]\ninterval = \"1h\"\nmax_rate = 1000\n\
         [health]\ntimeout = \"60s\"\n"
            .to_owned();
    let mut fakes = Vec::new();
    for number in 0..registries {
        let all = numbered(&format!("com.crowd{number:03}"), versions);
        let fake = FakeRegistry::start(Vec::new()).await;
        fake.always(Behaviour::depends(move |seen| page(&all, 100, seen)));
        let _ = write!(configuration, "[[registries]]\nname = \"r{number}\"\nurl = {:?}\n", fake.url());
        fakes.push(fake);
    }
    let workplace = Workplace::new();
    workplace.write("proxy.toml", configuration);
    (workplace.serve(&["--config", "proxy.toml"]).await, fakes, workplace)
}

async fn are_all_listed(serving: &Serving, registries: usize, versions: usize) -> Result<(), String> {
    let status = send(serving.address, Method::GET, "/registries").await.json();
    let found = status["registries"].as_array().expect("registries");
    let complete =
        found.iter().filter(|registry| registry["listing"] == "complete" && registry["counts"]["versions"] == versions);
    let complete = complete.count();
    check(complete == registries, complete)
}

/// The most memory for so many versions of a few hundred bytes: 4 KiB each, and what an empty proxy takes.
fn ceiling(versions: usize) -> u64 {
    (64 << 20) + 4096 * versions as u64
}

#[tokio::test]
async fn u58_many_registries() {
    let (registries, versions) = (20, 200);
    let (serving, _fakes, _workplace) = crowd(registries, versions).await;
    eventually("all were listed", async || are_all_listed(&serving, registries, versions).await).await;
    let memory = serving.peak_memory();
    assert!(memory <= ceiling(registries * versions), "{} MiB", memory >> 20);
}

/// A million versions of twenty registries. A hundred registries of 50,000 need more memory than the machines have on
/// which these tests run.
#[tokio::test]
#[ignore = "a million versions take minutes, and 4 GiB"]
async fn u58_many_registries_full() {
    let (registries, versions) = (20, 50_000);
    let (serving, _fakes, _workplace) = crowd(registries, versions).await;
    let started = std::time::Instant::now();
    while let Err(found) = are_all_listed(&serving, registries, versions).await {
        assert!(started.elapsed() < std::time::Duration::from_mins(30), "{found} of {registries}");
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    let memory = serving.peak_memory();
    assert!(memory <= ceiling(registries * versions), "{} MiB", memory >> 20);
}
