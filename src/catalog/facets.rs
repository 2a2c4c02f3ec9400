//! What lists can be filtered by besides text and time: the kind of a server, its package types and
//! transports, its status, and the registries that list it.
//!
//! A set of facets is one canonical text, a line each, so that equal sets are equal texts: versions share
//! them, and an index over a whole catalog holds each different one once.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use super::Server;
use super::entry::Status;
use super::search::lowercase;

/// The most facets of one version. Real ones have six at most; more are noise, and would cost every filter.
const MAX_FACETS: usize = 32;
/// The longest value that is kept. Real ones have at most fifteen characters; a longer one is noise.
const MAX_VALUE_BYTES: usize = 64;
/// The longest text of one version's facets: lower case may take three times the room.
const MAX_TEXT_BYTES: usize = MAX_FACETS * (16 + 3 * MAX_VALUE_BYTES);

/// How a server is reached: by a package that runs locally, or at a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It has packages.
    Package,
    /// It has remotes.
    Remote,
}

impl Kind {
    /// Reads the wire value.
    #[must_use]
    pub fn from_wire(text: &str) -> Option<Self> {
        match text {
            "package" => Some(Self::Package),
            "remote" => Some(Self::Remote),
            _ => None,
        }
    }

    /// The wire value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Package => "package",
            Self::Remote => "remote",
        }
    }
}

/// One property that a filter can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Facet<'a> {
    /// It has packages, or remotes.
    Kind(Kind),
    /// One of its packages is of this type, letter case ignored.
    PackageType(&'a str),
    /// One of its packages or remotes speaks over this transport, letter case ignored.
    Transport(&'a str),
    /// It has this status.
    Status(&'a Status),
    /// This registry lists it.
    Registry(&'a str),
}

impl fmt::Display for Facet<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(kind) => write!(formatter, "type={}", kind.as_str()),
            Self::PackageType(text) => write!(formatter, "package_type={}", lowercase(text)),
            Self::Transport(text) => write!(formatter, "transport={}", lowercase(text)),
            Self::Status(status) => write!(formatter, "status={}", status.as_str()),
            Self::Registry(name) => write!(formatter, "registry={name}"),
        }
    }
}

impl Facet<'_> {
    fn is_sound(&self) -> bool {
        match self {
            Self::PackageType(text) | Self::Transport(text) => is_sound(text),
            Self::Status(status) => is_sound(status.as_str()),
            Self::Kind(_) | Self::Registry(_) => true,
        }
    }
}

/// Whether a value that a registry wrote can stand in a line.
fn is_sound(value: &str) -> bool {
    !value.is_empty() && value.len() <= MAX_VALUE_BYTES && !value.contains(char::is_control)
}

/// A set of facets. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Facets(Arc<str>);

impl Facets {
    /// The set of the first of these facets: of as many as a version may have.
    #[must_use]
    pub fn new<'a>(facets: impl IntoIterator<Item = Facet<'a>>) -> Self {
        let mut lines = BTreeSet::new();
        for facet in facets.into_iter().filter(Facet::is_sound) {
            if lines.len() == MAX_FACETS {
                break;
            }
            lines.insert(facet.to_string());
        }
        Self::of_lines(lines)
    }

    /// The set as text, a line each, sorted.
    #[must_use]
    pub fn as_text(&self) -> &str {
        &self.0
    }

    /// The set that [`Facets::as_text`] wrote of one version; none where it cannot have written this.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let is_line = |line: &str| {
            let (key, value) = line.split_once('=').unwrap_or_default();
            matches!(key, "type" | "package_type" | "transport") && !value.contains(char::is_control)
        };
        let is_whole = text.is_empty() || text.ends_with('\n');
        let is_set = text.lines().is_sorted_by(|left, right| left < right);
        let fits = text.len() <= MAX_TEXT_BYTES && text.lines().count() <= MAX_FACETS;
        (fits && is_whole && is_set && text.lines().all(is_line)).then(|| Self(text.into()))
    }

    fn of_lines(lines: BTreeSet<String>) -> Self {
        Self(lines.into_iter().fold(String::new(), |text, line| text + &line + "\n").into())
    }

    /// Whether the set has all of these, each written as [`Facet`] displays it.
    #[must_use]
    pub fn have_all(&self, wanted: &[String]) -> bool {
        wanted.iter().all(|wanted| self.0.lines().any(|line| line == wanted))
    }

    /// All facets of a server's versions, and the registries that contribute to it.
    pub(super) fn of_server<'a>(versions: impl Iterator<Item = (&'a Self, &'a Status)>, registries: &[&str]) -> Self {
        let mut lines: BTreeSet<String> = registries.iter().map(|name| Facet::Registry(name).to_string()).collect();
        let mut last = None;
        for (facets, status) in versions {
            // Most versions repeat their predecessor's.
            if last != Some((facets, status)) {
                lines.extend(facets.0.lines().map(str::to_owned));
                lines.insert(Facet::Status(status).to_string());
                last = Some((facets, status));
            }
        }
        Self::of_lines(lines)
    }
}

/// The facets of all servers of a catalog, in its order: each different set once, and for each facet the sets
/// that have it.
#[derive(Debug, Default)]
pub(super) struct FacetIndex {
    sets: usize,
    sets_with: HashMap<Box<str>, Vec<u32>>,
    /// By server, which set it has.
    of_server: Vec<u32>,
}

impl FacetIndex {
    pub(super) fn new<'a>(servers: impl ExactSizeIterator<Item = &'a Server>) -> Self {
        let mut index = Self { of_server: Vec::with_capacity(servers.len()), ..Self::default() };
        let mut known: HashMap<&Facets, u32> = HashMap::new();
        for server in servers {
            let next = u32::try_from(known.len()).expect("fewer servers than a u32 counts");
            let set = *known.entry(&server.facets).or_insert(next);
            if set == next {
                index.add_set(next, &server.facets);
            }
            index.of_server.push(set);
        }
        index
    }

    fn add_set(&mut self, set: u32, facets: &Facets) {
        self.sets += 1;
        for line in facets.0.lines() {
            match self.sets_with.get_mut(line) {
                Some(sets) => sets.push(set),
                None => drop(self.sets_with.insert(line.into(), vec![set])),
            }
        }
    }

    /// Finds the sets that have all of these facets.
    pub(super) fn matching(&self, wanted: &[String]) -> MatchingSets {
        let mut found = vec![0; self.sets];
        for wanted in wanted {
            for set in self.sets_with.get(&**wanted).into_iter().flatten() {
                found[*set as usize] += 1;
            }
        }
        MatchingSets(found.into_iter().map(|found: usize| found == wanted.len()).collect())
    }

    /// Whether one of the server's versions may have the facets that `sets` was made of.
    pub(super) fn may_match(&self, server: usize, sets: &MatchingSets) -> bool {
        self.of_server.get(server).is_some_and(|set| sets.0[*set as usize])
    }
}

/// By set of a [`FacetIndex`], whether it matches.
pub(super) struct MatchingSets(Vec<bool>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_sets_are_equal_texts_whatever_their_order() {
        let npm = || Facet::PackageType("NPM");
        let one = Facets::new([npm(), Facet::Kind(Kind::Package), Facet::Transport("stdio"), npm()]);
        assert_eq!(one, Facets::new([Facet::Transport("STDIO"), Facet::Kind(Kind::Package), npm()]));
        assert!(one.have_all(&["package_type=npm".to_owned(), "transport=stdio".to_owned()]));
        assert!(!one.have_all(&["package_type=np".to_owned()]));
        assert!(one.have_all(&[]));
    }

    #[test]
    fn letter_case_is_ignored_in_every_script_and_a_version_has_only_so_many() {
        assert_eq!(Facet::PackageType("É").to_string(), Facet::PackageType("é").to_string());
        let many: Vec<String> = (0..100).map(|number| format!("type-{number:03}")).collect();
        let facets = Facets::new(many.iter().map(|text| Facet::PackageType(text)));
        assert_eq!(facets.0.lines().count(), MAX_FACETS);
        assert!(facets.have_all(&["package_type=type-000".to_owned()]));
    }

    #[test]
    fn what_a_registry_wrote_cannot_forge_a_line() {
        let facets = Facets::new([Facet::PackageType("npm\nregistry=acme"), Facet::Transport("")]);
        assert_eq!(facets, Facets::new([]));
    }
}
