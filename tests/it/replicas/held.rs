//! A list that collapses: all replicas say that it is held, the leader alone can come to believe it, and nobody ever
//! serves less because somebody said so.

use http::Method;
use serde_json::Value;

use super::watch::Watch;
use super::{Replica, Setup, all, all_but, replicas, until_alike, until_all_counted, until_one_leads};
use crate::support::entry::numbered;
use crate::support::http::send;
use crate::support::redis::Redis;
use crate::support::registry::FakeRegistry;
use crate::support::{check, eventually};

/// More than the collapse guard lets go at once, and what is left of them.
const MANY: usize = 60;
const FEW: usize = 5;

async fn act(replica: &Replica, query: &str) {
    let reply = send(replica.admin(), Method::POST, &format!("/registries/alpha/refresh{query}")).await;
    assert_eq!(reply.status, 202, "{}", reply.text());
}

async fn until_held(replicas: &[&Replica]) {
    for replica in replicas {
        eventually("it said that the list is held", async || {
            let registry: Value = replica.json("/registries/alpha").await;
            check(registry["held"].is_object(), registry)
        })
        .await;
    }
}

/// A registry whose list has collapsed, and three replicas that know it; also which one leads.
async fn collapsed(redis: &Redis) -> (FakeRegistry, Vec<Replica>, usize) {
    let fake = FakeRegistry::start(numbered("com.example", MANY)).await;
    let three = replicas(3, redis, &Setup::of(&fake)).await;
    let leader = until_one_leads(&all(&three)).await;
    until_all_counted(&all(&three), MANY).await;
    fake.set_entries(numbered("com.example", FEW));
    act(&three[leader], "").await;
    until_held(&all(&three)).await;
    (fake, three, leader)
}

#[tokio::test]
async fn a_held_listing_is_shown_by_all_and_believed_by_the_leader_alone() {
    let Some(redis) = Redis::start().await else { return };
    let (_fake, three, leader) = collapsed(&redis).await;
    let follower = &three[(leader + 1) % 3];
    for replica in &three {
        replica.until_counted(MANY).await;
    }
    // Accepted at a follower: that hands it on, and shows what the leader makes of it. Nobody shows anything between.
    let three_of_them = all(&three);
    let ((), seen) = tokio::join!(act(follower, "?accept=true"), counts_until(&three_of_them, FEW));
    until_alike(&all(&three)).await;
    assert!(seen.iter().all(|(_, count)| [Some(MANY), Some(FEW)].contains(count)), "{seen:?}");
    for replica in &three {
        let registry = replica.json("/registries/alpha").await;
        assert!(registry["held"].is_null(), "{registry}");
    }
}

#[tokio::test]
async fn who_takes_over_while_a_listing_is_held_serves_what_there_was() {
    let Some(redis) = Redis::start().await else { return };
    let (_fake, three, leader) = collapsed(&redis).await;
    let others = all_but(leader, &three);
    let watch = Watch::over(&others);
    three[leader].process.signal("KILL");
    let heir = until_one_leads(&others).await;
    let (heir, follower) = (others[heir], others[1 - heir]);
    // It has not seen the listing: it walks, and holds it for itself.
    act(follower, "").await;
    until_held(&[heir, follower]).await;
    heir.until_counted(MANY).await;
    follower.until_counted(MANY).await;
    watch.finish().await;
    // What an administrator accepts is a list that was walked, and never nothing.
    let both = [heir, follower];
    let ((), seen) = tokio::join!(act(follower, "?accept=true"), counts_until(&both, FEW));
    assert!(seen.iter().all(|(_, count)| [Some(MANY), Some(FEW)].contains(count)), "{seen:?}");
}

/// Looks at them until all list so many; what it has seen, without what was as before.
async fn counts_until(replicas: &[&Replica], last: usize) -> Vec<(String, Option<usize>)> {
    let mut seen: Vec<(String, Option<usize>)> = Vec::new();
    eventually("all listed as many", async || {
        let mut now = Vec::new();
        for replica in replicas {
            let reply = replica.get("/v0.1/servers?limit=100").await;
            let count = (reply.status == 200).then(|| reply.json()["servers"].as_array().map_or(0, Vec::len));
            now.push((replica.name.clone(), count));
        }
        seen.extend(now.iter().cloned());
        seen.dedup();
        check(now.iter().all(|(_, count)| *count == Some(last)), now)
    })
    .await;
    seen
}
