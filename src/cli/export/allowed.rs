//! The allow-lists that clients read, as far as their documentation is known.
//!
//! Claude Code (`managed-settings.json`) compares the exact command of a local server, word for word, and the URL of a
//! remote one, where `*` stands for anything. So each package is allowed as the one command that people copy, with its
//! version and without; one that needs arguments has no such command. VS Code's policies name the registry and let it
//! decide. Both act on what is listed now: an entry that a registry adds later is in the next export.
//!
//! What registries list is not trusted with the syntax of these files: a `*` in a URL, or an option in the place of a
//! package, would allow more than that server.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use url::Url;

use crate::catalog::Catalog;
use crate::inspect::validate::{Package, PackageType, image_with_host};

/// Where Claude Code's file is.
pub(super) const CLAUDE_CODE: &str = "claude-code/managed-settings.json";
/// Where VS Code's is.
pub(super) const VS_CODE: &str = "vscode/policy.json";

/// What is allowed, and what is not and why, by name.
#[derive(Debug, Default)]
pub(super) struct Allowed {
    commands: Vec<Vec<String>>,
    urls: Vec<String>,
    left_out: BTreeMap<String, &'static str>,
}

/// What the latest versions of a catalog need.
pub(super) fn of(catalog: &Catalog) -> Allowed {
    let mut allowed = Allowed::default();
    for server in catalog.servers() {
        let Some(latest) = server.latest().filter(|latest| !latest.entry.is_deleted()) else { continue };
        let document: Value = serde_json::from_str(&latest.entry.server()).unwrap_or_default();
        allowed.add(server.name.as_str(), &document);
    }
    allowed.urls.sort_unstable();
    allowed.urls.dedup();
    allowed.commands.sort_unstable();
    allowed.commands.dedup();
    allowed
}

impl Allowed {
    fn add(&mut self, name: &str, document: &Value) {
        let of = |key: &str| document[key].as_array().into_iter().flatten();
        for found in of("packages").map(commands) {
            match found {
                Ok(commands) => self.commands.extend(commands),
                Err(reason) => drop(self.left_out.insert(name.to_owned(), reason)),
            }
        }
        for found in of("remotes").map(url) {
            match found {
                Ok(url) => self.urls.push(url),
                Err(reason) => drop(self.left_out.insert(name.to_owned(), reason)),
            }
        }
        if of("packages").chain(of("remotes")).next().is_none() {
            self.left_out.insert(name.to_owned(), "it has neither packages nor remotes");
        }
    }

    /// The servers that are not allowed, or not in all of their forms, and why.
    pub(super) fn left_out(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.left_out.iter().map(|(name, reason)| (name.as_str(), *reason))
    }

    /// Claude Code's managed settings.
    pub(super) fn claude_code(&self) -> String {
        let commands = self.commands.iter().map(|command| json!({ "serverCommand": command }));
        let urls = self.urls.iter().map(|url| json!({ "serverUrl": url }));
        let allowed: Vec<Value> = commands.chain(urls).collect();
        format!("{:#}\n", json!({ "allowManagedMcpServersOnly": true, "allowedMcpServers": allowed }))
    }
}

/// VS Code's policies: only what this registry lists.
pub(super) fn vs_code(registry: &Url) -> String {
    let url = registry.as_str().trim_end_matches('/');
    format!("{:#}\n", json!({ "ChatMCP": "registry", "McpGalleryServiceUrl": url }))
}

/// The commands that run a package.
fn commands(package: &Value) -> Result<Vec<Vec<String>>, &'static str> {
    let text = |key: &str| package[key].as_str().unwrap_or_default();
    let (identifier, version) = (text("identifier"), text("version"));
    if !is_word(identifier) || !(version.is_empty() || is_word(version)) {
        return Err("the name or the version of its package could be taken for something else");
    }
    let arguments = ["runtimeArguments", "packageArguments"].into_iter();
    let mut arguments = arguments.flat_map(|list| package[list].as_array().into_iter().flatten());
    if arguments.any(|argument| argument["isRequired"] == true || argument.get("value").is_some()) {
        return Err("it is run with arguments, and only exact commands can be allowed");
    }
    let base = package["registryBaseUrl"].as_str();
    let kind = PackageType::from_wire(text("registryType"));
    if let (Some(kind), Some(base)) = (kind, base)
        && kind.unusual_host(base).is_some_and(|host| !is_placeholder(&host))
    {
        return Err("its package is of another package registry than the command would ask");
    }
    let (before, separator, after): (&[&str], _, &[&str]) = match kind {
        Some(PackageType::Npm) => (&["npx", "-y"], "@", &[]),
        Some(PackageType::Pypi) => (&["uvx"], "@", &[]),
        Some(PackageType::Nuget) => (&["dnx"], "@", &["--yes"]),
        Some(PackageType::Oci) => (&["docker", "run", "-i", "--rm"], ":", &[]),
        _ => return Err("nobody knows the command that runs this type of package"),
    };
    let (identifier, has_version) = match kind {
        Some(PackageType::Oci) => image(identifier, base)?,
        _ => (identifier.to_owned(), false),
    };
    let pinned = (!version.is_empty() && !has_version).then(|| format!("{identifier}{separator}{version}"));
    let words: Vec<String> = [Some(identifier), pinned].into_iter().flatten().collect();
    let command = |word: String| {
        let word = [word.as_str()];
        before.iter().chain(&word).chain(after).map(|part| (*part).to_owned()).collect()
    };
    Ok(words.into_iter().map(command).collect())
}

/// An image as it is pulled, and whether it has a tag or a digest. Docker's own host is the one that goes without saying.
fn image(identifier: &str, base: Option<&str>) -> Result<(String, bool), &'static str> {
    let said = base.filter(|base| !is_of_docker(base) && !host(base).is_some_and(|host| is_placeholder(&host)));
    let image = image_with_host(identifier, said);
    let parsed = Package::parse(PackageType::Oci, &image).ok_or("its package is no image")?;
    Ok((image, parsed.version.is_some()))
}

fn host(base: &str) -> Option<String> {
    Some(Url::parse(base).ok()?.host_str()?.to_owned())
}

fn is_of_docker(base: &str) -> bool {
    host(base).is_some_and(|host| host == "hub.docker.com" || host == "docker.io" || host.ends_with(".docker.io"))
}

/// Whether a host is one that nobody can have (RFC 2606), and so stands for none: some registries fill in such.
fn is_placeholder(host: &str) -> bool {
    host.ends_with(".example")
}

/// Whether this is one word of a command, and no option.
fn is_word(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"@/._:+-".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '@') && text.bytes().all(is_plain)
}

/// The URL of a remote, with `*` in the place of the variables of its path.
fn url(remote: &Value) -> Result<String, &'static str> {
    let text = remote["url"].as_str().unwrap_or_default();
    let parsed = Url::parse(text).map_err(|_| "its URL is none")?;
    if text.contains('*') || !matches!(parsed.scheme(), "http" | "https") {
        return Err("its URL would allow others too");
    }
    let Some((scheme, rest)) = text.split_once("://") else { return Err("its URL is none") };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.contains(['{', '}', '@', '\\', '%']) {
        return Err("the host of its URL is a variable, or hidden");
    }
    let mut url = format!("{scheme}://{authority}");
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((_, after)) = after.split_once('}') else { break };
        url.push_str(before);
        url.push('*');
        rest = after;
    }
    Ok(url + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_allowed_by_the_commands_that_run_them() {
        let commands =
            |package: Value| commands(&package).map(|all| all.iter().map(|one| one.join(" ")).collect::<Vec<_>>());
        for (kind, identifier, expected) in [
            ("npm", "@example/server", &["npx -y @example/server", "npx -y @example/server@1.0.0"]),
            ("pypi", "example", &["uvx example", "uvx example@1.0.0"]),
            ("nuget", "Example.Server", &["dnx Example.Server --yes", "dnx Example.Server@1.0.0 --yes"]),
            (
                "oci",
                "docker.io/example/x",
                &["docker run -i --rm docker.io/example/x", "docker run -i --rm docker.io/example/x:1.0.0"],
            ),
        ] {
            let package = json!({ "registryType": kind, "identifier": identifier, "version": "1.0.0" });
            assert_eq!(commands(package).expect("a command"), expected);
        }
        let bare = json!({ "registryType": "oci", "identifier": "ghcr.io/example/x:1.0", "packageArguments": [{ "type": "named" }] });
        assert_eq!(commands(bare).expect("a command"), ["docker run -i --rm ghcr.io/example/x:1.0"]);
        for (identifier, base, expected) in [
            ("acme/tool", "https://ghcr.io", &["ghcr.io/acme/tool", "ghcr.io/acme/tool:1.0.0"][..]),
            ("acme/tool", "https://docker.io", &["acme/tool", "acme/tool:1.0.0"]),
            ("acme/tool:2", "https://ghcr.io", &["ghcr.io/acme/tool:2"]),
            ("acme/tool@sha256:ab12", "https://ghcr.io", &["ghcr.io/acme/tool@sha256:ab12"]),
            ("quay.io/acme/tool:2@sha256:ab12", "https://ghcr.io", &["quay.io/acme/tool:2@sha256:ab12"]),
            ("localhost:5000/tool", "https://ghcr.io", &["localhost:5000/tool", "localhost:5000/tool:1.0.0"]),
        ] {
            let package =
                json!({ "registryType": "oci", "identifier": identifier, "version": "1.0.0", "registryBaseUrl": base });
            let expected: Vec<String> = expected.iter().map(|image| format!("docker run -i --rm {image}")).collect();
            assert_eq!(commands(package).expect("a command"), expected);
        }
        for base in ["https://registry.npmjs.org", "https://npm.example"] {
            let package = json!({ "registryType": "npm", "identifier": "a", "registryBaseUrl": base });
            assert_eq!(commands(package).expect("a command"), ["npx -y a"]);
        }
        for package in [
            json!({ "registryType": "npm", "identifier": "a", "registryBaseUrl": "https://npm.acme.com" }),
            json!({ "registryType": "pypi", "identifier": "a", "registryBaseUrl": "https://pypi.acme.com/simple" }),
            json!({ "registryType": "oci", "identifier": "Not/An-Image" }),
            json!({ "registryType": "mcpb", "identifier": "https://example.com/x.mcpb" }),
            json!({ "registryType": "npm", "identifier": "--registry=https://evil.example" }),
            json!({ "registryType": "npm", "identifier": "a b" }),
            json!({ "registryType": "npm", "identifier": "a", "version": "1\n" }),
            json!({ "registryType": "npm" }),
            json!({ "registryType": "npm", "identifier": "a", "packageArguments": [{ "isRequired": true }] }),
            json!({ "registryType": "oci", "identifier": "a", "runtimeArguments": [{ "value": "--privileged" }] }),
        ] {
            assert!(commands(package.clone()).is_err(), "{package}");
        }
    }

    #[test]
    fn remotes_are_allowed_by_their_url_and_none_allows_another_host() {
        for (text, expected) in [
            ("https://a.example/mcp", "https://a.example/mcp"),
            ("https://a.example:8443", "https://a.example:8443"),
            ("https://a.example/{tenant}/mcp?key={key}", "https://a.example/*/mcp?key=*"),
            ("https://a.example/{", "https://a.example/{"),
        ] {
            assert_eq!(url(&json!({ "url": text })), Ok(expected.to_owned()));
        }
        for text in [
            "https://*/*",
            "https://a.example/*",
            "https://{host}/mcp",
            "https://{tenant}.example/mcp",
            "https://a@b.example/",
            "file:///etc/passwd",
            "a.example",
            "",
            "https:a.example",
            "https://a%2eexample/",
            "https://a.example\\@b.example/",
        ] {
            assert!(url(&json!({ "url": text })).is_err(), "{text}");
        }
    }
}
