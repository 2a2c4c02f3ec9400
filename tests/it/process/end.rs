//! SIGTERM at bad moments: under load, in the middle of a walk, while the store is written, twice.

use std::time::Duration;

use http::Method;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::load::Load;
use super::{in_front_of, of_a_file, serve};
use crate::support::entry::{keys, keys_of, numbered};
use crate::support::http::send;
use crate::support::http2::{Client, request};
use crate::support::proxy::walk;
use crate::support::registry::{Behaviour, FakeRegistry, Seen};
use crate::support::stream::connect;
use crate::support::{check, eventually};

/// All that a drain may take, and then some.
const DRAIN: Duration = Duration::from_secs(5);

#[tokio::test]
async fn p10_terminate_under_load() {
    let workplace = of_a_file(100);
    let mut serving = serve(&workplace).await;
    let load = Load::start(serving.address, 64).await;
    let started = Instant::now();
    serving.signal("TERM");
    let ledger = load.ended().await;
    assert_eq!(serving.exit_code().await, Some(0));
    assert!(started.elapsed() < DRAIN, "{:?}", started.elapsed());
    assert!(ledger.lost.is_empty(), "{ledger:?}");
    assert!(ledger.untouched <= 64 && ledger.answered >= 64 * 4, "{ledger:?}");
    // And the next process answers.
    let serving = serve(&workplace).await;
    assert_eq!(walk(serving.address, "", 100).await.len(), 100);
}

/// Over HTTP/2 a goodbye names the last request that is answered, so that clients know which ones to send elsewhere.
#[tokio::test]
async fn p10_terminate_under_load_over_http2() {
    let workplace = of_a_file(100);
    let mut serving = serve(&workplace).await;
    let mut clients = JoinSet::new();
    for _ in 0..8 {
        let client = Client::new(connect(serving.address).await).await;
        assert_eq!(client.get("/v0.1/ping").await.status, 200);
        clients.spawn(async move {
            loop {
                match client.send(request(Method::GET, "/v0.1/servers?limit=50", "")).await {
                    Ok(reply) => assert_eq!(reply.status, 200),
                    Err(error) => return error,
                }
            }
        });
    }
    sleep(Duration::from_millis(50)).await;
    serving.signal("TERM");
    for error in clients.join_all().await {
        // The request had not been sent when the connection ended.
        assert!(error.is_canceled() || error.is_closed(), "{error:?}");
    }
    assert_eq!(serving.exit_code().await, Some(0));
}

#[tokio::test]
async fn p10_terminate_during_a_walk() {
    let entries = numbered("com.example", 250);
    let fake = FakeRegistry::start(entries.clone()).await;
    let workplace = in_front_of(&fake);
    let mut serving = serve(&workplace).await;
    eventually("it was listed", async || {
        let listed = walk(serving.address, "", 100).await.len();
        check(listed == 250, listed)
    })
    .await;
    // The second page of the next walk does not come.
    fake.set_entries(numbered("com.other", 250));
    fake.when(Seen::has_cursor, Behaviour::Hold);
    fake.until_held().await;
    let started = Instant::now();
    serving.signal("TERM");
    assert_eq!(serving.exit_code().await, Some(0));
    assert!(started.elapsed() < DRAIN, "{:?}", started.elapsed());
    assert!(serving.log_with("panicked").is_empty(), "{}", serving.log());
    // What the walk had is not kept; what was known before is.
    let serving = serve(&workplace).await;
    assert_eq!(keys(&walk(serving.address, "", 100).await), keys_of(&entries));
    fake.let_go().await;
    eventually("the walk went on", async || {
        let listed = keys(&walk(serving.address, "", 100).await);
        check(listed == keys_of(&numbered("com.other", 250)), listed.len())
    })
    .await;
}

#[tokio::test]
async fn p10_terminate_while_the_store_is_written() {
    let noise = |seed: u64| {
        let mut random = fastrand::Rng::with_seed(seed);
        (0..2_000).map(|_| random.alphanumeric()).collect::<String>()
    };
    let generation = |number: u64| {
        let describe = |(at, entry): (u64, crate::support::entry::Entry)| {
            entry.server("note", noise(number * 1_000 + at)).server("description", format!("generation {number}"))
        };
        (0..).zip(numbered("com.example", 500)).map(describe).collect::<Vec<_>>()
    };
    let fake = FakeRegistry::start(generation(0)).await;
    let workplace = in_front_of(&fake);
    for number in 1..=4 {
        fake.set_entries(generation(number));
        let mut serving = serve(&workplace).await;
        let is_of = format!("generation {number}");
        eventually("it listed the new generation", async || {
            let entry = send(serving.address, Method::GET, "/v0.1/servers?limit=1").await;
            check(entry.text().contains(&is_of), entry.text().len())
        })
        .await;
        // Whether or not it is being written at this moment, it is when the process has ended.
        serving.signal("TERM");
        assert_eq!(serving.exit_code().await, Some(0));
        assert!(!workplace.path("store/listings/new").exists(), "nothing is left half written");
        fake.always(Behaviour::Hold);
        let serving = serve(&workplace).await;
        let listed = walk(serving.address, "", 100).await;
        assert_eq!(listed.len(), 500);
        assert!(listed.iter().all(|entry| entry["server"]["description"] == is_of), "all of it was kept");
        assert!(serving.log_with("\"level\":\"WARN\"").is_empty(), "{}", serving.log());
        fake.behave();
    }
}

#[tokio::test]
async fn p10_terminate_twice_under_load() {
    let workplace = of_a_file(100);
    let mut serving = serve(&workplace).await;
    let load = Load::start(serving.address, 16).await;
    let started = Instant::now();
    serving.signal("TERM");
    serving.signal("TERM");
    // The first may have been all that was needed.
    let code = serving.exit_code().await;
    assert!(matches!(code, Some(0 | 1)), "{code:?}");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    drop(load);
    let serving = serve(&workplace).await;
    assert_eq!(walk(serving.address, "", 100).await.len(), 100);
}
