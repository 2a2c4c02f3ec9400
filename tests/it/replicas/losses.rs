//! What Redis loses, or gets from releases that are not there yet, and what replicas make of it.

use std::time::Duration;

use http::Method;
use redis::AsyncCommands as _;
use serde_json::{Value, json};

use super::watch::Watch;
use super::{Replica, Setup, all, answers, grown, replicas, until_alike, until_all_counted, until_one_leads};
use crate::support::entry::numbered;
use crate::support::http::send;
use crate::support::redis::{Fault, Redis};
use crate::support::registry::{Behaviour, FakeRegistry, Seen};
use crate::support::{check, eventually};

const STATE: &str = "{mcp-registry-proxy}:1:state";
/// How long the page takes during which Redis loses everything.
const PAGE: Duration = Duration::from_millis(1_500);
const SECRET: &str = "{mcp-registry-proxy}:secret";
/// Writes so much that something else has to go: 200 keys of 16 KiB.
const PRESS: &str =
    "EVAL \"for key = 1, 200 do redis.call('SET', 'other:' .. ARGV[1] .. ':' .. key, string.rep('x', 16384)) end\" 0";

#[tokio::test]
async fn a_redis_that_evicts_costs_nobody_anything() {
    let Some(redis) = Redis::start_with(&["--maxmemory", "3mb", "--maxmemory-policy", "allkeys-lru"]).await else {
        return;
    };
    let fake = FakeRegistry::start(numbered("com.example", 60)).await;
    let setup = Setup::of(&fake);
    let three = replicas(3, &redis, &setup).await;
    let watch = Watch::over(&all(&three));
    for round in 0..5 {
        redis.command(&format!("{PRESS} {round}")).await;
        fake.set_entries(grown(60, 61 + round));
        until_all_counted(&all(&three), 61 + round).await;
    }
    let evicted = redis.command("INFO stats").await;
    let evicted = evicted.lines().find_map(|line| line.strip_prefix("evicted_keys:")).unwrap_or_default().to_owned();
    assert!(evicted.trim().parse::<u64>().is_ok_and(|evicted| 100 < evicted), "{evicted}");
    watch.finish().await;
    redis.command("CONFIG SET maxmemory 0").await;
    until_one_leads(&all(&three)).await;
    until_alike(&all(&three)).await;
    // Whatever has gone is there again: who starts now finds all of it.
    let fresh = Replica::start(&redis, &setup).await;
    fresh.until_counted(65).await;
    until_one_leads(&[&three[0], &three[1], &three[2], &fresh]).await;
    until_alike(&[&three[0], &fresh]).await;
    assert_eq!(fake.requests_where(Seen::begins_full_walk).len(), 1);
}

/// A registry of two pages, whose first walk waits long for the second one; and two replicas.
async fn in_the_middle_of_a_walk(redis: &Redis) -> (FakeRegistry, Vec<Replica>) {
    let fake = FakeRegistry::start(numbered("com.example", 130)).await;
    fake.next_when(1, Seen::has_cursor, Behaviour::Slow(PAGE));
    let setup = Setup::of(&fake);
    let two = vec![Replica::start(redis, &setup).await, Replica::start(redis, &setup).await];
    eventually("the second page was asked for", async || {
        let asked = fake.requests_where(Seen::has_cursor).len();
        check(asked == 1, asked)
    })
    .await;
    (fake, two)
}

/// Whoever leads now brings the walk to its end, or, where that is the other one, begins anew.
async fn assert_all_is_listed(fake: &FakeRegistry, two: &[Replica]) {
    until_one_leads(&all(two)).await;
    for replica in two {
        eventually("it listed all", async || {
            let status = replica.get("/v0.1/servers/com.example%2Fserver-0129/versions/latest").await.status;
            let known = replica.json("/registries/alpha").await["counts"]["versions"].clone();
            check(status == 200 && known == 130, (status, known))
        })
        .await;
    }
    until_alike(&all(two)).await;
    let walks = fake.requests_where(Seen::begins_full_walk).len();
    assert!(walks <= 2, "{walks} walks");
}

#[tokio::test]
async fn who_leads_at_last_goes_on_with_the_walk_that_it_began_alone() {
    let Some(redis) = Redis::start().await else { return };
    let fake = FakeRegistry::start(numbered("com.example", 130)).await;
    fake.next_when(1, Seen::has_cursor, Behaviour::Hold);
    redis.kill();
    let replica = Replica::start(&redis, &Setup::of(&fake)).await;
    replica.until_role("alone").await;
    fake.until_held().await;
    redis.run().await;
    replica.until_role("leading").await;
    fake.release().await;
    eventually("it listed all", async || {
        let known = replica.json("/registries/alpha").await["counts"]["versions"].clone();
        check(known == 130, known)
    })
    .await;
    assert_eq!(fake.requests_where(Seen::begins_full_walk).len(), 1, "it was not begun anew");
}

#[tokio::test]
async fn a_redis_that_is_emptied_in_the_middle_of_a_walk_loses_nothing() {
    let Some(redis) = Redis::start().await else { return };
    let (fake, two) = in_the_middle_of_a_walk(&redis).await;
    redis.command("FLUSHALL").await;
    until_role_is_taken(&two).await;
    assert_all_is_listed(&fake, &two).await;
}

#[tokio::test]
async fn a_redis_that_is_restarted_empty_in_the_middle_of_a_walk_loses_nothing() {
    let Some(redis) = Redis::start().await else { return };
    let (fake, two) = in_the_middle_of_a_walk(&redis).await;
    redis.kill();
    for replica in &two {
        eventually("it said that Redis is gone", async || {
            let standing = replica.standing().await;
            check(standing["error"].is_string(), standing)
        })
        .await;
    }
    redis.run().await;
    until_role_is_taken(&two).await;
    assert_all_is_listed(&fake, &two).await;
}

/// Waits until one of them leads; nothing is listed yet.
async fn until_role_is_taken(replicas: &[Replica]) {
    eventually("one led", async || {
        let mut roles = Vec::new();
        for replica in replicas {
            roles.push(replica.standing().await["role"].clone());
        }
        check(roles.iter().filter(|role| **role == "leading").count() == 1, roles)
    })
    .await;
}

#[tokio::test]
async fn the_secret_that_redis_loses_is_kept_anew() {
    let Some(redis) = Redis::start().await else { return };
    let fake = FakeRegistry::start(numbered("com.example", 3)).await;
    let setup = Setup::of(&fake);
    let two = replicas(2, &redis, &setup).await;
    until_alike(&all(&two)).await;
    let (secret, before) = (redis.command(&format!("GET {SECRET}")).await, answers(&two[0]).await);
    assert!(secret.lines().nth(1).is_some_and(|secret| 20 <= secret.trim().len()), "{secret}");
    redis.command("FLUSHALL").await;
    eventually("the leader kept the secret anew", async || {
        let kept = redis.command(&format!("GET {SECRET}")).await;
        check(kept == secret, kept)
    })
    .await;
    until_one_leads(&all(&two)).await;
    // Whoever starts now is the same proxy to others as those that were there.
    let fresh = Replica::start(&redis, &setup).await;
    until_one_leads(&[&two[0], &two[1], &fresh]).await;
    until_alike(&[&two[0], &two[1], &fresh]).await;
    let ids =
        |answers: Vec<(String, u16, String, String)>| answers.into_iter().map(|answer| answer.3).collect::<Vec<_>>();
    assert_eq!(ids(answers(&fresh).await), ids(before));
}

/// The manifest that is there, as JSON.
async fn manifest(connection: &mut redis::aio::MultiplexedConnection) -> Value {
    let kept: Vec<u8> = connection.hget(STATE, "manifest").await.expect("a manifest");
    let text = zstd::stream::decode_all(&kept[..]).expect("it is compressed");
    serde_json::from_slice(&text).expect("it is JSON")
}

/// What a later release may add to: a member of every part that may have more than are known.
fn add_members(document: &mut Value) {
    let parts =
        ["", "/number", "/catalog", "/catalog/feed", "/registries/0", "/registries/0/report", "/registries/0/listing"];
    for part in parts {
        let members = document.pointer_mut(part).and_then(Value::as_object_mut);
        let members = members.unwrap_or_else(|| panic!("the manifest has no {part:?}"));
        members.insert("of_a_later_release".into(), json!({ "answer": [42, null, "and more"] }));
    }
}

#[tokio::test]
async fn what_a_later_release_of_the_same_format_adds_is_passed_over() {
    let Some(redis) = Redis::start().await else { return };
    let fake = FakeRegistry::start(numbered("com.example", 7)).await;
    let setup = Setup::of(&fake);
    let mut two = replicas(2, &redis, &setup).await;
    until_alike(&all(&two)).await;
    for replica in &mut two {
        replica.process.kill();
    }
    let client = redis::Client::open(format!("redis://{}", redis.address())).expect("an address");
    let mut connection = client.get_multiplexed_async_connection().await.expect("Redis takes connections");
    let mut document = manifest(&mut connection).await;
    add_members(&mut document);
    let text = serde_json::to_vec(&document).expect("JSON");
    let bytes = zstd::stream::encode_all(&text[..], 1).expect("it is small");
    let _: () = connection.hset(STATE, "manifest", bytes).await.expect("Redis takes it");
    // What they show can come from nowhere else.
    fake.close_port().await;
    let after = vec![Replica::start(&redis, &setup).await, Replica::start(&redis, &setup).await];
    let listed = |replica: Value| replica["servers"].as_array().map(Vec::len);
    for replica in &after {
        assert_eq!(listed(replica.json("/v0.1/servers?limit=100").await), Some(7), "it is there at once");
    }
    fake.open_port().await;
    until_one_leads(&all(&after)).await;
    fake.set_entries(grown(7, 8));
    until_all_counted(&all(&after), 8).await;
    until_alike(&all(&after)).await;
    assert_eq!(fake.requests_where(Seen::begins_full_walk).len(), 1);
}

#[tokio::test]
async fn a_cursor_of_changes_that_a_follower_does_not_know_yet_is_no_reason_to_begin_anew() {
    let Some(redis) = Redis::start().await else { return };
    let fake = FakeRegistry::start(numbered("com.example", 3)).await;
    let two = replicas(2, &redis, &Setup::of(&fake)).await;
    let leader = until_one_leads(&all(&two)).await;
    until_alike(&all(&two)).await;
    let (leader, follower) = (&two[leader], &two[1 - leader]);
    let cursor = |page: &Value| page["metadata"]["nextCursor"].as_str().expect("it is always there").to_owned();
    let before = cursor(&follower.json("/changes").await);
    // It lags as long as nothing comes through to it, and that is shorter than its patience.
    follower.wire.behave(Fault::Hang);
    fake.set_entries(grown(3, 5));
    leader.until_counted(5).await;
    let news = leader.json(&format!("/changes?since={before}")).await;
    let ahead = cursor(&news);
    assert_eq!(news["changes"].as_array().map(Vec::len), Some(2), "{news}");
    let page = follower.json(&format!("/changes?since={ahead}")).await;
    assert_eq!((page["changes"].as_array().map(Vec::len), cursor(&page)), (Some(0), ahead.clone()), "{page}");
    follower.wire.behave(Fault::None);
    follower.until_counted(5).await;
    until_alike(&all(&two)).await;
    fake.set_entries(grown(3, 6));
    follower.until_counted(6).await;
    let page = follower.json(&format!("/changes?since={ahead}")).await;
    let kinds: Vec<_> =
        page["changes"].as_array().expect("a list").iter().map(|change| change["event"].clone()).collect();
    assert_eq!(kinds, [json!("added")], "{page}");
}

#[tokio::test]
async fn what_is_wrong_with_redis_the_public_is_told_in_short_and_those_who_run_it_in_full() {
    let Some(redis) = Redis::start().await else { return };
    let fake = FakeRegistry::start(numbered("com.example", 3)).await;
    let one = replicas(1, &redis, &Setup::of(&fake)).await;
    redis.command("CONFIG SET maxmemory 1").await;
    let admin = eventually("those who run it were told that it is full", async || {
        let told = send(one[0].admin(), Method::GET, "/registries").await.json();
        let error = told["metadata"]["replica"]["error"].as_str().unwrap_or_default().to_owned();
        if error.contains("OOM") { Ok(error) } else { Err(told.to_string()) }
    })
    .await;
    let public = one[0].standing().await["error"].as_str().expect("it says that Redis fails").to_owned();
    assert!(public != admin && !public.contains("OOM"), "{public}");
    redis.command("CONFIG SET maxmemory 0").await;
    until_one_leads(&all(&one)).await;
}
