//! Servers under different names that are likely the same thing, with the evidence; and names that can be taken for
//! those of more established servers.
//!
//! A thing in common is no proof by itself: one package of the official registry is 16 servers, one repository 26. So
//! each piece of evidence has a grade ([`Grade`]), which depends on how many names share it, and what very many share
//! is evidence of nothing. `identity` says what a server is, `same` which ones are the same, `near` and `look_alikes`
//! which names are alike, `established` which of two is the more established one.
//!
//! Only each name's latest version counts. A report is made for a whole catalog, and in time and memory about in
//! proportion to it; of pages, only the report is asked.

mod established;
mod identity;
mod look_alikes;
mod near;
mod same;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::names::NameFilter;
use crate::catalog::entry::Name;
use crate::catalog::{Catalog, Server};
use established::Weight;

/// The most groups that a report holds; of more, those of the better grades.
pub const MAX_GROUPS: usize = 20_000;
/// The most servers, and the most pieces of evidence, of one group that are held.
const MAX_MEMBERS: usize = 64;
/// The longest evidence that is shown, in characters.
const MAX_VALUE_CHARS: usize = 512;

/// What a group is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Servers that are likely the same thing.
    Same,
    /// A name that can be taken for that of a more established server.
    LookAlike,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Same, Self::LookAlike];

    /// The wire value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::LookAlike => "look-alike",
        }
    }

    /// Reads the wire value.
    #[must_use]
    pub fn from_wire(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// How good evidence is, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// There is no telling them apart: one URL, or one package that is started in one way.
    Certain,
    /// Somebody would have had to go out of their way for this to be chance.
    Likely,
    /// Worth a look.
    Weak,
}

impl Grade {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Certain, Self::Likely, Self::Weak];

    /// The wire value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Certain => "certain",
            Self::Likely => "likely",
            Self::Weak => "weak",
        }
    }

    /// Reads the wire value.
    #[must_use]
    pub fn from_wire(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grade| grade.as_str() == text)
    }
}

/// What servers have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// They are reached at one URL.
    Remote,
    /// They are run from one package.
    Package,
    /// They are built from one repository, and its subfolder, if one is named.
    Repository,
    /// Their names differ in letter case alone.
    Case,
    /// Their names look the same.
    Confusable,
    /// Their names are one edit apart, or two.
    Edits,
}

/// One thing that names have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Evidence {
    grade: Grade,
    basis: Basis,
    value: String,
    names: Vec<Name>,
}

/// Names that belong together.
#[derive(Clone, Debug)]
pub(super) struct Group {
    kind: Kind,
    grade: Grade,
    /// The most established first, [`MAX_MEMBERS`] at most.
    names: Vec<Name>,
    /// How many more there are.
    further: usize,
    /// The best first, [`MAX_MEMBERS`] at most.
    evidence: Vec<Evidence>,
}

/// Which groups are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    /// Only those with a server that this registry lists.
    pub registry: Option<Box<str>>,
    /// Only those with this name, in which `*` stands for whatever there is.
    pub name: Option<Box<str>>,
    /// Only those of this kind.
    pub kind: Option<Kind>,
    /// Only those of this grade.
    pub grade: Option<Grade>,
}

/// Where a page begins: after this group, whether that still exists or not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The group's name that comes first by its bytes.
    pub name: Box<str>,
    /// The group's id.
    pub id: Box<str>,
}

/// All groups of a catalog.
#[derive(Debug, Default)]
pub struct Report {
    groups: BTreeMap<Position, Group>,
}

/// A page, in the order of the positions.
#[derive(Debug)]
pub struct Page<'a> {
    /// The groups.
    pub groups: Vec<Told<'a>>,
    /// Where the next page begins; none on the last one.
    pub next: Option<Position>,
}

/// A group as it is told.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Told<'a> {
    /// Stays the same for as long as the group is of the same names for the same reasons.
    pub id: &'a str,
    /// What it is about.
    pub kind: Kind,
    /// How sure that is.
    pub grade: Grade,
    /// The servers, the most established first.
    pub servers: Vec<Member<'a>>,
    /// How many more there are.
    #[serde(skip_serializing_if = "is_zero")]
    pub further_servers: usize,
    /// What they have in common, the best first.
    pub evidence: Vec<ToldEvidence<'a>>,
}

/// A server of a group.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Member<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its latest version.
    pub version: &'a str,
    /// The usable registries that list it, in configuration order.
    pub registries: Vec<&'a str>,
    /// How many versions it has.
    pub versions: usize,
    /// When the first of these was published.
    pub published_at: Timestamp,
}

/// One thing that some of them have in common.
#[derive(Debug, Serialize)]
pub struct ToldEvidence<'a> {
    /// What it is.
    pub basis: Basis,
    /// How good it is.
    pub grade: Grade,
    /// The URL, the package, the repository, the number of edits; empty where there is nothing to say.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub value: &'a str,
    /// Who has it.
    pub names: Vec<&'a str>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Report {
    /// Looks for everything in a catalog.
    #[must_use]
    pub fn of(catalog: &Catalog) -> Self {
        let mut groups = same::groups(catalog);
        groups.extend(look_alikes::groups(catalog));
        groups.sort_by_key(|group| group.grade);
        groups.truncate(MAX_GROUPS);
        Self { groups: groups.into_iter().map(|group| (group.position(), group)).collect() }
    }

    /// The groups that pass the filter and stand after the position, `limit` of them at most; of the catalog that the
    /// report is of.
    #[must_use]
    pub fn page<'a>(
        &'a self,
        catalog: &'a Catalog,
        filter: &Filter,
        after: Option<&Position>,
        limit: usize,
    ) -> Page<'a> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, |after| Excluded(after.clone()));
        let registry = filter.registry.as_deref();
        let registry = registry.map(|name| catalog.registries.iter().position(|known| *known.rules.name == *name));
        let name = filter.name.as_deref().map(NameFilter::new);
        let is_listed = |group: &Group| match registry {
            None => true,
            Some(None) => false,
            Some(Some(position)) => group.servers(catalog).any(|server| lists(server, position)),
        };
        let mut passing = self.groups.range((from, Unbounded)).filter(|(_, group)| {
            filter.kind.is_none_or(|kind| kind == group.kind)
                && filter.grade.is_none_or(|grade| grade == group.grade)
                && name.as_ref().is_none_or(|name| group.names.iter().any(|known| name.matches(known.as_str())))
                && is_listed(group)
        });
        let found: Vec<_> = passing.by_ref().take(limit).collect();
        let more = passing.next().is_some();
        let next = found.last().filter(|_| more).map(|(position, _)| (*position).clone());
        Page { groups: found.into_iter().map(|(position, group)| group.told(position, catalog)).collect(), next }
    }
}

fn lists(server: &Server, registry: usize) -> bool {
    server.contributions.iter().any(|contribution| contribution.registry == registry && contribution.counts())
}

impl Group {
    fn new(kind: Kind, grade: Grade, mut names: Vec<Name>, mut evidence: Vec<Evidence>) -> Self {
        evidence.sort_unstable();
        evidence.truncate(MAX_MEMBERS);
        let further = names.len().saturating_sub(MAX_MEMBERS);
        names.truncate(MAX_MEMBERS);
        for evidence in &mut evidence {
            evidence.names.truncate(MAX_MEMBERS);
            if let Some((end, _)) = evidence.value.char_indices().nth(MAX_VALUE_CHARS) {
                evidence.value.truncate(end);
                evidence.value.push('…');
            }
        }
        Self { kind, grade, names, further, evidence }
    }

    fn position(&self) -> Position {
        let mut names: Vec<&str> = self.names.iter().map(Name::as_str).collect();
        names.sort_unstable();
        let mut hasher = blake3::Hasher::new();
        let mut add = |text: &str| {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        add(self.kind.as_str());
        for text in names.iter().copied().chain(self.evidence.iter().map(|evidence| &*evidence.value)) {
            add(text);
        }
        let id = &hasher.finalize().to_hex()[..16];
        Position { name: names.first().copied().unwrap_or_default().into(), id: id.into() }
    }

    fn servers<'a>(&'a self, catalog: &'a Catalog) -> impl Iterator<Item = &'a Server> {
        self.names.iter().filter_map(|name| catalog.server(name.as_str()))
    }

    fn told<'a>(&'a self, position: &'a Position, catalog: &'a Catalog) -> Told<'a> {
        let evidence = |evidence: &'a Evidence| ToldEvidence {
            basis: evidence.basis,
            grade: evidence.grade,
            value: &evidence.value,
            names: evidence.names.iter().map(Name::as_str).collect(),
        };
        Told {
            id: &position.id,
            kind: self.kind,
            grade: self.grade,
            servers: self.servers(catalog).map(|server| member(catalog, server)).collect(),
            further_servers: self.further,
            evidence: self.evidence.iter().map(evidence).collect(),
        }
    }
}

fn member<'a>(catalog: &'a Catalog, server: &'a Server) -> Member<'a> {
    let counting = server.contributions.iter().filter(|contribution| contribution.counts());
    Member {
        name: server.name.as_str(),
        version: server.latest().map_or("", |latest| latest.entry.version()),
        registries: counting.map(|listed| &*catalog.registries[listed.registry].rules.name).collect(),
        versions: server.versions.len(),
        published_at: Weight::of(server).published_at(),
    }
}

#[cfg(test)]
mod tests;
