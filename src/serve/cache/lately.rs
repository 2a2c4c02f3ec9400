//! What was asked for lately. A page that is asked for once and never again, as most of a long walk are, shall take no
//! place from one that is.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};

use super::CatalogRequest;

/// How many requests are remembered, at least and at most; each takes four bytes.
const MIN_PLACES: usize = 1 << 6;
const MAX_PLACES: usize = 1 << 16;
/// The size of a page: what is kept would leave a cache after about as many others as fit in it, so it is not worth more
/// to remember them for longer.
const PAGE_BYTES: u64 = 64 << 10;

/// The requests that came lately, in a table in which each has one place and the last one that came there stands.
#[derive(Debug)]
pub(super) struct Lately {
    /// A part of the request's hash, which is never 0.
    places: Box<[AtomicU32]>,
    hasher: RandomState,
}

impl Lately {
    /// For a cache that holds so many bytes.
    pub(super) fn of(max_bytes: u64) -> Self {
        let places = usize::try_from(max_bytes / PAGE_BYTES).unwrap_or(MAX_PLACES).clamp(MIN_PLACES, MAX_PLACES);
        Self { places: (0..places).map(|_| AtomicU32::new(0)).collect(), hasher: RandomState::new() }
    }

    /// Notes a request. Says whether it was noted before, as far as that is remembered.
    pub(super) fn note(&self, request: &CatalogRequest) -> bool {
        let hash = self.hasher.hash_one(request);
        let place = usize::try_from(hash % self.places.len() as u64).expect("there are fewer places");
        let mark = u32::try_from(hash >> 32).expect("half of it") | 1;
        self.places[place].swap(mark, Ordering::Relaxed) == mark
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(number: usize) -> CatalogRequest {
        CatalogRequest::Versions { name: number.to_string(), include_deleted: false }
    }

    #[test]
    fn what_was_asked_for_lately_is_known_and_what_was_long_ago_is_not() {
        let lately = Lately::of(16 << 20);
        assert!(!lately.note(&request(0)));
        assert!(lately.note(&request(0)));
        let places = lately.places.len();
        assert_eq!(places, 256);
        (1..=10 * places).for_each(|number| assert!(!lately.note(&request(number)), "{number}"));
        let known = (0..10 * places).filter(|number| lately.note(&request(*number))).count();
        assert!(known < places, "{known}");
    }

    #[test]
    fn however_large_a_cache_is_there_is_a_bound() {
        let places = |bytes| Lately::of(bytes).places.len();
        assert_eq!((places(0), places(u64::MAX)), (MIN_PLACES, MAX_PLACES));
    }
}
