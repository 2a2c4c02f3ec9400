//! The catalog as files that a web host serves as a registry of the API.
//!
//! A host knows no queries, so each list is one page: `v0.1/servers` has the latest version of each server, as nearly
//! all clients ask for it; the others are under their names. Deleted versions are only in `registry.json`, which has
//! everything, for whoever mirrors it.
//!
//! Hosts decode what is in a path: `com.example%2Fsearch` is looked for as `com.example/search`. So that is where a
//! name's files are, as two folders. What stands for a folder is in its `index.json`; the list is in `index.html` too,
//! for hosts that know only that. `_headers` and `_redirects` tell hosts that read them (Netlify, Cloudflare Pages)
//! which is which.

use super::directory::{Problem, Staging};
use crate::catalog::{Catalog, Server};
use crate::cli::entries;

/// The longest part of a path: file systems have 255, and a little is for the host.
const MAX_PART_BYTES: usize = 200;
/// What file systems and hosts take for something else.
const NOT_IN_PARTS: [char; 9] = ['/', '\\', ':', '*', '?', '"', '<', '>', '|'];

const HEADERS: &str = "/v0.1/*\n  Content-Type: application/json\n  Access-Control-Allow-Origin: *\n  \
                       Access-Control-Allow-Methods: GET, OPTIONS\n  \
                       Access-Control-Allow-Headers: Authorization, Content-Type\n";
const REDIRECTS: &str = "/v0.1/servers /v0.1/servers/index.json 200\n\
                         /v0.1/servers/:namespace/:name/versions \
                         /v0.1/servers/:namespace/:name/versions/index.json 200\n\
                         /v0/* /v0.1/:splat 200\n";

/// Writes the tree. Returns what is left out of it and why, in sentences.
pub(super) fn write(catalog: &Catalog, staging: &Staging) -> Result<Vec<String>, Problem> {
    staging.write("registry.json", |out| entries::document(out, entries::all(catalog)))?;
    for index in ["v0.1/servers/index.json", "v0.1/servers/index.html"] {
        let latest = catalog.servers().iter().filter_map(|server| server.latest());
        staging.write(index, |out| entries::document(out, latest.filter(|latest| !latest.entry.is_deleted())))?;
    }
    for (path, text) in [
        ("v0.1/health", "{\"status\":\"ok\"}\n"),
        ("v0.1/ping", "{\"pong\":true}\n"),
        ("_headers", HEADERS),
        ("_redirects", REDIRECTS),
    ] {
        staging.write(path, |out| out.write_all(text.as_bytes()))?;
    }
    let mut left_out = Vec::new();
    for server in catalog.servers() {
        match write_server(server, staging, &mut left_out) {
            Err(Problem::Taken(path)) => {
                left_out.push(format!("`{}` is not in the tree whole: something else is at {path}", server.name));
            }
            written => written?,
        }
    }
    Ok(left_out)
}

fn write_server(server: &Server, staging: &Staging, left_out: &mut Vec<String>) -> Result<(), Problem> {
    let name = server.name.as_str();
    let Some(folder) = folder(name) else {
        left_out.push(format!("`{name}` is not in the tree: files cannot have this name"));
        return Ok(());
    };
    let mut versions = server.versions_newest_first();
    versions.retain(|version| !version.entry.is_deleted());
    let Some(latest) = server.latest().filter(|latest| !latest.entry.is_deleted()) else { return Ok(()) };
    staging.write(&format!("{folder}/index.json"), |out| entries::document(out, versions.iter().copied()))?;
    staging.write(&format!("{folder}/latest"), |out| entries::one(out, latest))?;
    for version in versions {
        let text = version.entry.version();
        if is_part(text) && !matches!(text, "latest" | "index.json") {
            staging.write(&format!("{folder}/{text}"), |out| entries::one(out, version))?;
        } else {
            left_out.push(format!("`{name}` {text:?} is not in the tree: files cannot have this name"));
        }
    }
    Ok(())
}

/// Where the versions of a name are, if files can have that name and it is no other one's folder.
fn folder(name: &str) -> Option<String> {
    let parts: Vec<&str> = name.split('/').collect();
    let is_good = parts.len() <= 2 && parts.iter().all(|part| is_part(part) && *part != "versions");
    is_good.then(|| format!("v0.1/servers/{name}/versions"))
}

/// Whether this can be a part of a path everywhere, and means nothing else there.
fn is_part(text: &str) -> bool {
    let is_odd = |letter: char| letter.is_control() || NOT_IN_PARTS.contains(&letter);
    !text.is_empty()
        && text.len() <= MAX_PART_BYTES
        && !text.starts_with('.')
        && !text.ends_with(['.', ' '])
        && !text.contains(is_odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_folders_and_lead_nowhere_else() {
        assert_eq!(folder("com.example/search").as_deref(), Some("v0.1/servers/com.example/search/versions"));
        assert_eq!(folder("Salesforce DX MCP").as_deref(), Some("v0.1/servers/Salesforce DX MCP/versions"));
        for name in [
            "..",
            "../x",
            "a/..",
            "a/../b",
            "/etc",
            "a/",
            "a//b",
            "a/b/c",
            "a\\b",
            "a/.b",
            ".a",
            "a\0b",
            "a\nb",
            "a/versions",
            "versions",
            "a:b",
            "a.",
            "a ",
            "a?b",
            "",
        ] {
            assert_eq!(folder(name), None, "{name:?}");
        }
        assert!(is_part(&"x".repeat(200)) && !is_part(&"x".repeat(201)));
        assert!(is_part("1.0.0+build~1") && is_part("é"));
    }
}
