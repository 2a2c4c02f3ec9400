//! What lists can be filtered by besides text and time: the kind of a server, its package types and
//! transports, its status, and the registries that list it.
//!
//! A set of facets is one canonical text, a line each, so that equal sets are equal texts, which versions share.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

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
}

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
