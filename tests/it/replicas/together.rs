//! Replicas when all is well, and when one of them goes.

use tokio::time::Instant;

use super::{BEHIND, LEASE, Replica, Setup, all, answers, grown, replicas, until_alike, until_one_leads};
use crate::support::entry::{Entry, keys, keys_of, numbered};
use crate::support::redis::Redis;
use crate::support::registry::{FakeRegistry, Seen};
use crate::support::{check, eventually};

#[tokio::test]
async fn replicas_answer_alike_and_registries_see_one_proxy() {
    let Some(redis) = Redis::start().await else { return };
    let fake = FakeRegistry::start(numbered("com.example", 7)).await;
    let setup = Setup::of(&fake);
    let three = replicas(3, &redis, &setup).await;
    until_alike(&all(&three)).await;
    let walks = fake.requests_where(Seen::begins_full_walk).len();
    assert_eq!(walks, 1, "one replica walks for all");
    assert_eq!(fake.most_in_flight(), 1, "and nobody else asks at the same time");

    // What changes, all show within two seconds, in the same bytes.
    let mut entries = grown(7, 9);
    entries[3] = entries[3].clone().server("title", "Changed").official("updatedAt", super::LATER);
    fake.set_entries(entries);
    eventually("the first replica had the change", async || {
        let mut has_it = false;
        for replica in &three {
            has_it |= replica.get("/v0.1/servers/com.example%2Fserver-0008/versions/latest").await.status == 200;
        }
        check(has_it, "none has")
    })
    .await;
    let shown = Instant::now();
    for replica in &three {
        replica.until_counted(9).await;
    }
    assert!(shown.elapsed() < BEHIND, "{:?}", shown.elapsed());
    until_alike(&all(&three)).await;

    // A client that is balanced over all of them repeats and skips nothing.
    let (mut seen, mut cursor, mut turn) = (Vec::new(), String::new(), 0);
    loop {
        let page = three[turn % 3].json(&format!("/v0.1/servers?limit=2{cursor}")).await;
        seen.extend(keys(page["servers"].as_array().expect("a list")));
        turn += 1;
        let Some(next) = page["metadata"]["nextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, keys_of(&numbered("com.example", 9)));

    // A cursor of the feed that one has given, the others know.
    let feed = three[0].json("/changes").await;
    let since = feed["metadata"]["nextCursor"].as_str().expect("a cursor").to_owned();
    fake.set_entries(grown(7, 10));
    for replica in &three {
        replica.until_counted(10).await;
        let changes = replica.json(&format!("/changes?since={since}")).await;
        let kinds: Vec<_> = changes["changes"].as_array().expect("a list").iter().map(|row| &row["event"]).collect();
        assert!(!kinds.is_empty() && kinds.iter().all(|kind| **kind == "added"), "{changes}");
    }
}

#[tokio::test]
async fn who_takes_over_goes_on_where_the_leader_was() {
    let Some(redis) = Redis::start().await else { return };
    let fake = FakeRegistry::start(numbered("com.example", 5)).await;
    let setup = Setup::of(&fake);
    let mut three = replicas(3, &redis, &setup).await;
    until_alike(&all(&three)).await;
    let leader = until_one_leads(&all(&three)).await;
    let before = answers(&three[(leader + 1) % 3]).await;

    three[leader].process.kill();
    let killed = Instant::now();
    let mut dead = three.remove(leader);
    until_one_leads(&all(&three)).await;
    assert!(killed.elapsed() < LEASE + BEHIND, "{:?}", killed.elapsed());
    assert_eq!(answers(&three[0]).await, before, "nothing has changed for clients");
    fake.set_entries(grown(5, 6));
    for replica in &three {
        replica.until_counted(6).await;
    }
    until_alike(&all(&three)).await;

    // It comes back, and follows; what it shows first is what there is.
    dead.again(&setup).await;
    three.push(dead);
    until_one_leads(&all(&three)).await;
    until_alike(&all(&three)).await;
    assert_eq!(fake.requests_where(Seen::begins_full_walk).len(), 1, "nobody walks anew");
    assert_eq!(fake.most_in_flight(), 1);

    // Told to end, a leader hands over at once.
    let leader = until_one_leads(&all(&three)).await;
    let ended = Instant::now();
    three[leader].process.signal("TERM");
    assert_eq!(three[leader].process.exit_code().await, Some(0));
    three.remove(leader);
    until_one_leads(&all(&three)).await;
    assert!(ended.elapsed() < BEHIND, "{:?}", ended.elapsed());
}

#[tokio::test]
async fn a_replica_with_other_rules_makes_its_own_of_what_is_shared() {
    let Some(redis) = Redis::start().await else { return };
    let fake = FakeRegistry::start(numbered("com.example", 4)).await;
    let other = FakeRegistry::start(vec![Entry::new("com.other/a", "1.0.0")]).await;
    let setup = Setup::of(&fake);
    let two = replicas(2, &redis, &setup).await;
    // It leaves one name out, and has a registry that the others do not have: that one it asks itself.
    let mut odd = Setup::of(&fake);
    odd.registries += "exclude = [\"com.example/server-0002\"]\n";
    let odd = Replica::start(&redis, &odd.registry("beta", &other)).await;
    odd.until_role("following").await;
    odd.until_counted(4).await;
    let listed = keys(odd.json("/v0.1/servers?limit=100").await["servers"].as_array().expect("a list"));
    assert!(listed.contains(&"com.other/a@1.0.0".to_owned()), "{listed:?}");
    assert!(!listed.contains(&"com.example/server-0002@1.0.0".to_owned()), "{listed:?}");
    assert_eq!(odd.standing().await["shared"], false);
    assert_eq!(fake.requests_where(Seen::begins_full_walk).len(), 1, "what is shared it does not ask for");
    fake.set_entries(grown(4, 5));
    odd.until_counted(5).await;
    until_alike(&all(&two)).await;
}

#[tokio::test]
async fn what_administrators_ask_any_replica_for_the_leader_does() {
    let Some(redis) = Redis::start().await else { return };
    let fake = FakeRegistry::start(numbered("com.example", 4)).await;
    let setup = Setup::of(&fake);
    let two = replicas(2, &redis, &setup).await;
    let leader = until_one_leads(&all(&two)).await;
    let follower = &two[1 - leader];
    let reply = crate::support::http::send(follower.admin(), http::Method::POST, "/registries/alpha/refresh").await;
    assert_eq!(reply.status, 202);
    eventually("the leader walked", async || {
        let walks = fake.requests_where(Seen::begins_full_walk).len();
        check(walks == 2, walks)
    })
    .await;
}
