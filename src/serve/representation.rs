//! A body that clients may keep: its type, its entity tag, since when it is what it is, and its encoded forms,
//! each made once, when it is first asked for, off the runtime's threads.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::HeaderValue;
use jiff::Timestamp;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::spawn_blocking;

use super::cache::Place;
use super::coding::Coding;
use super::error::Problem;

/// The part of a body's digest that goes into its tag, in bytes.
const TAG_BYTES: usize = 16;

/// What identifies a body, whatever its coding: 128 bits of BLAKE3. A page has entries of many, and one of them shall
/// not be able to keep a page's tag while another one's entry changes; SHA-256 would take longer than the page itself.
/// A strong entity tag must differ between codings (RFC 9110 §8.8.3.3), so each adds its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tag(Box<str>);

impl Tag {
    /// That of a body; or that of what a body is made of, if another body is made of other things.
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(&blake3::hash(bytes).as_bytes()[..TAG_BYTES]).into())
    }

    #[cfg(test)]
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether an entity tag, without its quotes, is of this body in any coding.
    pub(super) fn is_of(&self, text: &str) -> bool {
        text.strip_prefix(&*self.0).is_some_and(|rest| Coding::ALL.into_iter().any(|coding| suffix(coding) == rest))
    }

    fn header(&self, coding: Coding) -> HeaderValue {
        let text = ["\"", &self.0, suffix(coding), "\""].concat();
        HeaderValue::try_from(text).expect("base64 and the name of a coding make a header")
    }
}

fn suffix(coding: Coding) -> &'static str {
    match coding {
        Coding::Zstd => "-zstd",
        Coding::Brotli => "-br",
        Coding::Gzip => "-gzip",
        Coding::Identity => "",
    }
}

/// A body and what is known of it.
#[derive(Debug)]
pub(super) struct Representation {
    pub(super) content_type: HeaderValue,
    /// What a browser that shows it may load and run, where that is more than nothing.
    pub(super) policy: Option<HeaderValue>,
    /// Where the cache keeps it, if it does.
    pub(super) place: Option<Place>,
    /// A header of the request that it depends on, besides those that every body depends on.
    pub(super) varies_by: Option<HeaderValue>,
    pub(super) tag: Tag,
    /// Each made when somebody first wants it, as what follows is: most bodies are sent once, in one coding.
    entity_tags: [OnceLock<HeaderValue>; 4],
    modified: SystemTime,
    last_modified: OnceLock<HeaderValue>,
    body: Bytes,
    encoded: [OnceLock<Bytes>; 3],
    /// Held by the one request that has a coding made, so that the others wait without a thread.
    turn: OnceLock<Arc<Mutex<()>>>,
}

impl Representation {
    /// `changed_at` is when the body became what it is.
    pub(super) fn new(content_type: HeaderValue, body: Bytes, changed_at: Timestamp) -> Self {
        let tag = Tag::of(&body);
        Self::tagged(content_type, body, tag, changed_at)
    }

    /// The same of a body whose tag is known.
    pub(super) fn tagged(content_type: HeaderValue, body: Bytes, tag: Tag, changed_at: Timestamp) -> Self {
        // Dates count in seconds: from the next one on, nothing has changed since.
        let second = u64::try_from(changed_at.as_second()).unwrap_or_default() + 1;
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        Self {
            content_type,
            policy: None,
            place: None,
            varies_by: None,
            tag,
            entity_tags: Default::default(),
            modified,
            last_modified: OnceLock::new(),
            body,
            encoded: Default::default(),
            turn: OnceLock::new(),
        }
    }

    /// The same with a body of its own, of no more than its length; nothing is encoded yet, and it is kept nowhere.
    pub(super) fn copied(&self) -> Self {
        Self {
            content_type: self.content_type.clone(),
            policy: self.policy.clone(),
            place: None,
            varies_by: self.varies_by.clone(),
            tag: self.tag.clone(),
            entity_tags: Default::default(),
            modified: self.modified,
            last_modified: OnceLock::new(),
            body: Bytes::copy_from_slice(&self.body),
            encoded: Default::default(),
            turn: OnceLock::new(),
        }
    }

    /// The same under a `Content-Security-Policy` of its own.
    pub(super) fn under(self, policy: HeaderValue) -> Self {
        Self { policy: Some(policy), ..self }
    }

    /// The same in its place of the cache.
    pub(super) fn kept_in(self, place: Place) -> Self {
        Self { place: Some(place), ..self }
    }

    /// The same where it depends on this header of the request too.
    pub(super) fn varying_by(self, header: HeaderValue) -> Self {
        Self { varies_by: Some(header), ..self }
    }

    /// The body as it is.
    pub(super) fn body(&self) -> &Bytes {
        &self.body
    }

    /// The entity tag in a coding.
    pub(super) fn entity_tag(&self, coding: Coding) -> HeaderValue {
        self.entity_tags[coding as usize].get_or_init(|| self.tag.header(coding)).clone()
    }

    /// The second from which on the body has not changed: the one after its last change.
    pub(super) fn modified(&self) -> SystemTime {
        self.modified
    }

    /// `Last-Modified`. Whoever asks before the second of the change is over gets a date before the change, so that
    /// another one in the same second is not missed, and none is later than the answer's `Date` (RFC 9110 §8.8.2.1),
    /// which lags by up to a second.
    pub(super) fn last_modified(&self, now: SystemTime) -> HeaderValue {
        let latest = now - Duration::from_secs(1);
        if latest < self.modified {
            return http_date(latest);
        }
        self.last_modified.get_or_init(|| http_date(self.modified)).clone()
    }

    /// How many bytes it holds, encoded forms included.
    pub(super) fn bytes(&self) -> usize {
        let encoded: usize = self.encoded.iter().filter_map(OnceLock::get).map(Bytes::len).sum();
        self.body.len() + encoded
    }

    /// The body in a coding, if it is there.
    pub(super) fn ready(&self, coding: Coding) -> Option<Bytes> {
        match coding {
            Coding::Identity => Some(self.body.clone()),
            coding => self.encoded[coding as usize].get().cloned(),
        }
    }

    /// Makes the body in a coding, unless it is there, and says so to `made`: this representation has grown.
    pub(super) async fn encode(
        self: &Arc<Self>,
        coding: Coding,
        encoders: &Encoders,
        made: impl FnOnce(&Arc<Self>) + Send + 'static,
    ) -> Result<Bytes, Problem> {
        let turn = Arc::clone(self.turn.get_or_init(Arc::default)).lock_owned().await;
        if let Some(ready) = self.ready(coding) {
            return Ok(ready);
        }
        // The semaphore is never closed.
        let permit = Arc::clone(&encoders.0).acquire_owned().await.ok();
        let this = Arc::clone(self);
        let encoding = spawn_blocking(move || {
            // Held to the end, also when the request that began this has gone away: the next one finds the result.
            let _held = (turn, permit);
            let encoded = coding.encode(&this.body)?;
            let encoded = this.encoded[coding as usize].get_or_init(|| encoded).clone();
            made(&this);
            Ok(encoded)
        });
        match encoding.await {
            Ok(Ok(encoded)) => Ok(encoded),
            Ok(Err(error)) => Err(failed(coding, &error)),
            Err(panicked) => Err(failed(coding, &panicked.into())),
        }
    }
}

fn http_date(time: SystemTime) -> HeaderValue {
    HeaderValue::try_from(httpdate::fmt_http_date(time)).expect("a date makes a header")
}

fn failed(coding: Coding, error: &std::io::Error) -> Problem {
    tracing::error!(coding = coding.name(), %error, "a body could not be encoded");
    Problem::Internal
}

/// How many bodies may be encoded at the same time: as many as there are processors.
#[derive(Clone, Debug)]
pub(super) struct Encoders(Arc<Semaphore>);

impl Encoders {
    pub(super) fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self(Arc::new(Semaphore::new(processors)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn representation() -> Arc<Representation> {
        let body = Bytes::from("{\"servers\":[]}".repeat(1_000));
        let at = Timestamp::from_second(10).expect("in range");
        Arc::new(Representation::new(HeaderValue::from_static("application/json"), body, at))
    }

    #[tokio::test]
    async fn a_coding_is_made_once_however_many_ask_and_whoever_goes_away() {
        let (representation, encoders) = (representation(), Arc::new(Encoders::new()));
        let made = Arc::new(AtomicUsize::new(0));
        let ask = || {
            let (representation, encoders) = (Arc::clone(&representation), Arc::clone(&encoders));
            let made = Arc::clone(&made);
            async move {
                let count = move |_: &Arc<Representation>| {
                    made.fetch_add(1, Ordering::SeqCst);
                };
                representation.encode(Coding::Brotli, &encoders, count).await.expect("memory")
            }
        };
        let mut waiting = tokio::task::JoinSet::new();
        (0..20).for_each(|_| drop(waiting.spawn(ask())));
        // The first one has begun, and all who asked with it are gone.
        tokio::task::yield_now().await;
        waiting.shutdown().await;
        let (one, other) = tokio::join!(ask(), ask());
        assert_eq!(one.as_ptr(), other.as_ptr(), "the very same bytes");
        assert_eq!(made.load(Ordering::SeqCst), 1);
        assert_eq!(representation.bytes(), representation.body().len() + one.len());
    }

    #[test]
    fn a_date_is_given_only_when_nothing_more_can_happen_in_its_second() {
        let representation = representation();
        let at = |second, nanosecond| SystemTime::UNIX_EPOCH + Duration::new(second, nanosecond);
        assert_eq!(representation.last_modified(at(10, 500)), "Thu, 01 Jan 1970 00:00:09 GMT");
        assert_eq!(representation.last_modified(at(11, 999)), "Thu, 01 Jan 1970 00:00:10 GMT");
        assert_eq!(representation.last_modified(at(12, 0)), "Thu, 01 Jan 1970 00:00:11 GMT");
        assert_eq!(representation.last_modified(at(99, 0)), "Thu, 01 Jan 1970 00:00:11 GMT");
        assert_eq!(representation.modified(), at(11, 0));
    }
}
