//! When a request is worth a flight, and what its outcome looks like to a client: as if the registries' answers had
//! been mirrored. The same merge and the same rendering see to that.
//!
//! It is for clients only: no list has it, and other proxies' questions are not passed on. So it needs not wait until
//! the ids of the proxies behind it are named, as what is published does.

use std::sync::Arc;

use http::request::Parts;
use jiff::Timestamp;

use super::super::api::View;
use super::super::cache::{CatalogRequest, Origin};
use super::super::error::Problem;
use super::super::{Found, Service};
use super::{Key, Outcome, Prospect};
use crate::catalog::listing::ListingBuilder;
use crate::catalog::merge::{Moment, Source, merge};
use crate::catalog::{Catalog, MergeMode, Participant, Server, Standing};
use crate::registry::Registry;
use crate::registry::lookup::{Asked, is_from_proxy};

/// A request that waits for registries.
pub(in crate::serve) struct Awaited {
    request: Arc<CatalogRequest>,
    key: Key,
    prospect: Prospect,
}

impl Service {
    /// What becomes of a request that the catalog has no answer to: it waits for one, or it gets the problem.
    pub(in crate::serve) fn ask(
        &self,
        head: &Parts,
        request: Arc<CatalogRequest>,
        problem: Problem,
    ) -> Result<Awaited, Problem> {
        let is_worth_it = matches!(problem, Problem::NotListed | Problem::Unavailable(_));
        let Some((settings, key)) = self.read_through.as_ref().filter(|_| is_worth_it).zip(Key::of(&request)) else {
            return Err(problem);
        };
        let catalog = self.core.current.load();
        let registries = candidates(&catalog, &self.registries, &key, settings.policy.mode);
        if registries.is_empty() {
            return Err(problem);
        }
        if is_from_proxy(&head.headers) {
            // A client would have got another answer, perhaps.
            return Err(problem.for_now());
        }
        let is_served = catalog.server(key.name.as_str()).is_some_and(|known| !known.versions.is_empty());
        let key = if is_served { key } else { key.widened() };
        let prospect = self.core.read_through.prospect(key.clone(), &registries, settings);
        prospect.map(|prospect| Awaited { request, key, prospect }).ok_or_else(|| problem.for_now())
    }

    /// Waits for what the registries say. Meanwhile the catalog may have got an answer of its own; that counts.
    pub(in crate::serve) async fn read_through(&self, awaited: Awaited) -> Result<Found, Problem> {
        let Awaited { request, key, prospect } = awaited;
        let outcome = prospect.outcome().await;
        let problem = match self.look(&request) {
            Ok(found) => return Ok(found),
            Err(problem) => problem,
        };
        let Some((outcome, source)) = outcome else { return Err(problem.for_now()) };
        let is_whole = outcome.is_whole();
        let catalog = (!outcome.is_empty()).then(|| self.with_answers(&key, &outcome)).flatten();
        let origin = Origin::ReadThrough { source, is_whole };
        let answer = catalog.and_then(|catalog| self.show(&request, &catalog, &outcome, origin));
        answer.ok_or_else(|| if is_whole { problem } else { problem.for_now() })
    }

    /// A catalog of one name: what is known of it, and what the registries said.
    fn with_answers(&self, key: &Key, outcome: &Outcome) -> Option<Catalog> {
        let policy = &self.read_through.as_ref()?.policy;
        let catalog = self.core.current.load();
        let known = catalog.server(key.name.as_str());
        let now = Timestamp::now();
        // By the rules of today, too: the catalog, or the flight, may be from before a change of the configuration.
        let name = key.name.as_str();
        let is_claimed = self.registries.iter().any(|registry| registry.rules().claims(name));
        let may_supply = |registry: &&Arc<Registry>| registry.rules().omission(name, is_claimed).is_none();
        let source = |(position, participant): (usize, &Participant)| {
            let registry = self.registries.iter().find(|registry| registry.name() == &*participant.rules.name);
            let url = registry.map(|registry| registry.url()).unwrap_or_default();
            let mut listing = ListingBuilder::new(url.into(), None);
            let contributions = known.into_iter().flat_map(|known| &known.contributions);
            let known = contributions.filter(|contribution| contribution.registry == position);
            let known = known.flat_map(|contribution| &contribution.listed.entries);
            let fetched = registry.filter(may_supply).into_iter().flat_map(|registry| outcome.of(registry));
            known.chain(fetched).for_each(|entry| listing.insert(&key.name, Arc::clone(entry)));
            Source {
                rules: Arc::clone(&participant.rules),
                // As it is now, and not when the catalog was published.
                usable: registry.is_some_and(|registry| registry.usable(now).0),
                stale_since: participant.stale_since,
                is_partial: !participant.is_whole,
                listing: (listing.versions() > 0).then(|| Arc::new(listing.snapshot())),
            }
        };
        let sources: Vec<Source> = catalog.registries.iter().enumerate().map(source).collect();
        let moment = Moment { now: catalog.published_at, is_ready: false };
        Some(merge(policy, &sources, &Catalog::default(), moment))
    }

    /// The answer out of such a catalog, if it has one.
    fn show(&self, request: &CatalogRequest, catalog: &Catalog, outcome: &Outcome, origin: Origin) -> Option<Found> {
        let inspections = &self.core.inspections;
        let view = View { catalog, is_ready: true, reason: &|_| String::new(), inspections };
        let rendered = view.render(request, Vec::new()).ok()?;
        let representation = outcome.represent(request, rendered.body, catalog.published_at);
        let freshness = self.with_view(|view| self.freshness(view));
        Some(Found { representation, origin, freshness })
    }
}

/// The registries that may supply what the catalog lacks, in configuration order: those that are usable, take
/// look-ups, and may supply the name. None where the catalog lacks it because it is deleted.
fn candidates(catalog: &Catalog, registries: &[Arc<Registry>], key: &Key, mode: MergeMode) -> Vec<Arc<Registry>> {
    let name = key.name.as_str();
    let known = catalog.server(name);
    if known.is_some_and(|known| is_deleted(known, &key.asked)) {
        return Vec::new();
    }
    let is_claimed = registries.iter().any(|registry| registry.rules().claims(name));
    let owner = known.filter(|_| mode == MergeMode::First).and_then(owner);
    let owner = owner.and_then(|position| catalog.registries.get(position)).map(|owner| &*owner.rules.name);
    let now = Timestamp::now();
    let may_supply = |registry: &&Arc<Registry>| {
        registry.takes_look_ups()
            && registry.rules().omission(name, is_claimed).is_none()
            && owner.is_none_or(|owner| owner == registry.name())
            && registry.usable(now).0
    };
    registries.iter().filter(may_supply).cloned().collect()
}

/// Whether the catalog has what was asked for, or the whole name, as deleted; or would have, were its registry usable:
/// what somebody has taken back is not looked for while they are down.
fn is_deleted(known: &Server, asked: &Asked) -> bool {
    let withheld = known.contributions.iter().filter(|contribution| contribution.standing == Standing::Withheld);
    let withheld = withheld.flat_map(|contribution| &contribution.listed.entries);
    let listed = || known.versions.iter().map(|version| &version.entry).chain(withheld.clone());
    let has_it = matches!(asked, Asked::Exactly(version) if known.version(version).is_some()
        || withheld.clone().any(|entry| *entry.version() == **version && entry.is_deleted()));
    has_it || listed().next().is_some() && listed().all(|entry| entry.is_deleted())
}

/// To whom a name belongs with `merge = "first"`: the first registry that lists it and may.
fn owner(known: &Server) -> Option<usize> {
    let mut may_supply = known.contributions.iter().filter(|listed| !matches!(listed.standing, Standing::LeftOut(_)));
    may_supply.next().map(|first| first.registry)
}
