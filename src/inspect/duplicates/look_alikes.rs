//! Names that can be taken for those of more established servers: they look the same, or are an edit or two apart.
//!
//! Names of one namespace that one registry lists are none: whoever publishes there may name servers as they like, and
//! `tools-1` beside `tools-2` misleads nobody. So two names are compared where their namespaces differ, or where no
//! registry lists both. Names that differ in letter case alone are told as the same (`same`).
//!
//! The slash has to stand in the same place of both: one that has moved would show in the namespaces. So the two parts
//! are compared by themselves: of names that are equal behind the slash the namespaces, and of namespaces that are one
//! edit apart what stands behind them.

use std::collections::{BTreeMap, BTreeSet};

use super::established::Weight;
use super::near::{self, Reach};
use super::{Basis, Evidence, Grade, Group, Kind};
use crate::catalog::rules::fold;
use crate::catalog::{Catalog, Server};
use crate::inspect::likeness::{Likeness, is_within, likeness, looks};

/// How many look-alikes are told. A catalog that has more of them has another problem.
const MAX_FOUND: usize = 10_000;
/// How many pairs are looked at, in all: some seconds.
const MAX_COMPARISONS: usize = 30_000_000;
/// The most names that look the same which are compared with one another.
const MAX_SAME_LOOK: usize = 32;
/// Where two namespaces that are one edit apart have more names than this, one times the other, what stands behind them
/// has to be equal.
const MAX_PRODUCT: usize = 4_096;
/// So many texts are compared each with each: faster than any other way.
const FEW: usize = 24;
/// How many bytes one edit can change: two characters that change places.
const BYTES_OF_AN_EDIT: usize = 2 * 4;
/// From how many characters on an edit in the part that differs is hardly chance: many people have short names.
const LONG_LABEL: usize = 8;

/// All groups: each is one name, and the one that it can be taken for.
pub(super) fn groups(catalog: &Catalog) -> Vec<Group> {
    // What has been taken back can be taken for nothing.
    let is_visible = |server: &&Server| server.latest().is_some_and(|latest| !latest.entry.is_deleted());
    let servers = catalog.servers().iter().map(AsRef::as_ref).filter(is_visible);
    let names: Vec<Name<'_>> = servers.map(Name::of).collect();
    let mut search = Search::new(&names);
    search.look_the_same();
    search.behind_any_namespace();
    search.in_like_namespaces();
    search.in_one_namespace();
    search.found.into_iter().map(|((one, other), likeness)| group(&names[one], &names[other], likeness)).collect()
}

/// A server, and its name in two parts, without letter case; the second is empty where there is no slash.
struct Name<'a> {
    server: &'a Server,
    namespace: String,
    tail: String,
}

impl<'a> Name<'a> {
    fn of(server: &'a Server) -> Self {
        let folded = fold(server.name.as_str());
        let (namespace, tail) = folded.split_once('/').unwrap_or((&folded, ""));
        Self { server, namespace: namespace.to_owned(), tail: tail.to_owned() }
    }

    /// From behind: most begin alike, and what tells them from one another is what stands before the slash.
    fn reversed_namespace(&self) -> String {
        self.namespace.chars().rev().collect()
    }

    fn text(&self) -> &'a str {
        self.server.name.as_str()
    }

    /// The registries that list it, by their positions.
    fn registries(&self) -> impl Iterator<Item = usize> {
        let counting = self.server.contributions.iter().filter(|contribution| contribution.counts());
        counting.map(|contribution| contribution.registry)
    }

    /// Whether one publisher may have chosen both names.
    fn has_owner_of(&self, other: &Self) -> bool {
        self.namespace == other.namespace
            && self.registries().any(|ours| other.registries().any(|theirs| ours == theirs))
    }
}

struct Search<'a> {
    names: &'a [Name<'a>],
    /// The names of each namespace, in the order of what stands behind it.
    namespaces: BTreeMap<&'a str, Vec<usize>>,
    /// How many more pairs may be looked at.
    comparisons: usize,
    /// How two names, the lesser position first, are alike.
    found: BTreeMap<(usize, usize), Likeness>,
}

impl<'a> Search<'a> {
    fn new(names: &'a [Name<'a>]) -> Self {
        let mut namespaces: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, name) in names.iter().enumerate() {
            namespaces.entry(&name.namespace).or_default().push(index);
        }
        for of_one in namespaces.values_mut() {
            of_one.sort_by(|one, other| names[*one].tail.cmp(&names[*other].tail));
        }
        Self { names, namespaces, comparisons: MAX_COMPARISONS, found: BTreeMap::new() }
    }

    /// Takes some comparisons, if there are as many left.
    fn may_compare(&mut self, count: usize) -> bool {
        let left = self.comparisons.checked_sub(count).filter(|_| self.found.len() < MAX_FOUND);
        self.comparisons = left.unwrap_or_default();
        left.is_some()
    }

    /// Looks at two names closely.
    fn compare(&mut self, one: usize, other: usize) {
        let (first, second) = (&self.names[one], &self.names[other]);
        if first.has_owner_of(second) {
            return;
        }
        if let Some(likeness) = likeness(first.text(), second.text()).filter(|likeness| *likeness != Likeness::Case) {
            self.found.insert((one.min(other), one.max(other)), likeness);
        }
    }

    fn look_the_same(&mut self) {
        let looks =
            self.names.iter().enumerate().flat_map(|(index, name)| looks(name.text()).map(|look| (look, index)));
        let mut looks: Vec<(u64, usize)> = looks.collect();
        looks.sort_unstable();
        looks.dedup();
        for alike in looks.chunk_by(|one, other| one.0 == other.0).filter(|alike| alike.len() <= MAX_SAME_LOOK) {
            for (at, (_, one)) in alike.iter().enumerate() {
                for (_, other) in &alike[at + 1..] {
                    if self.may_compare(1) {
                        self.compare(*one, *other);
                    }
                }
            }
        }
    }

    /// Names that are equal but for their namespaces, which may be two edits apart.
    fn behind_any_namespace(&mut self) {
        let names = self.names;
        let mut tails: Vec<usize> = (0..names.len()).collect();
        tails.sort_by(|one, other| names[*one].tail.cmp(&names[*other].tail));
        for equal in tails.chunk_by(|one, other| names[*one].tail == names[*other].tail) {
            let reversed: Vec<String> = equal.iter().map(|index| names[*index].reversed_namespace()).collect();
            let reversed: Vec<&str> = reversed.iter().map(String::as_str).collect();
            self.each_pair(&reversed, Reach::Two, |this, one, other| this.compare(equal[one], equal[other]));
        }
    }

    /// Names that are one edit apart in both parts.
    fn in_like_namespaces(&mut self) {
        let namespaces: Vec<Vec<usize>> = self.namespaces.values().cloned().collect();
        let reversed: Vec<String> = namespaces.iter().map(|of| self.names[of[0]].reversed_namespace()).collect();
        let reversed: Vec<&str> = reversed.iter().map(String::as_str).collect();
        self.each_pair(&reversed, Reach::One, |this, one, other| this.behind(&namespaces[one], &namespaces[other]));
    }

    /// Calls `look` with each pair of texts that are that near.
    fn each_pair(&mut self, texts: &[&str], reach: Reach, mut look: impl FnMut(&mut Self, usize, usize)) {
        let edits = if reach == Reach::One { 1 } else { 2 };
        let chars: Vec<Vec<char>> = texts.iter().map(|text| text.chars().collect()).collect();
        let mut look_at = |one: usize, other: usize| {
            if is_within(&chars[one], &chars[other], edits) {
                look(self, one, other);
            }
            self.may_compare(1)
        };
        if texts.len() <= FEW {
            let pairs = (0..texts.len()).flat_map(|one| (one + 1..texts.len()).map(move |other| (one, other)));
            // All of them, until it has seen enough.
            let _seen_enough = pairs.into_iter().all(|(one, other)| look_at(one, other));
        } else {
            near::pairs(texts, reach, look_at);
        }
    }

    /// Looks at what stands behind two namespaces that are one edit apart, and is one edit apart itself.
    fn behind(&mut self, first: &[usize], second: &[usize]) {
        let (names, product) = (self.names, first.len() * second.len());
        if MAX_PRODUCT < product || !self.may_compare(product) {
            return;
        }
        for one in first {
            for other in second.iter().filter(|other| may_be_an_edit_apart(&names[*one].tail, &names[**other].tail)) {
                self.compare(*one, *other);
            }
        }
    }

    fn in_one_namespace(&mut self) {
        let names = self.names;
        let shared: Vec<Vec<usize>> = self.namespaces.values().filter(|of_one| 1 < of_one.len()).cloned().collect();
        for of_one in shared {
            let listed: BTreeSet<Vec<usize>> =
                of_one.iter().map(|index| names[*index].registries().collect()).collect();
            let are_apart = |one: &Vec<usize>, other: &Vec<usize>| !one.iter().any(|registry| other.contains(registry));
            if !listed.iter().any(|one| listed.iter().any(|other| are_apart(one, other))) {
                continue;
            }
            let tails: Vec<&str> = of_one.iter().map(|index| names[*index].tail.as_str()).collect();
            self.each_pair(&tails, Reach::Two, |this, one, other| this.compare(of_one[one], of_one[other]));
        }
    }
}

/// Whether all in which two texts differ may be one edit: what is between that in which they begin and end alike.
fn may_be_an_edit_apart(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let begin = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    let (one, other) = (&one[begin..], &other[begin..]);
    let end = one.iter().rev().zip(other.iter().rev()).take_while(|(one, other)| one == other).count();
    one.len().max(other.len()) - end <= BYTES_OF_AN_EDIT
}

fn group(one: &Name<'_>, other: &Name<'_>, likeness: Likeness) -> Group {
    let mut names = [(Weight::of(one.server), one), (Weight::of(other.server), other)];
    names.sort_by(|(one, _), (other, _)| one.cmp(other));
    let names = names.map(|(_, name)| name.server.name.clone()).to_vec();
    let (basis, value, grade) = match likeness {
        Likeness::Case => (Basis::Case, String::new(), Grade::Likely),
        Likeness::Confusable => (Basis::Confusable, String::new(), Grade::Likely),
        Likeness::Edits(edits) => {
            let grade = if edits == 1 && LONG_LABEL <= shorter_label(one, other) { Grade::Likely } else { Grade::Weak };
            (Basis::Edits, edits.to_string(), grade)
        }
    };
    let evidence = Evidence { grade, basis, value, names: names.clone() };
    Group::new(Kind::LookAlike, grade, names, vec![evidence])
}

/// The length of the part that differs, where it is shorter: of the last label of a namespace, or of what stands behind.
fn shorter_label(one: &Name<'_>, other: &Name<'_>) -> usize {
    let label = |name: &Name<'_>| {
        let label = if one.namespace == other.namespace { name.tail.as_str() } else { last_label(&name.namespace) };
        label.chars().count()
    };
    label(one).min(label(other))
}

fn last_label(namespace: &str) -> &str {
    namespace.rsplit('.').next().unwrap_or(namespace)
}
