//! One server of a client's configuration, and one `server.json`, taken down to what tells which server it is.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::document::{Map, Node};
use crate::inspect::validate::launch::{self, Launch, NO_VERSION, Target, VARIABLE};
use crate::inspect::validate::package::{Package, is_single_version};
use crate::inspect::validate::{Configured, Reduced, SERVER_JSON, address};

const NOT_A_SERVER: &str = "It has neither a command nor a URL";
const NO_URL: &str = "Its URL is none of http or https";

/// The names under which clients have the URL of a remote server.
const URLS: [&str; 5] = ["url", "serverUrl", "httpUrl", "uri", "endpoint"];
/// Those of the variables of a local one, and of the headers of a remote one.
const VARIABLES: [&str; 5] = ["env", "environment", "headers", "http_headers", "env_http_headers"];

/// One server as a client has it.
pub(super) fn of_client(label: &str, line: usize, map: &Map, client: &'static str) -> Configured {
    let mut launch = launched(map);
    let name = is_name(label).then(|| label.to_owned());
    let transport = map.text("type").or_else(|| map.text("transport")).or_else(|| map.text("transportType"));
    let mut reduced = Reduced {
        name,
        runner: launch.runner.map(str::to_owned),
        transport: launch.transport.or_else(|| transport.and_then(known_transport)).map(str::to_owned),
        ..Reduced::default()
    };
    // VS Code notes which version it installed from a registry. What others call a version is something else.
    let noted = map.get("gallery").and(map.text("version")).filter(|_| reduced.name.is_some());
    let (version, no_version) = version(noted);
    reduced.version = version;
    let unclear = match std::mem::take(&mut launch.target) {
        Target::Package(package) => {
            reduced.packages.push(package);
            None
        }
        Target::Remote(url) => {
            reduced.urls.push(url);
            None
        }
        Target::Unclear(reason) => Some(reason.into()),
    };
    let secrets = names(map, &launch);
    let (origin, unclear) = (launch.origin, unclear.or(no_version));
    Configured { line, unclear, origin, secrets, ..Configured::new(label, client, reduced) }
}

/// What a server of a client's configuration runs, or connects to.
fn launched(map: &Map) -> Launch {
    let (command, mut arguments) = match map.get("command") {
        Some(Node::Text(command)) => (Some(command.clone()), Vec::new()),
        Some(list @ Node::List(_)) => {
            let mut words = list.texts().into_iter();
            (words.next(), words.collect())
        }
        Some(Node::Map(command)) => {
            (command.text("path").map(str::to_owned), command.get("args").map(Node::texts).unwrap_or_default())
        }
        _ => (None, Vec::new()),
    };
    arguments.extend(map.get("args").or_else(|| map.get("arguments")).map(Node::texts).unwrap_or_default());
    if let Some(command) = command.filter(|command| !command.trim().is_empty()) {
        return launch::launch(&command, &arguments);
    }
    let found = URLS.iter().find_map(|name| Some((*name, map.text(name)?)));
    // Gemini has this member for the one, and `url` for SSE.
    let transport = found.filter(|(name, _)| *name == "httpUrl").map(|_| "streamable-http");
    let target = match found.map(|(_, url)| url) {
        Some(url) if url.split('?').next().is_some_and(|url| url.contains("${") || url.contains("{{")) => {
            Target::Unclear(VARIABLE)
        }
        Some(url) => address::normalised(url).map_or(Target::Unclear(NO_URL), Target::Remote),
        None => Target::Unclear(NOT_A_SERVER),
    };
    Launch { target, transport, ..Launch::default() }
}

/// The names of what is set; none where more may be set than stands here.
fn names(map: &Map, launch: &Launch) -> Option<BTreeSet<String>> {
    let has_file = ["envFile", "env_file", "headersHelper", "oauth", "auth"].iter().any(|name| map.get(name).is_some());
    if launch.has_other_names || has_file {
        return None;
    }
    let mut names: BTreeSet<String> = launch.names.iter().map(|name| name.to_ascii_lowercase()).collect();
    let request = map.get("requestInit").and_then(Node::map).and_then(|request| request.get("headers"));
    let inner = map.get("command").and_then(Node::map).and_then(|command| command.get("env"));
    for set in VARIABLES.iter().map(|name| map.get(name)).chain([request, inner]).flatten() {
        names.extend(set.map().map(Map::members).unwrap_or_default().iter().map(|(name, _)| name.to_ascii_lowercase()));
    }
    names.extend(map.get("env_vars").map(Node::texts).unwrap_or_default().iter().map(|name| name.to_ascii_lowercase()));
    if map.get("bearer_token_env_var").is_some() {
        names.insert("authorization".to_owned());
    }
    Some(names)
}

/// A `server.json`, alone or as an entry of a registry.
pub(super) fn of_server_json(map: &Map, line: usize) -> Option<Configured> {
    let map = map.get("server").and_then(Node::map).unwrap_or(map);
    let name = map.text("name").filter(|name| !name.is_empty())?;
    let lists = |member: &str| {
        map.get(member).and_then(Node::list).unwrap_or_default().iter().filter_map(|(_, node)| node.map())
    };
    let is_one =
        ["packages", "remotes", "$schema", "description", "version"].iter().any(|name| map.get(name).is_some());
    let package = |package: &Map| {
        let kind = package.text("registryType").or_else(|| package.text("registry_type"))?;
        let base = package.text("registryBaseUrl").or_else(|| package.text("registry_base_url"));
        Package::listed(kind, package.text("identifier")?, package.text("version"), base)
    };
    let (version, unclear) = version(map.text("version"));
    let reduced = Reduced {
        name: Some(name.to_owned()),
        version,
        packages: lists("packages").filter_map(package).collect(),
        urls: lists("remotes").filter_map(|remote| address::normalised(remote.text("url")?)).collect(),
        ..Reduced::default()
    };
    is_one.then(|| Configured { line, unclear, ..Configured::new(name, SERVER_JSON, reduced) })
}

/// The version that an input says, or why it cannot be told: where something else stands in its place.
pub(super) fn version(said: Option<&str>) -> (Option<String>, Option<Cow<'static, str>>) {
    match said {
        Some(text) if !is_single_version(text) => (None, Some(NO_VERSION.into())),
        said => (said.map(str::to_owned), None),
    }
}

/// Whether what a client calls a server is what a registry would: `com.example/name`.
fn is_name(label: &str) -> bool {
    let is_part =
        |part: &str| !part.is_empty() && part.chars().all(|char| char.is_ascii_alphanumeric() || "-._".contains(char));
    label.len() <= crate::catalog::entry::MAX_KEY_BYTES
        && label.split_once('/').is_some_and(|(space, name)| is_part(space) && is_part(name))
}

/// What clients call a transport, as registries call it.
fn known_transport(text: &str) -> Option<&'static str> {
    match text.to_ascii_lowercase().replace(['_', '-'], "").as_str() {
        "stdio" | "local" => Some("stdio"),
        "sse" => Some("sse"),
        "http" | "streamablehttp" => Some("streamable-http"),
        _ => None,
    }
}

/// What the command line of another proxy made of one server.
pub(super) fn of_reduced(map: &Map) -> (Reduced, Option<Cow<'static, str>>) {
    let (version, unclear) = version(map.text("version"));
    let text = |name: &str| map.text(name).map(str::to_owned);
    let package = |package: &Map| {
        Package::listed(package.text("type")?, package.text("identifier")?, package.text("version"), None)
    };
    let lists = |member: &str| map.get(member).and_then(Node::list).unwrap_or_default().iter();
    let reduced = Reduced {
        name: text("name"),
        version,
        runner: text("runner"),
        packages: lists("packages").filter_map(|(_, node)| package(node.map()?)).collect(),
        urls: lists("urls").filter_map(|(_, node)| address::normalised(node.text()?)).collect(),
        transport: text("transport").and_then(|transport| known_transport(&transport)).map(str::to_owned),
    };
    (reduced, unclear)
}
