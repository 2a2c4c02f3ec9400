//! What a server is, apart from its name: the packages that it is run from, the URLs that it is reached at, and the
//! repository that it is built from, each in the one form in which two publishers write the same.

use std::hash::{BuildHasher, RandomState};

use serde::Deserialize;
use url::Url;

use crate::catalog::entry::Entry;

/// The most packages, and the most remotes, of one version that are looked at. Real ones have 30 at most.
const MAX_WAYS: usize = 32;

/// One thing that servers may have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Trait {
    /// They are reached at one URL.
    Remote,
    /// They are run from one package, in the same way.
    Package,
    /// They are run from one package, in whatever way.
    PackageAlone,
    /// They are built from one part of a repository.
    Subfolder,
    /// They are built from one repository.
    Repository,
}

/// What a version is, as far as that can be compared.
#[derive(Debug, Default)]
pub(super) struct Identity {
    /// Each trait once: which, and what it is.
    pub(super) traits: Vec<(Trait, String)>,
    /// The last part of the repository's name.
    pub(super) repository_name: Option<String>,
}

#[derive(Deserialize)]
struct Server {
    packages: Option<Vec<Package>>,
    remotes: Option<Vec<Remote>>,
    repository: Option<Repository>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Package {
    registry_type: Option<String>,
    registry_base_url: Option<String>,
    identifier: Option<String>,
    version: Option<String>,
    runtime_arguments: Option<Vec<Input>>,
    #[serde(rename = "packageArguments")]
    arguments: Option<Vec<Input>>,
    environment_variables: Option<Vec<Input>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Remote {
    url: Option<String>,
    headers: Option<Vec<Input>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Input {
    name: Option<String>,
    value: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Repository {
    url: Option<String>,
    subfolder: Option<String>,
}

impl Identity {
    /// What an entry is. Nothing where it cannot be read: the decoder has seen to the types.
    pub(super) fn of(entry: &Entry) -> Self {
        Self::read(&entry.server()).unwrap_or_default()
    }

    fn read(server: &str) -> Option<Self> {
        let Server { packages, remotes, repository } = serde_json::from_str(server).ok()?;
        let mut identity = Self::default();
        for remote in remotes.iter().flatten().take(MAX_WAYS) {
            if let Some(url) = remote.url.as_deref().and_then(public_url) {
                identity.add(Trait::Remote, url + &fixed(&[("header", remote.headers.as_deref())]));
            }
        }
        for package in packages.iter().flatten().take(MAX_WAYS) {
            if let Some(name) = package_name(package) {
                let how = fixed(&[
                    ("runtime", package.runtime_arguments.as_deref()),
                    ("argument", package.arguments.as_deref()),
                    ("environment", package.environment_variables.as_deref()),
                ]);
                identity.add(Trait::Package, format!("{name}{how}"));
                identity.add(Trait::PackageAlone, name);
            }
        }
        let place =
            repository.as_ref().and_then(|known| repository_place(known.url.as_deref()?, known.subfolder.as_deref()));
        if let Some((place, subfolder)) = place {
            identity.repository_name = place.rsplit('/').next().map(str::to_owned);
            if !subfolder.is_empty() {
                identity.add(Trait::Subfolder, format!("{place}#{subfolder}"));
            }
            identity.add(Trait::Repository, place);
        }
        Some(identity)
    }

    fn add(&mut self, which: Trait, value: String) {
        if !self.traits.iter().any(|(known, text)| *known == which && *text == value) {
            self.traits.push((which, value));
        }
    }

    /// What it is by this trait.
    pub(super) fn values(&self, which: Trait) -> impl Iterator<Item = &str> {
        self.traits.iter().filter(move |(known, _)| *known == which).map(|(_, value)| value.as_str())
    }

    /// The traits, each as a hash that nobody outside can foresee.
    pub(super) fn hashes<'a>(&'a self, hasher: &'a RandomState) -> impl Iterator<Item = (Trait, u64)> + 'a {
        self.traits.iter().map(|(which, value)| (*which, hasher.hash_one(value)))
    }

    /// Whether two are run from packages of one type, and from none that both have: then they are two programs, however
    /// much else they share.
    pub(super) fn is_another_program_than(&self, other: &Self) -> bool {
        let (ours, theirs) = (|| self.values(Trait::PackageAlone), || other.values(Trait::PackageAlone));
        let type_of = |name: &str| name.split(':').next().unwrap_or_default().to_owned();
        let shares_type = ours().any(|our| theirs().any(|their| type_of(our) == type_of(their)));
        shares_type && !ours().any(|our| theirs().any(|their| our == their))
    }
}

/// What is fixed of the way in which something is started or asked: two that differ in it may be two servers.
fn fixed(inputs: &[(&str, Option<&[Input]>)]) -> String {
    let mut text = String::new();
    for (what, inputs) in inputs {
        for Input { name, value } in inputs.iter().copied().flatten() {
            if let Some(value) = value.as_deref().filter(|value| !value.contains('{')) {
                text = text + " " + what + " " + name.as_deref().unwrap_or_default() + "=" + value;
            }
        }
    }
    text
}

/// A URL in one form: without scheme, user information, default port, fragment and slashes at the end. None where
/// everybody has a server of their own there.
fn public_url(text: &str) -> Option<String> {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default().to_ascii_lowercase();
    // What variables stand for is anybody's.
    let fixed: String = host.split('{').map(|part| part.split_once('}').map_or(part, |(_, rest)| rest)).collect();
    let domain = fixed.split(':').next().unwrap_or_default().trim_matches('.');
    let is_reserved = ["localhost", "example", "test", "invalid", "local", "internal"]
        .iter()
        .any(|reserved| domain == *reserved || domain.strip_suffix(reserved).is_some_and(|rest| rest.ends_with('.')));
    let is_example = ["example.com", "example.org", "example.net"].iter().any(|example| domain.ends_with(example));
    let is_address = domain.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') || fixed.starts_with('[');
    if !domain.contains('.') || is_reserved || is_example || is_address {
        return None;
    }
    match Url::parse(text) {
        Ok(url) => {
            let port = url.port().filter(|port| !matches!(port, 80 | 443)).map(|port| format!(":{port}"));
            let query = url.query().filter(|query| !query.is_empty()).map(|query| format!("?{query}"));
            let path = url.path().trim_end_matches('/');
            let host = url.host_str()?.to_ascii_lowercase();
            Some(format!("{host}{}{path}{}", port.unwrap_or_default(), query.unwrap_or_default()))
        }
        // A template, perhaps.
        Err(_) => Some(format!("{host}{}", rest[authority.len()..].split('#').next()?.trim_end_matches('/'))),
    }
}

/// `type:identifier` in the form in which the package registries compare them. Where it is fetched from does not count:
/// some say what others leave to the type, and mirrors have what the origin has.
fn package_name(package: &Package) -> Option<String> {
    let kind = package.registry_type.as_deref()?.to_ascii_lowercase();
    let identifier = package.identifier.as_deref().filter(|identifier| !identifier.is_empty())?;
    let name = match &*kind {
        "oci" | "docker" => return Some(format!("oci:{}", image(identifier, package.registry_base_url.as_deref()))),
        // PEP 503.
        "pypi" => {
            let words: Vec<&str> = identifier.split(['-', '_', '.']).filter(|word| !word.is_empty()).collect();
            words.join("-").to_ascii_lowercase()
        }
        "cargo" => identifier.to_ascii_lowercase().replace('_', "-"),
        "npm" | "nuget" => identifier.to_ascii_lowercase(),
        // Files are named by URLs, which change from version to version.
        _ => {
            let version = package.version.as_deref().filter(|version| version.len() > 2);
            version.map_or_else(|| identifier.to_owned(), |version| identifier.replace(version, "*"))
        }
    };
    Some(format!("{kind}:{name}"))
}
/// An image without its tag and digest, and with its host, unless that is Docker's.
fn image(identifier: &str, base: Option<&str>) -> String {
    let identifier = identifier.split_once("://").map_or(identifier, |(_, rest)| rest).to_ascii_lowercase();
    let image = identifier.split('@').next().unwrap_or_default();
    let end = image.rfind('/').map_or(0, |slash| slash + 1);
    let tag = image[end..].find(':').map_or(image.len(), |colon| end + colon);
    let image = &image[..tag];
    let has_host = image.split_once('/').is_some_and(|(first, _)| first.contains(['.', ':']) || first == "localhost");
    let image = image.strip_prefix("docker.io/").or_else(|| image.strip_prefix("index.docker.io/")).unwrap_or(image);
    let image = image.strip_prefix("library/").unwrap_or(image);
    // An image without a host is on the one that stands beside it.
    let host = base.filter(|_| !has_host).and_then(|base| Url::parse(base).ok());
    match host.as_ref().and_then(Url::host_str).filter(|host| !host.ends_with("docker.io") && *host != "hub.docker.com")
    {
        Some(host) => format!("{host}/{image}"),
        None => image.to_owned(),
    }
}

/// A repository, `host/owner/name` as a rule, and the folder in it.
fn repository_place(url: &str, subfolder: Option<&str>) -> Option<(String, String)> {
    let text = url.trim().strip_prefix("git+").unwrap_or(url.trim());
    let text = text.split(['#', '?']).next().unwrap_or_default();
    let (host, path) = match text.split_once("://") {
        Some((_, rest)) => rest.split_once('/')?,
        // `git@github.com:owner/name.git`
        None => text.split_once('@').map_or(text, |(_, rest)| rest).split_once([':', '/'])?,
    };
    let host = host.rsplit('@').next().unwrap_or_default().to_ascii_lowercase();
    let host = host.strip_prefix("www.").unwrap_or(&host);
    let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let mut folder = subfolder.unwrap_or_default().trim_start_matches("./").trim_matches('/').to_owned();
    if let Some(tree) = parts.iter().position(|part| matches!(*part, "tree" | "blob" | "-")).filter(|tree| *tree >= 2) {
        let inside = parts.split_off(tree);
        // After `tree` comes a branch; `-` stands before it on GitLab.
        let inside: Vec<&str> = inside.into_iter().skip_while(|part| *part == "-").skip(2).collect();
        if folder.is_empty() {
            folder = inside.join("/");
        }
    }
    if host == "github.com" {
        parts.truncate(2);
    }
    if !host.contains('.') || parts.len() < 2 {
        return None;
    }
    let place = format!("{host}/{}", parts.join("/"));
    // The forges ignore letter case.
    let place = place.strip_suffix(".git").unwrap_or(&place).to_lowercase();
    Some((place, if folder == "." { String::new() } else { folder.to_lowercase() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_one_form() {
        for same in [
            "https://mcp.acme.com/mcp",
            "http://MCP.acme.com:80/mcp/",
            "https://user:secret@mcp.acme.com:443/mcp#top",
            "HTTPS://mcp.acme.com/mcp?",
        ] {
            assert_eq!(public_url(same).as_deref(), Some("mcp.acme.com/mcp"), "{same}");
        }
        for (url, form) in [
            ("https://mcp.acme.com/MCP", "mcp.acme.com/MCP"),
            ("https://mcp.acme.com:8443/x?server=a", "mcp.acme.com:8443/x?server=a"),
            ("https://{tenant}.acme.com/mcp/", "{tenant}.acme.com/mcp"),
        ] {
            assert_eq!(public_url(url).as_deref(), Some(form));
        }
        for anybodys in [
            "http://localhost:3000/mcp",
            "http://127.0.0.1/mcp",
            "http://[::1]/mcp",
            "https://{host}/mcp",
            "https://{host}:{port}/mcp",
            "https://mcp.example.com/mcp",
            "https://server.local/mcp",
            "http://intranet/mcp",
            "",
        ] {
            assert_eq!(public_url(anybodys), None, "{anybodys}");
        }
    }

    fn package(json: &str) -> Option<String> {
        package_name(&serde_json::from_str(json).expect("a package"))
    }

    #[test]
    fn a_package_has_one_name() {
        for (json, name) in [
            (r#"{"registryType":"npm","identifier":"@Acme/Search"}"#, "npm:@acme/search"),
            (r#"{"registryType":"npm","registryBaseUrl":"https://registry.npmjs.org","identifier":"x"}"#, "npm:x"),
            (r#"{"registryType":"npm","registryBaseUrl":"https://npm.acme.com","identifier":"x"}"#, "npm:x"),
            (r#"{"registryType":"pypi","identifier":"Clio_Kit.x"}"#, "pypi:clio-kit-x"),
            (r#"{"registryType":"nuget","identifier":"Knapcode.Sample"}"#, "nuget:knapcode.sample"),
            (r#"{"registryType":"cargo","identifier":"a_b"}"#, "cargo:a-b"),
            (r#"{"registryType":"oci","identifier":"docker.io/library/x:1.0@sha256:ab"}"#, "oci:x"),
            (r#"{"registryType":"oci","identifier":"GHCR.io:443/o/x:1.0"}"#, "oci:ghcr.io:443/o/x"),
            (r#"{"registryType":"oci","registryBaseUrl":"https://ghcr.io","identifier":"o/x"}"#, "oci:ghcr.io/o/x"),
            (r#"{"registryType":"oci","registryBaseUrl":"https://docker.io","identifier":"o/x"}"#, "oci:o/x"),
            (
                r#"{"registryType":"mcpb","identifier":"https://x.com/v1.2.0/a-1.2.0.mcpb","version":"1.2.0"}"#,
                "mcpb:https://x.com/v*/a-*.mcpb",
            ),
        ] {
            assert_eq!(package(json).as_deref(), Some(name), "{json}");
        }
        assert_eq!(package(r#"{"registryType":"npm"}"#), None);
    }

    #[test]
    fn a_repository_has_one_place() {
        let place = |url: &str, subfolder| repository_place(url, subfolder);
        let expected = |folder: &str| Some(("github.com/acme/tools".to_owned(), folder.to_owned()));
        for same in [
            "https://github.com/Acme/tools",
            "https://www.github.com/acme/tools.git",
            "git@github.com:acme/tools.git",
            "git+ssh://git@github.com/acme/tools.git#main",
            "https://github.com/acme/tools/issues",
        ] {
            assert_eq!(place(same, None), expected(""), "{same}");
        }
        assert_eq!(place("https://github.com/acme/tools", Some("./src/A/")), expected("src/a"));
        assert_eq!(place("https://github.com/acme/tools/tree/main/src/a", None), expected("src/a"));
        assert_eq!(place("https://github.com/acme/tools/", Some(".")), expected(""));
        let gitlab = Some(("gitlab.com/group/sub/x".to_owned(), "a".to_owned()));
        assert_eq!(place("https://gitlab.com/group/sub/x/-/tree/main/a", None), gitlab);
        for none in ["", "https://github.com", "https://github.com/acme", "tools", "file:///x/y"] {
            assert_eq!(place(none, None), None, "{none}");
        }
    }

    #[test]
    fn the_way_in_which_a_package_is_started_is_a_part_of_what_a_server_is() {
        let of = |argument: &str| {
            let json = format!(
                r#"{{"packages":[{{"registryType":"pypi","identifier":"kit","packageArguments":[{argument}]}}]}}"#
            );
            Identity::read(&json).expect("JSON")
        };
        let (one, other) = (of(r#"{"type":"positional","value":"a"}"#), of(r#"{"type":"positional","value":"b"}"#));
        assert_eq!(one.values(Trait::PackageAlone).collect::<Vec<_>>(), ["pypi:kit"]);
        assert_ne!(one.values(Trait::Package).next(), other.values(Trait::Package).next());
        assert!(!one.is_another_program_than(&other));
        // What the user fills in differs between users, not between servers.
        let open = of(r#"{"type":"named","name":"--key","value":"{key}"}"#);
        assert_eq!(open.values(Trait::Package).collect::<Vec<_>>(), ["pypi:kit"]);
        assert_eq!(of("").traits, open.traits);
    }
}
