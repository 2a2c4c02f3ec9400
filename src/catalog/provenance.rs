//! Who said what, since when: the block that we add to every entry's `_meta`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::entry::Digest;
use super::entry::instant::{self, Short, Text};

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

/// A registry as provenance names it.
#[derive(Clone, Copy, Debug)]
pub(super) struct NamedRegistry<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// Its URL; absent where `publish_urls` hides it.
    pub(super) url: Option<&'a str>,
}

/// What our block of `_meta` says of a version, besides when it was fetched and its digest. Registries are told by
/// their positions.
#[derive(Debug)]
pub(super) struct Origin<'a> {
    /// The registry that the content came from.
    pub(super) registry: usize,
    /// The other usable registries that list the same version, in configuration order.
    pub(super) also_in: Vec<usize>,
    /// Whether one of them lists it with other content.
    pub(super) divergent: bool,
    /// The inner provenance, where the registry is a proxy like ours.
    pub(super) upstream: Option<&'a str>,
    /// Identifiers that a registry with an older format gave to the version.
    pub(super) ids: Option<&'a str>,
}

/// Our block as it is served (contract §4): what stands before, between and after the two that differ from version
/// to version. All versions of one origin share it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Label {
    /// `"key":{"registry":…,"url":…,"fetchedAt":"`
    before: Box<str>,
    /// `","alsoIn":[…],"divergent":…,…}`
    after: Box<str>,
}

const BETWEEN: &[u8; 12] = br#"","sha256":""#;

impl Label {
    fn new(key: &str, registries: &[NamedRegistry<'_>], origin: &Origin<'_>) -> Self {
        #[derive(Serialize)]
        struct Before<'a> {
            registry: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            url: Option<&'a str>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct After<'a> {
            also_in: &'a [&'a str],
            divergent: bool,
            #[serde(skip_serializing_if = "Option::is_none")]
            upstream: Option<&'a RawValue>,
            #[serde(skip_serializing_if = "Option::is_none")]
            ids: Option<&'a RawValue>,
        }
        fn json(value: &impl Serialize) -> String {
            serde_json::to_string(value).expect("provenance holds only texts, booleans and JSON")
        }
        fn raw(part: Option<&str>) -> Option<&RawValue> {
            part.and_then(|text| serde_json::from_str(text).ok())
        }
        let &Origin { registry, ref also_in, divergent, upstream, ids } = origin;
        let NamedRegistry { name, url } = registries[registry];
        let also_in: Vec<&str> = also_in.iter().map(|other| registries[*other].name).collect();
        let before = json(&Before { registry: name, url });
        let after = json(&After { also_in: &also_in, divergent, upstream: raw(upstream), ids: raw(ids) });
        // The two are one object.
        let before = before.strip_suffix('}').unwrap_or_default();
        let after = after.strip_prefix('{').unwrap_or_default();
        Self { before: format!("{}:{before},\"fetchedAt\":\"", json(&key)).into(), after: format!("\",{after}").into() }
    }

    /// Appends the block of a version.
    pub(super) fn write(&self, out: &mut Vec<u8>, fetched_at: Timestamp, digest: Digest) {
        out.extend_from_slice(self.before.as_bytes());
        // It is to the second, and after 1970.
        let mut differing = Short::new();
        match Text::of(fetched_at) {
            Some(text) => differing.push_instant(&text),
            None => instant::write(out, fetched_at),
        }
        differing.push(BETWEEN);
        differing.push(&digest.hexadecimal());
        out.extend_from_slice(differing.as_bytes());
        out.extend_from_slice(self.after.as_bytes());
    }

    /// Appends what no other label has. No sequence of these is another one's beginning.
    pub(super) fn push_identity(&self, out: &mut Vec<u8>) {
        for part in [&self.before, &self.after] {
            out.extend_from_slice(&(part.len() as u64).to_le_bytes());
            out.extend_from_slice(part.as_bytes());
        }
    }

    /// The length of what [`Label::write`] appends.
    pub(super) fn length(&self, fetched_at: Timestamp) -> usize {
        self.before.len() + instant::length(fetched_at) + BETWEEN.len() + Digest::HEXADECIMAL + self.after.len()
    }
}

/// What versions have in common that share a label.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Shared {
    registry: usize,
    also_in: Vec<usize>,
    divergent: bool,
}

/// The labels of one merge.
pub(super) struct Labels<'a> {
    key: &'a str,
    registries: Vec<NamedRegistry<'a>>,
    known: RefCell<HashMap<Shared, Arc<Label>>>,
}

impl<'a> Labels<'a> {
    pub(super) fn new(key: &'a str, registries: Vec<NamedRegistry<'a>>) -> Self {
        Self { key, registries, known: RefCell::default() }
    }

    /// The label of an origin.
    pub(super) fn of(&self, origin: &Origin<'_>) -> Arc<Label> {
        let label = || Arc::new(Label::new(self.key, &self.registries, origin));
        // These differ from version to version.
        if origin.upstream.is_some() || origin.ids.is_some() {
            return label();
        }
        let &Origin { registry, ref also_in, divergent, .. } = origin;
        let shared = Shared { registry, also_in: also_in.clone(), divergent };
        Arc::clone(self.known.borrow_mut().entry(shared).or_insert_with(label))
    }
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

    #[test]
    fn a_label_is_as_long_as_it_is_said_to_be_and_one_origin_has_one() {
        let registry = |name, url| NamedRegistry { name, url };
        let labels = Labels::new("a/\"b\"", vec![registry("r", Some("{u}")), registry("s", None), registry("t", None)]);
        let origin =
            |registry, also_in, ids| labels.of(&Origin { registry, also_in, divergent: false, upstream: None, ids });
        let at = "2026-01-02T03:04:05Z".parse().expect("a timestamp");
        let json = |label: &Label| {
            let mut out = Vec::new();
            label.write(&mut out, at, Digest([0xa5; 32]));
            assert_eq!(out.len(), label.length(at));
            String::from_utf8(out).expect("UTF-8")
        };
        let sha256 = "a5".repeat(32);
        assert_eq!(
            json(&origin(0, vec![1, 2], Some(r#"{"id":"}"}"#))),
            format!(
                r#""a/\"b\"":{{"registry":"r","url":"{{u}}","fetchedAt":"2026-01-02T03:04:05Z","sha256":"{sha256}","#
            ) + r#""alsoIn":["s","t"],"divergent":false,"ids":{"id":"}"}}"#
        );
        assert!(json(&origin(1, Vec::new(), None)).contains(r#"{"registry":"s","fetchedAt""#));
        assert!(Arc::ptr_eq(&origin(0, vec![1], None), &origin(0, vec![1], None)));
        assert!(!Arc::ptr_eq(&origin(0, vec![1], None), &origin(0, vec![2], None)));
    }
}
