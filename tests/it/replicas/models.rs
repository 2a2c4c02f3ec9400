//! What the simulation takes Redis for, held against a real one: the same questions, the same answers.

use std::time::Duration;

use mcp_registry_proxy::store::Config;
use mcp_registry_proxy::store::shared::protocol::{Ask, Committed, Number, Shelf, Wish};
use mcp_registry_proxy::store::shared::{Fault, Shared};

use crate::support::redis::Redis;

/// Leases live so long that none ends meanwhile: the clocks of the two are not the same.
const LIFE: Duration = Duration::from_mins(5);

#[tokio::test]
async fn redis_does_what_the_model_does() {
    let Some(redis) = Redis::start().await else { return };
    let config = |prefix: u64| Config {
        url: Some(format!("redis://{}", redis.address()).into()),
        prefix: format!("model-{prefix}"),
        ..Config::default()
    };
    let mut verdicts = [0; 3];
    for seed in 0..60 {
        let mut random = fastrand::Rng::with_seed(seed);
        let replicas: Vec<Shared> =
            (0..3).map(|_| Shared::of(&config(seed), None).expect("an address").expect("it is shared")).collect();
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
                let facts = |pulse: &mcp_registry_proxy::store::shared::protocol::Pulse| {
                    (pulse.epoch, pulse.is_ours, pulse.left.is_zero(), pulse.stored)
                };
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
