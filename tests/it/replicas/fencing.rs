//! A leader that has lost its lease and does not know it: whatever it writes is refused, and changes nothing.

use std::sync::Arc;
use std::time::Duration;

use mcp_registry_proxy::store::Config;
use mcp_registry_proxy::store::shared::chunk::{Chunk, ChunkId};
use mcp_registry_proxy::store::shared::protocol::{Ask, Number, Pulse, Wish};
use mcp_registry_proxy::store::shared::{Fault as Refusal, Shared};

use super::watch::Watch;
use super::{Setup, all, all_but, grown, replicas, until_alike, until_all_counted, until_one_leads};
use crate::support::entry::numbered;
use crate::support::redis::{Fault, Redis};
use crate::support::registry::{FakeRegistry, Seen};
use crate::support::{check, eventually};

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_mins(5);

/// All that a Redis holds, but for when it ends.
const EVERYTHING: &str = "EVAL \"local keys = redis.call('KEYS', '*') table.sort(keys) local all = '' \
     for _, key in ipairs(keys) do all = all .. key .. ' ' .. redis.sha1hex(redis.call('DUMP', key)) .. ' ' end \
     return all\" 0";
/// Lets chunks end soon, and says how long the one that lasts longest has.
const END_SOON: &str =
    "EVAL \"for _, key in ipairs(redis.call('KEYS', '*:chunk:*')) do redis.call('EXPIRE', key, 1000) end\" 0";
const LONGEST: &str = "EVAL \"local longest = 0 for _, key in ipairs(redis.call('KEYS', '*:chunk:*')) do \
     longest = math.max(longest, redis.call('TTL', key)) end return longest\" 0";

async fn beat(who: &Shared, life: Duration) -> Pulse {
    let seen = Number::default();
    let ask = Ask { replica: who.replica(), wish: Wish::Lead, floor: 0, seen, life, is_settled: true };
    who.beat(&ask).await.expect("Redis answers").pulse
}

/// Any chunk: what it holds is nobody's business here.
fn chunk(number: u8) -> Arc<Chunk> {
    Arc::new(Chunk { id: ChunkId::from_bytes([number; 32]), bytes: vec![number; 100] })
}

/// Tries every kind of write there is.
async fn assert_fenced(stale: &Shared, epoch: u64, stored: Number, chunks: &[Arc<Chunk>]) {
    let ids: Vec<_> = chunks.iter().map(|chunk| chunk.id).collect();
    assert_eq!(stale.put(epoch, &[chunk(0)]).await, Err(Refusal::Fenced), "put");
    assert_eq!(stale.put(epoch, chunks).await, Err(Refusal::Fenced), "put of what is there");
    assert_eq!(stale.touch(epoch, &ids).await, Err(Refusal::Fenced), "touch");
    assert_eq!(stale.drop_chunks(epoch, &ids).await, Err(Refusal::Fenced), "drop");
    for base in [stored, Number::default()] {
        for next in [Number { epoch, sequence: stored.sequence + 1 }, Number { epoch: epoch + 1, sequence: 100 }] {
            let verdict = stale.commit_number(epoch, base, next).await;
            assert_eq!(verdict, Err(Refusal::Fenced), "commit of {next:?} in place of {base:?}");
        }
    }
}

#[tokio::test]
async fn every_write_of_a_stale_leader_is_refused_and_changes_nothing() {
    let Some(redis) = Redis::start().await else { return };
    let config = Config {
        url: Some(format!("redis://{}", redis.address()).into()),
        prefix: "fencing".into(),
        ..Config::default()
    };
    let start = || Shared::of(&config, None).expect("an address").expect("it is shared");
    let (old, new) = (start(), start());
    let chunks = [chunk(1), chunk(2)];

    let first = beat(&old, SHORT).await;
    assert!(first.is_ours, "{first:?}");
    let by_old = Number { epoch: first.epoch, sequence: 1 };
    assert_eq!(old.put(first.epoch, &chunks[..1]).await, Ok(()));
    assert_eq!(old.commit_number(first.epoch, Number::default(), by_old).await, Ok(()));
    // Once its lease has run out, also where nobody else has taken it.
    eventually("the lease ran out", async || {
        let verdict = old.put(first.epoch, &chunks[..1]).await;
        check(verdict == Err(Refusal::Fenced), verdict)
    })
    .await;
    let before = redis.command(EVERYTHING).await;
    assert_fenced(&old, first.epoch, by_old, &chunks[..1]).await;
    assert_eq!(redis.command(EVERYTHING).await, before);

    let second = beat(&new, LONG).await;
    assert!(second.is_ours && first.epoch < second.epoch, "{second:?}");
    let by_new = Number { epoch: second.epoch, sequence: 2 };
    assert_eq!(new.put(second.epoch, &chunks[1..]).await, Ok(()));
    assert_eq!(new.commit_number(second.epoch, by_old, by_new).await, Ok(()));
    redis.command(END_SOON).await;
    let before = redis.command(EVERYTHING).await;
    // In its own epoch, in that of the other one, which it has heard of, and in one that nobody has.
    for epoch in [first.epoch, second.epoch, second.epoch + 1] {
        assert_fenced(&old, epoch, by_new, &chunks).await;
    }
    assert_eq!(redis.command(EVERYTHING).await, before, "nothing has changed");
    let longest = redis.command(LONGEST).await;
    let longest: u64 =
        longest.trim_start_matches(':').lines().next().and_then(|line| line.parse().ok()).expect("a time");
    assert!((1..=1_000).contains(&longest), "nothing lasts longer: {longest} s");
    // And the other one leads on.
    assert_eq!(new.touch(second.epoch, &[chunks[0].id, chunks[1].id]).await, Ok(Vec::new()));
    assert!(beat(&new, LONG).await.is_ours);
}

/// Whether this is a generation on its way to Redis: of all that is written, the only thing that is told of and names no
/// chunk and no errand.
fn is_commit(piece: &[u8]) -> bool {
    let text = String::from_utf8_lossy(piece);
    text.contains("EVALSHA")
        && text.contains(":1:news")
        && ![":1:chunk:", ":1:missing"].iter().any(|key| text.contains(key))
}

#[tokio::test]
async fn a_generation_that_was_held_up_on_the_way_is_refused_when_it_arrives() {
    let Some(redis) = Redis::start().await else { return };
    let fake = FakeRegistry::start(numbered("com.example", 3)).await;
    let three = replicas(3, &redis, &Setup::of(&fake)).await;
    let old = until_one_leads(&all(&three)).await;
    until_alike(&all(&three)).await;
    let others = all_but(old, &three);
    let stale_epoch = epoch_of(&redis).await;

    // It has sent a generation that lists four, and from then on nothing comes through.
    three[old].wire.behave(Fault::HangAt(is_commit));
    fake.set_entries(grown(3, 4));
    three[old].wire.until_hanging().await;
    until_one_leads(&others).await;
    fake.set_entries(grown(3, 5));
    until_all_counted(&others, 5).await;
    let (watch, monitor) = (Watch::over(&others), redis.monitor().await);
    let leading_epoch = epoch_of(&redis).await;
    assert!(stale_epoch < leading_epoch, "another one leads");

    three[old].wire.behave(Fault::None);
    eventually("the old generation arrived", async || {
        let arrived = monitor.lines().into_iter().any(|line| is_commit_in(&line, stale_epoch));
        check(arrived, monitor.lines().len())
    })
    .await;
    until_one_leads(&all(&three)).await;
    until_alike(&all(&three)).await;
    three[old].until_counted(5).await;
    watch.finish().await;
    // Nothing was written in the stale epoch since, neither by that script nor by any.
    let writes: Vec<String> = monitor
        .lines()
        .into_iter()
        .filter(|line| line.contains("lua] \"HSET\"") && line.contains("\"manifest\""))
        .collect();
    let stale = format!("\"stored_epoch\" \"{stale_epoch}\"");
    assert!(writes.iter().all(|line| !line.contains(&stale)), "{writes:#?}");
    assert_eq!(epoch_of(&redis).await, leading_epoch, "nobody had to begin anew");
    assert_eq!(fake.requests_where(Seen::begins_full_walk).len(), 1);
}

/// Whether a line of `MONITOR` is a generation that is written in an epoch.
fn is_commit_in(line: &str, epoch: u64) -> bool {
    let Some((_, rest)) = line.split_once(":1:state\" \"") else { return false };
    let mut arguments = rest.split("\" \"");
    let (_replica, in_epoch) = (arguments.next(), arguments.next());
    is_commit(line.as_bytes()) && in_epoch == Some(epoch.to_string().as_str())
}

async fn epoch_of(redis: &Redis) -> u64 {
    let told = redis.command("HGET {mcp-registry-proxy}:1:state epoch").await;
    told.lines().nth(1).and_then(|line| line.trim().parse().ok()).unwrap_or_else(|| panic!("no epoch: {told}"))
}
