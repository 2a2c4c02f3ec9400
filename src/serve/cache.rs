//! Rendered bodies, kept by canonical request, bounded by bytes.
//!
//! There is no invalidation: a body knows the revision of its catalog, an older one is rendered again, and what
//! nobody asks for any more leaves as the least recently used. Errors are not kept; they are cheap. Nor are those pages
//! of a walk that were not asked for lately, until they are asked for again or encoded: most of a long walk's never are.

mod buffers;
mod lately;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use jiff::Timestamp;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::api::Rendered;
use super::inspections::Inspection;
use super::pages::{self, Page};
use super::query::ListQuery;
use super::read_through::Source;
use super::representation::{Representation, Tag};
use super::respond::JSON;
use super::targets::Known;
use crate::catalog::Catalog;
use buffers::Buffers;
use lately::Lately;

/// What a rendered body costs besides its bytes: tags, locks, the cache's own book-keeping.
const OVERHEAD_BYTES: usize = 1 << 10;

/// A request whose answer depends on the catalog alone, in canonical form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum CatalogRequest {
    List(ListQuery),
    Versions { name: String, include_deleted: bool },
    Version { name: String, version: String, include_deleted: bool },
    Inspection(Inspection),
    Page(Page),
}

impl CatalogRequest {
    fn heap_bytes(&self) -> usize {
        match self {
            Self::List(query) => query.heap_bytes(),
            Self::Versions { name, .. } => name.len(),
            Self::Version { name, version, .. } => name.len() + version.len(),
            Self::Inspection(inspection) => inspection.heap_bytes(),
            Self::Page(page) => page.heap_bytes(),
        }
    }

    /// Whether it takes no more to render it than to write it.
    fn is_cheap(&self) -> bool {
        matches!(self, Self::List(query) if query.is_of_a_walk())
    }

    /// An answer to it, which became what it is then.
    pub(super) fn represent(&self, body: Bytes, tag: Option<Tag>, changed_at: Timestamp) -> Representation {
        let tag = tag.unwrap_or_else(|| Tag::of(&body));
        match self {
            Self::Page(_) => Representation::tagged(pages::HTML, body, tag, changed_at).under(pages::POLICY),
            _ => Representation::tagged(JSON, body, tag, changed_at),
        }
    }
}

/// What a body is kept under, and the catalog that it was last found to be the answer of.
#[derive(Debug)]
pub(super) struct Place {
    request: Arc<CatalogRequest>,
    revision: AtomicU64,
}

impl Representation {
    /// Whether it is kept as the answer out of that catalog too.
    fn is_of(&self, catalog: &Catalog) -> bool {
        self.place.as_ref().is_some_and(|place| catalog.revision <= place.revision.load(Ordering::Acquire))
    }

    /// It was found to be the answer out of that catalog too.
    fn note(&self, catalog: &Catalog) {
        if let Some(place) = &self.place {
            place.revision.fetch_max(catalog.revision, Ordering::AcqRel);
        }
    }
}

impl Place {
    /// The same for another copy of the body.
    fn again(&self) -> Self {
        Self { request: Arc::clone(&self.request), revision: self.revision.load(Ordering::Acquire).into() }
    }
}

/// Whether an answer was there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Memory,
    Rendered,
    /// It is none of the catalog's: registries were asked for it, and all of them have answered or not.
    ReadThrough {
        source: Source,
        is_whole: bool,
    },
}

/// The cache of rendered bodies. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub(super) struct ResponseCache {
    bodies: Cache<Arc<CatalogRequest>, Arc<Representation>>,
    /// What was asked for lately, also where it was not kept.
    lately: Arc<Lately>,
    /// What those bodies are written to that are not kept.
    buffers: Buffers,
    /// How many have been put in that were not there.
    added: Arc<AtomicU64>,
    /// The most that have been found to have left. What is put in counts before it is there, and the other way round, so
    /// that the difference alone would fall at times.
    evicted: Arc<AtomicU64>,
    max_bytes: u64,
}

/// How full the cache is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CacheFigures {
    pub(super) bodies: u64,
    pub(super) bytes: u64,
    pub(super) max_bytes: u64,
    pub(super) evicted: u64,
}

impl ResponseCache {
    pub(super) fn new(max_bytes: u64) -> Self {
        let weigh = |request: &Arc<CatalogRequest>, kept: &Arc<Representation>| {
            u32::try_from(OVERHEAD_BYTES + request.heap_bytes() + kept.bytes()).unwrap_or(u32::MAX)
        };
        let builder = Cache::builder().max_capacity(max_bytes).weigher(weigh).eviction_policy(EvictionPolicy::lru());
        Self {
            bodies: builder.build(),
            lately: Arc::new(Lately::of(max_bytes)),
            buffers: Buffers::default(),
            added: Arc::default(),
            evicted: Arc::default(),
            max_bytes,
        }
    }

    /// How full it is.
    pub(super) fn figures(&self) -> CacheFigures {
        // What was put in lately counts only from then on.
        self.bodies.run_pending_tasks();
        // A listener of the cache's would know, and every answer that is put in would pay for it.
        let gone = self.added.load(Ordering::Relaxed).saturating_sub(self.bodies.entry_count());
        CacheFigures {
            bodies: self.bodies.entry_count(),
            bytes: self.bodies.weighted_size(),
            max_bytes: self.max_bytes,
            evicted: self.evicted.fetch_max(gone, Ordering::Relaxed).max(gone),
        }
    }

    /// What a target is known to be answered with, if that is the answer out of this catalog. The cache is asked only
    /// now and then, so that it knows what is wanted.
    pub(super) fn recall(&self, catalog: &Catalog, known: &Known) -> Option<Arc<Representation>> {
        let kept = known.representation().filter(|kept| kept.is_of(catalog))?;
        (!known.is_due() || self.bodies.get(&known.request).is_some_and(|now| Arc::ptr_eq(&now, &kept))).then_some(kept)
    }

    /// The answer to a request out of a catalog, rendered unless it is there. Two requests that miss at the same
    /// time both render: that takes microseconds, and neither waits for the other. `render` is given what to write to.
    pub(super) fn get_or_render<E>(
        &self,
        catalog: &Catalog,
        request: &Arc<CatalogRequest>,
        render: impl FnOnce(&CatalogRequest, Vec<u8>) -> Result<Rendered, E>,
    ) -> Result<(Arc<Representation>, Origin), E> {
        let kept = self.bodies.get(request);
        if let Some(kept) = kept.as_ref().filter(|kept| kept.is_of(catalog)) {
            return Ok((Arc::clone(kept), Origin::Memory));
        }
        let place = Place { request: Arc::clone(request), revision: catalog.revision.into() };
        if kept.is_none() && request.is_cheap() && !self.lately.note(request) {
            let Rendered { body, tag } = render(request, self.buffers.take())?;
            let representation = request.represent(self.buffers.body(body), tag, catalog.published_at).kept_in(place);
            return Ok((Arc::new(representation), Origin::Rendered));
        }
        let Rendered { body, tag } = render(request, Vec::new())?;
        let is_known = kept.is_some();
        // Most publications leave most pages as they were: tag, date and encoded forms stay good.
        if let Some(kept) = kept.filter(|kept| kept.body() == &body) {
            kept.note(catalog);
            return Ok((kept, Origin::Rendered));
        }
        let representation = Arc::new(request.represent(body.into(), tag, catalog.published_at).kept_in(place));
        self.insert(request, &representation, is_known);
        Ok((representation, Origin::Rendered))
    }

    fn insert(&self, request: &Arc<CatalogRequest>, representation: &Arc<Representation>, is_known: bool) {
        self.added.fetch_add(u64::from(!is_known), Ordering::Relaxed);
        self.bodies.insert(Arc::clone(request), Arc::clone(representation));
    }

    /// Keeps an answer that was not worth it before: a coding is about to be made of it, which is made once. Returns
    /// what is kept.
    pub(super) fn keep(&self, representation: Arc<Representation>) -> Arc<Representation> {
        let Some(place) = &representation.place else { return representation };
        let kept = self.bodies.get(&place.request);
        let is_same =
            |kept: &Arc<Representation>| Arc::ptr_eq(kept, &representation) || kept.body() == representation.body();
        if let Some(kept) = kept.as_ref().filter(|kept| is_same(kept)) {
            return Arc::clone(kept);
        }
        let copy = Arc::new(representation.copied().kept_in(place.again()));
        self.insert(&place.request, &copy, kept.is_some());
        copy
    }

    /// The answer to a request out of a catalog, if it is there.
    pub(super) fn ready(
        &self,
        catalog: &Catalog,
        request: &Arc<CatalogRequest>,
    ) -> Option<(Arc<Representation>, Origin)> {
        let kept = self.bodies.get(request).filter(|kept| kept.is_of(catalog))?;
        Some((kept, Origin::Memory))
    }

    /// Weighs an answer again that has got another encoded form.
    pub(super) fn weigh_again(&self, representation: &Arc<Representation>) {
        let Some(Place { request, .. }) = &representation.place else { return };
        if self.bodies.get(request).is_some_and(|kept| Arc::ptr_eq(&kept, representation)) {
            self.bodies.insert(Arc::clone(request), Arc::clone(representation));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::page::{Filter, Position};

    fn rendered(bytes: usize) -> Rendered {
        Rendered { body: vec![b' '; bytes], tag: None }
    }

    /// A page of a walk, and what the cache has of it.
    fn ask(cache: &ResponseCache, name: &str) -> (Arc<Representation>, Origin) {
        let after = Some(Position { name: name.into(), version: None });
        let query = ListQuery { filter: Filter::default(), after, limit: 50 };
        let request = Arc::new(CatalogRequest::List(query));
        cache.get_or_render(&Catalog::default(), &request, |_, _| Ok::<_, ()>(rendered(512))).expect("it is rendered")
    }

    #[test]
    fn a_page_is_kept_when_it_is_asked_for_again() {
        let cache = ResponseCache::new(1 << 20);
        let origins = ["a", "a", "b", "a"].map(|name| ask(&cache, name).1);
        assert_eq!(origins, [Origin::Rendered, Origin::Rendered, Origin::Rendered, Origin::Memory]);
        assert_eq!(cache.figures().bodies, 1);
    }

    #[test]
    fn a_page_is_kept_when_it_is_to_be_encoded() {
        let cache = ResponseCache::new(1 << 20);
        let [one, other] = [cache.keep(ask(&cache, "a").0), cache.keep(ask(&cache, "b").0)];
        assert_eq!(cache.figures().bodies, 2);
        assert!(Arc::ptr_eq(&cache.keep(Arc::clone(&one)), &one), "it is kept already");
        let copy = Arc::new(one.copied().kept_in(one.place.as_ref().expect("its place").again()));
        assert!(Arc::ptr_eq(&cache.keep(copy), &one), "another one was first");
        assert_eq!([ask(&cache, "a"), ask(&cache, "b")].map(|(_, origin)| origin), [Origin::Memory; 2]);
        assert_eq!((one.body(), &one.tag), (other.body(), &other.tag));
    }

    #[test]
    fn what_has_left_the_cache_is_counted_and_never_falls() {
        let catalog = Catalog::default();
        let cache = ResponseCache::new(4 << 10);
        let put = |name: usize| {
            let request = CatalogRequest::Versions { name: name.to_string(), include_deleted: false };
            let made = cache.get_or_render(&catalog, &Arc::new(request), |_, _| Ok::<_, ()>(rendered(512)));
            made.expect("it is rendered");
        };
        (0..20).for_each(put);
        let before = cache.figures().evicted;
        assert!(10 < before, "{before}");
        // As where an answer is there that has not been counted yet.
        cache.added.fetch_sub(5, Ordering::Relaxed);
        assert_eq!(cache.figures().evicted, before);
        (20..40).for_each(put);
        assert!(before < cache.figures().evicted);
    }
}
