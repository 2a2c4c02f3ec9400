//! What the official registry wants besides the schema (registry-api.md §5). What has not the type that the schema
//! wants is the schema's matter, and passed over here.

use std::collections::HashSet;

use serde_json::Value;
use url::{Host, Url};

use super::findings::{Findings, Place, shown};
use super::{template, version};

/// Where the schemas are, and the one that is current.
const SCHEMAS: &str = "https://static.modelcontextprotocol.io/schemas/";
const CURRENT: &str = "2025-12-11";
/// The others that were published.
const OLDER: [&str; 6] = ["2025-07-09", "2025-09-16", "2025-09-29", "2025-10-11", "2025-10-17", "draft"];
/// The kinds of package registries that the official registry knows.
const REGISTRY_TYPES: [&str; 6] = ["npm", "pypi", "oci", "nuget", "mcpb", "cargo"];
/// The most JSON under `publisher-provided`, in bytes.
const MAX_PROVIDED_BYTES: usize = 4_096;
const PROVIDED: &str = "io.modelcontextprotocol.registry/publisher-provided";
/// What no name of an argument holds: it would be a description of it, or its value.
const NOT_IN_NAMES: [char; 4] = ['<', '>', ' ', '$'];

/// Holds a document against the rules.
pub(super) fn check(document: &Value, findings: &mut Findings) {
    let root = &Place::ROOT;
    check_schema(document, findings);
    check_name(text(document, "name"), &root.at("name"), findings);
    check_version(text(document, "version"), &root.at("version"), findings);
    check_repository(&document["repository"], &root.at("repository"), findings);
    check_website(text(document, "websiteUrl"), &root.at("websiteUrl"), findings);
    if let Some(title) = text(document, "title")
        && !title.is_empty()
        && title.trim().is_empty()
    {
        findings.error(&root.at("title"), "title-whitespace-only", "must be more than white space");
    }
    for (index, icon) in items(document, "icons") {
        check_icon(text(icon, "src"), &root.at("icons").at(index).at("src"), findings);
    }
    for (index, package) in items(document, "packages") {
        check_package(package, &root.at("packages").at(index), findings);
    }
    for (index, remote) in items(document, "remotes") {
        check_remote(remote, &root.at("remotes").at(index), findings);
    }
    check_provided(&document["_meta"][PROVIDED], findings);
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

fn items<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = (usize, &'a Value)> {
    value.get(name).and_then(Value::as_array).into_iter().flatten().enumerate()
}

/// A document is judged by the current schema, whichever it names.
fn check_schema(document: &Value, findings: &mut Findings) {
    let place = &Place::ROOT.at("$schema");
    let schema = match document.get("$schema") {
        None => "",
        Some(Value::String(schema)) => schema,
        Some(_) => return,
    };
    // Wherever it is hosted, and whatever follows: some name a definition in it.
    let named = schema.split_once("/schemas/").and_then(|(_, rest)| rest.split_once("/server.schema.json"));
    let named = named.map(|(version, _)| version);
    match named {
        _ if schema.is_empty() => {
            findings.error(place, "schema-field-required", format!("must be `{SCHEMAS}{CURRENT}/server.schema.json`"));
        }
        Some(CURRENT) => {}
        Some(older) if OLDER.contains(&older) => {
            let message = format!("the schema {older} is not the current one, {CURRENT}, by which this is judged");
            findings.warning(place, "schema-version-deprecated", message);
        }
        Some(unknown) => {
            findings.schema(place, "schema-version-not-available", format!("there is no schema `{}`", shown(unknown)));
        }
        None => {
            let message = format!("must be `{SCHEMAS}{CURRENT}/server.schema.json`, not `{}`", shown(schema));
            findings.schema(place, "schema-version-extraction-error", message);
        }
    }
}

fn check_name(name: Option<&str>, place: &Place<'_>, findings: &mut Findings) {
    let Some(name) = name else { return };
    let is_part = |part: &str, more: &str| {
        let ends = [part.chars().next(), part.chars().next_back()];
        part.len() > 1
            && ends.into_iter().flatten().all(|letter| letter.is_ascii_alphanumeric())
            && part.chars().all(|letter| letter.is_ascii_alphanumeric() || more.contains(letter))
    };
    let message = match name.split_once('/') {
        None => "must be a namespace, a slash and a name, as `com.example/server`".to_owned(),
        Some((_, rest)) if rest.contains('/') => "must have one slash, not more".to_owned(),
        Some((namespace, _)) if !is_part(namespace, ".-") => {
            let rule =
                "must begin and end with a letter or a digit, and have letters, digits, dots and hyphens between";
            format!("the namespace `{}` {rule}", shown(namespace))
        }
        Some((_, part)) if !is_part(part, "._-") => {
            let rule = "must begin and end with a letter or a digit, and have letters, digits and ._- between";
            format!("the name `{}` {rule}", shown(part))
        }
        Some(_) => return,
    };
    findings.error(place, "invalid-server-name", message);
}

fn check_version(version: Option<&str>, place: &Place<'_>, findings: &mut Findings) {
    match version {
        Some("latest") => findings.error(place, "reserved-version-string", "`latest` is reserved, and no version"),
        Some(range) if version::is_range(range) => {
            let message = format!("must be one version, not a range of them: `{}`", shown(range));
            findings.error(place, "version-looks-like-range", message);
        }
        _ => {}
    }
}

fn check_repository(repository: &Value, place: &Place<'_>, findings: &mut Findings) {
    let (url, source) = (text(repository, "url").unwrap_or(""), text(repository, "source").unwrap_or(""));
    // Many are empty, and published.
    if url.is_empty() && source.is_empty() {
        return;
    }
    let is_known = match source {
        "github" => is_repository(url, "github.com", 2..=2),
        "gitlab" => is_repository(url, "gitlab.com", 2..=usize::MAX),
        _ => false,
    };
    if !is_known {
        let rule = "must be a repository at github.com with the source `github`, or at gitlab.com with `gitlab`";
        findings.error(&place.at("url"), "invalid-repository-url", format!("{rule}, not `{}`", shown(url)));
    }
    if let Some(subfolder) = text(repository, "subfolder").filter(|path| !path.is_empty() && !is_subfolder(path)) {
        let rule = "must be a path within the repository, of letters, digits and -_./, without empty or dotted parts";
        let message = format!("{rule}, not `{}`", shown(subfolder));
        findings.error(&place.at("subfolder"), "invalid-subfolder-path", message);
    }
}

/// Whether a URL is that of a repository at this host, whose path has so many parts.
fn is_repository(url: &str, host: &str, parts: std::ops::RangeInclusive<usize>) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let rest = rest.map(|rest| rest.strip_prefix("www.").unwrap_or(rest));
    let Some(path) = rest.and_then(|rest| rest.strip_prefix(host)?.strip_prefix('/')) else { return false };
    let path: Vec<&str> = path.strip_suffix('/').unwrap_or(path).split('/').collect();
    let is_word = |part: &&str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
    };
    parts.contains(&path.len()) && path.iter().all(is_word)
}

fn is_subfolder(path: &str) -> bool {
    let is_plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte));
    is_plain && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

fn check_website(url: Option<&str>, place: &Place<'_>, findings: &mut Findings) {
    let Some(url) = url.filter(|url| !url.is_empty()) else { return };
    check_page(
        url,
        place,
        findings,
        ["invalid-website-url", "website-url-must-be-absolute", "website-url-invalid-scheme"],
    );
}

fn check_icon(url: Option<&str>, place: &Place<'_>, findings: &mut Findings) {
    let Some(url) = url else { return };
    check_page(url, place, findings, ["icon-src-invalid-url", "icon-src-not-absolute", "icon-src-invalid-scheme"]);
}

/// Holds a URL that a browser is to load against the three rules of such.
fn check_page(url: &str, place: &Place<'_>, findings: &mut Findings, [invalid, relative, scheme]: [&'static str; 3]) {
    match Url::parse(url) {
        Ok(parsed) if parsed.scheme() == "https" => {}
        Ok(_) => findings.error(place, scheme, format!("must be an https URL, not `{}`", shown(url))),
        Err(url::ParseError::RelativeUrlWithoutBase) => {
            findings.error(place, relative, format!("must be a whole URL, with its scheme, not `{}`", shown(url)));
        }
        Err(error) => findings.error(place, invalid, format!("`{}` is no URL: {error}", shown(url))),
    }
}

fn check_package(package: &Value, place: &Place<'_>, findings: &mut Findings) {
    if text(package, "identifier").is_some_and(|identifier| identifier.contains(' ')) {
        findings.error(&place.at("identifier"), "package-name-has-spaces", "must have no spaces");
    }
    check_version(text(package, "version"), &place.at("version"), findings);
    for list in ["runtimeArguments", "packageArguments"] {
        for (index, argument) in items(package, list) {
            check_argument(argument, &place.at(list).at(index), findings);
        }
    }
    check_package_transport(package, &place.at("transport"), findings);
    let registry_type = text(package, "registryType");
    if let Some(unknown) = registry_type.filter(|known| !REGISTRY_TYPES.contains(known)) {
        let message = format!("the official registry knows {}, not `{}`", REGISTRY_TYPES.join(", "), shown(unknown));
        findings.warning(&place.at("registryType"), "unsupported-registry-type", message);
    }
    if registry_type == Some("mcpb") && package.get("fileSha256").is_none() {
        let message = "a package of the type mcpb needs `fileSha256` to be published";
        findings.warning(place, "mcpb-file-sha256-required", message);
    }
}

fn check_argument(argument: &Value, place: &Place<'_>, findings: &mut Findings) {
    if text(argument, "type") != Some("named") {
        return;
    }
    let name = text(argument, "name").unwrap_or_default();
    if name.is_empty() {
        findings.error(&place.at("name"), "named-argument-name-required", "a named argument needs a name");
        return;
    }
    if name.contains(NOT_IN_NAMES) {
        let message = format!("must be the name alone, without <, >, $ and spaces, not `{}`", shown(name));
        findings.error(&place.at("name"), "invalid-named-argument-name", message);
    }
    for (member, rule) in
        [("value", "argument-value-starts-with-name"), ("default", "argument-default-starts-with-name")]
    {
        if let Some(value) = text(argument, member).filter(|value| value.starts_with(name)) {
            let message = format!("must not begin with the argument's name: `{}`", shown(value));
            findings.error(&place.at(member), rule, message);
        }
    }
}

fn check_package_transport(package: &Value, place: &Place<'_>, findings: &mut Findings) {
    let transport = &package["transport"];
    let url = text(transport, "url").unwrap_or_default();
    match text(transport, "type") {
        Some("stdio") if !url.is_empty() => {
            let message = format!("must be empty where the type is stdio, not `{}`", shown(url));
            findings.error(&place.at("url"), "stdio-transport-url-not-empty", message);
        }
        Some("streamable-http" | "sse") if url.is_empty() => {
            findings.error(&place.at("url"), "streamable-transport-url-required", "this type of transport needs a URL");
        }
        Some("streamable-http" | "sse") => check_variables(url, &known_to(package), &place.at("url"), findings),
        Some("stdio") | None => {}
        Some(other) => {
            let message = format!("there is no transport `{}`", shown(other));
            findings.error(&place.at("type"), "unsupported-transport-type", message);
        }
    }
}

/// The variables that URLs of a package may use: what its arguments and environment variables are called.
fn known_to(package: &Value) -> HashSet<&str> {
    let environment = items(package, "environmentVariables").filter_map(|(_, variable)| text(variable, "name"));
    let arguments = items(package, "runtimeArguments").chain(items(package, "packageArguments"));
    let arguments = arguments.flat_map(|(_, argument)| [text(argument, "name"), text(argument, "valueHint")]).flatten();
    environment.chain(arguments).collect()
}

fn check_remote(remote: &Value, place: &Place<'_>, findings: &mut Findings) {
    let (at_url, url) = (place.at("url"), text(remote, "url").unwrap_or_default());
    match text(remote, "type") {
        Some("streamable-http" | "sse") if url.is_empty() => {
            findings.error(&at_url, "remote-transport-url-required", "a remote needs a URL");
        }
        Some("streamable-http" | "sse") => {
            if !template::filled(url).is_some_and(|url| is_public(&url)) {
                let message = format!("must be an https URL that others can reach, not `{}`", shown(url));
                findings.error(&at_url, "invalid-remote-url", message);
            }
            let known = remote["variables"].as_object().into_iter().flat_map(|map| map.keys().map(String::as_str));
            check_variables(url, &known.collect(), &at_url, findings);
        }
        Some(other) => {
            let message = format!("a remote is streamable-http or sse, not `{}`", shown(other));
            findings.error(&place.at("type"), "unsupported-remote-transport-type", message);
        }
        None => {}
    }
}

/// Whether a URL is of https, and not of the machine on which it is looked at.
fn is_public(url: &Url) -> bool {
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => true,
    };
    url.scheme() == "https" && !is_here
}

fn check_variables(url: &str, known: &HashSet<&str>, place: &Place<'_>, findings: &mut Findings) {
    if template::filled(url).is_none() {
        let message = format!("must be an http or https URL, not `{}`", shown(url));
        findings.error(place, "invalid-templated-url", message);
    } else if let Some(unknown) = template::variables(url).find(|name| !known.contains(name)) {
        let message = format!("uses the variable `{}`, which is not defined", shown(unknown));
        findings.error(place, "invalid-templated-url", message);
    }
}

fn check_provided(provided: &Value, findings: &mut Findings) {
    let length = if provided.is_null() { 0 } else { provided.to_string().len() };
    if length > MAX_PROVIDED_BYTES {
        let message = format!("has {length} bytes; more than {MAX_PROVIDED_BYTES} are not published");
        findings.warning(&Place::ROOT.at("_meta").at(PROVIDED), "publisher-provided-too-large", message);
    }
}
