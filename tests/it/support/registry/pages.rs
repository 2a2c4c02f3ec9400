//! The official list rules (registry-api.md §1.2, §2): order, exclusive `name:version` cursors, limits,
//! deleted entries, `updated_since`.

use http::StatusCode;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::super::entry::{Entry, OFFICIAL, list};
use super::Seen;

/// Entries in the order of the list: by the bytes of the name, then of the version.
pub(super) fn sorted(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.sort_by_cached_key(position);
    entries
}

fn position(entry: &Entry) -> (String, String) {
    let entry = entry.clone().into_value();
    let text = |field: &str| entry["server"][field].as_str().unwrap_or_default().to_owned();
    (text("name"), text("version"))
}

/// The answer to a request for one name, in what follows the list's path: all its versions, one, or the latest, which
/// is the last one here.
pub(super) fn look_up(entries: &[Entry], rest: &str) -> (StatusCode, Value) {
    let segments: Vec<String> =
        rest.split('/').map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned()).collect();
    let listed = |name: &str| -> Vec<Entry> {
        entries.iter().filter(|entry| position(entry).0 == name && is_listed(entry, None, false)).cloned().collect()
    };
    let texts: Vec<&str> = segments.iter().map(String::as_str).collect();
    let found = match texts[..] {
        [name, "versions"] => Some(listed(name)).filter(|all| !all.is_empty()).map(|all| list(&all, None)),
        [name, "versions", "latest"] => listed(name).pop().map(Entry::into_value),
        [name, "versions", version] => {
            listed(name).into_iter().find(|entry| position(entry).1 == version).map(Entry::into_value)
        }
        _ => None,
    };
    let missing = || (StatusCode::NOT_FOUND, json!({ "status": 404, "detail": "Server not found" }));
    found.map_or_else(missing, |found| (StatusCode::OK, found))
}

/// The answer to a list request.
pub(super) fn page(entries: &[Entry], request: &Seen) -> (StatusCode, Value) {
    let limit = request.parameter("limit").filter(|limit| !limit.is_empty());
    let limit: usize = match limit.map(|limit| limit.parse()) {
        None => 30,
        Some(Ok(limit @ 1..=100)) => limit,
        Some(_) => return (StatusCode::UNPROCESSABLE_ENTITY, json!({ "status": 422, "detail": "validation failed" })),
    };
    let cursor = request.parameter("cursor").map(|cursor| match cursor.split_once(':') {
        Some((name, version)) => (name.to_owned(), version.to_owned()),
        None => (cursor, String::from(char::MAX)),
    });
    let since: Option<Timestamp> =
        request.parameter("updated_since").map(|since| since.parse().expect("an RFC 3339 timestamp"));
    let with_deleted = since.is_some() || request.parameter("include_deleted").as_deref() == Some("true");
    let page: Vec<Entry> = entries
        .iter()
        .filter(|entry| cursor.as_ref().is_none_or(|cursor| *cursor < position(entry)))
        .filter(|entry| is_listed(entry, since, with_deleted))
        .take(limit)
        .cloned()
        .collect();
    // Like the official one: a full page names a next one, which may turn out to be empty.
    let last = page.last().filter(|_| page.len() == limit).map(position);
    let next = last.map(|(name, version)| format!("{name}:{version}"));
    (StatusCode::OK, list(&page, next.as_deref()))
}

fn is_listed(entry: &Entry, since: Option<Timestamp>, with_deleted: bool) -> bool {
    let entry = entry.clone().into_value();
    let official = &entry["_meta"][OFFICIAL];
    let updated_at = official["updatedAt"].as_str().and_then(|time| time.parse::<Timestamp>().ok());
    let is_news = since.is_none_or(|since| updated_at.is_some_and(|updated_at| since < updated_at));
    is_news && (with_deleted || official["status"] != "deleted")
}
