//! Many listings in, one catalog out. Pure and total: the result depends on the configuration's order
//! and on what is listed, never on the order in which registries answered, and it cannot fail.
//!
//! The cost is one pass over the names, and work for those whose contributions changed.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::Arc;

use jiff::Timestamp;

use super::entry::{Entry, Name};
use super::listing::{Listed, Listing};
use super::provenance::Provenance;
use super::rules::{Omission, RegistryRules};
use super::search::SearchIndex;
use super::version::Rank;
use super::{Catalog, Contribution, Counts, MergeMode, Participant, Server, Standing, Version, provenance, render};

/// One registry's part in a merge.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name and rules.
    pub rules: Arc<RegistryRules>,
    /// Whether its servers may be served.
    pub usable: bool,
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

/// Merges listings into the catalog that follows `previous`.
#[must_use]
pub fn merge(policy: &Policy, sources: &[Source], previous: &Catalog) -> Catalog {
    let registries = sources.iter().map(participant).collect();
    let mut catalog = Catalog { revision: previous.revision + 1, registries, ..Catalog::default() };
    let same_rules = have_same_rules(&catalog.registries, &previous.registries);
    let mut reusable = Previous::new(same_rules.then_some(previous));
    for_each_name(sources, |listed| {
        let server =
            reusable.unchanged(sources, &listed).unwrap_or_else(|| Arc::new(merge_name(policy, sources, &listed)));
        count(&mut catalog.registries, &server);
        if server.versions.is_empty() {
            catalog.unserved.push(server);
        } else {
            catalog.versions += server.versions.len();
            catalog.servers.push(server);
        }
    });
    catalog.search = SearchIndex::new(catalog.servers.iter().map(AsRef::as_ref));
    catalog
}

fn participant(source: &Source) -> Participant {
    let Source { rules, usable, listing } = source;
    Participant { rules: Arc::clone(rules), usable: *usable, listed: listing.is_some(), counts: Counts::default() }
}

/// Adds one name to what became of each registry's versions.
fn count(registries: &mut [Participant], server: &Server) {
    for version in &server.versions {
        registries[version.registry].counts.won += 1;
    }
    for Contribution { registry, standing, listed, .. } in &server.contributions {
        match standing {
            Standing::LeftOut(Omission::Filtered) => registries[*registry].counts.filtered += listed.entries.len(),
            Standing::LeftOut(Omission::OwnedElsewhere) => registries[*registry].counts.foreign += listed.entries.len(),
            Standing::Serves | Standing::Withheld | Standing::Shadowed => {}
        }
    }
}

/// Whether the same registries stand at the same positions with the same rules.
fn have_same_rules(ours: &[Participant], theirs: &[Participant]) -> bool {
    ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| Arc::ptr_eq(&ours.rules, &theirs.rules))
}

/// What one registry lists under the name at hand: its position, and the versions.
type Head<'a> = (usize, &'a Arc<Listed>);

/// Calls `visit` with what the registries list under each name, in the order of the names; within a
/// name in configuration order.
fn for_each_name<'a>(sources: &'a [Source], mut visit: impl FnMut(Vec<Head<'a>>)) {
    let servers = |registry: usize| sources[registry].listing.as_deref().map_or(&[][..], |listing| &listing.servers);
    let mut heads: BinaryHeap<Reverse<(&Name, usize, usize)>> = BinaryHeap::new();
    let push = |heads: &mut BinaryHeap<_>, registry: usize, index: usize| {
        if let Some(listed) = servers(registry).get(index) {
            heads.push(Reverse((&listed.name, registry, index)));
        }
    };
    (0..sources.len()).for_each(|registry| push(&mut heads, registry, 0));
    while let Some(Reverse((name, _, _))) = heads.peek().copied() {
        let mut listed = Vec::with_capacity(1);
        while let Some(Reverse((_, registry, index))) = heads.peek().filter(|head| head.0.0 == name).copied() {
            heads.pop();
            listed.push((registry, &servers(registry)[index]));
            push(&mut heads, registry, index + 1);
        }
        visit(listed);
    }
}

/// The previous catalog's servers, read in the order of their names beside the new listings.
struct Previous<'a> {
    servers: &'a [Arc<Server>],
    unserved: &'a [Arc<Server>],
}

impl<'a> Previous<'a> {
    fn new(catalog: Option<&'a Catalog>) -> Self {
        let lists = catalog.map(|catalog| (&catalog.servers[..], &catalog.unserved[..]));
        let (servers, unserved) = lists.unwrap_or_default();
        Self { servers, unserved }
    }

    /// The previous server of this name, if nothing that it was merged from has changed. Names must be
    /// asked for in ascending order.
    fn unchanged(&mut self, sources: &[Source], listed: &[Head<'_>]) -> Option<Arc<Server>> {
        let name = &listed.first()?.1.name;
        let server = advance(&mut self.servers, name).or_else(|| advance(&mut self.unserved, name))?;
        let same = server.contributions.len() == listed.len()
            && server.contributions.iter().zip(listed).all(|(before, (registry, now))| {
                before.registry == *registry
                    && before.usable == sources[*registry].usable
                    && Arc::ptr_eq(&before.listed, now)
            });
        same.then(|| Arc::clone(server))
    }
}

/// Drops the servers before `name` and returns the one of that name.
fn advance<'a>(servers: &mut &'a [Arc<Server>], name: &Name) -> Option<&'a Arc<Server>> {
    while let Some((first, rest)) = servers.split_first() {
        match first.name.cmp(name) {
            Ordering::Less => *servers = rest,
            Ordering::Equal => return Some(first),
            Ordering::Greater => return None,
        }
    }
    None
}

fn merge_name(policy: &Policy, sources: &[Source], listed: &[Head<'_>]) -> Server {
    let name = listed.first().map(|(_, listed)| listed.name.clone()).expect("a name is visited because it is listed");
    let contributions = contributions(policy.mode, sources, &name, listed);
    let winners = winners(&contributions);
    let latest = latest(&winners);
    let newest_update = winners.iter().map(|winner| winner.entry.official.updated_at).max().unwrap_or(Timestamp::MIN);
    let versions = winners
        .into_iter()
        .enumerate()
        .map(|(index, winner)| build_version(policy, sources, &contributions, &winner, latest == Some(index)))
        .collect();
    Server { name, versions, contributions, latest, newest_update }
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
        Rank::new(&self.entry.version, self.entry.official.published_at)
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
    winners.sort_by(|left, right| left.entry.version.cmp(&right.entry.version));
    winners.dedup_by(|later, first| later.entry.version == first.entry.version);
    winners
}

/// The latest version among those not deleted, or of all where all are deleted (registry-api.md §3).
fn latest(winners: &[Winner<'_>]) -> Option<usize> {
    let ranks = winners.iter().map(|winner| (!winner.entry.is_deleted(), winner.rank()));
    ranks.enumerate().max_by(|left, right| left.1.cmp(&right.1)).map(|(index, _)| index)
}

fn build_version(
    policy: &Policy,
    sources: &[Source],
    contributions: &[Contribution],
    winner: &Winner<'_>,
    is_latest: bool,
) -> Version {
    let &Winner { entry, registry } = winner;
    let others = contributions
        .iter()
        .filter(|contribution| contribution.usable && contribution.is_admitted() && contribution.registry != registry)
        .filter_map(|contribution| Some((contribution.registry, contribution.listed.entry(&entry.version)?)));
    let mut also_in = Vec::new();
    let mut divergent = false;
    for (other, theirs) in others {
        also_in.push(&*sources[other].rules.name);
        divergent |= theirs.digest != entry.digest;
    }
    let url = sources[registry].listing.as_deref().map_or("", |listing| &listing.url);
    let provenance = Provenance {
        registry: &sources[registry].rules.name,
        url: policy.provenance.publish_urls.then_some(url),
        fetched_at: entry.fetched_at,
        sha256: entry.digest,
        also_in,
        divergent,
        upstream: render::raw(entry.upstream.as_deref()),
        ids: render::raw(entry.legacy_ids.as_deref()),
    };
    let tail = render::tail(entry, is_latest, &policy.provenance.key, &provenance);
    Version { entry: Arc::clone(entry), registry, is_latest, tail }
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
