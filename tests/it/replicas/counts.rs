//! What a registry sees of three replicas: one proxy, also when the one that asks is killed.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Setup, WHO, all, replicas, until_alike, until_one_leads};
use crate::support::entry::numbered;
use crate::support::redis::Redis;
use crate::support::registry::{FakeRegistry, Seen};

/// For how long requests are counted.
const WINDOW: Duration = Duration::from_secs(2);
/// How often a registry is tested in these tests, and how often asked for what has changed.
const INTERVAL: Duration = Duration::from_millis(200);

/// How often a registry was walked, asked for what has changed, and tested.
#[derive(Clone, Copy, Debug)]
struct Asked {
    walks: usize,
    increments: usize,
    tests: usize,
}

fn asked(fake: &FakeRegistry, since: Instant, until: Instant) -> Asked {
    let count = |is_such: fn(&Seen) -> bool| {
        fake.requests_where(|seen| since <= seen.at && seen.at < until && is_such(seen)).len()
    };
    Asked {
        walks: count(Seen::begins_full_walk),
        increments: count(|seen| seen.is_page() && seen.parameter("updated_since").is_some()),
        tests: count(Seen::is_probe),
    }
}

/// Counts for a while.
async fn counted(fake: &FakeRegistry) -> Asked {
    let since = Instant::now();
    // Time itself is what is measured here.
    sleep(WINDOW).await;
    asked(fake, since, Instant::now())
}

/// The most that one proxy asks within this long: each at its interval, and once more for each that begins.
fn most(within: Duration, beginnings: usize) -> usize {
    usize::try_from(within.as_millis() / INTERVAL.as_millis()).expect("it is short") + 1 + beginnings
}

#[tokio::test]
async fn registries_see_one_proxy_before_during_and_after_the_leader_is_killed() {
    let (Some(own), Some(redis)) = (Redis::start().await, Redis::start().await) else { return };
    let (alone, fake) =
        (FakeRegistry::start(numbered("com.example", 3)).await, FakeRegistry::start(numbered("com.example", 3)).await);
    let one = replicas(1, &own, &Setup::of(&alone)).await;
    let setup = Setup::of(&fake);
    let mut three = replicas(3, &redis, &setup).await;
    until_alike(&all(&three)).await;
    let leader = until_one_leads(&all(&three)).await;

    let (of_one, before) = tokio::join!(counted(&alone), counted(&fake));
    drop(one);
    let killed = Instant::now();
    three[leader].process.kill();
    let mut dead = three.remove(leader);
    let heir = until_one_leads(&all(&three)).await;
    let during = asked(&fake, killed, Instant::now());
    let took = killed.elapsed();
    let after = counted(&fake).await;
    dead.again(&setup).await;
    three.push(dead);
    until_one_leads(&all(&three)).await;
    let at_last = counted(&fake).await;

    let told = format!(
        "one alone: {of_one:?}; before: {before:?}; during, in {took:?}: {during:?}; after: {after:?}; at last: {at_last:?}"
    );
    for (counts, within, beginnings) in
        [(of_one, WINDOW, 0), (before, WINDOW, 0), (during, took, 1), (after, WINDOW, 0), (at_last, WINDOW, 0)]
    {
        assert_eq!(counts.walks, 0, "{told}");
        // A machine that is busy lets less happen, and the window last longer.
        let most = most(within.mul_f64(1.25), beginnings);
        assert!(counts.increments <= most && counts.tests <= most, "{most} at most; {told}");
    }
    for counts in [before, after, at_last] {
        assert!(of_one.tests < counts.tests * 2 && of_one.increments < counts.increments * 2, "it is asked on; {told}");
    }
    assert_eq!(fake.requests_where(Seen::begins_full_walk).len(), 1, "{told}");
    assert_eq!(fake.most_in_flight(), 1, "{told}");
    // Who asked, in turn: the one that was killed, and from then on the one that took over.
    let mut turns: Vec<String> = fake.requests().iter().map(|seen| seen.header(WHO).to_owned()).collect();
    turns.dedup();
    assert_eq!(turns, [three[2].name.clone(), three[heir].name.clone()], "{told}");
}
