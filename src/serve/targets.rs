//! What request a target is: clients ask the same things in the same words, so the way from those words through
//! escapes, route and query to what is asked for need not be gone each time.
//!
//! A small table, in which a target has one place and the last one that came there stands; readers never wait.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};

use arc_swap::ArcSwapOption;
use http::Uri;

use super::cache::CatalogRequest;
use super::representation::Representation;

/// How many targets are known at a time. Filled with the longest ones it takes 1 MiB.
const PLACES: usize = 1 << 10;
/// The longest target that is worth a place.
const MAX_BYTES: usize = 512;

/// How many times a target is answered with what is known before the cache is asked for it. What is asked for often
/// thus stays among what was used lately, at a small part of the cost.
const ANSWERS_BETWEEN: u32 = 32;

/// A target, the request that it is, and what it was answered with.
#[derive(Debug)]
pub(super) struct Known {
    target: Box<str>,
    pub(super) request: Arc<CatalogRequest>,
    /// The cache decides how long it lives.
    representation: Weak<Representation>,
    answers: AtomicU32,
}

impl Known {
    /// What it was answered with, if that is still there.
    pub(super) fn representation(&self) -> Option<Arc<Representation>> {
        self.representation.upgrade()
    }

    /// Whether it is time to ask the cache for it, this time.
    pub(super) fn is_due(&self) -> bool {
        self.answers.fetch_add(1, Ordering::Relaxed).is_multiple_of(ANSWERS_BETWEEN)
    }
}

/// The targets that came lately.
#[derive(Debug)]
pub(super) struct Targets {
    places: Box<[ArcSwapOption<Known>]>,
    hasher: RandomState,
}

impl Targets {
    pub(super) fn new() -> Self {
        Self { places: (0..PLACES).map(|_| ArcSwapOption::empty()).collect(), hasher: RandomState::new() }
    }

    /// Calls `see` with what is known of a target, if something is.
    pub(super) fn known<T>(&self, target: &Uri, see: impl FnOnce(&Known) -> T) -> Option<T> {
        let target = target.path_and_query()?.as_str();
        let known = self.place(target).load();
        known.as_ref().filter(|known| *known.target == *target).map(|known| see(known))
    }

    /// Notes that a target is this request, and what it was answered with.
    pub(super) fn note(&self, target: &Uri, request: &Arc<CatalogRequest>, representation: &Arc<Representation>) {
        let target = target.path_and_query().map(http::uri::PathAndQuery::as_str);
        if let Some(target) = target.filter(|target| target.len() <= MAX_BYTES) {
            let known = Known {
                target: target.into(),
                request: Arc::clone(request),
                representation: Arc::downgrade(representation),
                answers: AtomicU32::new(0),
            };
            self.place(target).store(Some(Arc::new(known)));
        }
    }

    fn place(&self, target: &str) -> &ArcSwapOption<Known> {
        let place = usize::try_from(self.hasher.hash_one(target) % PLACES as u64).expect("there are fewer places");
        &self.places[place]
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use jiff::Timestamp;

    use super::super::respond::JSON;
    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse().expect("a target")
    }

    fn request(name: &str) -> Arc<CatalogRequest> {
        Arc::new(CatalogRequest::Versions { name: name.to_owned(), include_deleted: false })
    }

    fn representation() -> Arc<Representation> {
        Arc::new(Representation::new(JSON, Bytes::from_static(b"{}"), Timestamp::UNIX_EPOCH))
    }

    fn known(targets: &Targets, target: &str) -> Option<Arc<CatalogRequest>> {
        targets.known(&uri(target), |known| Arc::clone(&known.request))
    }

    #[test]
    fn a_target_is_what_it_was_noted_as_and_another_one_is_not() {
        let targets = Targets::new();
        assert_eq!(known(&targets, "/v0/servers/a"), None);
        targets.note(&uri("/v0/servers/a"), &request("a"), &representation());
        assert_eq!(known(&targets, "/v0/servers/a"), Some(request("a")));
        assert_eq!(known(&targets, "http://host/v0/servers/a"), Some(request("a")), "whichever form it has");
        for other in ["/v0/servers/a?", "/v0/servers/b", "/v0/servers/A", "*"] {
            assert_eq!(known(&targets, other), None, "{other}");
        }
    }

    #[test]
    fn what_a_target_was_answered_with_lives_as_long_as_the_cache_keeps_it() {
        let (targets, target, kept) = (Targets::new(), uri("/v0/servers/a"), representation());
        targets.note(&target, &request("a"), &kept);
        let answer = || targets.known(&target, Known::representation).expect("known");
        assert!(answer().is_some_and(|answer| Arc::ptr_eq(&answer, &kept)));
        drop(kept);
        assert!(answer().is_none());
    }

    #[test]
    fn the_cache_is_asked_now_and_then() {
        let (targets, target) = (Targets::new(), uri("/v0/servers/a"));
        targets.note(&target, &request("a"), &representation());
        let due = (0..3 * ANSWERS_BETWEEN).filter(|_| targets.known(&target, Known::is_due) == Some(true)).count();
        assert_eq!(due, 3);
    }

    #[test]
    fn of_more_targets_than_there_are_places_the_last_ones_are_known() {
        let targets = Targets::new();
        let number = |at: usize| format!("/v0/servers/{at}");
        for at in 0..10 * PLACES {
            targets.note(&uri(&number(at)), &request(&at.to_string()), &representation());
            assert_eq!(known(&targets, &number(at)), Some(request(&at.to_string())));
        }
        let count = (0..10 * PLACES).filter(|at| known(&targets, &number(*at)).is_some()).count();
        assert!(count <= PLACES && count > PLACES / 2, "{count}");
        let long = format!("/{}", "x".repeat(MAX_BYTES));
        targets.note(&uri(&long), &request("long"), &representation());
        assert_eq!(known(&targets, &long), None);
    }
}
