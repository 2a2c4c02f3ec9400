//! What the simulation takes Redis for, held against a real one: the same questions, the same answers.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use mcp_registry_proxy::store::Config;
use mcp_registry_proxy::store::shared::protocol::{Ask, Committed, Number, Pulse, Shelf, Wish};
use mcp_registry_proxy::store::shared::{Fault, Shared};

use crate::support::redis::Redis;

/// Leases live so long that none ends meanwhile: the clocks of the two are not the same.
const LIFE: Duration = Duration::from_mins(5);

fn start(redis: &Redis, prefix: u64) -> Shared {
    let config = Config {
        url: Some(format!("redis://{}", redis.address()).into()),
        prefix: format!("model-{prefix}"),
        ..Config::default()
    };
    Shared::of(&config, None).expect("an address").expect("it is shared")
}

#[tokio::test]
async fn redis_does_what_the_model_does() {
    let Some(redis) = Redis::start().await else { return };
    let mut verdicts = [0; 3];
    for seed in 0..60 {
        let mut random = fastrand::Rng::with_seed(seed);
        let replicas: Vec<Shared> = (0..3).map(|_| start(&redis, seed)).collect();
        let mut model = Shelf::default();
        for _ in 0..30 {
            let who = &replicas[random.usize(..3)];
            let number = |random: &mut fastrand::Rng| Number { epoch: random.u64(..5), sequence: random.u64(..4) };
            if random.bool() {
                let ask = Ask {
                    replica: who.replica(),
                    wish: if random.u32(..4) == 0 { Wish::Release } else { Wish::Lead },
                    floor: if random.u32(..6) == 0 { random.u64(..8) } else { 0 },
                    seen: if random.u32(..4) == 0 { number(&mut random) } else { Number::default() },
                    life: LIFE,
                    is_settled: random.bool(),
                };
                let heard = who.beat(&ask).await.expect("Redis answers").pulse;
                let expected = model.beat(Duration::ZERO, &ask);
                let facts = |pulse: &Pulse| (pulse.epoch, pulse.is_ours, pulse.left.is_zero(), pulse.stored);
                assert_eq!(facts(&heard), facts(&expected), "seed {seed}: {ask:?}");
            } else {
                let epoch = if random.u32(..5) == 0 { random.u64(..5) } else { model.epoch };
                let base = if random.u32(..5) == 0 { number(&mut random) } else { model.stored };
                let next = if random.u32(..5) == 0 {
                    number(&mut random)
                } else {
                    Number { epoch: model.epoch, sequence: model.stored.sequence + 1 }
                };
                let expected = model.commit(Duration::ZERO, who.replica(), epoch, base, next);
                verdicts[expected as usize] += 1;
                let found = match who.commit_number(epoch, base, next).await {
                    Ok(()) => Committed::Accepted,
                    Err(Fault::Fenced) => Committed::Fenced,
                    Err(Fault::Moved) => Committed::Moved,
                    Err(fault) => panic!("{fault}"),
                };
                assert_eq!(found, expected, "seed {seed}");
            }
        }
    }
    assert!(verdicts.iter().all(|count| 20 < *count), "{verdicts:?}");
}

/// How far both are kept from the moment at which a lease ends: what one asks takes less.
const MARGIN: Duration = Duration::from_millis(150);
/// How far apart the times may be that they tell: whoever takes longer to answer proves nothing.
const NEAR: Duration = Duration::from_millis(100);

/// One model and the Redis that it is held against, with the time that both go by.
struct Pair {
    model: Shelf,
    replicas: Vec<Shared>,
    begun: Instant,
}

/// What became of one question.
#[derive(Debug, PartialEq, Eq)]
enum Held {
    Same,
    /// The machine was too busy to tell.
    Unclear,
}

impl Pair {
    fn new(redis: &Redis, prefix: u64) -> Self {
        let replicas = (0..3).map(|_| start(redis, prefix)).collect();
        Self { model: Shelf::default(), replicas, begun: Instant::now() }
    }

    fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Waits until no lease ends soon, or has just ended.
    async fn leave_the_edge(&self) {
        let until = self.model.until;
        if until < self.now() + MARGIN && self.now() < until + MARGIN {
            sleep((until + MARGIN).saturating_sub(self.now())).await;
        }
    }

    async fn beat(&mut self, who: usize, wish: Wish, life: Duration, is_settled: bool) -> Held {
        self.leave_the_edge().await;
        let (replica, now) = (self.replicas[who].replica(), self.now());
        let ask = Ask { replica, wish, floor: 0, seen: Number::default(), life, is_settled };
        let heard = self.replicas[who].beat(&ask).await.expect("Redis answers").pulse;
        if NEAR < self.now().saturating_sub(now) {
            return Held::Unclear;
        }
        let expected = self.model.beat(now, &ask);
        let facts = |pulse: &Pulse| (pulse.epoch, pulse.is_ours, pulse.left.is_zero(), pulse.stored);
        assert_eq!(facts(&heard), facts(&expected), "{ask:?}");
        let are_near = |one: Duration, other: Duration| one.abs_diff(other) <= NEAR * 2;
        assert!(are_near(heard.left, expected.left), "{ask:?}: {heard:?}, {expected:?}");
        // Before anything was ever fresh, each counts from the beginning of its own time.
        let was_fresh = !self.model.fresh_at.is_zero();
        assert!(!was_fresh || are_near(heard.fresh, expected.fresh), "{ask:?}: {heard:?}, {expected:?}");
        Held::Same
    }

    async fn commit(&mut self, who: usize, epoch: u64) -> (Held, Committed) {
        self.leave_the_edge().await;
        let (base, now) = (self.model.stored, self.now());
        let next = Number { epoch, sequence: base.sequence + 1 };
        let found = match self.replicas[who].commit_number(epoch, base, next).await {
            Ok(()) => Committed::Accepted,
            Err(Fault::Fenced) => Committed::Fenced,
            Err(Fault::Moved) => Committed::Moved,
            Err(fault) => panic!("{fault}"),
        };
        if NEAR < self.now().saturating_sub(now) {
            return (Held::Unclear, found);
        }
        let expected = self.model.commit(now, self.replicas[who].replica(), epoch, base, next);
        assert_eq!(found, expected, "replica {who} in epoch {epoch}");
        (Held::Same, found)
    }
}

/// What came of a schedule: generations that were accepted, and refused; and whether it came to its end.
async fn schedule(mut pair: Pair, seed: u64) -> ([usize; 2], bool) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut verdicts = [0; 2];
    for _ in 0..25 {
        let who = random.usize(..3);
        let held = match random.u32(..8) {
            0..4 => {
                let life = Duration::from_millis(random.u64(600..1_200));
                pair.beat(who, Wish::Lead, life, random.bool()).await
            }
            4 => pair.beat(who, Wish::Release, Duration::from_secs(1), true).await,
            5 | 6 => {
                let epoch = pair.model.epoch;
                // Mostly it is the one that has led last which writes, whether it still leads or not.
                let last = pair.replicas.iter().position(|replica| Some(replica.replica()) == pair.model.holder);
                let (held, verdict) = pair.commit(last.filter(|_| random.u32(..4) != 0).unwrap_or(who), epoch).await;
                verdicts[usize::from(verdict != Committed::Accepted)] += 1;
                held
            }
            _ => {
                sleep(Duration::from_millis(random.u64(300..900))).await;
                Held::Same
            }
        };
        if held == Held::Unclear {
            return (verdicts, false);
        }
    }
    (verdicts, true)
}

#[tokio::test]
async fn redis_does_what_the_model_does_as_time_goes_by() {
    let Some(redis) = Redis::start().await else { return };
    let mut schedules = JoinSet::new();
    for seed in 0..40 {
        schedules.spawn(schedule(Pair::new(&redis, 1_000 + seed), seed));
    }
    let (mut verdicts, mut whole) = ([0; 2], 0);
    while let Some(ended) = schedules.join_next().await {
        let (counts, is_whole) = ended.expect("Redis does what the model does");
        verdicts = [verdicts[0] + counts[0], verdicts[1] + counts[1]];
        whole += usize::from(is_whole);
    }
    assert!(10 < whole && verdicts.iter().all(|count| 10 < *count), "{whole} of 40, {verdicts:?}");
}

#[tokio::test]
async fn a_lease_that_is_given_up_goes_to_whoever_asks_next() {
    let Some(redis) = Redis::start().await else { return };
    let mut pair = Pair::new(&redis, 2_000);
    for turn in 0..6 {
        let (who, next) = (turn % 3, (turn + 1) % 3);
        let epoch = pair.model.epoch;
        assert_eq!(pair.beat(who, Wish::Lead, LIFE, true).await, Held::Same);
        assert_eq!(pair.model.epoch, epoch + 1, "it goes to somebody: another epoch");
        // Others cannot give up what is not theirs.
        assert_eq!(pair.beat(next, Wish::Release, LIFE, true).await, Held::Same);
        assert_eq!(pair.commit(who, epoch + 1).await, (Held::Same, Committed::Accepted));
        assert_eq!(pair.beat(who, Wish::Release, LIFE, true).await, Held::Same);
        assert_eq!(pair.commit(who, epoch + 1).await, (Held::Same, Committed::Fenced));
    }
}

#[tokio::test]
async fn a_clock_that_goes_back_prolongs_no_lease_beyond_one_life() {
    let Some(redis) = Redis::start().await else { return };
    let (leader, other) = (start(&redis, 3_000), start(&redis, 3_000));
    let life = Duration::from_millis(800);
    let ask = |who: &Shared, is_settled| {
        let (replica, seen) = (who.replica(), Number::default());
        Ask { replica, wish: Wish::Lead, floor: 0, seen, life, is_settled }
    };
    let first = leader.beat(&ask(&leader, true)).await.expect("Redis answers").pulse;
    assert!(first.is_ours);
    // As a clock leaves them that was an hour ahead until now: the lease would last for an hour.
    let ahead = "EVAL \"local time = redis.call('TIME') local at = time[1] * 1000 + 3600000          redis.call('HSET', KEYS[1], 'until', at, 'fresh_at', at) return at\" 1 {model-3000}:1:state";
    redis.command(ahead).await;
    let begun = Instant::now();
    let heard = other.beat(&ask(&other, true)).await.expect("Redis answers").pulse;
    assert!(!heard.is_ours && heard.left <= life, "it is with who had it, for one life at most: {heard:?}");
    let taken = loop {
        sleep(Duration::from_millis(20)).await;
        let heard = other.beat(&ask(&other, true)).await.expect("Redis answers").pulse;
        if heard.is_ours {
            break heard;
        }
        assert!(begun.elapsed() < life * 4, "nobody could lead: {heard:?}");
    };
    assert_eq!(taken.epoch, first.epoch + 1);
    let next = Number { epoch: first.epoch, sequence: 1 };
    assert_eq!(leader.commit_number(first.epoch, Number::default(), next).await, Err(Fault::Fenced));
    // A leader that has not written for long does not seem to have, either: how fresh all is, is told by the same clock.
    redis.command(ahead).await;
    let mut fresh = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < life {
        let pulse = other.beat(&ask(&other, false)).await.expect("Redis answers").pulse;
        fresh.push(pulse.fresh);
        sleep(Duration::from_millis(100)).await;
    }
    let told = *fresh.last().expect("it was asked");
    assert!(life / 2 < told && told < Duration::from_mins(1), "{fresh:?}");
}
