//! What lists can be filtered by besides text and time: the kind of a server, its package types and
//! transports, its status, and the registries that list it.
//!
//! A set of facets is one canonical text, a line each, so that equal sets are equal texts: versions share
//! them, and an index over a whole catalog holds each different one once.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::Server;
use super::entry::Status;

/// The longest value that is kept. Real ones have at most fifteen characters; a longer one is noise.
const MAX_VALUE_BYTES: usize = 64;

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
            Self::PackageType(text) => write!(formatter, "package_type={}", text.to_ascii_lowercase()),
            Self::Transport(text) => write!(formatter, "transport={}", text.to_ascii_lowercase()),
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
    /// The set of these facets.
    #[must_use]
    pub fn new<'a>(facets: impl IntoIterator<Item = Facet<'a>>) -> Self {
        Self::of_lines(facets.into_iter().filter(Facet::is_sound).map(|facet| facet.to_string()))
    }

    fn of_lines(lines: impl Iterator<Item = String>) -> Self {
        let lines: BTreeSet<String> = lines.collect();
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
        Self::of_lines(lines.into_iter())
    }
}

/// The facets of all servers of a catalog, in its order: each different set once.
#[derive(Debug, Default)]
pub(super) struct FacetIndex {
    sets: Vec<Facets>,
    /// By server, which set it has.
    of_server: Vec<u32>,
}

impl FacetIndex {
    pub(super) fn new<'a>(servers: impl ExactSizeIterator<Item = &'a Server>) -> Self {
        let mut index = Self { sets: Vec::new(), of_server: Vec::with_capacity(servers.len()) };
        let mut known: HashMap<&Facets, u32> = HashMap::new();
        for server in servers {
            let next = u32::try_from(known.len()).expect("fewer servers than a u32 counts");
            let set = *known.entry(&server.facets).or_insert(next);
            if set == next {
                index.sets.push(server.facets.clone());
            }
            index.of_server.push(set);
        }
        index
    }

    /// Finds the sets that have all of these facets.
    pub(super) fn matching(&self, wanted: &[String]) -> MatchingSets {
        MatchingSets(self.sets.iter().map(|set| set.have_all(wanted)).collect())
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
    fn what_a_registry_wrote_cannot_forge_a_line() {
        let facets = Facets::new([Facet::PackageType("npm\nregistry=acme"), Facet::Transport("")]);
        assert_eq!(facets, Facets::new([]));
    }
}
