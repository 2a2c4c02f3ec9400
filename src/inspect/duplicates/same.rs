//! Which servers are likely the same thing.
//!
//! | in common | shared by | grade |
//! |---|---|---|
//! | a URL, with the same fixed headers | 8 names or fewer; 32 or fewer | certain; likely |
//! | a package, started with the same fixed arguments | 4 names or fewer; 8 or fewer | certain; likely |
//! | a package, started otherwise | 3 names or fewer | weak |
//! | a repository and its subfolder | 3 names or fewer | likely |
//! | a repository that both are named after | 8 names or fewer | likely; weak where they are different packages |
//! | a repository | 3 names or fewer, of different packages none | weak |
//! | the name, but for letter case | 8 names or fewer | likely |
//!
//! Names that certain and likely evidence joins are one group, of the worse grade where it takes both. What is only
//! weakly alike is a group for itself, and joins nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::RandomState;

use super::established::Weight;
use super::identity::{Identity, Trait};
use super::{Basis, Evidence, Grade, Group, Kind};
use crate::catalog::rules::fold;
use crate::catalog::{Catalog, Server};

/// How many names may share something that says a little of them.
const FEW: usize = 3;
/// How many may share a package for it to be certain, and to be likely.
const PACKAGE: [usize; 2] = [4, 8];
/// How many may share a URL for it to be certain, and to be likely.
const REMOTE: [usize; 2] = [8, 32];
/// How many names that are those of a repository, or of one another, may be meant.
const NAMED: usize = 8;
/// The most names that share something which is looked at more closely.
const MOST: usize = 32;

/// Names of repositories that tell nothing of what is in them, without what is neither letter nor digit.
const COMMON: [&str; 8] = ["mcp", "mcps", "server", "servers", "mcpserver", "mcpservers", "tools", "mcptools"];

/// All groups.
pub(super) fn groups(catalog: &Catalog) -> Vec<Group> {
    let servers: Vec<&Server> = catalog.servers().iter().map(AsRef::as_ref).collect();
    let findings = findings(&servers);
    let mut joined = Joined::new(&findings);
    let mut groups = joined.groups(&servers, &findings);
    let weak = findings.iter().filter(|finding| finding.grade == Grade::Weak && !joined.has_all(&finding.servers));
    groups.extend(weak.map(|weak| group(&servers, &weak.servers, Grade::Weak, &[weak])));
    groups
}

/// Something that servers, by their positions, have in common.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    grade: Grade,
    basis: Basis,
    value: String,
    /// In order, two at least.
    servers: Vec<usize>,
}

/// All that some have in common and not many.
fn findings(servers: &[&Server]) -> Vec<Finding> {
    let shared = shared(servers);
    let involved: BTreeSet<usize> = shared.iter().flat_map(|(_, members)| members.iter().copied()).collect();
    let identities: HashMap<usize, Identity> =
        involved.into_iter().filter_map(|index| Some((index, Identity::of(&servers[index].latest()?.entry)))).collect();
    // By their text now: that two hashes are the same means nothing by itself.
    let mut by_text: BTreeMap<(Trait, &str), BTreeSet<usize>> = BTreeMap::new();
    for (which, members) in &shared {
        for index in members {
            for value in identities.get(index).into_iter().flat_map(|identity| identity.values(*which)) {
                by_text.entry((*which, value)).or_default().insert(*index);
            }
        }
    }
    let mut findings = Vec::new();
    for ((which, value), members) in by_text.into_iter().filter(|(_, members)| members.len() > 1) {
        let members: Vec<usize> = members.into_iter().collect();
        let mut add = |grade: Option<Grade>, basis, servers: Vec<usize>| {
            if let Some(grade) = grade.filter(|_| servers.len() > 1) {
                findings.push(Finding { grade, basis, value: value.to_owned(), servers });
            }
        };
        let count = members.len();
        match which {
            Trait::Remote => add(graded(count, REMOTE), Basis::Remote, members),
            Trait::Package => add(graded(count, PACKAGE), Basis::Package, members),
            Trait::PackageAlone => add((count <= FEW).then_some(Grade::Weak), Basis::Package, members),
            Trait::Subfolder => {
                let same_program = not_other_programs(&members, &identities);
                add((count <= FEW).then_some(Grade::Likely), Basis::Repository, same_program);
            }
            Trait::Repository => {
                let named = named_after(servers, &members, &identities);
                let same_program = not_other_programs(&named, &identities);
                if count <= NAMED {
                    add(Some(Grade::Likely), Basis::Repository, same_program);
                    add(Some(Grade::Weak), Basis::Repository, named);
                }
                let whole = || members.iter().all(|index| !has_subfolder(&identities, *index));
                let others = not_other_programs(&members, &identities);
                add((count <= FEW && whole()).then_some(Grade::Weak), Basis::Repository, others);
            }
        }
    }
    findings.extend(differing_in_case(servers));
    findings
}

fn graded(count: usize, [certain, likely]: [usize; 2]) -> Option<Grade> {
    if count <= certain { Some(Grade::Certain) } else { (count <= likely).then_some(Grade::Likely) }
}

/// What two servers or more share, and no more than [`MOST`]: by hashes, which is all that is held of most servers.
fn shared(servers: &[&Server]) -> Vec<(Trait, Vec<usize>)> {
    let hasher = RandomState::new();
    let mut traits: Vec<(Trait, u64, u32)> = Vec::new();
    for (index, server) in servers.iter().enumerate() {
        let Some(latest) = server.latest().filter(|latest| !latest.entry.is_deleted()) else { continue };
        let Ok(index) = u32::try_from(index) else { break };
        traits.extend(Identity::of(&latest.entry).hashes(&hasher).map(|(which, hash)| (which, hash, index)));
    }
    traits.sort_unstable();
    let alike = traits.chunk_by(|one, other| (one.0, one.1) == (other.0, other.1));
    let shared = alike.filter(|members| (2..=MOST).contains(&members.len()));
    shared.map(|members| (members[0].0, members.iter().map(|member| member.2 as usize).collect())).collect()
}

/// Those of some servers that are not another program than every one of the others.
fn not_other_programs(members: &[usize], identities: &HashMap<usize, Identity>) -> Vec<usize> {
    let may_be_same = |one: usize, other: usize| match (identities.get(&one), identities.get(&other)) {
        (Some(one), Some(other)) => !one.is_another_program_than(other),
        _ => false,
    };
    let has_like = |one: &usize| members.iter().any(|other| other != one && may_be_same(*one, *other));
    members.iter().copied().filter(has_like).collect()
}

/// Those of some servers whose names end as the repository's does.
fn named_after(servers: &[&Server], members: &[usize], identities: &HashMap<usize, Identity>) -> Vec<usize> {
    let is_named = |index: &usize| {
        let tail = servers[*index].name.as_str().rsplit('/').next().map(squashed).unwrap_or_default();
        let repository = identities.get(index).and_then(|identity| identity.repository_name.as_deref()).map(squashed);
        let is_telling = |name: &String| !name.is_empty() && !COMMON.contains(&name.as_str());
        repository.filter(is_telling).is_some_and(|repository| tail.ends_with(&repository))
    };
    let named = members.iter().copied().filter(|index| !has_subfolder(identities, *index));
    named.filter(is_named).collect()
}

fn has_subfolder(identities: &HashMap<usize, Identity>, index: usize) -> bool {
    identities.get(&index).is_some_and(|identity| identity.values(Trait::Subfolder).next().is_some())
}

/// A name's letters and digits.
fn squashed(text: &str) -> String {
    fold(text).chars().filter(|character| character.is_alphanumeric()).collect()
}

fn differing_in_case(servers: &[&Server]) -> Vec<Finding> {
    let hasher = RandomState::new();
    let hash = |name: &str| std::hash::BuildHasher::hash_one(&hasher, fold(name));
    let mut names: Vec<(u64, usize)> =
        servers.iter().enumerate().map(|(index, server)| (hash(server.name.as_str()), index)).collect();
    names.sort_unstable();
    let alike = names.chunk_by(|one, other| one.0 == other.0).filter(|alike| (2..=NAMED).contains(&alike.len()));
    let finding = |alike: &[(u64, usize)]| {
        let servers = alike.iter().map(|(_, index)| *index).collect();
        Finding { grade: Grade::Likely, basis: Basis::Case, value: String::new(), servers }
    };
    alike.map(finding).collect()
}

/// What certain and likely evidence joins: of each server, which one stands for all that it is joined with.
struct Joined {
    certainly: HashMap<usize, usize>,
    likely: HashMap<usize, usize>,
}

impl Joined {
    fn new(findings: &[Finding]) -> Self {
        let join = |worst: Grade| {
            let mut parents = HashMap::new();
            for finding in findings.iter().filter(|finding| finding.grade <= worst) {
                for pair in finding.servers.windows(2) {
                    let (one, other) = (root(&mut parents, pair[0]), root(&mut parents, pair[1]));
                    parents.insert(one.max(other), one.min(other));
                }
            }
            parents
        };
        Self { certainly: join(Grade::Certain), likely: join(Grade::Likely) }
    }

    /// Whether all of these are joined.
    fn has_all(&mut self, servers: &[usize]) -> bool {
        servers.windows(2).all(|pair| root(&mut self.likely, pair[0]) == root(&mut self.likely, pair[1]))
    }

    fn groups(&mut self, servers: &[&Server], findings: &[Finding]) -> Vec<Group> {
        let mut found: BTreeMap<usize, (BTreeSet<usize>, Vec<&Finding>)> = BTreeMap::new();
        for finding in findings {
            // Weak evidence is told where better evidence has joined what it is of.
            if finding.grade < Grade::Weak || self.has_all(&finding.servers) {
                let (members, evidence) = found.entry(root(&mut self.likely, finding.servers[0])).or_default();
                members.extend(&finding.servers);
                evidence.push(finding);
            }
        }
        let of = |(members, evidence): (BTreeSet<usize>, Vec<&Finding>)| {
            let members: Vec<usize> = members.into_iter().collect();
            let roots: BTreeSet<usize> = members.iter().map(|index| root(&mut self.certainly, *index)).collect();
            let grade = if roots.len() == 1 { Grade::Certain } else { Grade::Likely };
            group(servers, &members, grade, &evidence)
        };
        found.into_values().map(of).collect()
    }
}

/// The one that stands for all that this one is joined with.
fn root(parents: &mut HashMap<usize, usize>, server: usize) -> usize {
    let mut top = server;
    while let Some(parent) = parents.get(&top).filter(|parent| **parent != top) {
        top = *parent;
    }
    // The way is short for the next who goes it.
    parents.insert(server, top);
    top
}

fn group(servers: &[&Server], members: &[usize], grade: Grade, findings: &[&Finding]) -> Group {
    let mut weights: Vec<(Weight, usize)> = members.iter().map(|index| (Weight::of(servers[*index]), *index)).collect();
    weights.sort_unstable();
    let name = |index: usize| servers[index].name.clone();
    let names = weights.iter().map(|(_, index)| name(*index)).collect();
    let of = |finding: &&Finding| Evidence {
        grade: finding.grade,
        basis: finding.basis,
        value: finding.value.clone(),
        names: finding.servers.iter().map(|index| name(*index)).collect(),
    };
    // The package in whatever way says nothing more where they are started in the same way.
    let is_said = |finding: &&&Finding| {
        let says_more = |other: &&&Finding| {
            other.grade < finding.grade && other.basis == finding.basis && other.servers == finding.servers
        };
        !findings.iter().any(|other| says_more(&other))
    };
    Group::new(Kind::Same, grade, names, findings.iter().filter(is_said).map(of).collect())
}
