//! What people have on their machines, read: the configuration files of clients, a `server.json`, a list of names. Each
//! server is taken down to what tells which one it is. The rest, where secrets stand, does not get out of here.

mod document;
mod server;

use super::{Configured, MAX_SERVERS, REDUCED, Reduced};
use document::{Map, Node};

/// The form of an input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Syntax {
    /// To be found out.
    #[default]
    Any,
    /// JSON, with comments or without.
    Json,
    /// TOML.
    Toml,
}

/// The members in which clients have servers.
const SERVERS: [&str; 4] = ["mcpServers", "amp.mcpServers", "context_servers", "servers"];
/// Members by which a client's file is known that has no servers: Claude Desktop's, VS Code's, Claude Code's.
const WITHOUT_SERVERS: [&str; 9] = [
    "globalShortcut",
    "preferences",
    "isUsingBuiltInNodeForMcp",
    "isDxtAutoUpdatesEnabled",
    "userThemeMode",
    "inputs",
    "mcp",
    "numStartups",
    "projects",
];

/// Why an input cannot be read. Says where and never what stands there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// It is no JSON.
    #[error("is not JSON (comments and trailing commas are allowed): line {line} is wrong")]
    Json {
        /// Counted from 1.
        line: usize,
    },
    /// It is no TOML.
    #[error("is not TOML: line {line} is wrong")]
    Toml {
        /// Counted from 1.
        line: usize,
    },
    /// It is nothing that is known.
    #[error(
        "holds no servers: expected the configuration of an MCP client (`mcpServers`, `servers`, `mcp_servers`), a \
         server.json, or a list of names"
    )]
    Unknown,
    /// It is too much at once.
    #[error("holds more than {MAX_SERVERS} servers; ask for them in parts")]
    TooMany,
}

/// Reads an input.
///
/// # Errors
/// When it cannot be read; see [`InputError`].
pub fn read(text: &str, syntax: Syntax) -> Result<Vec<Configured>, InputError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let servers = match syntax {
        Syntax::Json => json(text)?,
        Syntax::Toml => toml(text)?,
        Syntax::Any => any(text)?,
    };
    if MAX_SERVERS < servers.len() { Err(InputError::TooMany) } else { Ok(servers) }
}

fn any(text: &str) -> Result<Vec<Configured>, InputError> {
    let mut lines = text.lines().map(str::trim_start);
    if lines.any(|line| line.trim_start_matches('[').trim_start().starts_with("mcp_servers")) {
        return toml(text);
    }
    if text.trim_start().starts_with(['{', '[', '/', '"']) { json(text) } else { names(text) }
}

fn toml(text: &str) -> Result<Vec<Configured>, InputError> {
    // A file without servers is one all the same.
    Ok(document::toml(text)?.map(|servers| configured(&servers, "codex")).unwrap_or_default())
}

fn json(text: &str) -> Result<Vec<Configured>, InputError> {
    match document::json(text)? {
        Node::Map(map) => of_map(&map),
        Node::List(list) => of_list(&list),
        _ => Err(InputError::Unknown),
    }
}

/// Which client a file is of shows in the member that holds its servers.
fn of_map(map: &Map) -> Result<Vec<Configured>, InputError> {
    if let Some(reduced) = map.get("configured") {
        return reduced.list().ok_or(InputError::Unknown)?.iter().map(|(line, node)| of_reduced(*line, node)).collect();
    }
    let mut found = Vec::new();
    let mut is_one = false;
    let mut take = |node: Option<&Node>, client: &'static str| {
        if let Some(Node::Map(servers)) = node {
            is_one = true;
            found.extend(configured(servers, client));
        }
    };
    take(map.get("mcpServers"), "mcpServers");
    take(map.get("amp.mcpServers"), "amp");
    take(map.get("context_servers"), "zed");
    take(map.get("mcp").and_then(|mcp| mcp.map()?.get("servers")), "vscode");
    // Those of the projects in Claude Code's own file.
    for (_, project) in map.get("projects").and_then(Node::map).map(Map::members).unwrap_or_default() {
        take(project.map().and_then(|project| project.get("mcpServers")), "claude-code");
    }
    match map.get("servers") {
        servers @ Some(Node::Map(_)) => take(servers, "vscode"),
        Some(Node::List(list)) => return of_list(list),
        _ => {}
    }
    if let Some(opencode) = map.get("mcp").filter(|mcp| mcp.map().is_some_and(|mcp| mcp.get("servers").is_none())) {
        take(Some(opencode), "opencode");
    }
    let is_of_client = || map.members().iter().any(|(member, _)| WITHOUT_SERVERS.contains(&member.as_str()));
    if is_one || map.members().is_empty() || SERVERS.iter().all(|name| map.get(name).is_none()) && is_of_client() {
        return Ok(found);
    }
    server::of_server_json(map, 1).map(|server| vec![server]).ok_or(InputError::Unknown)
}

/// A list of names, of `server.json` documents or of entries.
fn of_list(list: &[(usize, Node)]) -> Result<Vec<Configured>, InputError> {
    let each = |(line, node): &(usize, Node)| match node {
        Node::Text(name) => name_of(name, *line),
        Node::Map(map) => server::of_server_json(map, *line),
        _ => None,
    };
    list.iter().map(each).collect::<Option<Vec<_>>>().ok_or(InputError::Unknown)
}

/// A name a line; empty lines and those that begin with `#` aside.
fn names(text: &str) -> Result<Vec<Configured>, InputError> {
    let lines = (1..).zip(text.lines().map(str::trim)).filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let servers: Option<Vec<_>> = lines.map(|(line, name)| name_of(name, line)).collect();
    servers.filter(|servers| !servers.is_empty()).ok_or(InputError::Unknown)
}

/// `namespace/name`, or with the version after an `@`.
fn name_of(text: &str, line: usize) -> Option<Configured> {
    let text = text.trim();
    let (name, version) = match text.rsplit_once('@').filter(|(name, _)| name.contains('/')) {
        Some((name, version)) => (name, Some(version)),
        None => (text, None),
    };
    let is_name = !name.is_empty()
        && name.len() <= crate::catalog::entry::MAX_KEY_BYTES
        && name.chars().all(|char| char.is_alphanumeric() || "-._/ ".contains(char))
        && !name.split(' ').any(|word| word.starts_with('-'));
    let (version, unclear) = server::version(version);
    let reduced = Reduced { name: Some(name.to_owned()), version, ..Reduced::default() };
    is_name.then(|| Configured { line, unclear, ..Configured::new(name, "names", reduced) })
}

fn configured(servers: &Map, client: &'static str) -> Vec<Configured> {
    let members = servers.members().iter().zip(servers.lines());
    members.filter_map(|((name, node), line)| Some(server::of_client(name, *line, node.map()?, client))).collect()
}

/// What another proxy's command line made of a file.
fn of_reduced(line: usize, node: &Node) -> Result<Configured, InputError> {
    let (reduced, unclear) = server::of_reduced(node.map().ok_or(InputError::Unknown)?);
    let label = reduced.name.clone().unwrap_or_default();
    Ok(Configured { line, unclear, ..Configured::new(&label, REDUCED, reduced) })
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
