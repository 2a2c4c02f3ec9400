//! Which versions of a package a configuration accepts, and whether two texts are the same version.

use semver::{Version, VersionReq};

use super::package::{Package, PackageType};

/// Which versions of a package a configuration accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pin {
    /// Whichever is the latest.
    Any,
    /// One, or what a tag stands for.
    Exact(String),
    /// Those that one of these admits.
    Range(Vec<VersionReq>),
}

impl Pin {
    pub(super) fn of(package: &Package) -> Self {
        let Some(version) = package.version.as_deref() else { return Self::Any };
        if matches!(version, "latest" | "*" | "x") {
            return Self::Any;
        }
        match package.kind {
            PackageType::Oci | PackageType::Mcpb => Self::Exact(version.to_owned()),
            PackageType::Npm | PackageType::Jsr | PackageType::Cargo => {
                let exact = version.trim_start_matches(['=', 'v']);
                if Version::parse(exact).is_ok() {
                    return Self::Exact(exact.to_owned());
                }
                // A number alone is a range, and what is none is a tag: `next`.
                ranges(version).unwrap_or_else(|| Self::Exact(version.to_owned()))
            }
            PackageType::Pypi | PackageType::Nuget => {
                let is_exact =
                    version.starts_with(|char: char| char.is_ascii_digit() || char == 'v') && !version.contains('*');
                let exact = || Self::Exact(version.to_owned());
                if is_exact { exact() } else { ranges(version).unwrap_or(Self::Any) }
            }
        }
    }

    /// Whether it accepts a listed version.
    pub(super) fn accepts(&self, kind: PackageType, listed: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(version) => is_same(kind, version, listed),
            Self::Range(ranges) => {
                padded(listed).is_some_and(|version| ranges.iter().any(|range| range.matches(&version)))
            }
        }
    }
}

/// `^1.2`, `~1`, `1`, `1.x`, `>=1 <2`, `>=1,<2`, `~=1.4`, and alternatives of them.
fn ranges(text: &str) -> Option<Pin> {
    let range = |text: &str| {
        let is_partial = text.starts_with(|char: char| char.is_ascii_digit());
        if let Some((first, last)) = text.split_once(" - ") {
            return VersionReq::parse(&format!(">={},<={}", first.trim(), last.trim())).ok();
        }
        let text = if is_partial { format!("={text}") } else { text.to_owned() };
        let mut parts = String::new();
        for part in text.split([',', ' ']).filter(|part| !part.is_empty()) {
            // An operator may stand apart from its version: `>= 1.2`.
            let is_begun = parts.ends_with(['<', '>', '=', '~', '^']);
            parts.push_str(if parts.is_empty() || is_begun { "" } else { "," });
            parts.push_str(&part.strip_prefix("~=").map_or_else(|| Some(part.to_owned()), compatible)?);
        }
        VersionReq::parse(&parts).ok()
    };
    text.split("||").map(|text| range(text.trim())).collect::<Option<Vec<_>>>().map(Pin::Range)
}

/// What `~=` means of a version (PEP 440): `1.4.2` is `>=1.4.2,<1.5`, and `1.4` is `>=1.4,<2`.
fn compatible(version: &str) -> Option<String> {
    let (kept, _) = version.rsplit_once('.')?;
    let (before, last) = kept.rsplit_once('.').map_or((None, kept), |(before, last)| (Some(before), last));
    let next = last.parse::<u64>().ok()?.checked_add(1)?;
    let end = before.map_or_else(|| next.to_string(), |before| format!("{before}.{next}"));
    Some(format!(">={version},<{end}"))
}

/// Whether a text is a range of versions.
pub(super) fn is_range(text: &str) -> bool {
    ranges(text).is_some()
}

/// Whether two images are the same, by what stands after their names: by the digests where both have one, else by the
/// tags.
fn is_same_image(one: &str, other: &str) -> bool {
    let parts = |text: &str| -> (Option<String>, Option<String>) {
        let some = |text: &str| Some(text.to_owned());
        match text.split_once('@') {
            Some((tag, digest)) => (some(tag), some(digest)),
            None if text.contains(':') => (None, some(text)),
            None => (some(text), None),
        }
    };
    match (parts(one), parts(other)) {
        ((_, Some(one)), (_, Some(other))) | ((Some(one), _), (Some(other), _)) => one == other,
        _ => false,
    }
}

/// A version of two numbers, or of one, is one of three.
fn padded(text: &str) -> Option<Version> {
    let text = text.trim_start_matches('v');
    let end = text.find(['-', '+']).unwrap_or(text.len());
    let (numbers, rest) = text.split_at(end);
    let missing = 2_usize.saturating_sub(numbers.matches('.').count());
    Version::parse(&format!("{numbers}{}{rest}", ".0".repeat(missing))).ok()
}

/// Whether two texts are the same version, as the package registry compares them.
pub(super) fn is_same(kind: PackageType, one: &str, other: &str) -> bool {
    let same = |form: fn(&str) -> String| form(one) == form(other);
    match kind {
        PackageType::Oci => is_same_image(one, other),
        PackageType::Mcpb => one == other,
        PackageType::Npm | PackageType::Jsr | PackageType::Cargo => same(|text| {
            let text = text.trim_start_matches(['=', 'v']);
            text.split('+').next().unwrap_or_default().to_owned()
        }),
        PackageType::Pypi | PackageType::Nuget => same(|text| {
            let text = text.trim_start_matches(['=', 'v']).to_ascii_lowercase();
            let end = text.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(text.len());
            let (release, rest) = text.split_at(end);
            let mut parts: Vec<&str> = release.split('.').collect();
            while parts.len() > 1 && parts.last().is_some_and(|part| part.chars().all(|char| char == '0')) {
                parts.pop();
            }
            format!("{}{}", parts.join("."), rest.trim_start_matches(['-', '_', '.']))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(kind: PackageType, version: &str, listed: &str) -> bool {
        let package = Package { kind, identifier: "x".to_owned(), version: Some(version.to_owned()) };
        Pin::of(&package).accepts(kind, listed)
    }

    #[test]
    fn versions_are_compared_as_their_registries_do() {
        use PackageType::{Npm, Nuget, Oci, Pypi};
        for (kind, version, listed) in [
            (Npm, "1.2.0", "v1.2.0"),
            (Npm, "=1.2.0", "1.2.0+build"),
            (Npm, "latest", "7"),
            (Npm, "1", "1.9.0"),
            (Npm, "^1.2", "1.9.0"),
            (Npm, "1.x || 3.x", "3.1.0"),
            (Npm, ">=1.2 <2", "1.3.0"),
            (Npm, "next", "next"),
            (Pypi, "1.0", "1.0.0"),
            (Pypi, "1.0RC1", "1.0rc1"),
            (Pypi, ">=1.2,<2", "1.4"),
            (Pypi, "~=1.4", "1.5.0"),
            (Pypi, "!=1", "2"),
            (Nuget, "1.0.0-Beta", "1.0.0-beta"),
            (Pypi, "~=1.4.2", "1.4.9"),
            (Pypi, "~=0.4", "0.9"),
            (Pypi, ">= 1.2, < 2", "1.4"),
            (Npm, "1.2 - 1.4", "1.3.0"),
            (Oci, "v1", "v1"),
            (Oci, "1.2@sha256:ab", "1.2"),
            (Oci, "1.2", "1.2@sha256:ab"),
            (Oci, "1.2@sha256:ab", "sha256:ab"),
            (Oci, "1.2@sha256:ab", "1.3@sha256:ab"),
        ] {
            assert!(accepts(kind, version, listed), "{kind:?} {version} {listed}");
        }
        for (kind, version, listed) in [
            (Npm, "1.2.0", "1.2.1"),
            (Npm, "1", "2.0.0"),
            (Npm, "next", "1.0.0"),
            (Npm, "^1.2", "not-a-version"),
            (Pypi, "1.1", "1.1.1"),
            (Pypi, "1.0", "1.0rc1"),
            (Pypi, "~=1.4.2", "1.5.0"),
            (Pypi, "~=1.4.2", "1.4.1"),
            (Npm, "1.2 - 1.4", "1.5.0"),
            (Oci, "1", "v1"),
            (Oci, "1.2@sha256:ab", "1.2@sha256:cd"),
            (Oci, "sha256:ab", "1.2"),
            (Oci, "1.3@sha256:ab", "1.2"),
        ] {
            assert!(!accepts(kind, version, listed), "{kind:?} {version} {listed}");
        }
    }
}
