//! Many listings in, one catalog out. Pure and total: the result depends on the configuration's order
//! and on what is listed, never on the order in which registries answered, and it cannot fail.
//!
//! The cost is a comparison of pointers for each name, and work for those whose contributions changed.

use std::iter::repeat;
use std::sync::Arc;

use jiff::Timestamp;

use super::entry::{Entry, Name};
use super::halves::both;
use super::index::Index;
use super::listing::{Listed, Listing};
use super::previous::{self, Beside, Head, Previous};
use super::provenance::{Labels, NamedRegistry, Origin};
use super::rules::{Omission, RegistryRules};
use super::splice::Splice;
use super::times::Times;
use super::version::Rank;
use super::{Catalog, Contribution, Counts, MergeMode, Participant, Server, Standing, Version, provenance};

/// More names than this, where each has to be looked at, are merged by two threads.
const MANY_NAMES: usize = if cfg!(test) { 4 } else { 8 << 10 };

/// One registry's part in a merge.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name and rules.
    pub rules: Arc<RegistryRules>,
    /// Whether its servers may be served.
    pub usable: bool,
    /// Since when nobody has confirmed them, where they are served stale.
    pub stale_since: Option<Timestamp>,
    /// Whether the listing is only what a first walk has brought so far.
    pub is_partial: bool,
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
    let catalog = merge_first(policy, sources, previous, moment);
    catalog.make_index();
    catalog
}

/// The same, without its index where that takes long and it is the first one ([`Catalog::is_indexed`]): it can be asked
/// meanwhile.
#[must_use]
pub fn merge_first(policy: &Policy, sources: &[Source], previous: &Catalog, moment: Moment) -> Catalog {
    let catalog = merge_as(policy, sources, previous, moment, None);
    // Only where there was nothing to ask before: otherwise that has an index, and can be asked as long.
    if !previous.servers.is_empty() {
        catalog.make_index();
    }
    catalog
}

/// The catalog that another replica made of these listings: since when versions count as changed, it says, and the
/// catalog before has no part in it but to share what stays as it was.
#[must_use]
pub fn merge_given(
    policy: &Policy,
    sources: &[Source],
    previous: &Catalog,
    published_at: Timestamp,
    times: &Arc<Times>,
) -> Catalog {
    let catalog = merge_as(policy, sources, previous, Moment { now: published_at, is_ready: true }, Some(times));
    catalog.make_index();
    catalog
}

fn merge_as(
    policy: &Policy,
    sources: &[Source],
    previous: &Catalog,
    moment: Moment,
    given: Option<&Arc<Times>>,
) -> Catalog {
    let registries: Vec<Participant> = sources.iter().map(participant).collect();
    let previously = Previous::new(previous, &registries, moment, given.map(AsRef::as_ref));
    let mut catalog = Catalog {
        revision: previous.revision + 1,
        published_at: moment.now,
        registries,
        listings: sources.iter().map(|source| source.listing.clone()).collect(),
        newest_update: previous.newest_update.max(given.map_or(Timestamp::MIN, |given| given.newest_update)),
        given: given.cloned(),
        restored: previous.restored.load_full().filter(|_| !moment.is_ready).into(),
        ..Catalog::default()
    };
    match previously.changed_names(sources) {
        Some(names) => {
            let labels = labels(policy, sources);
            merge_changes(&mut catalog, &Context { policy, sources, previously: &previously, labels: &labels }, &names);
        }
        None => merge_all(&mut catalog, policy, sources, &previously),
    }
    if !previous.index().is_of_no_use_for(catalog.servers.len()) {
        // Servers are shared only where the registries have the same rules, and so the same names; so may chunks be.
        let index = Index::after(previous.index(), &previous.servers, &catalog.servers, &catalog.registries);
        catalog.index = index.into();
    }
    catalog
}

/// Looks at every name: at many, by two threads.
fn merge_all(catalog: &mut Catalog, policy: &Policy, sources: &[Source], previously: &Previous<'_>) {
    let heads = heads(sources);
    let merged = |heads: &[Head<'_>]| {
        // Labels are counted by whoever holds them: two threads that shared them would wait for one another.
        let labels = labels(policy, sources);
        merge_names(&Context { policy, sources, previously, labels: &labels }, heads)
    };
    let parts = if MANY_NAMES < heads.len() {
        let half = &heads[heads.len() / 2].1.name;
        let (left, right) = heads.split_at(heads.partition_point(|(_, listed)| listed.name < *half));
        <[Catalog; 2]>::from(both(|| merged(left), || merged(right))).into()
    } else {
        vec![merged(&heads)]
    };
    catalog.servers.reserve_exact(parts.iter().map(|part| part.servers.len()).sum());
    for part in parts {
        catalog.servers.append(part.servers);
        catalog.unserved.append(part.unserved);
        catalog.versions += part.versions;
        catalog.newest_update = catalog.newest_update.max(part.newest_update);
        for (sum, more) in catalog.registries.iter_mut().zip(part.registries) {
            sum.counts.won += more.counts.won;
            sum.counts.filtered += more.counts.filtered;
            sum.counts.foreign += more.counts.foreign;
        }
    }
}

/// Merges the names of a part of what is listed, in their order: their servers, and what is counted of them.
fn merge_names(context: &Context<'_>, heads: &[Head<'_>]) -> Catalog {
    let mut part = Catalog { registries: context.sources.iter().map(participant).collect(), ..Catalog::default() };
    let mut beside = Beside::new(context.previously.catalog);
    for listed in heads.chunk_by(|(_, left), (_, right)| left.name == right.name) {
        let name = &listed[0].1.name;
        let server = successor(context, name, listed, beside.server(name));
        tally(&mut part, &server, |sum, more| *sum += more);
        let list = if server.versions.is_empty() { &mut part.unserved } else { &mut part.servers };
        list.push(server);
    }
    part
}

/// Looks at these names, which are sorted; all others are as they were.
fn merge_changes(catalog: &mut Catalog, context: &Context<'_>, names: &[&Name]) {
    let previous = context.previously.catalog;
    for (registry, before) in catalog.registries.iter_mut().zip(&previous.registries) {
        registry.counts = before.counts;
    }
    catalog.versions = previous.versions;
    let mut servers = Splice::new(&previous.servers, names.len());
    let mut unserved = Splice::new(&previous.unserved, 0);
    let mut listed: Vec<Head<'_>> = Vec::with_capacity(context.sources.len());
    for name in names {
        let before = [servers.take(name), unserved.take(name)].into_iter().flatten().next();
        if let Some(before) = before {
            tally(catalog, before, |sum, less| *sum -= less);
        }
        listed.clear();
        let sources = context.sources.iter().enumerate();
        listed.extend(sources.filter_map(|(at, source)| Some((at, source.listing.as_ref()?.server(name.as_str())?))));
        // The name as it is shared with what is listed now.
        let Some((_, Listed { name, .. })) = listed.first().map(|(at, listed)| (at, &***listed)) else { continue };
        let server = successor(context, name, &listed, before);
        tally(catalog, &server, |sum, more| *sum += more);
        if server.versions.is_empty() { unserved.push(server) } else { servers.push(server) }
    }
    (catalog.servers, catalog.unserved) = (servers.finish().into(), unserved.finish().into());
}

/// The server of a name that is listed, the very same as before where nothing changed.
fn successor(context: &Context<'_>, name: &Name, listed: &[Head<'_>], before: Option<&Arc<Server>>) -> Arc<Server> {
    match before.filter(|before| context.previously.is_unchanged(before, context.sources, listed)) {
        Some(unchanged) => Arc::clone(unchanged),
        None => Arc::new(merge_name(context, name, listed, before)),
    }
}

fn participant(source: &Source) -> Participant {
    let Source { rules, usable, stale_since, is_partial, listing } = source;
    Participant {
        rules: Arc::clone(rules),
        usable: *usable,
        stale_since: *stale_since,
        listed: listing.is_some(),
        is_whole: listing.is_some() && !is_partial,
        counts: Counts::default(),
    }
}

fn labels<'a>(policy: &'a Policy, sources: &'a [Source]) -> Labels<'a> {
    let url = |source: &'a Source| source.listing.as_deref().map_or("", |listing| &listing.url);
    let registries = sources.iter().map(|source| NamedRegistry {
        name: &source.rules.name,
        url: policy.provenance.publish_urls.then(|| url(source)),
    });
    Labels::new(&policy.provenance.key, registries.collect())
}

/// Adds one name to what a catalog counts, or takes it off.
fn tally(catalog: &mut Catalog, server: &Server, change: impl Fn(&mut usize, usize)) {
    let Catalog { registries, versions, newest_update, .. } = catalog;
    change(versions, server.versions.len());
    *newest_update = (*newest_update).max(server.newest_update);
    let mut serving = server.contributions.iter().filter(|contribution| contribution.standing == Standing::Serves);
    match (serving.next(), serving.next()) {
        // Most names: there is no need to look at each version.
        (Some(only), None) => change(&mut registries[only.registry].counts.won, server.versions.len()),
        _ => server.versions.iter().for_each(|version| change(&mut registries[version.registry].counts.won, 1)),
    }
    for Contribution { registry, standing, listed, .. } in &server.contributions {
        match standing {
            Standing::LeftOut(Omission::Filtered) => {
                change(&mut registries[*registry].counts.filtered, listed.entries.len());
            }
            Standing::LeftOut(Omission::OwnedElsewhere) => {
                change(&mut registries[*registry].counts.foreign, listed.entries.len());
            }
            Standing::Serves | Standing::Withheld | Standing::Shadowed => {}
        }
    }
}

/// What the registries list, in the order of the names; within a name in configuration order.
fn heads(sources: &[Source]) -> Vec<Head<'_>> {
    let mut heads =
        Vec::with_capacity(sources.iter().flat_map(|source| &source.listing).map(|it| it.servers.len()).sum());
    for (registry, source) in sources.iter().enumerate() {
        heads.extend(previous::listed(source.listing.as_ref()).iter().map(|listed| (registry, listed)));
    }
    // The sort is stable, and quick where it finds sorted lists.
    heads.sort_by(|(_, left): &Head<'_>, (_, right)| left.name.cmp(&right.name));
    heads
}

/// What the merge of every name needs.
struct Context<'a> {
    policy: &'a Policy,
    sources: &'a [Source],
    previously: &'a Previous<'a>,
    labels: &'a Labels<'a>,
}

fn merge_name(context: &Context<'_>, name: &Name, listed: &[Head<'_>], before: Option<&Arc<Server>>) -> Server {
    let &Context { policy, sources, .. } = context;
    let contributions = contributions(policy.mode, sources, name, listed);
    let winners = winners(&contributions);
    let latest = latest(&winners);
    let mut versions_before = before.map_or(&[][..], |before| &before.versions);
    let build = |(index, winner): (usize, Winner<'_>)| {
        let was = previous::version(&mut versions_before, winner.entry);
        let is_latest = latest == Some(index);
        let is_same = |before: &Server, was: &Version| {
            was.is_latest == is_latest
                && was.registry == winner.registry
                && Arc::ptr_eq(&was.entry, winner.entry)
                && context.previously.agrees_on(name, was)
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
    Server { name: name.clone(), versions, contributions, latest, newest_effect, newest_update }
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
    let serving = || contributions.iter().filter(|contribution| contribution.standing == Standing::Serves);
    let entries =
        serving().flat_map(|contribution| contribution.listed.entries.iter().zip(repeat(contribution.registry)));
    let mut winners: Vec<Winner<'_>> = entries.map(|(entry, registry)| Winner { entry, registry }).collect();
    if serving().nth(1).is_some() {
        // The sort is stable: among equal versions the first registry stays first, and wins.
        winners.sort_by(|left, right| left.entry.version().cmp(right.entry.version()));
        winners.dedup_by(|later, first| later.entry.version() == first.entry.version());
    }
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
    let &Context { sources, previously, labels, .. } = context;
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
    let provenance = labels.of(&Origin { registry, also_in, divergent, upstream, ids });
    let name = contributions.first().map_or("", |contribution| contribution.listed.name.as_str());
    let effective_at = previously.effective_at(before, name, entry, &sources[registry].rules.name, is_latest);
    Version { entry: Arc::clone(entry), registry, is_latest, effective_at, provenance }
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
