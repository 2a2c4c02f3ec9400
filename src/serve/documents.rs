//! The API's description: as it was written, as JSON, and as a page. All three are made once; nothing in them
//! depends on the configuration or on the catalog.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use jiff::Timestamp;
use serde_json::Value;

use super::docs;
use super::representation::Representation;

/// The description. Tests hold it against the router and against real answers.
const YAML: &str = include_str!("openapi.yaml");

/// All of them.
#[derive(Debug)]
pub(super) struct Documents {
    pub(super) yaml: Arc<Representation>,
    pub(super) json: Arc<Representation>,
    pub(super) page: Arc<Representation>,
}

impl Documents {
    pub(super) fn new() -> Self {
        let description = description();
        let now = Timestamp::now();
        let document = |content_type, body| Representation::new(HeaderValue::from_static(content_type), body, now);
        let json = Bytes::from(json_of(&description));
        let page = Bytes::from(docs::page(&description));
        Self {
            yaml: Arc::new(document("application/yaml", Bytes::from_static(openapi_yaml().as_bytes()))),
            json: Arc::new(document("application/json", json)),
            page: Arc::new(document("text/html; charset=utf-8", page).under(docs::policy())),
        }
    }
}

/// The API's description as `GET /openapi.yaml` has it.
#[must_use]
pub fn openapi_yaml() -> &'static str {
    without_heading(YAML)
}

/// The API's description as `GET /openapi.json` has it.
#[must_use]
pub fn openapi_json() -> String {
    json_of(&description())
}

fn json_of(description: &Value) -> String {
    format!("{description}\n")
}

/// The description as a value; aliases are replaced by what they stand for.
pub(super) fn description() -> Value {
    serde_saphyr::from_str(YAML).expect("the description is part of the program, and tests read it")
}

/// The description without the comments that it begins with: they are for whoever edits it.
fn without_heading(yaml: &'static str) -> &'static str {
    let comments = yaml.split_inclusive('\n').take_while(|line| line.starts_with('#'));
    yaml.split_at(comments.map(str::len).sum()).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_for_developers_are_not_served() {
        assert!(YAML.starts_with("# "));
        assert_eq!(without_heading("# a\n#\nb: 1 # c\n# d\n"), "b: 1 # c\n# d\n");
        let documents = Documents::new();
        assert!(documents.yaml.body().starts_with(b"openapi: 3.1.0\n"));
        let served: Value = serde_saphyr::from_slice(documents.yaml.body()).expect("YAML");
        assert_eq!(served, description());
    }

    #[test]
    fn the_page_shows_what_values_are() {
        let documents = Documents::new();
        let page = std::str::from_utf8(documents.page.body()).expect("UTF-8");
        for (what, shown) in [
            ("a constant", "always <code>nosniff</code>"),
            ("another", "always <code>none</code>"),
            ("a number as an example", "Example: <code>10</code>"),
            ("a parameter's example", "Example: <code>com.example.search/code</code>"),
            ("a field's example", "Example: <code>active</code>"),
            ("a default", "default <code>30</code>"),
            ("values to choose from", "one of <code>zstd</code>, <code>br</code>, <code>gzip</code>"),
        ] {
            assert!(page.contains(shown), "{what}: {shown}");
        }
    }

    #[test]
    fn toolhive_takes_it_for_a_registry() {
        // registry-api.md §8.3: it asks for these two before anything else.
        let description = description();
        assert_eq!(description["info"]["version"], "1.0.0");
        let text = description["info"]["description"].as_str().expect("a text");
        assert!(text.contains("https://github.com/modelcontextprotocol/registry"));
    }

    #[test]
    fn the_page_loads_nothing_and_runs_nothing() {
        let documents = Documents::new();
        let page = std::str::from_utf8(documents.page.body()).expect("UTF-8");
        for forbidden in ["<script", "<link", "<img", "<iframe", "@import", "url(", " style=", " on", "javascript:"] {
            let found = page.split('<').find(|tag| tag.split('>').next().is_some_and(|tag| tag.contains(forbidden)));
            assert_eq!(found, None, "{forbidden}");
            assert!(forbidden.starts_with(' ') || !page.contains(forbidden), "{forbidden}");
        }
        let policy = documents.page.policy.as_ref().expect("a policy").to_str().expect("text");
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
    }
}
