//! Redis as the replicas use it: each question of the protocol as one script, and chunks in batches.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::{ScriptInvocation, Value};
use tokio::sync::{Notify, futures::Notified};

use super::address::Address;
use super::chunk::{Chunk, ChunkId};
use super::link::Link;
use super::protocol::{Ask, Committed, Number, Pulse, Wish};
use super::scripts::Scripts;
use super::{CHUNK_LIFE, FORMAT, Fault, PULSE_LIMIT};
use crate::store::Config;
use crate::store::identity::Secret;

/// How long a batch of chunks may take.
const BATCH_LIMIT: Duration = Duration::from_secs(10);
/// How many chunks, and how many bytes of them, are written at a time.
const BATCH_CHUNKS: usize = 64;
const BATCH_BYTES: usize = 1 << 20;
/// How many are read at a time.
pub const READ_CHUNKS: usize = 32;
/// How many are renewed or dropped at a time.
const NAMED_CHUNKS: usize = 1_000;
/// How many that are missing are told of at a time: those that are not come the next time.
const MISSING_CHUNKS: usize = 256;

/// The store that replicas share.
#[derive(Debug)]
pub struct Shared {
    replica: u64,
    address: String,
    keys: Keys,
    scripts: Scripts,
    /// For questions that must not wait behind chunks.
    pulse: Link,
    bulk: Link,
    news: Arc<Notify>,
    /// What the proxy's id is made of: what is there, or what this replica goes by until it is.
    secret: Mutex<String>,
    sent: AtomicU64,
    received: AtomicU64,
}

#[derive(Debug)]
pub(super) struct Keys {
    pub(super) look_up: String,
    secret: String,
    state: String,
    chunk: String,
    missing: String,
    asked: String,
    channel: String,
}

/// What has been moved since the start, in bytes of manifests and chunks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// To Redis.
    pub sent: u64,
    /// From it.
    pub received: u64,
}

/// What Redis has answered.
#[derive(Clone, Debug)]
pub struct Heard {
    /// How things stand.
    pub pulse: Pulse,
    /// Chunks that other replicas look for in vain. Only the leader hears of them, once.
    pub missing: Vec<ChunkId>,
    /// What administrators want of the leader, until that says that it knows.
    pub asked: Vec<Wanted>,
}

/// A full walk that an administrator wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Of which registry.
    pub registry: String,
    /// Whether whatever that brings is believed.
    pub accept: bool,
    /// As it stands in Redis: no two are the same.
    text: String,
}

impl Shared {
    /// The store of the configuration, if it is shared. Nobody is asked yet. `authorities` are PEM certificates to trust
    /// in place of the platform's.
    ///
    /// # Errors
    /// When the certificates cannot be used.
    pub fn of(config: &Config, authorities: Option<&[u8]>) -> Result<Option<Self>, Fault> {
        let Some(address) = Address::of(config)? else { return Ok(None) };
        let keys = Keys::new(&config.prefix);
        let news = Arc::new(Notify::new());
        let limit = PULSE_LIMIT.min(config.lease / 2);
        let told = Some((Arc::clone(&news), keys.channel.clone()));
        Ok(Some(Self {
            replica: fastrand::u64(1..),
            address: address.public(),
            pulse: Link::new(&address, authorities, limit, told)?,
            bulk: Link::new(&address, authorities, BATCH_LIMIT, None)?,
            keys,
            scripts: Scripts::new(),
            news,
            secret: Mutex::default(),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
        }))
    }

    /// Who this replica is to the others: a random number.
    #[must_use]
    pub fn replica(&self) -> u64 {
        self.replica
    }

    /// Where Redis is, without user and password.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Waits until another replica says that something has changed.
    pub fn news(&self) -> Notified<'_> {
        self.news.notified()
    }

    /// What has been moved since the start.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        Traffic { sent: self.sent.load(Ordering::Relaxed), received: self.received.load(Ordering::Relaxed) }
    }

    /// The secret of all replicas, made if there is none: of those who start at the same time, one makes it.
    ///
    /// # Errors
    /// When Redis does not give it.
    pub async fn secret(&self, own: &Secret) -> Result<Secret, Fault> {
        // Should this replica lead one day, and there be none, the others get it from here.
        self.go_by(own.as_text());
        self.make_secret(own).await
    }

    /// The secret that replicas go by, as far as this one has heard. None before it was asked for.
    #[must_use]
    pub fn known_secret(&self) -> Option<Secret> {
        Secret::of_text(&self.secret_text())
    }

    fn secret_text(&self) -> String {
        self.secret.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn go_by(&self, text: String) {
        *self.secret.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }

    async fn make_secret(&self, own: &Secret) -> Result<Secret, Fault> {
        let key = &self.keys.secret;
        let text = own.as_text();
        let _: Value = self.pulse.ask(redis::cmd("SET").arg(key).arg(&text).arg("NX")).await?;
        let kept: String = self.pulse.ask(redis::cmd("GET").arg(key)).await?;
        let secret = Secret::of_text(&kept)
            .ok_or_else(|| Fault::Unreadable("the key of the secret holds something else".into()))?;
        self.go_by(kept);
        Ok(secret)
    }

    /// The secret of all replicas, if there is one. None is made.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn find_secret(&self) -> Result<Option<Secret>, Fault> {
        let kept: Option<String> = self.pulse.ask(redis::cmd("GET").arg(&self.keys.secret)).await?;
        Ok(kept.and_then(|kept| Secret::of_text(&kept)))
    }

    /// Asks how things stand, and for the lease.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn beat(&self, ask: &Ask) -> Result<Heard, Fault> {
        let Keys { state, missing, asked, secret, channel, .. } = &self.keys;
        let wish = match ask.wish {
            Wish::Lead => "lead",
            Wish::Release => "release",
        };
        let mut beat = self.scripts.beat.key(state);
        beat.key(missing).key(asked).key(secret).arg(text_of(ask.replica)).arg(wish).arg(ask.floor);
        beat.arg(ask.seen.epoch)
            .arg(ask.seen.sequence)
            .arg(millis(ask.life))
            .arg(u8::from(ask.is_settled))
            .arg(channel)
            .arg(self.secret_text());
        let (epoch, is_ours, left, stored_epoch, sequence, fresh, missing, asked, kept): Beaten =
            self.pulse.run(&beat).await?;
        if Secret::of_text(&kept).is_some() {
            self.go_by(kept);
        }
        let pulse = Pulse {
            epoch,
            is_ours: is_ours == 1,
            left: Duration::from_millis(left),
            stored: Number { epoch: stored_epoch, sequence },
            fresh: Duration::from_millis(fresh),
        };
        let missing = missing.iter().filter_map(|id| ChunkId::parse(id)).collect();
        let asked = asked.as_chunks::<2>().0.iter().map(|[registry, text]| Wanted {
            registry: registry.clone(),
            accept: text.starts_with(ACCEPT),
            text: text.clone(),
        });
        Ok(Heard { pulse, missing, asked: asked.collect() })
    }

    /// Writes a generation, packed, in place of another one. Its chunks must be there.
    ///
    /// # Errors
    /// When it is refused, or Redis does not answer: then it may be there all the same.
    pub async fn commit(&self, epoch: u64, base: Number, number: Number, packed: &[u8]) -> Result<(), Fault> {
        self.commit_bytes(epoch, base, number, packed).await
    }

    /// Writes a generation that holds nothing, to see what becomes of it: for tests.
    ///
    /// # Errors
    /// As [`Shared::commit`].
    #[doc(hidden)]
    pub async fn commit_number(&self, epoch: u64, base: Number, number: Number) -> Result<(), Fault> {
        self.commit_bytes(epoch, base, number, &[]).await
    }

    async fn commit_bytes(&self, epoch: u64, base: Number, number: Number, content: &[u8]) -> Result<(), Fault> {
        let mut commit = self.fenced(&self.scripts.commit, epoch);
        commit.arg(base.epoch).arg(base.sequence).arg(number.epoch).arg(number.sequence);
        commit.arg(content).arg(&self.keys.channel);
        self.sent.fetch_add(content.len() as u64, Ordering::Relaxed);
        let verdict: String = self.bulk.run(&commit).await?;
        match verdict_of(&verdict) {
            Committed::Accepted => Ok(()),
            Committed::Fenced => Err(Fault::Fenced),
            Committed::Moved => Err(Fault::Moved),
        }
    }

    /// Writes chunks.
    ///
    /// # Errors
    /// When it is refused, or Redis does not answer.
    pub async fn put(&self, epoch: u64, chunks: &[Arc<Chunk>]) -> Result<(), Fault> {
        let mut rest = chunks;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |chunk: &&Arc<Chunk>| {
                bytes += chunk.bytes.len();
                bytes <= BATCH_BYTES
            };
            let count = rest.iter().take(BATCH_CHUNKS).take_while(fits).count().max(1);
            let (batch, others) = rest.split_at(count);
            rest = others;
            let mut put = self.fenced(&self.scripts.put, epoch);
            put.arg(CHUNK_LIFE.as_secs());
            for chunk in batch {
                put.key(self.keys.of_chunk(chunk.id)).arg(&chunk.bytes);
                self.sent.fetch_add(chunk.bytes.len() as u64, Ordering::Relaxed);
            }
            self.run(&put).await?;
        }
        Ok(())
    }

    /// Lets chunks last anew; returns those that are not there.
    ///
    /// # Errors
    /// When it is refused, or Redis does not answer.
    pub async fn touch(&self, epoch: u64, ids: &[ChunkId]) -> Result<Vec<ChunkId>, Fault> {
        let mut gone = Vec::new();
        for batch in ids.chunks(NAMED_CHUNKS) {
            let mut touch = self.fenced(&self.scripts.touch, epoch);
            touch.arg(CHUNK_LIFE.as_secs());
            for id in batch {
                touch.key(self.keys.of_chunk(*id));
            }
            let there: Value = self.bulk.run(&touch).await?;
            let there: Vec<i64> = redis::from_redis_value(there).map_err(|_| Fault::Fenced)?;
            gone.extend(batch.iter().zip(there).filter_map(|(id, is_there)| (is_there == 0).then_some(*id)));
        }
        Ok(gone)
    }

    /// Drops chunks.
    ///
    /// # Errors
    /// When it is refused, or Redis does not answer.
    pub async fn drop_chunks(&self, epoch: u64, ids: &[ChunkId]) -> Result<(), Fault> {
        for batch in ids.chunks(NAMED_CHUNKS) {
            let mut drop_all = self.fenced(&self.scripts.drop, epoch);
            for id in batch {
                drop_all.key(self.keys.of_chunk(*id));
            }
            self.run(&drop_all).await?;
        }
        Ok(())
    }

    /// The generation that is there, packed, if there is one.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn manifest(&self) -> Result<Option<Vec<u8>>, Fault> {
        let packed: Option<Vec<u8>> = self.bulk.ask(redis::cmd("HGET").arg(&self.keys.state).arg("manifest")).await?;
        self.received.fetch_add(packed.as_ref().map_or(0, Vec::len) as u64, Ordering::Relaxed);
        Ok(packed)
    }

    /// Reads chunks, [`READ_CHUNKS`] at most; those that are not there are left out.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn read(&self, ids: &[ChunkId]) -> Result<Vec<Chunk>, Fault> {
        let mut get = redis::cmd("MGET");
        for id in ids {
            get.arg(self.keys.of_chunk(*id));
        }
        let found: Vec<Option<Vec<u8>>> = self.bulk.ask(&get).await?;
        let chunks = ids.iter().zip(found).filter_map(|(id, bytes)| Some(Chunk { id: *id, bytes: bytes? }));
        let chunks: Vec<Chunk> = chunks.collect();
        let bytes: usize = chunks.iter().map(|chunk| chunk.bytes.len()).sum();
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(chunks)
    }

    /// Tells the leader of chunks that are not there.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn miss(&self, ids: &[ChunkId]) -> Result<(), Fault> {
        let mut miss = redis::cmd("SADD");
        miss.arg(&self.keys.missing);
        for id in ids.iter().take(MISSING_CHUNKS) {
            miss.arg(id.as_text());
        }
        self.bulk.ask(&miss).await
    }

    /// Passes on to the leader what an administrator asks for.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn ask_leader(&self, registry: &str, accept: bool) -> Result<(), Fault> {
        let what = format!("{} {:016x}", if accept { ACCEPT } else { WALK }, fastrand::u64(..));
        self.bulk.ask(redis::cmd("HSET").arg(&self.keys.asked).arg(registry).arg(what)).await
    }

    /// Says that the leader knows what was asked for.
    ///
    /// # Errors
    /// When it is refused, or Redis does not answer.
    pub async fn has_heard(&self, epoch: u64, wanted: &Wanted) -> Result<(), Fault> {
        let mut done = self.fenced(&self.scripts.done, epoch);
        done.key(&self.keys.asked).arg(&wanted.registry).arg(&wanted.text);
        self.run(&done).await
    }

    fn fenced<'a>(&self, script: &'a redis::Script, epoch: u64) -> ScriptInvocation<'a> {
        let mut fenced = script.key(&self.keys.state);
        fenced.arg(text_of(self.replica)).arg(epoch);
        fenced
    }

    async fn run(&self, script: &ScriptInvocation<'_>) -> Result<(), Fault> {
        let verdict: String = self.bulk.run(script).await?;
        if verdict_of(&verdict) == Committed::Accepted { Ok(()) } else { Err(Fault::Fenced) }
    }
}

/// What `scripts::BEAT` answers.
type Beaten = (u64, u8, u64, u64, u64, u64, Vec<String>, Vec<String>, String);

/// What an administrator may ask for: a full walk, or one of which everything is believed.
const WALK: &str = "walk";
const ACCEPT: &str = "accept";

fn verdict_of(text: &str) -> Committed {
    match text {
        "accepted" => Committed::Accepted,
        "moved" => Committed::Moved,
        _ => Committed::Fenced,
    }
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        let key = |name: &str| format!("{{{prefix}}}:{FORMAT}:{name}");
        Self {
            secret: format!("{{{prefix}}}:secret"),
            look_up: key("look-up:"),
            state: key("state"),
            chunk: key("chunk:"),
            missing: key("missing"),
            asked: key("asked"),
            channel: key("news"),
        }
    }

    fn of_chunk(&self, id: ChunkId) -> String {
        format!("{}{}", self.chunk, id.as_text())
    }
}

fn text_of(replica: u64) -> String {
    format!("{replica:016x}")
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
