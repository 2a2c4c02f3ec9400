//! How many requests were answered, how, and how fast: one fixed table of counters for each listener. To note an
//! answer takes four relaxed additions, and neither a lock nor memory.
//!
//! The table stands there several times, and every thread counts in one of them, so that processors do not take the
//! same numbers out of each other's caches. Whoever reads adds up.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use http::{Method, StatusCode};

use super::note::{CacheUse, Note, RouteName};

/// How often the table stands there.
const SHARDS: usize = 4;
/// The status codes that answers have (`error` decides); any other counts as the last.
const CODES: [u16; 23] =
    [200, 202, 204, 304, 400, 401, 403, 404, 405, 406, 408, 409, 412, 413, 414, 415, 422, 429, 431, 500, 501, 503, 0];
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "other"];
/// The upper ends of the buckets of durations, in microseconds: from what the cache answers to what registries are
/// waited for, and beyond.
const BUCKETS_MICROS: [u64; 15] =
    [50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 2_500_000, 5_000_000];

thread_local! {
    /// Where this thread counts.
    static SHARD: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS
    };
}

/// The answers of one listener.
#[derive(Debug)]
pub(super) struct Traffic {
    shards: Box<[Shard]>,
    /// Requests that ended without an answer: the client went away while it was made.
    abandoned: AtomicU64,
}

/// The counters of some threads, on cache lines of their own.
#[derive(Debug)]
#[repr(align(128))]
struct Shard {
    routes: Box<[OfRoute]>,
    cache: [AtomicU64; CacheUse::ALL.len()],
}

/// Those of one route.
#[derive(Debug)]
#[repr(align(128))]
struct OfRoute {
    answers: [[AtomicU64; CODES.len()]; METHODS.len()],
    /// The last bucket has no end.
    durations: [AtomicU64; BUCKETS_MICROS.len() + 1],
    micros: AtomicU64,
}

/// An answer as it is counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered {
    pub(super) note: Note,
    pub(super) method: u8,
    pub(super) status: StatusCode,
    /// Whether it goes on while it is sent: then how long that takes says nothing.
    pub(super) is_stream: bool,
}

/// Requests that are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answers {
    pub(super) route: &'static str,
    pub(super) method: &'static str,
    /// 0 for a status that is none of ours.
    pub(super) code: u16,
    pub(super) count: u64,
}

/// How long the requests of a route took.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Durations {
    pub(super) route: &'static str,
    pub(super) seconds: f64,
    pub(super) count: u64,
    /// How many took so many seconds and no longer than the bucket before; the last end is infinite.
    pub(super) buckets: Vec<(f64, u64)>,
}

/// The number of a method in the table.
pub(super) fn method_number(method: &Method) -> u8 {
    match *method {
        Method::GET => 0,
        Method::HEAD => 1,
        Method::POST => 2,
        Method::OPTIONS => 3,
        Method::PUT => 4,
        Method::DELETE => 5,
        _ => 6,
    }
}

/// The number of a status in the table.
fn code_number(status: StatusCode) -> usize {
    let code = status.as_u16();
    CODES.iter().position(|known| *known == code).unwrap_or(CODES.len() - 1)
}

impl Default for Traffic {
    fn default() -> Self {
        let route = || OfRoute {
            answers: [const { [const { AtomicU64::new(0) }; CODES.len()] }; METHODS.len()],
            durations: [const { AtomicU64::new(0) }; BUCKETS_MICROS.len() + 1],
            micros: AtomicU64::new(0),
        };
        let shard = || Shard {
            routes: (0..RouteName::ALL.len()).map(|_| route()).collect(),
            cache: [const { AtomicU64::new(0) }; CacheUse::ALL.len()],
        };
        Self { shards: (0..SHARDS).map(|_| shard()).collect(), abandoned: AtomicU64::new(0) }
    }
}

impl Traffic {
    /// Notes an answer, and how long it took from the request's head to its last byte.
    pub(super) fn note(&self, answered: &Answered, took: Duration) {
        let shard = &self.shards[SHARD.with(|shard| *shard)];
        let route = &shard.routes[answered.note.route as usize];
        let count = |counter: &AtomicU64, more: u64| counter.fetch_add(more, Ordering::Relaxed);
        count(&route.answers[usize::from(answered.method)][code_number(answered.status)], 1);
        count(&shard.cache[answered.note.cache as usize], 1);
        if !answered.is_stream {
            let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            let bucket = BUCKETS_MICROS.iter().position(|end| micros <= *end).unwrap_or(BUCKETS_MICROS.len());
            count(&route.durations[bucket], 1);
            count(&route.micros, micros);
        }
    }

    /// Notes a request that ended without an answer.
    pub(super) fn note_abandoned(&self) {
        self.abandoned.fetch_add(1, Ordering::Relaxed);
    }

    /// How many requests ended without an answer.
    pub(super) fn abandoned(&self) -> u64 {
        self.abandoned.load(Ordering::Relaxed)
    }

    /// How many answers there were, of those kinds of which there was one.
    pub(super) fn answers(&self) -> Vec<Answers> {
        let mut found = Vec::new();
        for name in RouteName::ALL {
            for (number, method) in METHODS.into_iter().enumerate() {
                for (at, code) in CODES.into_iter().enumerate() {
                    let count = self.sum(|shard| &shard.routes[name as usize].answers[number][at]);
                    if count > 0 {
                        found.push(Answers { route: name.as_str(), method, code, count });
                    }
                }
            }
        }
        found
    }

    /// How long requests took, of those routes of which there was one.
    pub(super) fn durations(&self) -> Vec<Durations> {
        let of = |name: RouteName| {
            let ends = BUCKETS_MICROS.into_iter().map(seconds).chain([f64::INFINITY]);
            let counts = (0..).map(|bucket: usize| self.sum(|shard| &shard.routes[name as usize].durations[bucket]));
            let buckets: Vec<(f64, u64)> = ends.zip(counts).collect();
            let count = buckets.iter().map(|(_, count)| count).sum();
            let seconds = seconds(self.sum(|shard| &shard.routes[name as usize].micros));
            (count > 0).then_some(Durations { route: name.as_str(), seconds, count, buckets })
        };
        RouteName::ALL.into_iter().filter_map(of).collect()
    }

    /// What the cache had of answers.
    pub(super) fn cache_uses(&self, uses: CacheUse) -> u64 {
        self.sum(|shard| &shard.cache[uses as usize])
    }

    fn sum(&self, of: impl Fn(&Shard) -> &AtomicU64) -> u64 {
        self.shards.iter().map(|shard| of(shard).load(Ordering::Relaxed)).sum()
    }
}

#[expect(clippy::cast_precision_loss, reason = "after 285 years of answering, microseconds are lost")]
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(route: RouteName, status: u16) -> Answered {
        let mut note = Note::default();
        (note.route, note.cache) = (route, CacheUse::Hit);
        let status = StatusCode::from_u16(status).expect("a status");
        Answered { note, method: method_number(&Method::GET), status, is_stream: false }
    }

    #[test]
    fn answers_are_counted_by_route_method_and_status_on_whichever_thread() {
        let traffic = Traffic::default();
        std::thread::scope(|scope| {
            for _ in 0..2 * SHARDS {
                scope.spawn(|| traffic.note(&answered(RouteName::List, 200), Duration::from_micros(80)));
            }
        });
        traffic.note(&answered(RouteName::Version, 418), Duration::from_secs(100));
        let stream = Answered { is_stream: true, ..answered(RouteName::Changes, 200) };
        traffic.note(&stream, Duration::from_hours(1));
        let of = |route: RouteName, code, count| Answers { route: route.as_str(), method: "GET", code, count };
        let list = of(RouteName::List, 200, 2 * SHARDS as u64);
        assert_eq!(traffic.answers(), [list, of(RouteName::Version, 0, 1), of(RouteName::Changes, 200, 1)]);
        assert_eq!(traffic.cache_uses(CacheUse::Hit), 2 * SHARDS as u64 + 2);
        let durations = traffic.durations();
        let [list, version] = &durations[..] else { panic!("the stream has none: {durations:?}") };
        assert_eq!((list.count, list.buckets[1]), (8, (100e-6, 8)));
        assert!((list.seconds - 8.0 * 80e-6).abs() < 1e-9, "{list:?}");
        assert_eq!(version.buckets.last(), Some(&(f64::INFINITY, 1)));
    }

    #[test]
    fn every_status_that_problems_have_has_a_place() {
        for code in [400, 401, 403, 404, 405, 406, 408, 412, 413, 414, 415, 422, 431, 500, 501, 503] {
            let status = StatusCode::from_u16(code).expect("a status");
            assert_ne!(code_number(status), CODES.len() - 1, "{code}");
        }
    }
}
