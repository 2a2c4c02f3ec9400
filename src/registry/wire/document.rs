//! What document is this? Strict per document: a registry's list or file in any format in the wild
//! (registry-api.md §4), or a sentence that says what was found instead.

use super::json::{Elements, Raw, RawMembers, kind_of, value_of};

/// The longest cursor that a registry may give: it must fit in a URL.
const MAX_CURSOR_BYTES: usize = 4096;

/// The elements of a list document, undecoded, and the cursor of the next page.
#[derive(Debug)]
pub(super) struct Document<'a> {
    pub(super) elements: Vec<Raw<'a>>,
    pub(super) next_cursor: Option<String>,
}

/// Finds the list in a document.
///
/// # Errors
/// A sentence that says what was found, and where, in place of a registry's list.
pub(super) fn read(body: &[u8]) -> Result<Document<'_>, String> {
    let text = text(body)?;
    match text.trim_ascii_start().as_bytes().first() {
        None => Err("found an empty document".to_owned()),
        Some(b'<') => Err(format!("found {}, not JSON", markup(text))),
        Some(b'[') => Ok(Document { elements: parse::<Elements<'_>>(text)?.0, next_cursor: None }),
        Some(b'{') => from_object(&parse::<RawMembers<'_>>(text)?),
        Some(_) => {
            // A lone value is JSON too, hence both sentences.
            parse::<Raw<'_>>(text)?;
            Err("found a single JSON value; expected an object with `servers`".to_owned())
        }
    }
}

/// The one value of a document.
///
/// # Errors
/// A sentence that says what was found in place of JSON.
pub(super) fn read_one(body: &[u8]) -> Result<Raw<'_>, String> {
    let text = text(body)?;
    match text.trim_ascii_start().as_bytes().first() {
        Some(b'<') => Err(format!("found {}, not JSON", markup(text))),
        _ => parse(text),
    }
}

fn text(body: &[u8]) -> Result<&str, String> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    std::str::from_utf8(body)
        .map_err(|error| format!("found bytes that are not UTF-8, at byte {}", error.valid_up_to()))
}

fn parse<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => format!("found {error}"),
        _ => format!("found text that is not JSON: {error}"),
    })
}

fn markup(text: &str) -> &'static str {
    let start: String = text.trim_ascii_start().chars().take(14).collect::<String>().to_ascii_lowercase();
    if start.starts_with("<!doctype html") || start.starts_with("<html") { "an HTML page" } else { "markup" }
}

fn from_object<'a>(document: &RawMembers<'a>) -> Result<Document<'a>, String> {
    if let Some(servers) = document.get("servers") {
        return from_list(document, *servers);
    }
    if document.get("mcpServers").is_some() {
        return Err("found an MCP client configuration (`mcpServers`), not a registry".to_owned());
    }
    if document.get("remote_servers").is_some() {
        return Err(TOOLHIVE_LEGACY.to_owned());
    }
    // ToolHive's upstream registry file (F8) has the list one level down.
    let data = document.get("data").and_then(|data| serde_json::from_str::<RawMembers<'_>>(data.get()).ok());
    if let Some(servers) = data.as_ref().and_then(|data| data.get("servers")) {
        return Ok(Document { elements: elements(*servers, "data.servers")?, next_cursor: None });
    }
    let keys: Vec<String> = document.iter().take(5).map(|(key, _)| format!("`{}`", printable(key))).collect();
    let keys = if keys.is_empty() { "no members".to_owned() } else { format!("the members {}", keys.join(", ")) };
    Err(format!("found a JSON object without `servers`; it has {keys}"))
}

const TOOLHIVE_LEGACY: &str = "found ToolHive's legacy registry format (servers by name, F9), which is not supported; \
    export it in the upstream format";

fn from_list<'a>(document: &RawMembers<'a>, servers: Raw<'a>) -> Result<Document<'a>, String> {
    if let Ok(by_name) = serde_json::from_str::<RawMembers<'_>>(servers.get()) {
        return Err(describe_map(document, &by_name));
    }
    let elements = elements(servers, "servers")?;
    let Some(metadata) = document.get("metadata").copied().filter(|metadata| kind_of(*metadata) != "null") else {
        if document.get("total_count").is_some() || document.get("next").is_some() {
            return Err("found the offset-paged draft of the API (`next`, `total_count`; F0b), which is not supported"
                .to_owned());
        }
        return Ok(Document { elements, next_cursor: None });
    };
    let metadata: RawMembers<'_> = serde_json::from_str(metadata.get()).map_err(|error| {
        if kind_of(metadata) == "an object" {
            format!("found, in `metadata`, {error}")
        } else {
            format!("found `metadata` that is {}; expected an object", kind_of(metadata))
        }
    })?;
    Ok(Document { elements, next_cursor: next_cursor(&metadata)? })
}

/// `servers` as an object is somebody else's format; which one, its first value tells.
fn describe_map(document: &RawMembers<'_>, by_name: &RawMembers<'_>) -> String {
    let values = by_name.iter().filter_map(|(_, value)| serde_json::from_str::<RawMembers<'_>>(value.get()).ok());
    let has = |keys: &[&str], value: &RawMembers<'_>| keys.iter().any(|key| value.get(key).is_some());
    let first = values.take(1).next();
    let is_configuration = first.as_ref().is_some_and(|value| has(&["command", "args"], value));
    if is_configuration || document.get("mcpServers").is_some() {
        "found an MCP client configuration (`servers` by name, with commands), not a registry".to_owned()
    } else if document.get("remote_servers").is_some() || first.is_some_and(|value| has(&["image", "tier"], &value)) {
        TOOLHIVE_LEGACY.to_owned()
    } else {
        "found `servers` that is an object; expected an array".to_owned()
    }
}

fn elements<'a>(servers: Raw<'a>, path: &str) -> Result<Vec<Raw<'a>>, String> {
    if kind_of(servers) != "an array" {
        return Err(format!("found `{path}` that is {}; expected an array", kind_of(servers)));
    }
    parse::<Elements<'_>>(servers.get()).map(|elements| elements.0)
}

/// Absent, `null` and empty all mean that this was the last page.
pub(super) fn next_cursor(metadata: &RawMembers<'_>) -> Result<Option<String>, String> {
    for key in ["nextCursor", "next_cursor"] {
        let Some(value) = metadata.get(key).copied().filter(|value| kind_of(*value) != "null") else { continue };
        let cursor: String = value_of(value)
            .ok_or_else(|| format!("found a `metadata.{key}` that is {}; expected a string", kind_of(value)))?;
        if cursor.len() > MAX_CURSOR_BYTES {
            return Err(format!("found a `metadata.{key}` of {} bytes; {MAX_CURSOR_BYTES} at most", cursor.len()));
        }
        if !cursor.is_empty() {
            return Ok(Some(cursor));
        }
    }
    Ok(None)
}

fn printable(text: &str) -> String {
    text.chars().take(40).flat_map(char::escape_debug).collect()
}
