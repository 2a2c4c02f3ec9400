//! What request a target is: clients ask the same things in the same words, so the way from those words through
//! escapes, route and query to what is asked for need not be gone each time.
//!
//! A small table, in which a target has one place and the last one that came there stands; readers never wait.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use http::Uri;

use super::cache::CatalogRequest;

/// How many targets are known at a time. Filled with the longest ones it takes 1 MiB.
const PLACES: usize = 1 << 10;
/// The longest target that is worth a place.
const MAX_BYTES: usize = 512;

/// A target and the request that it is.
#[derive(Debug)]
struct Known {
    target: Box<str>,
    request: Arc<CatalogRequest>,
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

    /// The request that a target is, if that is known.
    pub(super) fn request(&self, target: &Uri) -> Option<Arc<CatalogRequest>> {
        let target = target.path_and_query()?.as_str();
        let known = self.place(target).load();
        known.as_ref().filter(|known| *known.target == *target).map(|known| Arc::clone(&known.request))
    }

    /// Notes that a target is this request.
    pub(super) fn note(&self, target: &Uri, request: &Arc<CatalogRequest>) {
        let target = target.path_and_query().map(http::uri::PathAndQuery::as_str);
        if let Some(target) = target.filter(|target| target.len() <= MAX_BYTES) {
            let known = Known { target: target.into(), request: Arc::clone(request) };
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
    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse().expect("a target")
    }

    fn request(name: &str) -> Arc<CatalogRequest> {
        Arc::new(CatalogRequest::Versions { name: name.to_owned(), include_deleted: false })
    }

    #[test]
    fn a_target_is_what_it_was_noted_as_and_another_one_is_not() {
        let targets = Targets::new();
        assert_eq!(targets.request(&uri("/v0/servers/a")), None);
        targets.note(&uri("/v0/servers/a"), &request("a"));
        assert_eq!(targets.request(&uri("/v0/servers/a")), Some(request("a")));
        assert_eq!(targets.request(&uri("http://host/v0/servers/a")), Some(request("a")), "whichever form it has");
        for other in ["/v0/servers/a?", "/v0/servers/b", "/v0/servers/A", "*"] {
            assert_eq!(targets.request(&uri(other)), None, "{other}");
        }
    }

    #[test]
    fn of_more_targets_than_there_are_places_the_last_ones_are_known() {
        let targets = Targets::new();
        let number = |at: usize| uri(&format!("/v0/servers/{at}"));
        for at in 0..10 * PLACES {
            targets.note(&number(at), &request(&at.to_string()));
            assert_eq!(targets.request(&number(at)), Some(request(&at.to_string())));
        }
        let known = (0..10 * PLACES).filter(|at| targets.request(&number(*at)).is_some()).count();
        assert!(known <= PLACES && known > PLACES / 2, "{known}");
        targets.note(&uri(&format!("/{}", "x".repeat(MAX_BYTES))), &request("long"));
        assert_eq!(targets.request(&uri(&format!("/{}", "x".repeat(MAX_BYTES)))), None);
    }
}
