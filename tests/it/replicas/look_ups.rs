//! Look-ups: a registry is asked by one replica, and not more often than one proxy alone would ask it.

use super::{Replica, Setup, replicas, until_alike};
use crate::support::entry::{Entry, numbered};
use crate::support::redis::{Fault, Redis};
use crate::support::registry::{FakeRegistry, Seen};

/// As many as one registry is asked in a minute.
const A_MINUTE: usize = 30;

fn reading_through(fake: &FakeRegistry) -> Setup {
    let mut setup = Setup::of(fake);
    setup.registries += "[read_through]\nenabled = true\n";
    // What comes to be listed is found by asking for it alone.
    setup.registries += "[refresh]\ninterval = \"1h\"\n";
    setup
}

async fn status(replica: &Replica, name: &str) -> u16 {
    replica.get(&format!("/v0.1/servers/com.example%2F{name}/versions/latest")).await.status
}

#[tokio::test]
async fn what_one_replica_has_looked_up_the_others_know() {
    let Some(redis) = Redis::start().await else { return };
    let fake = FakeRegistry::start(numbered("com.example", 3)).await;
    let three = replicas(3, &redis, &reading_through(&fake)).await;
    until_alike(&three.iter().collect::<Vec<_>>()).await;
    let looked_up = || fake.requests_where(Seen::is_look_up).len();
    for _ in 0..2 {
        // At once, and one after the other.
        let (one, two, three) = tokio::join!(status(&three[0], "no"), status(&three[1], "no"), status(&three[2], "no"));
        assert_eq!((one, two, three), (404, 404, 404));
    }
    assert_eq!(looked_up(), 1, "one has asked for all");

    let mut entries = numbered("com.example", 3);
    entries.push(Entry::new("com.example/new", "1.0.0"));
    fake.set_entries(entries);
    let mut bodies = Vec::new();
    for replica in &three {
        let reply = replica.get("/v0.1/servers/com.example%2Fnew/versions/latest").await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        bodies.push(reply.json()["server"].clone());
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    assert_eq!(looked_up(), 2);

    // Together they ask no more often than one alone may.
    for number in 0..A_MINUTE {
        let replica = &three[number % 3];
        status(replica, &format!("none-{number}")).await;
    }
    assert_eq!(looked_up(), A_MINUTE);
    // What they know they know.
    assert_eq!(status(&three[2], "none-1").await, 404);
}

#[tokio::test]
async fn who_cannot_reach_redis_looks_up_for_itself() {
    let Some(redis) = Redis::start().await else { return };
    let fake = FakeRegistry::start(numbered("com.example", 3)).await;
    let two = replicas(2, &redis, &reading_through(&fake)).await;
    two[0].wire.behave(Fault::Cut);
    assert_eq!(status(&two[0], "no").await, 404);
    assert_eq!(status(&two[1], "no").await, 404);
    assert_eq!(fake.requests_where(Seen::is_look_up).len(), 2);
}
