//! Replicas when Redis, the network or one of them fails.

use std::time::Duration;

use http::Method;
use tokio::time::sleep;

use super::{LEASE, Replica, Setup, all, answers, grown, replicas, until_alike, until_one_leads};
use crate::support::entry::numbered;
use crate::support::http::send;
use crate::support::redis::{Fault, Redis};
use crate::support::registry::{FakeRegistry, Seen};
use crate::support::{check, eventually};

/// Waits until each is alone, and has this many.
async fn until_alone(replicas: &[Replica], count: usize) {
    for replica in replicas {
        replica.until_role("alone").await;
        replica.until_counted(count).await;
    }
}

#[tokio::test]
async fn a_leader_that_is_stopped_for_longer_than_its_lease_writes_nothing() {
    let Some(redis) = Redis::start().await else { return };
    let fake = FakeRegistry::start(numbered("com.example", 3)).await;
    let three = replicas(3, &redis, &Setup::of(&fake)).await;
    let old = until_one_leads(&all(&three)).await;
    three[old].process.signal("STOP");
    let others: Vec<&Replica> = (0..3).filter(|other| *other != old).map(|other| &three[other]).collect();
    until_one_leads(&others).await;
    fake.set_entries(grown(3, 4));
    for other in &others {
        other.until_counted(4).await;
    }
    let epoch = |generation: &str| generation.split_once('-').and_then(|(epoch, _)| epoch.parse::<u64>().ok());
    let before = epoch(others[0].standing().await["generation"].as_str().expect("a text"));
    three[old].process.signal("CONT");
    let leader = until_one_leads(&all(&three)).await;
    assert_ne!(leader, old, "it follows");
    until_alike(&all(&three)).await;
    let after = epoch(three[old].standing().await["generation"].as_str().expect("a text"));
    assert_eq!(after, before, "there was no other epoch for it to write in");
}

#[tokio::test]
async fn without_redis_all_serve_and_go_on_alone_and_with_an_empty_one_they_are_one_again() {
    let Some(redis) = Redis::start().await else { return };
    let fake = FakeRegistry::start(numbered("com.example", 3)).await;
    let three = replicas(3, &redis, &Setup::of(&fake)).await;
    until_alike(&all(&three)).await;
    let before = answers(&three[0]).await;
    redis.kill();
    for replica in &three {
        eventually("it said that Redis is gone", async || {
            let standing = replica.standing().await;
            check(standing["error"].is_string(), standing)
        })
        .await;
        assert_eq!(answers(replica).await, before, "what there is is served on");
    }
    fake.set_entries(grown(3, 5));
    until_alone(&three, 5).await;
    redis.run().await;
    until_one_leads(&all(&three)).await;
    until_alike(&all(&three)).await;
    fake.set_entries(grown(3, 6));
    for replica in &three {
        replica.until_counted(6).await;
    }
    until_alike(&all(&three)).await;
    // Emptied while they run: nothing begins below what they know.
    redis.command("FLUSHALL").await;
    fake.set_entries(grown(3, 8));
    for replica in &three {
        replica.until_counted(8).await;
    }
    until_one_leads(&all(&three)).await;
    until_alike(&all(&three)).await;
    let fresh = Replica::start(&redis, &Setup::of(&fake)).await;
    fresh.until_counted(8).await;
    assert_eq!(answers(&fresh).await, answers(&three[0]).await, "the leader has written all of it anew");
}

#[tokio::test]
async fn a_replica_that_starts_without_redis_serves_by_itself_and_joins_the_others() {
    let Some(redis) = Redis::start().await else { return };
    let fake = FakeRegistry::start(numbered("com.example", 3)).await;
    let setup = Setup::of(&fake);
    redis.kill();
    let early = Replica::start(&redis, &setup).await;
    early.until_role("alone").await;
    early.until_counted(3).await;
    redis.run().await;
    until_one_leads(&[&early]).await;
    let late = Replica::start(&redis, &setup).await;
    until_one_leads(&[&early, &late]).await;
    until_alike(&[&early, &late]).await;
}

#[tokio::test]
async fn a_redis_that_is_slow_is_none() {
    let Some(redis) = Redis::start().await else { return };
    let fake = FakeRegistry::start(numbered("com.example", 3)).await;
    let two = replicas(2, &redis, &Setup::of(&fake)).await;
    for replica in &two {
        replica.wire.behave(Fault::Slow(LEASE));
    }
    until_alone(&two, 3).await;
    let told = send(two[0].admin(), Method::GET, "/registries").await.json();
    assert!(told.to_string().contains("no answer within"), "those who run it are told how it fails: {told}");
    for replica in &two {
        replica.wire.behave(Fault::Slow(Duration::from_millis(20)));
    }
    until_one_leads(&all(&two)).await;
    until_alike(&all(&two)).await;
}

#[tokio::test]
async fn a_redis_that_is_full_or_a_copy_takes_nothing_and_is_told_of() {
    let Some(redis) = Redis::start().await else { return };
    let fake = FakeRegistry::start(numbered("com.example", 3)).await;
    let two = replicas(2, &redis, &Setup::of(&fake)).await;
    for (broken, mended) in
        [("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"), ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE")]
    {
        redis.command(broken).await;
        until_alone(&two, 3).await;
        assert!(two[0].standing().await["error"].is_string());
        redis.command(mended).await;
        until_one_leads(&all(&two)).await;
        until_alike(&all(&two)).await;
    }
}

#[tokio::test]
async fn chunks_that_redis_drops_are_written_anew() {
    let Some(redis) = Redis::start().await else { return };
    let fake = FakeRegistry::start(numbered("com.example", 3)).await;
    let setup = Setup::of(&fake);
    let two = replicas(2, &redis, &setup).await;
    until_alike(&all(&two)).await;
    let drop_all = "EVAL \"for _, key in ipairs(redis.call('KEYS', '*:chunk:*')) do redis.call('DEL', key) end\" 0";
    redis.command(drop_all).await;
    let fresh = Replica::start(&redis, &setup).await;
    fresh.until_counted(3).await;
    until_alike(&[&two[0], &two[1], &fresh]).await;
    assert_eq!(fake.requests_where(Seen::begins_full_walk).len(), 1);
}

#[tokio::test]
async fn what_another_release_keeps_is_left_alone() {
    let Some(redis) = Redis::start().await else { return };
    let fake = FakeRegistry::start(numbered("com.example", 3)).await;
    redis.command("SET {mcp-registry-proxy}:2:state another-release").await;
    let two = replicas(2, &redis, &Setup::of(&fake)).await;
    until_alike(&all(&two)).await;
    assert!(redis.command("GET {mcp-registry-proxy}:2:state").await.contains("another-release"));
    // What is there under our own version and cannot be read harms nobody.
    redis.command("HSET {mcp-registry-proxy}:1:state manifest nonsense").await;
    fake.set_entries(grown(3, 4));
    for replica in &two {
        replica.until_counted(4).await;
    }
    sleep(Duration::from_millis(50)).await;
    until_one_leads(&all(&two)).await;
}
