//! What a package is called: the texts by which runners and registries name one, in one form. It knows the rules of the
//! package registries; whether a package exists it does not know.

use serde::{Deserialize, Serialize};
use url::Url;

/// The longest name of a package that is looked for. Those of npm have 214 characters at most; images are longer.
const MAX_BYTES: usize = 512;

/// Where packages come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PackageType {
    /// npm.
    Npm,
    /// The Python Package Index.
    Pypi,
    /// A registry of container images.
    Oci,
    /// `NuGet`.
    Nuget,
    /// crates.io.
    Cargo,
    /// A bundle at a URL.
    Mcpb,
    /// JSR.
    Jsr,
}

impl PackageType {
    /// Reads `registryType` of a `server.json`, with what older ones have in its place.
    #[must_use]
    pub fn from_wire(text: &str) -> Option<Self> {
        Some(match text.to_ascii_lowercase().as_str() {
            "npm" => Self::Npm,
            "pypi" => Self::Pypi,
            "oci" | "docker" | "docker-hub" => Self::Oci,
            "nuget" => Self::Nuget,
            "cargo" | "crates.io" => Self::Cargo,
            "mcpb" => Self::Mcpb,
            "jsr" => Self::Jsr,
            _ => return None,
        })
    }

    /// The wire value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pypi => "pypi",
            Self::Oci => "oci",
            Self::Nuget => "nuget",
            Self::Cargo => "cargo",
            Self::Mcpb => "mcpb",
            Self::Jsr => "jsr",
        }
    }

    /// The hosts of the registry that is asked where none is named.
    fn usual_hosts(self) -> &'static [&'static str] {
        match self {
            Self::Npm => &["registry.npmjs.org"],
            Self::Pypi => &["pypi.org"],
            Self::Nuget => &["api.nuget.org", "nuget.org", "www.nuget.org"],
            Self::Cargo => &["crates.io"],
            Self::Oci | Self::Mcpb | Self::Jsr => &[],
        }
    }

    /// Where the values of a runner's options say that packages come from. uv's have a name before the URL.
    pub(super) fn origin<'a>(self, urls: impl IntoIterator<Item = &'a str>) -> Origin {
        let mut origin = Origin::Unsaid;
        for url in urls.into_iter().flat_map(str::split_whitespace) {
            let url = match url.split_once("://").and_then(|(before, _)| before.rfind('=')) {
                Some(at) => &url[at + 1..],
                None => url,
            };
            match self.unusual_host(url) {
                Some(host) => match &mut origin {
                    Origin::Others(hosts) => hosts.push(host),
                    _ => origin = Origin::Others(vec![host]),
                },
                None if origin == Origin::Unsaid && url.contains("://") => origin = Origin::Usual,
                None => {}
            }
        }
        origin
    }

    /// The host of a package registry, at its URL; none where it is the usual one, or no URL of one.
    #[must_use]
    pub fn unusual_host(self, base: &str) -> Option<String> {
        let host = Url::parse(base).ok()?.host_str()?.to_owned();
        let is_usual = self == Self::Oci || self == Self::Mcpb || self.usual_hosts().contains(&host.as_str());
        (!is_usual).then_some(host)
    }
}

/// Which package registry a configuration asks, by its hosts. Never shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Origin {
    /// It does not say.
    #[default]
    Unsaid,
    /// It names the usual one.
    Usual,
    /// It names these, alone or besides the usual one.
    Others(Vec<String>),
}

impl Origin {
    /// Whether it is another than that of a listed package: at this host, or the usual one where there is none.
    pub(super) fn is_other_than(&self, listed: Option<&str>) -> bool {
        match self {
            Self::Unsaid => false,
            Self::Usual => listed.is_some(),
            Self::Others(hosts) => hosts.iter().any(|host| Some(host.as_str()) != listed),
        }
    }
}

/// A package as it is configured or listed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Package {
    /// Where it comes from.
    #[serde(rename = "type")]
    pub kind: PackageType,
    /// What it is called there, as the registry compares names; an image with its host, without tag and digest.
    pub identifier: String,
    /// Its version, a range of versions, or the tag and the digest of an image, as they stand after its name: `1.2`,
    /// `sha256:…`, `1.2@sha256:…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

impl Package {
    fn new(kind: PackageType, identifier: String, version: Option<&str>) -> Option<Self> {
        let version = version.map(str::trim).filter(|version| !version.is_empty());
        let fits = identifier.len() + version.map_or(0, str::len) <= MAX_BYTES;
        let is_version = version.is_none_or(|version| is_version(kind, version));
        (fits && is_version).then(|| Self { kind, identifier, version: version.map(str::to_owned) })
    }

    /// The same in another version. None where that is no version.
    pub(super) fn with_version(self, version: &str) -> Option<Self> {
        Self::new(self.kind, self.identifier, Some(version))
    }

    /// A package in the words of a runner: with its version, if there is one. None where it is no name of a package but a
    /// path, a URL, or something else.
    #[must_use]
    pub fn parse(kind: PackageType, text: &str) -> Option<Self> {
        let text = text.trim();
        match kind {
            PackageType::Npm => npm(text),
            PackageType::Pypi => pypi(text),
            PackageType::Oci => oci(text),
            PackageType::Nuget => nuget(text),
            PackageType::Cargo => {
                let (name, version) = split_version(text);
                is_word(name, "_-").then(|| Self::new(kind, name.to_ascii_lowercase().replace('_', "-"), version))?
            }
            PackageType::Jsr => {
                let (name, version) = split_version(text);
                is_scoped(name).then(|| Self::new(kind, name.to_ascii_lowercase(), version))?
            }
            PackageType::Mcpb => Self::new(kind, super::address::normalised(text)?, None),
        }
    }

    /// A package as a `server.json` lists it: the version and the URL of the package registry have members of their own.
    #[must_use]
    pub fn listed(kind: &str, identifier: &str, version: Option<&str>, base: Option<&str>) -> Option<Self> {
        let kind = PackageType::from_wire(kind)?;
        let package = match kind {
            PackageType::Oci => Self::parse(kind, &image_with_host(identifier, base))?,
            _ => Self::parse(kind, identifier)?,
        };
        let version = version.filter(|_| kind != PackageType::Mcpb && package.version.is_none());
        match version {
            Some(version) => package.with_version(version),
            None => Some(package),
        }
    }

    /// What tells it from other packages, whatever the version.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}:{}", self.kind.as_str(), self.identifier)
    }

    /// The image without its host, to find the same at another host.
    #[must_use]
    pub fn path_of_image(&self) -> Option<&str> {
        let (_, path) = self.identifier.split_once('/').filter(|_| self.kind == PackageType::Oci)?;
        Some(path)
    }
}

/// An image as it stands in a `server.json`, with the host that its `registryBaseUrl` names where it has none itself.
#[must_use]
pub fn image_with_host(identifier: &str, base: Option<&str>) -> String {
    let host = || Url::parse(base?).ok()?.host_str().map(str::to_owned);
    match host().filter(|_| !has_host(identifier)) {
        Some(host) => format!("{host}/{identifier}"),
        None => identifier.to_owned(),
    }
}

/// Whether a text is a version, a range or a tag, and can hold no arguments: what follows a package on a command line
/// gets into answers only as this.
fn is_version(kind: PackageType, text: &str) -> bool {
    let mut words = text.split_whitespace();
    let is_plain = |word: &str| {
        let is_hyphen = word == "-";
        let is_of_image = |char: char| kind == PackageType::Oci && matches!(char, ':' | '@');
        (is_hyphen || !word.starts_with('-'))
            && word
                .chars()
                .all(|char| char.is_ascii_alphanumeric() || ".+*^~<>=!|,_-".contains(char) || is_of_image(char))
    };
    words.all(is_plain) && (text.split_whitespace().nth(1).is_none() || super::pin::is_range(text))
}

/// Whether a text is one version, as registries have them, and nothing besides.
pub(super) fn is_single_version(text: &str) -> bool {
    !text.contains(char::is_whitespace) && text.len() <= MAX_BYTES && is_version(PackageType::Npm, text)
}

/// At the last `@` that is not the first character: `@scope/name@1.2`.
fn split_version(text: &str) -> (&str, Option<&str>) {
    match text.rfind('@').filter(|at| 0 < *at) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}

/// Whether a text is letters and digits, and of these characters inside.
fn is_word(text: &str, inside: &str) -> bool {
    let is_plain = |char: char| char.is_ascii_alphanumeric();
    text.starts_with(is_plain)
        && text.ends_with(|char: char| is_plain(char) || char == '_' && inside.contains('_'))
        && text.chars().all(|char| is_plain(char) || inside.contains(char))
}

fn is_scoped(text: &str) -> bool {
    let parts = text.strip_prefix('@').and_then(|rest| rest.split_once('/'));
    parts.is_some_and(|(scope, name)| is_word(scope, "-_.~") && is_word(name, "-_.~"))
}

/// `name`, `@scope/name`, `name@1.2`, `npm:name@1.2`, `alias@npm:name@1.2`. Names are in lower case.
fn npm(text: &str) -> Option<Package> {
    let text = text.split_once("npm:").map_or(text, |(_, name)| name);
    let (name, version) = split_version(text);
    // `name@github:…`, `name@file:…` and `name@https://…` are something else.
    let is_version = version.is_none_or(|version| !version.contains([':', '/']));
    let is_name = is_scoped(name) || is_word(name, "-_.~");
    (is_name && is_version).then(|| Package::new(PackageType::Npm, name.to_lowercase(), version))?
}

/// `name`, `name[extra]==1.2`, `name@1.2`, `name>=1,<2`. Names as PEP 503 compares them.
fn pypi(text: &str) -> Option<Package> {
    let end = text.find(|char: char| !char.is_ascii_alphanumeric() && !"-_.".contains(char)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let rest = rest.trim_start();
    let rest = match rest.strip_prefix('[') {
        Some(extras) => extras.split_once(']')?.1.trim_start(),
        None => rest,
    };
    // Markers come after a semicolon.
    let rest = rest.split(';').next().unwrap_or_default().trim();
    let version = match rest.strip_prefix("===").or_else(|| rest.strip_prefix("==")) {
        Some(version) => version,
        None => rest.strip_prefix('@').unwrap_or(rest),
    };
    let is_version =
        !version.contains([':', '/']) && (rest.is_empty() || rest.starts_with(['=', '@', '<', '>', '~', '!']));
    let is_archive = [".whl", ".tar.gz", ".zip", ".py"].iter().any(|ending| name.ends_with(ending));
    if !is_word(name, "-_.") || !is_version || is_archive {
        return None;
    }
    let mut identifier = String::with_capacity(name.len());
    for part in name.split(['-', '_', '.']).filter(|part| !part.is_empty()) {
        if !identifier.is_empty() {
            identifier.push('-');
        }
        identifier.push_str(&part.to_ascii_lowercase());
    }
    Package::new(PackageType::Pypi, identifier, Some(version))
}

/// `Name@1.2`. Letter case does not count.
fn nuget(text: &str) -> Option<Package> {
    let (name, version) = split_version(text);
    is_word(name, "-_.").then(|| Package::new(PackageType::Nuget, name.to_ascii_lowercase(), version))?
}

/// Whether the first part of an image's name is a host, as Docker tells.
fn has_host(image: &str) -> bool {
    image.split_once('/').is_some_and(|(first, _)| first.contains(['.', ':']) || first == "localhost")
}

/// `redis`, `mcp/fetch:1.2`, `ghcr.io/owner/name@sha256:…`, `localhost:5000/name`. Docker's hub where no host is named.
fn oci(text: &str) -> Option<Package> {
    let text = text.strip_prefix("docker://").or_else(|| text.strip_prefix("oci://")).unwrap_or(text);
    let (name, digest) = match text.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (text, None),
    };
    let (name, tag) = match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag).filter(|tag| !tag.is_empty())),
        _ => (name, None),
    };
    let (host, path) = if has_host(name) { name.split_once('/')? } else { ("docker.io", name) };
    let host = host.to_ascii_lowercase();
    let is_hub = matches!(
        host.as_str(),
        "docker.io" | "index.docker.io" | "registry-1.docker.io" | "registry.hub.docker.com" | "hub.docker.com"
    );
    let host = if is_hub { "docker.io" } else { host.strip_suffix(":443").unwrap_or(&host) };
    let path = if is_hub && !path.contains('/') { format!("library/{path}") } else { path.to_owned() };
    let is_part = |part: &str| is_word(part, "-_.") && !part.contains(|char: char| char.is_ascii_uppercase());
    let is_tag = tag.is_none_or(|tag| tag.chars().all(|char| char.is_ascii_alphanumeric() || "-_.".contains(char)));
    let is_digest = digest.is_none_or(|digest| {
        let hexadecimal = digest.split_once(':').map_or("", |(_, hexadecimal)| hexadecimal);
        !hexadecimal.is_empty() && hexadecimal.chars().all(|char| char.is_ascii_hexdigit())
    });
    let is_image = path.split('/').all(is_part) && is_tag && is_digest;
    let version = match (tag, digest) {
        (Some(tag), Some(digest)) => Some(format!("{tag}@{digest}")),
        (tag, digest) => tag.or(digest).map(str::to_owned),
    };
    is_image.then(|| Package::new(PackageType::Oci, format!("{host}/{path}"), version.as_deref()))?
}

#[cfg(test)]
#[path = "package_tests.rs"]
mod tests;
