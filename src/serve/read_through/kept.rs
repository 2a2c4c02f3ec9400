//! What flights brought, remembered for a short time, also where it is nothing. Bounded by count and by bytes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use moka::Expiry;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::super::cache::CatalogRequest;
use super::super::representation::Representation;
use super::key::Key;
use crate::catalog::entry::Entry;
use crate::registry::Registry;

/// How much all outcomes may take, and how many there may be: each is taken for no less than its part.
const MAX_BYTES: u64 = 8 << 20;
const MAX_OUTCOMES: u64 = 1024;
/// What an entry costs: its bytes, once more in each answer that is kept, and once for their encoded forms.
const COPIES: usize = 2 + MAX_RENDERED;
/// How many answers that were made of one outcome are kept: all versions, the latest and one of them, for instance.
const MAX_RENDERED: usize = 3;
/// How long what was found is served.
const FOUND_TTL: Duration = Duration::from_mins(1);
/// The same where not everybody has answered: whoever did not shall be asked again soon, though not by everyone.
const UNSURE_TTL: Duration = Duration::from_secs(10);

/// What was found, by registry. Bound to the registry as it was asked: one that is configured anew is another.
pub(super) type Found = Vec<(Weak<Registry>, Vec<Arc<Entry>>)>;

/// What a flight brought.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Who was to be asked.
    candidates: Vec<Weak<Registry>>,
    /// Of each registry that has it.
    found: Found,
    is_whole: bool,
    landed_at: Timestamp,
    landed: Instant,
    ttl: Duration,
    /// The last answers that were made of it, the newest last.
    rendered: Mutex<VecDeque<Arc<Representation>>>,
}

impl Outcome {
    /// `is_whole` says whether everybody has answered, `age` how long ago the first of them did.
    pub(super) fn new(
        candidates: Vec<Weak<Registry>>,
        found: Found,
        is_whole: bool,
        negative_ttl: Duration,
        age: Duration,
    ) -> Self {
        let ttl = match (is_whole, found.is_empty()) {
            (true, true) => negative_ttl,
            (true, false) => FOUND_TTL,
            (false, true) => UNSURE_TTL.min(negative_ttl),
            (false, false) => UNSURE_TTL,
        };
        let ttl = ttl.saturating_sub(age);
        let (landed_at, landed) = (Timestamp::now(), Instant::now());
        Self { candidates, found, is_whole, landed_at, landed, ttl, rendered: Mutex::default() }
    }

    /// Whether everybody has answered: then it is certain who has it, and that nobody else has.
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// How much longer it is remembered.
    pub(super) fn seconds_left(&self, now: Instant) -> u64 {
        (self.landed + self.ttl).saturating_duration_since(now).as_secs()
    }

    /// Whether all of these were to be asked. One that has become usable since, or is configured anew, was not.
    pub(super) fn covers(&self, registries: &[Arc<Registry>]) -> bool {
        let was_candidate = |registry| self.candidates.iter().any(|candidate| is_same(candidate, registry));
        registries.iter().all(was_candidate)
    }

    /// Whether nobody has it.
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// What one registry has.
    pub(super) fn of(&self, registry: &Arc<Registry>) -> impl Iterator<Item = &Arc<Entry>> {
        let theirs = self.found.iter().filter(|(whose, _)| is_same(whose, registry));
        theirs.flat_map(|(_, entries)| entries)
    }

    /// A body that was made of it: the same representation for as long as the body is the same, so that it is
    /// encoded once. Pages are not kept: how much longer than the entry one is, the entry decides, and what is kept is
    /// weighed by the entry.
    pub(super) fn represent(
        &self,
        request: &CatalogRequest,
        body: Vec<u8>,
        published_at: Timestamp,
    ) -> Arc<Representation> {
        if matches!(request, CatalogRequest::Page(_)) {
            return Arc::new(request.represent(body.into(), None, self.landed_at.max(published_at)));
        }
        let mut rendered = self.rendered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = rendered.iter().find(|known| known.body() == &body) {
            return Arc::clone(same);
        }
        let changed_at = self.landed_at.max(published_at);
        let representation = Arc::new(request.represent(body.into(), None, changed_at));
        if MAX_RENDERED <= rendered.len() {
            rendered.pop_front();
        }
        rendered.push_back(Arc::clone(&representation));
        representation
    }

    fn bytes(&self) -> usize {
        self.found.iter().flat_map(|(_, entries)| entries).map(|entry| entry.bytes()).sum()
    }
}

fn is_same(known: &Weak<Registry>, registry: &Arc<Registry>) -> bool {
    std::ptr::eq(known.as_ptr(), Arc::as_ptr(registry))
}

/// The outcomes that are remembered.
pub(super) struct Kept(Cache<Key, Arc<Outcome>>);

impl Kept {
    pub(super) fn new() -> Self {
        let cache = Cache::builder().max_capacity(MAX_BYTES).weigher(weigh).expire_after(Ttl);
        Self(cache.eviction_policy(EvictionPolicy::lru()).build())
    }

    pub(super) fn get(&self, key: &Key) -> Option<Arc<Outcome>> {
        self.0.get(key)
    }

    /// Remembers an outcome, and says whether there is room for it: one that is larger than all there is goes by.
    pub(super) fn put(&self, key: Key, outcome: Arc<Outcome>) -> bool {
        let has_room = u64::from(weigh(&key, &outcome)) <= MAX_BYTES;
        if has_room {
            self.0.insert(key, outcome);
        }
        has_room
    }
}

fn weigh(key: &Key, outcome: &Arc<Outcome>) -> u32 {
    let least = usize::try_from(MAX_BYTES / MAX_OUTCOMES).unwrap_or(usize::MAX);
    let bytes = (key.bytes() + COPIES * outcome.bytes()).max(least);
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// Every outcome has its own time to live.
struct Ttl;

impl Expiry<Key, Arc<Outcome>> for Ttl {
    fn expire_after_create(&self, _: &Key, outcome: &Arc<Outcome>, _: Instant) -> Option<Duration> {
        Some(outcome.ttl)
    }

    fn expire_after_update(
        &self,
        _: &Key,
        outcome: &Arc<Outcome>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(outcome.ttl)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::pages::{Page, Root};
    use super::*;

    #[test]
    fn how_long_it_is_remembered_depends_on_what_it_is() {
        let ttl = |found: bool, is_whole: bool, negative: u64| {
            let found = if found { vec![(Weak::new(), Vec::new())] } else { Vec::new() };
            Outcome::new(Vec::new(), found, is_whole, Duration::from_secs(negative), Duration::ZERO).ttl.as_secs()
        };
        assert_eq!(ttl(true, true, 30), 60);
        assert_eq!(ttl(false, true, 30), 30);
        assert_eq!(ttl(true, false, 30), 10, "whoever did not answer may have the better one");
        assert_eq!(ttl(false, false, 30), 10);
        assert_eq!(ttl(false, false, 5), 5);
    }

    #[test]
    fn what_is_left_of_it_is_said() {
        let outcome = Outcome::new(Vec::new(), Vec::new(), true, Duration::from_secs(30), Duration::ZERO);
        let after = |seconds: u64| outcome.seconds_left(outcome.landed + Duration::from_secs(seconds));
        assert_eq!((after(0), after(20), after(40)), (30, 10, 0));
        let age = Duration::from_secs(12);
        let told = Outcome::new(Vec::new(), Vec::new(), true, Duration::from_secs(30), age);
        assert_eq!(told.seconds_left(told.landed), 18, "another replica found out 12 s ago");
    }

    #[test]
    fn pages_are_not_kept_for_they_are_weighed_by_the_entry() {
        let outcome = Outcome::new(Vec::new(), Vec::new(), true, Duration::from_secs(30), Duration::ZERO);
        let twice = |request: &CatalogRequest| {
            let make = || outcome.represent(request, b"body".to_vec(), Timestamp::UNIX_EPOCH);
            Arc::ptr_eq(&make(), &make())
        };
        let name = || "com.example/search".to_owned();
        let root = Root::of("/server/x").expect("a path that is not deep");
        assert!(!twice(&CatalogRequest::Page(Page::Server { name: name(), version: None, root })));
        assert!(twice(&CatalogRequest::Versions { name: name(), include_deleted: false }));
        assert_eq!(outcome.rendered.lock().expect("nobody panicked").len(), 1);
    }
}
