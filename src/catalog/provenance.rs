//! Who said what, since when: the block that we add to every entry's `_meta`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::entry::Digest;

/// `[provenance]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The `_meta` key under which provenance is served: your own reverse-DNS name and a slash.
    pub key: String,
    /// Whether registries' URLs are shown on the public listener.
    pub publish_urls: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { key: "mcp-registry-proxy/provenance".to_owned(), publish_urls: true }
    }
}

impl Config {
    /// What is wrong with the key, if anything: it must follow the grammar of `_meta` keys and may
    /// not take a name that belongs to the protocol (registry-api.md §6.2).
    #[must_use]
    pub fn problem_with_key(&self) -> Option<&'static str> {
        let Some((prefix, name)) = self.key.split_once('/') else {
            return Some("needs a prefix and a slash, such as `com.example/provenance`");
        };
        let labels: Vec<&str> = prefix.split('.').collect();
        if !labels.iter().all(|label| is_label(label)) {
            return Some("has a prefix that is not dot-separated labels of letters, digits and hyphens");
        }
        if labels.get(1).is_some_and(|label| matches!(*label, "modelcontextprotocol" | "mcp")) {
            return Some("has a prefix that is reserved for the protocol");
        }
        if !is_meta_name(name) {
            return Some("has a name that does not start and end with a letter or digit");
        }
        None
    }
}

fn is_label(label: &str) -> bool {
    label.starts_with(|first: char| first.is_ascii_alphabetic())
        && label.ends_with(|last: char| last.is_ascii_alphanumeric())
        && label.chars().all(|char| char.is_ascii_alphanumeric() || char == '-')
}

fn is_meta_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.ends_with(|last: char| last.is_ascii_alphanumeric())
        && name.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.'))
}

/// Our block of `_meta`, in the order in which it is served (contract §4).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Provenance<'a> {
    /// The registry that the content came from.
    pub registry: &'a str,
    /// Its URL; absent where `publish_urls` hides it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<&'a str>,
    /// When the content was first fetched in its present form.
    pub fetched_at: Timestamp,
    /// The content's digest, in hexadecimal.
    #[serde(serialize_with = "as_text")]
    pub sha256: Digest,
    /// The other usable registries that list the same version, in configuration order.
    pub also_in: Vec<&'a str>,
    /// Whether one of them lists it with other content.
    pub divergent: bool,
    /// The inner provenance, where the registry is a proxy like ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<&'a RawValue>,
    /// Identifiers that a registry with an older format gave to the version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ids: Option<&'a RawValue>,
}

fn as_text<S: serde::Serializer>(digest: &Digest, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_follows_the_grammar_of_meta_keys() {
        let problem = |key: &str| Config { key: key.to_owned(), publish_urls: true }.problem_with_key();
        assert_eq!(Config::default().problem_with_key(), None);
        assert_eq!(problem("com.example.mcp/provenance"), None);
        for bad in ["", "provenance", "io.modelcontextprotocol/x", "com.mcp.tools/x", "a b/x", "com.example/", "1a/x"] {
            assert!(problem(bad).is_some(), "{bad}");
        }
    }
}
