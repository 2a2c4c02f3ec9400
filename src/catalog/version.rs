//! Which of two versions is later: the official registry's rules (`isLatest`; registry-api.md §3).
//!
//! A version that is a semantic version is later than one that is not; two semantic versions compare
//! by precedence, build metadata ignored; two others by the time of publication.

use std::cmp::Ordering;

use jiff::Timestamp;

/// How a version ranks among the versions of its name. Greater is later; the order is total, so that
/// the latest never depends on the order in which versions are looked at.
#[derive(Debug)]
pub struct Rank<'a> {
    semantic: Option<semver::Version>,
    published_at: Timestamp,
    text: &'a str,
}

impl<'a> Rank<'a> {
    /// Ranks one version.
    #[must_use]
    pub fn new(text: &'a str, published_at: Timestamp) -> Self {
        Self { semantic: parse_semantic(text), published_at, text }
    }

    /// Ties between equal precedence go to the later publication (the official registry looks at
    /// versions newest first and replaces only by a greater one), then to the greater text.
    fn compare(&self, other: &Self) -> Ordering {
        let precedence = match (&self.semantic, &other.semantic) {
            (Some(ours), Some(theirs)) => ours.cmp_precedence(theirs),
            (Some(_), None) => Ordering::Greater,
            (None, Some(_)) => Ordering::Less,
            (None, None) => Ordering::Equal,
        };
        precedence.then(self.published_at.cmp(&other.published_at)).then_with(|| self.text.cmp(other.text))
    }
}

impl Ord for Rank<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.compare(other)
    }
}

impl PartialOrd for Rank<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Rank<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Rank<'_> {}

/// Three dotted numbers with optional pre-release and build, optionally after a `v`.
fn parse_semantic(text: &str) -> Option<semver::Version> {
    semver::Version::parse(text.strip_prefix('v').unwrap_or(text)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later(left: (&str, i64), right: (&str, i64)) -> bool {
        let rank = |(text, second)| Rank::new(text, Timestamp::from_second(second).expect("in range"));
        rank(left) > rank(right)
    }

    #[test]
    fn semantic_versions_compare_by_precedence_whenever_they_were_published() {
        assert!(later(("2.0.10", 1), ("2.0.9", 9)));
        assert!(later(("1.0.0", 1), ("1.0.0-rc.1", 9)));
        assert!(later(("v1.0.2", 1), ("1.0.1", 9)));
    }

    #[test]
    fn build_metadata_is_ignored_and_the_newer_publication_wins() {
        assert!(later(("1.0.0+a", 2), ("1.0.0+b", 1)));
    }

    #[test]
    fn what_is_no_semantic_version_loses_to_one_that_is() {
        for odd in ["2.1", "2026.06.09", "3.3.0.1", "auto", "{{VERSION}}", "1.0.1º", "01.0.0"] {
            assert!(later(("0.0.1", 1), (odd, 9)), "{odd}");
        }
    }

    #[test]
    fn two_odd_versions_compare_by_publication_then_by_text() {
        assert!(later(("a", 2), ("b", 1)));
        assert!(later(("b", 1), ("a", 1)));
    }
}
