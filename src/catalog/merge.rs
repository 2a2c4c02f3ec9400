//! Many listings in, one catalog out. Pure and total: the result depends on the configuration's order
//! and on what is listed, never on the order in which registries answered, and it cannot fail.
//!
//! The cost is one pass over the names, and work for those whose contributions changed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use jiff::Timestamp;

use super::entry::{Entry, Name};
use super::index::Index;
use super::listing::Listing;
use super::previous::{Head, Previous};
use super::provenance::{Blocks, Origin};
use super::rules::{Omission, RegistryRules};
use super::version::Rank;
use super::{Catalog, Contribution, Counts, MergeMode, Participant, Server, Standing, Version, provenance};

/// One registry's part in a merge.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name and rules.
    pub rules: Arc<RegistryRules>,
    /// Whether its servers may be served.
    pub usable: bool,
    /// Since when nobody has confirmed them, where they are served stale.
    pub stale_since: Option<Timestamp>,
    /// Its last good listing (or what a first walk has brought so far).
    pub listing: Option<Arc<Listing>>,
}

/// The settings of a merge. Two merges share servers only where they share the policy (`Arc`).
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// How versions of one name come together.
    pub mode: MergeMode,
    /// The provenance block.
    pub provenance: provenance::Config,
}

/// When a merge happens.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The time.
    pub now: Timestamp,
    /// Whether clients may have synchronised already (`/readyz` was 200): what changes now counts from now on.
    pub is_ready: bool,
}

/// Merges listings into the catalog that follows `previous`.
#[must_use]
pub fn merge(policy: &Policy, sources: &[Source], previous: &Catalog, moment: Moment) -> Catalog {
    let registries: Vec<Participant> = sources.iter().map(participant).collect();
    let mut previously = Previous::new(previous, &registries, moment);
    let mut catalog =
        Catalog { revision: previous.revision + 1, published_at: moment.now, registries, ..Catalog::default() };
    catalog.newest_update = previous.newest_update;
    catalog.servers.reserve(previous.servers.len());
    catalog.restored = previous.restored.clone().filter(|_| !moment.is_ready);
    let blocks = blocks(policy, sources);
    for_each_name(sources, |listed| {
        let before = listed.first().and_then(|(_, listed)| previously.server(&listed.name));
        let server = match before.filter(|before| previously.is_unchanged(before, sources, listed)) {
            Some(unchanged) => Arc::clone(unchanged),
            None => Arc::new(merge_name(
                &Context { policy, sources, previously: &previously, blocks: &blocks },
                listed,
                before,
            )),
        };
        count(&mut catalog.registries, &server);
        if server.versions.is_empty() {
            catalog.unserved.push(server);
        } else {
            catalog.versions += server.versions.len();
            catalog.newest_update = catalog.newest_update.max(server.newest_update);
            catalog.servers.push(server);
        }
    });
    // Servers are shared only where the registries have the same rules, and so the same names; so may chunks be.
    catalog.index = Index::after(&previous.index, &previous.servers, &catalog.servers, &catalog.registries);
    catalog
}

fn participant(source: &Source) -> Participant {
    let Source { rules, usable, stale_since, listing } = source;
    Participant {
        rules: Arc::clone(rules),
        usable: *usable,
        stale_since: *stale_since,
        listed: listing.is_some(),
        counts: Counts::default(),
    }
}

fn blocks<'a>(policy: &'a Policy, sources: &'a [Source]) -> Blocks<'a> {
    let url = |source: &'a Source| source.listing.as_deref().map_or("", |listing| &listing.url);
    let sources = sources.iter().map(|source| provenance::Source {
        registry: &source.rules.name,
        url: policy.provenance.publish_urls.then(|| url(source)),
    });
    Blocks::new(&policy.provenance.key, sources.collect())
}

/// Adds one name to what became of each registry's versions.
fn count(registries: &mut [Participant], server: &Server) {
    let mut serving = server.contributions.iter().filter(|contribution| contribution.standing == Standing::Serves);
    match (serving.next(), serving.next()) {
        // Most names: there is no need to look at each version.
        (Some(only), None) => registries[only.registry].counts.won += server.versions.len(),
        _ => server.versions.iter().for_each(|version| registries[version.registry].counts.won += 1),
    }
    for Contribution { registry, standing, listed, .. } in &server.contributions {
        match standing {
            Standing::LeftOut(Omission::Filtered) => registries[*registry].counts.filtered += listed.entries.len(),
            Standing::LeftOut(Omission::OwnedElsewhere) => registries[*registry].counts.foreign += listed.entries.len(),
            Standing::Serves | Standing::Withheld | Standing::Shadowed => {}
        }
    }
}

/// Calls `visit` with what the registries list under each name, in the order of the names; within a
/// name in configuration order.
fn for_each_name<'a>(sources: &'a [Source], mut visit: impl FnMut(&[Head<'a>])) {
    let servers = |registry: usize| sources[registry].listing.as_deref().map_or(&[][..], |listing| &listing.servers);
    let mut heads: BinaryHeap<Reverse<(&Name, usize, usize)>> = BinaryHeap::new();
    let push = |heads: &mut BinaryHeap<_>, registry: usize, index: usize| {
        if let Some(listed) = servers(registry).get(index) {
            heads.push(Reverse((&listed.name, registry, index)));
        }
    };
    (0..sources.len()).for_each(|registry| push(&mut heads, registry, 0));
    let mut listed = Vec::with_capacity(sources.len());
    while let Some(Reverse((name, _, _))) = heads.peek().copied() {
        listed.clear();
        while let Some(Reverse((_, registry, index))) = heads.peek().filter(|head| head.0.0 == name).copied() {
            heads.pop();
            listed.push((registry, &servers(registry)[index]));
            push(&mut heads, registry, index + 1);
        }
        visit(&listed);
    }
}

/// What the merge of every name needs.
struct Context<'a> {
    policy: &'a Policy,
    sources: &'a [Source],
    previously: &'a Previous<'a>,
    blocks: &'a Blocks<'a>,
}

fn merge_name(context: &Context<'_>, listed: &[Head<'_>], before: Option<&Arc<Server>>) -> Server {
    let &Context { policy, sources, .. } = context;
    let name = listed.first().map(|(_, listed)| listed.name.clone()).expect("a name is visited because it is listed");
    let contributions = contributions(policy.mode, sources, &name, listed);
    let winners = winners(&contributions);
    let latest = latest(&winners);
    let build = |(index, winner): (usize, Winner<'_>)| {
        let was = before.and_then(|before| before.version(winner.entry.version()));
        let is_latest = latest == Some(index);
        let is_same = |before: &Server, was: &Version| {
            was.is_latest == is_latest
                && was.registry == winner.registry
                && Arc::ptr_eq(&was.entry, winner.entry)
                && context.previously.is_listed_alike(before, &contributions, was)
        };
        match before.zip(was).filter(|(before, was)| is_same(before, was)) {
            Some((_, unchanged)) => unchanged.clone(),
            None => build_version(context, &contributions, &winner, is_latest, was),
        }
    };
    let versions: Vec<Version> = winners.into_iter().enumerate().map(build).collect();
    let newest_effect = versions.iter().map(|version| version.effective_at).max().unwrap_or(Timestamp::MIN);
    let newest_update = versions.iter().map(|version| version.entry.updated_at()).max().unwrap_or(Timestamp::MIN);
    Server { name, versions, contributions, latest, newest_effect, newest_update }
}

/// What each registry lists under a name, and what that is worth. With `first`, the name belongs to the
/// first registry that lists it and may, also while that is not usable.
fn contributions(mode: MergeMode, sources: &[Source], name: &Name, listed: &[Head<'_>]) -> Vec<Contribution> {
    let is_claimed = sources.iter().any(|source| source.rules.claims(name.as_str()));
    let mut owner = None;
    let standing = |registry: usize| {
        let Source { rules, usable, .. } = &sources[registry];
        if let Some(omission) = rules.omission(name.as_str(), is_claimed) {
            return Standing::LeftOut(omission);
        }
        match (mode, *owner.get_or_insert(registry) == registry, usable) {
            (MergeMode::First, false, _) => Standing::Shadowed,
            (_, _, true) => Standing::Serves,
            (_, _, false) => Standing::Withheld,
        }
    };
    let standings: Vec<Standing> = listed.iter().map(|(registry, _)| *registry).map(standing).collect();
    let contribution = |((registry, listed), standing): (&Head<'_>, Standing)| Contribution {
        registry: *registry,
        usable: sources[*registry].usable,
        standing,
        listed: Arc::clone(listed),
    };
    listed.iter().zip(standings).map(contribution).collect()
}

/// The entry that is served for one version, and whose it is.
struct Winner<'a> {
    entry: &'a Arc<Entry>,
    registry: usize,
}

impl<'a> Winner<'a> {
    fn rank(&self) -> Rank<'a> {
        Rank::new(self.entry.version(), self.entry.published_at())
    }
}

/// The entries to serve, sorted by version: of each version the first in configuration order among
/// the registries that may supply the name and are usable.
fn winners(contributions: &[Contribution]) -> Vec<Winner<'_>> {
    let mut winners: Vec<Winner<'_>> = contributions
        .iter()
        .filter(|contribution| contribution.standing == Standing::Serves)
        .flat_map(|contribution| {
            contribution.listed.entries.iter().map(|entry| Winner { entry, registry: contribution.registry })
        })
        .collect();
    // The sort is stable: among equal versions the first registry stays first, and wins.
    winners.sort_by(|left, right| left.entry.version().cmp(right.entry.version()));
    winners.dedup_by(|later, first| later.entry.version() == first.entry.version());
    winners
}

/// The latest version among those not deleted, or of all where all are deleted (registry-api.md §3).
fn latest(winners: &[Winner<'_>]) -> Option<usize> {
    let ranks = winners.iter().map(|winner| (!winner.entry.is_deleted(), winner.rank()));
    ranks.enumerate().max_by(|left, right| left.1.cmp(&right.1)).map(|(index, _)| index)
}

fn build_version(
    context: &Context<'_>,
    contributions: &[Contribution],
    winner: &Winner<'_>,
    is_latest: bool,
    before: Option<&Version>,
) -> Version {
    let &Context { sources, previously, blocks, .. } = context;
    let &Winner { entry, registry } = winner;
    let others = contributions
        .iter()
        .filter(|contribution| contribution.counts() && contribution.registry != registry)
        .filter_map(|contribution| Some((contribution.registry, contribution.listed.entry(entry.version())?)));
    let mut also_in = Vec::new();
    let mut divergent = false;
    for (other, theirs) in others {
        also_in.push(other);
        divergent |= theirs.digest() != entry.digest();
    }
    let (upstream, ids) = (entry.upstream(), entry.legacy_ids());
    let provenance = blocks.of(&Origin { registry, also_in, divergent, upstream, ids });
    let name = contributions.first().map_or("", |contribution| contribution.listed.name.as_str());
    let effective_at = previously.effective_at(before, name, entry, &sources[registry].rules.name, is_latest);
    Version { entry: Arc::clone(entry), registry, is_latest, effective_at, provenance }
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
