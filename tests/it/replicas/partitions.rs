//! One replica that Redis cannot be reached from, and the others can: it goes on alone, and comes back.

use std::time::Duration;

use tokio::time::Instant;

use super::watch::Watch;
use super::{BEHIND, LEASE, Setup, all, all_but, grown, replicas, until_alike, until_all_counted, until_one_leads};
use crate::support::entry::numbered;
use crate::support::redis::{Fault, Redis};
use crate::support::registry::{FakeRegistry, Seen};
use crate::support::{check, eventually};

/// How many lives of a lease a replica waits before it goes alone, at least and at most.
const PATIENCE: [f64; 2] = [6.0, 7.2];
/// What is on its way when connections begin to hang is waited for this long, at most.
const HANGING: Duration = Duration::from_secs(10);
/// Between two questions to Redis: that long ago it may have heard of it last.
const HEARD_BEFORE: Duration = Duration::from_millis(400);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Leader,
    Follower,
}

async fn one_is_cut_off(who: Who, fault: Fault) {
    let Some(redis) = Redis::start().await else { return };
    let fake = FakeRegistry::start(numbered("com.example", 3)).await;
    let three = replicas(3, &redis, &Setup::of(&fake)).await;
    let leader = until_one_leads(&all(&three)).await;
    until_alike(&all(&three)).await;
    let cut = if who == Who::Leader { leader } else { (leader + 1) % 3 };
    let others = all_but(cut, &three);
    let watch = Watch::over(&all(&three));

    let since = Instant::now();
    three[cut].wire.behave(fault);
    let now_leading = others[until_one_leads(&others).await];
    fake.set_entries(grown(3, 4));
    until_all_counted(&others, 4).await;
    three[cut].until_role("alone").await;
    let waited = since.elapsed();
    let [least, most] = PATIENCE.map(|lives| LEASE.mul_f64(lives));
    let hanging = if matches!(fault, Fault::Hang) { HANGING } else { Duration::ZERO };
    assert!(least < waited + HEARD_BEFORE && waited < most + hanging + BEHIND, "it went alone after {waited:?}");
    // Its lease over, the one that is cut off asks nobody, until it goes alone.
    let early = fake.requests_where(|seen| {
        three[cut].has_asked(seen) && since + LEASE + HEARD_BEFORE < seen.at && seen.at + HEARD_BEFORE < since + least
    });
    assert!(early.is_empty(), "{early:#?}");
    three[cut].until_counted(4).await;
    fake.set_entries(grown(3, 5));
    until_all_counted(&all(&three), 5).await;
    let askers = |since: Instant| {
        let count =
            |replica: &super::Replica| fake.requests_where(|seen| since < seen.at && replica.has_asked(seen)).len();
        three.iter().map(count).collect::<Vec<_>>()
    };
    let alone = askers(since);
    assert!(0 < alone[cut], "what it shows it has asked for itself: {alone:?}");

    three[cut].wire.behave(Fault::None);
    let healed = Instant::now();
    until_one_leads(&all(&three)).await;
    until_alike(&all(&three)).await;
    assert!(three[cut].standing().await["error"].is_null());
    // As before, one asks for all: that which led all the while.
    let since = Instant::now();
    eventually("the registry was asked", async || {
        let counts = askers(since);
        check(5 < counts.iter().sum::<usize>(), counts)
    })
    .await;
    let counts = askers(since);
    let leading = three.iter().position(|replica| replica.name == now_leading.name).expect("it is one of them");
    assert_eq!(counts.iter().sum::<usize>(), counts[leading], "{counts:?}, {:?} after it was whole", healed.elapsed());
    assert_eq!(fake.requests_where(Seen::begins_full_walk).len(), 1, "nobody walked anew");
    assert!(fake.most_in_flight() <= 2, "{}", fake.most_in_flight());
    watch.finish().await;
}

#[tokio::test]
async fn a_leader_whose_connections_end_goes_alone_and_comes_back() {
    one_is_cut_off(Who::Leader, Fault::Cut).await;
}

#[tokio::test]
async fn a_leader_whose_connections_hang_goes_alone_and_comes_back() {
    one_is_cut_off(Who::Leader, Fault::Hang).await;
}

#[tokio::test]
async fn a_follower_whose_connections_end_goes_alone_and_comes_back() {
    one_is_cut_off(Who::Follower, Fault::Cut).await;
}

#[tokio::test]
async fn a_follower_whose_connections_hang_goes_alone_and_comes_back() {
    one_is_cut_off(Who::Follower, Fault::Hang).await;
}
