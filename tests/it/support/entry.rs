//! Entries as a registry of today sends them, and how to read those that the proxy serves.

use serde_json::{Value, json};

/// The `_meta` key of the registry's own block.
pub(crate) const OFFICIAL: &str = "io.modelcontextprotocol.registry/official";
/// The `_meta` key of the proxy's block.
pub(crate) const PROVENANCE: &str = "mcp-registry-proxy/provenance";

/// One entry in the making. Everything that clients need is there from the start.
#[derive(Clone, Debug)]
pub(crate) struct Entry(Value);

impl Entry {
    pub(crate) fn new(name: &str, version: &str) -> Self {
        let time = "2026-01-01T00:00:00Z";
        Self(json!({
            "server": { "name": name, "description": format!("What {name} does"), "version": version },
            "_meta": { OFFICIAL: {
                "status": "active", "statusChangedAt": time, "publishedAt": time, "updatedAt": time, "isLatest": false,
            } },
        }))
    }

    /// Sets a member of `server`.
    pub(crate) fn server(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0["server"][key] = value.into();
        self
    }

    /// Sets a member of the official block.
    pub(crate) fn official(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0["_meta"][OFFICIAL][key] = value.into();
        self
    }

    /// Sets the time of publication and of the last change.
    pub(crate) fn published_at(self, time: &str) -> Self {
        self.official("publishedAt", time).official("updatedAt", time)
    }

    pub(crate) fn deleted(self) -> Self {
        self.official("status", "deleted")
    }

    pub(crate) fn into_value(self) -> Value {
        self.0
    }
}

/// `count` names under `prefix`, one version each, in the order of a list.
pub(crate) fn numbered(prefix: &str, count: usize) -> Vec<Entry> {
    (0..count).map(|number| Entry::new(&format!("{prefix}/server-{number:04}"), "1.0.0")).collect()
}

/// A list document in the current format.
pub(crate) fn list(entries: &[Entry], next_cursor: Option<&str>) -> Value {
    let servers: Vec<Value> = entries.iter().cloned().map(Entry::into_value).collect();
    let mut metadata = json!({ "count": servers.len() });
    if let Some(cursor) = next_cursor {
        metadata["nextCursor"] = cursor.into();
    }
    json!({ "servers": servers, "metadata": metadata })
}

/// `name@version` of an entry.
pub(crate) fn key(entry: &Value) -> String {
    let text = |field: &str| entry["server"][field].as_str().unwrap_or("?").to_owned();
    format!("{}@{}", text("name"), text("version"))
}

/// `name@version` of each entry.
pub(crate) fn keys(entries: &[Value]) -> Vec<String> {
    entries.iter().map(key).collect()
}

/// `name@version` of entries that are still in the making.
pub(crate) fn keys_of(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(|entry| key(&entry.0)).collect()
}

/// The proxy's block of a served entry.
pub(crate) fn provenance(entry: &Value) -> &Value {
    &entry["_meta"][PROVENANCE]
}
