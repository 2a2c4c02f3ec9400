//! Where replicas meet that have the same question to a registry (`registry::lookup::common`): the answer to each is a key
//! that whoever asks first claims, and fills. How often a registry was asked of late is a list of times.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, timeout};

use super::address::Address;
use super::chunk::{ChunkId, compress, decompress};
use super::client::{Keys, millis};
use super::link::Link;
use super::{Fault, PULSE_LIMIT};
use crate::registry::lookup::common::{Budget, Common, Entrance, Question, Said};
use crate::store::Config;

/// The longest answer that is passed on, compressed and not: others ask for themselves.
const MAX_COMPRESSED_BYTES: usize = 1 << 20;
const MAX_BYTES: usize = 8 << 20;

/// How long look-ups do without the others after Redis has failed: their clients wait for three seconds.
const REST: Duration = Duration::from_secs(5);
/// How long they wait for Redis; and where it has to be connected to first.
const LIMIT: Duration = Duration::from_millis(500);
const CONNECT_LIMIT: Duration = Duration::from_millis(1_500);

/// Says what is known of a question, or lets one ask it. Keys: the answer, the times, the pause. Arguments: the claim, for how long
/// in ms, how many asks in how many ms. An answer begins with a letter; after it comes how long it was to last in ms, a
/// space, and what was said.
const ENTER: &str = r"
local kept = redis.call('GET', KEYS[1])
if kept then return {kept, redis.call('PTTL', KEYS[1])} end
if redis.call('EXISTS', KEYS[3]) == 1 then return {'spent', 0} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local asks, window = tonumber(ARGV[3]), tonumber(ARGV[4])
local oldest = tonumber(redis.call('LINDEX', KEYS[2], asks - 1) or '-1')
if 0 <= oldest and oldest <= now and now < oldest + window then return {'spent', 0} end
redis.call('LPUSH', KEYS[2], now)
redis.call('LTRIM', KEYS[2], 0, asks - 1)
redis.call('PEXPIRE', KEYS[2], window)
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {ARGV[1], 0}
";

/// Fills what was claimed, or leaves it to others. Keys: the answer. Arguments: the claim, the answer, for how long in ms.
const TELL: &str = r"
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1
";

const CLAIMED: u8 = b'c';
const FOUND: u8 = b'f';
const NOT_LISTED: u8 = b'n';
const NO_ANSWER: u8 = b'e';

/// Where look-ups meet.
#[derive(Debug)]
pub struct LookUps {
    link: Link,
    keys: Keys,
    enter: redis::Script,
    tell: redis::Script,
    /// By which this replica knows its own claims.
    claim: String,
    /// Until when it does without the others.
    rests_until: Mutex<Option<Instant>>,
}

impl LookUps {
    /// The place in the store of the configuration, if that is shared. Nobody is asked yet.
    ///
    /// # Errors
    /// When the certificates cannot be used.
    pub fn of(config: &Config, authorities: Option<&[u8]>) -> Result<Option<Self>, Fault> {
        let Some(address) = Address::of(config)? else { return Ok(None) };
        Ok(Some(Self {
            link: Link::new(&address, authorities, PULSE_LIMIT.min(config.lease / 2), None)?,
            keys: Keys::new(&config.prefix),
            enter: redis::Script::new(ENTER),
            tell: redis::Script::new(TELL),
            claim: format!("{}{:016x}", char::from(CLAIMED), fastrand::u64(..)),
            rests_until: Mutex::default(),
        }))
    }

    /// Asks Redis something, unless it has failed a moment ago. None where it fails, or does not answer soon enough.
    async fn ask<T>(&self, work: impl Future<Output = Result<T, Fault>>) -> Option<T> {
        let rests_until = *self.rests();
        if rests_until.is_some_and(|until| Instant::now() < until) {
            return None;
        }
        let limit = if self.link.is_connected().await { LIMIT } else { CONNECT_LIMIT };
        let fault = match timeout(limit, work).await {
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(fault)) => fault,
            Err(_) => {
                // It may lead nowhere, and nobody would tell.
                self.link.give_up().await;
                Fault::slow(limit)
            }
        };
        tracing::debug!(reason = %fault, "look-ups do without the other replicas for a moment");
        *self.rests() = Some(Instant::now() + REST);
        None
    }

    fn rests(&self) -> MutexGuard<'_, Option<Instant>> {
        self.rests_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LookUps {
    async fn try_to_enter(&self, question: Question, claim: Duration, budget: Budget) -> Result<Entrance, Fault> {
        let mut enter = self.enter.key(self.keys.of_look_up("answer", question.id));
        enter.key(self.keys.of_look_up("asks", question.place)).key(self.keys.of_look_up("pause", question.place));
        enter.arg(&self.claim).arg(millis(claim)).arg(budget.asks).arg(millis(budget.window));
        let (kept, left): (Vec<u8>, i64) = self.link.run(&enter).await?;
        let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
        match kept.split_first() {
            _ if kept == self.claim.as_bytes() && left.is_zero() => Ok(Entrance::Ask),
            _ if kept == b"spent" => Ok(Entrance::Spent),
            Some((&CLAIMED, _)) => Ok(Entrance::Wait),
            Some((&kind, rest)) => told(kind, rest, left).ok_or_else(|| Fault::Unreadable("an answer".into())),
            None => Err(Fault::Unreadable("an answer".into())),
        }
    }

    async fn try_to_pause(&self, place: [u8; 32], pause: Duration) -> Result<redis::Value, Fault> {
        let mut set = redis::cmd("SET");
        set.arg(self.keys.of_look_up("pause", place)).arg("").arg("PX").arg(millis(pause));
        self.link.ask(&set).await
    }

    async fn try_to_tell(&self, question: Question, said: &Said, ttl: Duration) -> Result<u8, Fault> {
        let mut tell = self.tell.key(self.keys.of_look_up("answer", question.id));
        tell.arg(&self.claim).arg(written(said, ttl)).arg(millis(ttl));
        self.link.run(&tell).await
    }
}

/// What another replica was told, and how long ago.
fn told(kind: u8, rest: &[u8], left: Duration) -> Option<Entrance> {
    let end = rest.iter().position(|byte| *byte == b' ')?;
    let ttl = Duration::from_millis(std::str::from_utf8(rest.get(..end)?).ok()?.parse().ok()?);
    let content = rest.get(end + 1..)?;
    let said = match kind {
        FOUND => Said::Found(decompress(content, MAX_BYTES).ok()?),
        NOT_LISTED => Said::NotListed,
        NO_ANSWER => Said::NoAnswer(String::from_utf8(content.to_vec()).ok()?),
        _ => return None,
    };
    Some(Entrance::Told(said, ttl.saturating_sub(left)))
}

/// An answer as it is kept; nothing where it is too long for that.
fn written(said: &Said, ttl: Duration) -> Vec<u8> {
    let (kind, content) = match said {
        Said::Found(body) => match compress(body, MAX_BYTES) {
            Ok(content) if content.len() <= MAX_COMPRESSED_BYTES => (FOUND, content),
            _ => return Vec::new(),
        },
        Said::NotListed => (NOT_LISTED, Vec::new()),
        Said::NoAnswer(reason) => (NO_ANSWER, reason.clone().into_bytes()),
    };
    let mut text = vec![kind];
    text.extend(millis(ttl).to_string().bytes());
    text.push(b' ');
    text.extend(content);
    text
}

#[async_trait]
impl Common for LookUps {
    async fn enter(&self, question: Question, claim: Duration, budget: Budget) -> Option<Entrance> {
        self.ask(self.try_to_enter(question, claim, budget)).await
    }

    async fn pause(&self, place: [u8; 32], pause: Duration) {
        self.ask(self.try_to_pause(place, pause)).await;
    }

    async fn tell(&self, question: Question, said: Said, ttl: Duration) {
        self.ask(self.try_to_tell(question, &said, ttl)).await;
    }
}

impl Keys {
    fn of_look_up(&self, what: &str, id: [u8; 32]) -> String {
        format!("{}{what}:{}", self.look_up, ChunkId::from_bytes(id).as_text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_what_was_said_and_how_long_ago() {
        let (ttl, left) = (Duration::from_secs(30), Duration::from_secs(20));
        for said in [Said::Found(b"{}".to_vec()), Said::NotListed, Said::NoAnswer("too slow".to_owned())] {
            let text = written(&said, ttl);
            let (kind, rest) = text.split_first().expect("it is short enough");
            assert_eq!(told(*kind, rest, left), Some(Entrance::Told(said, Duration::from_secs(10))));
        }
        for text in ["", "f", "f1", "f1 x", "nx ", "q1 ", "e1 \u{80}"] {
            let found = text.as_bytes().split_first().and_then(|(kind, rest)| told(*kind, rest, left));
            assert!(found.is_none() || text.starts_with('e'), "{text:?}: {found:?}");
        }
    }

    #[test]
    fn what_is_too_long_is_left_to_others() {
        let noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(MAX_COMPRESSED_BYTES + 1).collect();
        assert!(written(&Said::Found(noise), Duration::from_secs(1)).is_empty());
    }
}
