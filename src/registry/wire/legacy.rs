//! Entries in the formats before 2025-09-29 (registry-api.md §4: F0, F1, F2, F3, F4), rewritten into the
//! current one. The format is decided per entry: real pages mix them.

use serde_json::{Map, Value, json};

use crate::catalog::entry::OFFICIAL_KEY;

const PUBLISHER_KEY: &str = "io.modelcontextprotocol.registry/publisher-provided";
const OLD_OFFICIAL_KEY: &str = "x-io.modelcontextprotocol.registry";
const OLD_PUBLISHER_KEY: &str = "x-publisher";

/// Keys that mark the extension wrapper (F2), which has `server` like the current format.
pub(super) const WRAPPER_MARKS: [&str; 3] = [OLD_OFFICIAL_KEY, OLD_PUBLISHER_KEY, "x-github"];

/// The old spelling of keys, and the current one (registry-api.md §4, snake→camel map).
const RENAMED: &[(&str, &str)] = &[
    ("registry_type", "registryType"),
    ("registry_name", "registryType"),
    ("registry_base_url", "registryBaseUrl"),
    ("file_sha256", "fileSha256"),
    ("runtime_hint", "runtimeHint"),
    ("runtime_arguments", "runtimeArguments"),
    ("package_arguments", "packageArguments"),
    ("environment_variables", "environmentVariables"),
    ("is_required", "isRequired"),
    ("is_secret", "isSecret"),
    ("is_repeated", "isRepeated"),
    ("value_hint", "valueHint"),
    ("website_url", "websiteUrl"),
    ("transport_type", "type"),
];

/// An entry in the current format.
#[derive(Debug, PartialEq)]
pub(super) struct Modern {
    pub(super) server: Map<String, Value>,
    pub(super) meta: Map<String, Value>,
}

/// Rewrites a flat entry: the server's fields, the registry's and the publisher's side by side.
pub(super) fn from_flat(mut flat: Map<String, Value>) -> Modern {
    let mut meta = take_object(&mut flat, "_meta");
    let mut official = take_object(&mut meta, OFFICIAL_KEY);
    if let Some(id) = flat.shift_remove("id") {
        official.entry("id").or_insert(id);
    }
    finish(flat, official, meta)
}

/// Rewrites an extension wrapper: `server` beside `x-…` members.
pub(super) fn from_wrapper(mut wrapper: Map<String, Value>) -> Modern {
    let mut server = take_object(&mut wrapper, "server");
    let mut meta = take_object(&mut wrapper, "_meta");
    let mut official = take_object(&mut meta, OFFICIAL_KEY);
    official.extend(take_object(&mut wrapper, OLD_OFFICIAL_KEY));
    let publisher = take_object(&mut wrapper, OLD_PUBLISHER_KEY);
    meta.extend(wrapper);
    let mut server_meta = take_object(&mut server, "_meta");
    if !publisher.is_empty() {
        server_meta.insert(PUBLISHER_KEY.to_owned(), publisher.into());
    }
    if !server_meta.is_empty() {
        meta.extend(server_meta);
    }
    finish(server, official, meta)
}

fn finish(mut server: Map<String, Value>, mut official: Map<String, Value>, mut meta: Map<String, Value>) -> Modern {
    if let Some(status) = server.shift_remove("status") {
        official.entry("status").or_insert(status);
    }
    let mut version = take_object(&mut server, "version_detail");
    if let Some(text) = version.shift_remove("version") {
        server.entry("version").or_insert(text);
    }
    for key in ["release_date", "is_latest"] {
        if let Some(value) = version.shift_remove(key) {
            official.entry(key).or_insert(value);
        }
    }
    server = rename_members(server);
    each_object(server.get_mut("packages"), modernise_package);
    if let Some(publisher) = meta.shift_remove(PUBLISHER_KEY) {
        server.insert("_meta".to_owned(), json!({ PUBLISHER_KEY: publisher }));
    }
    if !official.is_empty() {
        meta.insert(OFFICIAL_KEY.to_owned(), official.into());
    }
    Modern { server, meta }
}

fn modernise_package(package: &mut Map<String, Value>) {
    if let Some(name) = package.shift_remove("name") {
        package.entry("identifier").or_insert(name);
    }
    if package.get("registryType").is_some_and(|kind| kind == "docker") {
        package.insert("registryType".to_owned(), "oci".into());
    }
    package.entry("transport").or_insert_with(|| json!({ "type": "stdio" }));
}

/// Applies the current spelling to keys at any depth. `null` members, which clients reject, are dropped;
/// `_meta` and the names of variables belong to the publisher and stay.
fn rename_members(members: Map<String, Value>) -> Map<String, Value> {
    let known = members.into_iter().filter(|(_, value)| !value.is_null());
    known
        .map(|(key, value)| match key.as_str() {
            "_meta" => (key, value),
            "variables" => (key, rename_values(value)),
            "format" if value == "file_path" => (key, "filepath".into()),
            _ => (current_key(key), rename(value)),
        })
        .collect()
}

fn rename(value: Value) -> Value {
    match value {
        Value::Object(members) => rename_members(members).into(),
        Value::Array(items) => items.into_iter().map(rename).collect(),
        other => other,
    }
}

fn rename_values(value: Value) -> Value {
    match value {
        Value::Object(members) => members.into_iter().map(|(key, value)| (key, rename(value))).collect(),
        other => other,
    }
}

fn current_key(key: String) -> String {
    RENAMED.iter().find(|(old, _)| *old == key).map_or(key, |(_, current)| (*current).to_owned())
}

fn take_object(members: &mut Map<String, Value>, key: &str) -> Map<String, Value> {
    match members.get(key) {
        Some(Value::Object(_)) => {}
        Some(Value::Null) => {
            members.shift_remove(key);
            return Map::new();
        }
        _ => return Map::new(),
    }
    match members.shift_remove(key) {
        Some(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

fn each_object(list: Option<&mut Value>, change: impl Fn(&mut Map<String, Value>)) {
    let items = list.and_then(Value::as_array_mut).into_iter().flatten();
    items.filter_map(Value::as_object_mut).for_each(change);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(object) => object,
            other => panic!("not an object: {other}"),
        }
    }

    #[test]
    fn a_seed_entry_gets_current_packages_and_an_official_block() {
        let modern = from_flat(object(json!({
            "id": "4e9c", "name": "io.github.x/y", "description": "d",
            "version_detail": {"version": "0.0.1-seed", "release_date": "2025-05-16T00:00:00Z", "is_latest": true},
            "packages": [{"registry_name": "docker", "name": "x/y", "version": "1", "environment_variables": [
                {"name": "K", "is_secret": true, "format": "file_path", "default": null}]}],
        })));
        assert_eq!(
            Value::from(modern.server),
            json!({"name": "io.github.x/y", "description": "d", "packages": [{
                "registryType": "oci", "version": "1",
                "environmentVariables": [{"name": "K", "isSecret": true, "format": "filepath"}],
                "identifier": "x/y", "transport": {"type": "stdio"}}], "version": "0.0.1-seed"})
        );
        let official = &modern.meta[OFFICIAL_KEY];
        assert_eq!(*official, json!({"id": "4e9c", "release_date": "2025-05-16T00:00:00Z", "is_latest": true}));
    }

    #[test]
    fn an_extension_wrapper_keeps_what_the_publisher_and_github_said() {
        let modern = from_wrapper(object(json!({
            "server": {"name": "a/b", "description": "d", "status": "deprecated", "version_detail": {"version": "1.0.2"},
                       "remotes": [{"transport_type": "sse", "url": "https://x.example"}]},
            "x-io.modelcontextprotocol.registry": {"id": "u", "published_at": "2025-08-01T00:00:00Z", "is_latest": true},
            "x-publisher": {"tool": "t"}, "x-github": {"name_with_owner": "a/b"},
        })));
        assert_eq!(modern.server["remotes"], json!([{"type": "sse", "url": "https://x.example"}]));
        assert_eq!(modern.server["_meta"], json!({PUBLISHER_KEY: {"tool": "t"}}));
        assert_eq!(modern.meta["x-github"], json!({"name_with_owner": "a/b"}));
        assert_eq!(modern.meta[OFFICIAL_KEY]["status"], "deprecated");
    }
}
