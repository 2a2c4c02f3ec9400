//! Where registries disagree: a version that they list with different content, a name whose latest version comes from
//! another registry than its earlier ones, and entries that are refused because their name belongs to others.
//!
//! Entries that no client could decode are not among them: nobody else has a part in those, and
//! `/registries/{name}` shows them.
//!
//! Finding what there is takes one pass over the names and no JSON; what stands on a page is read (`differences`).

mod differences;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::names::{NameFilter, listed_from};
use crate::catalog::entry::{Digest, Entry};
use crate::catalog::rules::Omission;
use crate::catalog::version::Rank;
use crate::catalog::{Catalog, Contribution, Server, Standing, Version};
pub use differences::{Difference, Differences};

/// Which conflicts are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    /// Only those that this registry has a part in.
    pub registry: Option<Box<str>>,
    /// Only those of this name, in which `*` stands for whatever there is.
    pub name: Option<Box<str>>,
    /// Only those of this kind.
    pub kind: Option<Kind>,
}

/// The kinds of conflicts, in the order in which one name's are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Registries list one version with different content.
    Content,
    /// The latest version comes from another registry than earlier ones.
    Latest,
    /// An entry is refused, because other registries claim its name.
    Refused,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Content, Self::Latest, Self::Refused];

    /// The wire value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Content => "content",
            Self::Latest => "latest",
            Self::Refused => "refused",
        }
    }

    /// Reads the wire value.
    #[must_use]
    pub fn from_wire(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Which one of a name's conflicts. Their order is that of the list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The kind.
    pub kind: Kind,
    /// The version that it is about; empty where it is about all of them.
    pub version: Box<str>,
    /// The registry whose entry is refused; empty for the other kinds.
    pub registry: Box<str>,
}

/// Where a page begins: after this one, whether that still exists or not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// The name.
    pub name: Box<str>,
    /// Which one of the name's.
    pub key: Key,
}

/// A page, in the order of the names.
#[derive(Debug)]
pub struct Page<'a> {
    /// The conflicts.
    pub conflicts: Vec<Conflict<'a>>,
    /// Where the next page begins; none on the last one.
    pub next: Option<Position>,
}

/// A conflict as it is told.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Conflict<'a> {
    /// [`Kind::Content`].
    Content(Content<'a>),
    /// [`Kind::Latest`].
    Latest(Latest<'a>),
    /// [`Kind::Refused`].
    Refused(Refused<'a>),
}

/// One version that registries list with different content.
#[derive(Debug, Serialize)]
pub struct Content<'a> {
    /// The name.
    pub name: &'a str,
    /// The version.
    pub version: &'a str,
    /// The registry whose content is served.
    pub winner: &'a str,
    /// Why that one.
    pub reason: &'static str,
    /// All usable registries that list the version: the winner first, then in configuration order.
    pub listings: Vec<Listing<'a>>,
}

/// What one registry lists.
#[derive(Debug, Serialize)]
pub struct Listing<'a> {
    /// The registry.
    pub registry: &'a str,
    /// Of the canonical JSON of `server` without `_meta`.
    pub sha256: String,
    /// In what it differs from the winner's, if it does.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub differences: Option<Differences>,
}

/// A name whose latest version comes from a registry while earlier ones come from others, which do not list the
/// latest one alike.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Latest<'a> {
    /// The name.
    pub name: &'a str,
    /// The latest version.
    pub version: &'a str,
    /// Where it comes from.
    pub registry: &'a str,
    /// When it was published, by that registry.
    pub published_at: Timestamp,
    /// Where earlier versions come from, in configuration order.
    pub earlier: Vec<Earlier<'a>>,
}

/// A registry that earlier versions come from.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Earlier<'a> {
    /// The registry.
    pub registry: &'a str,
    /// How many of them.
    pub versions: usize,
    /// The latest of these.
    pub latest: &'a str,
    /// When that one was published.
    pub published_at: Timestamp,
}

/// An entry that is refused.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refused<'a> {
    /// The name.
    pub name: &'a str,
    /// The version.
    pub version: &'a str,
    /// The registry that lists it and may not.
    pub registry: &'a str,
    /// Of the canonical JSON of `server` without `_meta`.
    pub sha256: String,
    /// The registries that may.
    pub claimed_by: Vec<&'a str>,
    /// Why.
    pub reason: &'static str,
}

const CLAIMED: &str = "the name belongs to a namespace that only other registries claim";
const FIRST_IN_ORDER: &str = "of the registries that list the version, it comes first in the configuration";
const OWNER: &str = "the name belongs to it: it is the first registry that lists the name (`merge = \"first\"`)";

/// The conflicts that pass the filter and stand after the position; `limit` of them at most.
#[must_use]
pub fn page<'a>(catalog: &'a Catalog, filter: &Filter, after: Option<&Position>, limit: usize) -> Page<'a> {
    let mut found = found(catalog, filter, after);
    let on_page: Vec<(&Arc<Server>, Key)> = found.by_ref().take(limit).collect();
    let more = found.next().is_some();
    let next = on_page
        .last()
        .filter(|_| more)
        .map(|(server, key)| Position { name: server.name.as_str().into(), key: key.clone() });
    let conflicts = on_page.iter().filter_map(|(server, key)| describe(catalog, server, key)).collect();
    Page { conflicts, next }
}

/// The first conflicts of one name, and how many more it has.
#[must_use]
pub fn of_server<'a>(catalog: &'a Catalog, server: &'a Server, limit: usize) -> (Vec<Conflict<'a>>, usize) {
    let keys = if may_have_any(server) { keys(catalog, server, None, None) } else { BTreeSet::new() };
    let told = keys.iter().take(limit).filter_map(|key| describe(catalog, server, key)).collect();
    (told, keys.len().saturating_sub(limit))
}

/// How many conflicts there are, by kind, in the order of [`Kind::ALL`].
#[must_use]
pub fn counts(catalog: &Catalog) -> [u64; 3] {
    let mut counts = [0; 3];
    for (_, key) in found(catalog, &Filter::default(), None) {
        counts[key.kind as usize] += 1;
    }
    counts
}

/// Where conflicts are, in order.
fn found<'a>(
    catalog: &'a Catalog,
    filter: &Filter,
    after: Option<&Position>,
) -> impl Iterator<Item = (&'a Arc<Server>, Key)> {
    let registry = filter.registry.as_deref();
    let registry = registry.map(|name| catalog.registries.iter().position(|known| *known.rules.name == *name));
    let name = filter.name.as_deref().map(NameFilter::new);
    let (kind, after) = (filter.kind, after.cloned());
    let servers = match registry {
        // One that is not configured has a part in nothing.
        Some(None) => None,
        _ => Some(listed_from(catalog, after.as_ref().map_or("", |after| &after.name))),
    };
    let registry = registry.flatten();
    servers.into_iter().flatten().filter(|server| may_have_any(server)).flat_map(move |server| {
        let is_asked_for = name.as_ref().is_none_or(|name| name.matches(server.name.as_str()));
        let mut keys = if is_asked_for { keys(catalog, server, kind, registry) } else { BTreeSet::new() };
        if let Some(after) = after.as_ref().filter(|after| *after.name == *server.name.as_str()) {
            keys.retain(|key| after.key < *key);
        }
        keys.into_iter().map(move |key| (server, key))
    })
}

/// Most names have one registry, and nothing to tell.
fn may_have_any(server: &Server) -> bool {
    let refused = Standing::LeftOut(Omission::OwnedElsewhere);
    server.contributions.len() > 1 || server.contributions.iter().any(|listed| listed.standing == refused)
}

/// The conflicts of one name.
fn keys(catalog: &Catalog, server: &Server, kind: Option<Kind>, registry: Option<usize>) -> BTreeSet<Key> {
    let mut keys = BTreeSet::new();
    let mut add = |kind, version: &str, registry: &str| {
        keys.insert(Key { kind, version: version.into(), registry: registry.into() });
    };
    let is_wanted = |wanted: Kind| kind.is_none_or(|kind| kind == wanted);
    let has_part = |position: usize| registry.is_none_or(|registry| registry == position);
    if is_wanted(Kind::Content) {
        for version in &server.versions {
            let mut listings = listings(server, version);
            if is_divergent(version, listings.clone()) && listings.any(|(registry, _)| has_part(registry)) {
                add(Kind::Content, version.entry.version(), "");
            }
        }
    }
    if is_wanted(Kind::Latest)
        && let Some(latest) = server.latest()
    {
        let earlier = earlier(server, latest);
        let is_told =
            !earlier.is_empty() && (has_part(latest.registry) || earlier.iter().any(|e| has_part(e.registry)));
        if is_told {
            add(Kind::Latest, "", "");
        }
    }
    if is_wanted(Kind::Refused) {
        for refused in refused(server) {
            let name = &*catalog.registries[refused.registry].rules.name;
            let claims =
                || registry.is_some_and(|position| catalog.registries[position].rules.claims(server.name.as_str()));
            if has_part(refused.registry) || claims() {
                refused.listed.entries.iter().for_each(|entry| add(Kind::Refused, entry.version(), name));
            }
        }
    }
    keys
}

/// What usable registries list of a version, in configuration order.
fn listings<'a>(server: &'a Server, version: &'a Version) -> impl Iterator<Item = (usize, &'a Arc<Entry>)> + Clone {
    let counting = server.contributions.iter().filter(|contribution| contribution.counts());
    counting.filter_map(|listed| Some((listed.registry, listed.listed.entry(version.entry.version())?)))
}

fn is_divergent<'a>(version: &Version, mut listings: impl Iterator<Item = (usize, &'a Arc<Entry>)>) -> bool {
    listings.any(|(_, entry)| entry.digest() != version.entry.digest())
}

fn refused(server: &Server) -> impl Iterator<Item = &Contribution> {
    let refused = Standing::LeftOut(Omission::OwnedElsewhere);
    server.contributions.iter().filter(move |contribution| contribution.standing == refused)
}

/// A registry that versions before the latest come from.
struct Before<'a> {
    registry: usize,
    versions: usize,
    latest: &'a Version,
}

/// The registries that versions before the latest come from, where they do not vouch for it: where they list it with
/// the same content, nothing has changed hands.
fn earlier<'a>(server: &'a Server, latest: &Version) -> Vec<Before<'a>> {
    let comes_from_elsewhere = |version: &&Version| version.registry != latest.registry;
    if !server.versions.iter().any(|version| comes_from_elsewhere(&version)) {
        return Vec::new();
    }
    let vouches = |registry: usize| {
        listings(server, latest).any(|(other, entry)| other == registry && is_same(entry.digest(), latest))
    };
    let latest_rank = rank(latest);
    let mut found: Vec<Before<'a>> = Vec::new();
    for version in server.versions.iter().filter(comes_from_elsewhere) {
        if latest_rank <= rank(version) || vouches(version.registry) {
            continue;
        }
        match found.iter_mut().find(|known| known.registry == version.registry) {
            None => found.push(Before { registry: version.registry, versions: 1, latest: version }),
            Some(known) => {
                known.versions += 1;
                if rank(known.latest) < rank(version) {
                    known.latest = version;
                }
            }
        }
    }
    found.sort_unstable_by_key(|before| before.registry);
    found
}

fn rank(version: &Version) -> Rank<'_> {
    Rank::new(version.entry.version(), version.entry.published_at())
}

fn is_same(digest: Digest, version: &Version) -> bool {
    digest == version.entry.digest()
}

/// What there is to tell of a conflict.
fn describe<'a>(catalog: &'a Catalog, server: &'a Server, key: &Key) -> Option<Conflict<'a>> {
    let registry = |position: usize| &*catalog.registries[position].rules.name;
    let name = server.name.as_str();
    Some(match key.kind {
        Kind::Content => Conflict::Content(content(catalog, server, server.version(&key.version)?)),
        Kind::Latest => {
            let latest = server.latest()?;
            let earlier = earlier(server, latest).into_iter().map(|before| Earlier {
                registry: registry(before.registry),
                versions: before.versions,
                latest: before.latest.entry.version(),
                published_at: before.latest.entry.published_at(),
            });
            Conflict::Latest(Latest {
                name,
                version: latest.entry.version(),
                registry: registry(latest.registry),
                published_at: latest.entry.published_at(),
                earlier: earlier.collect(),
            })
        }
        Kind::Refused => {
            let refused = refused(server).find(|refused| *registry(refused.registry) == *key.registry)?;
            let entry = refused.listed.entry(&key.version)?;
            Conflict::Refused(Refused {
                name,
                version: entry.version(),
                registry: registry(refused.registry),
                sha256: entry.digest().to_string(),
                claimed_by: catalog.claimants(name).collect(),
                reason: CLAIMED,
            })
        }
    })
}

fn content<'a>(catalog: &'a Catalog, server: &'a Server, version: &'a Version) -> Content<'a> {
    let registry = |position: usize| &*catalog.registries[position].rules.name;
    let mut room = differences::MAX_OF_CONFLICT;
    let mut listing = |(position, entry): (usize, &Arc<Entry>)| {
        let differs = !is_same(entry.digest(), version);
        let differences = differs.then(|| Differences::between(&version.entry, entry, &mut room));
        Listing { registry: registry(position), sha256: entry.digest().to_string(), differences }
    };
    let others = listings(server, version).filter(|(position, _)| *position != version.registry);
    let listings = std::iter::once((version.registry, &version.entry)).chain(others).map(&mut listing).collect();
    let is_owned = server.contributions.iter().any(|contribution| contribution.standing == Standing::Shadowed);
    Content {
        name: server.name.as_str(),
        version: version.entry.version(),
        winner: registry(version.registry),
        reason: if is_owned { OWNER } else { FIRST_IN_ORDER },
        listings,
    }
}

#[cfg(test)]
mod tests;
