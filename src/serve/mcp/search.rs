//! `search_servers`: the latest versions that match, a page of them.

use std::fmt::Write as _;

use rmcp::schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::super::api::View;
use super::super::error::Problem;
use super::super::query::ListQuery;
use super::super::{Service, cursor, query};
use super::summary::{Summary, name_of};
use super::tools::{Said, provenance_key};
use super::words::{clean, counted};
use crate::catalog::Version;
use crate::catalog::page::Position;

/// How many servers a page has, where nobody says it, and at most.
const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 50;
/// The most bytes of a page's summaries; the next page goes on.
const MAX_PAGE_BYTES: usize = 96 << 10;
/// The largest entry that is read for a summary.
const MAX_READ_BYTES: usize = 64 << 10;

/// What is looked for.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "rmcp::schemars")]
pub(super) struct Asked {
    /// A text to find in names, titles and descriptions, letter case ignored: one word or name, such as `postgres`. It is
    /// found as it stands; several words are one text. Without it, everything is listed, by name.
    #[schemars(length(max = 256))]
    search: Option<String>,
    /// Only servers that this registry lists; `list_registries` has their names.
    registry: Option<String>,
    /// `package` for servers that are run, `remote` for those that are reached at a URL.
    #[serde(rename = "type")]
    #[schemars(extend("enum" = ["package", "remote"]))]
    kind: Option<String>,
    /// Only servers with a package of this type: `npm`, `pypi`, `oci`, `nuget`, `mcpb`.
    package_type: Option<String>,
    /// Only servers that speak over this transport: `stdio`, `streamable-http`, `sse`.
    transport: Option<String>,
    /// The most servers of the answer: 1 to 50, 20 by default.
    #[serde(default, deserialize_with = "number")]
    #[schemars(range(min = 1, max = 50))]
    limit: Option<i64>,
    /// `nextCursor` of an earlier answer, for the servers after those. It goes with the same filters, or with none.
    cursor: Option<String>,
}

/// A page of servers.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(crate = "rmcp::schemars")]
pub(super) struct Found {
    /// The servers, each in its latest version, in the order of their names.
    servers: Vec<Summary>,
    /// How many they are.
    count: usize,
    /// Leads to the next ones, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    /// Why servers may be missing: registries that could not be used, each with the reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    incomplete: Vec<String>,
}

/// A number; also as a text, which is a model's slip.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let number = value.as_i64().or_else(|| value.as_str()?.trim().parse().ok());
    number.map(Some).ok_or_else(|| D::Error::custom("`limit` is not a whole number"))
}

impl Asked {
    /// The same as a request for the list, read by the same rules.
    fn into_query(self) -> Result<ListQuery, Problem> {
        let limit = self.limit.map_or(Some(DEFAULT_LIMIT), |limit| usize::try_from(limit).ok());
        let limit = limit.filter(|limit| (1..=MAX_LIMIT).contains(limit));
        let limit = limit.ok_or(Problem::BadRequest("`limit` must be from 1 to 50.".into()))?;
        let mut written = form_urlencoded::Serializer::new(String::new());
        written.append_pair("version", "latest").append_pair("limit", &limit.to_string());
        for (key, value) in [
            ("search", self.search),
            ("registry", self.registry),
            ("type", self.kind),
            ("package_type", self.package_type),
            ("transport", self.transport),
            ("cursor", self.cursor),
        ] {
            // Blanks at the ends are a model's slip, and would find nothing.
            if let Some(value) = value.as_deref().map(str::trim).filter(|value| !value.is_empty()) {
                written.append_pair(key, value);
            }
        }
        query::list(Some(&written.finish()))
    }
}

/// Looks.
pub(super) fn search(service: &Service, asked: Asked) -> Result<Said, Problem> {
    let query = asked.into_query()?;
    service.with_view(|view| {
        view.check_available()?;
        let page = view.catalog.page(&query.filter, query.after.as_ref(), query.limit);
        let key = provenance_key(service);
        let (mut servers, mut bytes, mut next) = (Vec::new(), 0, page.next);
        for version in page.versions {
            let summary = summary(view, version, key);
            bytes += serde_json::to_vec(&summary).map_or(0, |written| written.len());
            if MAX_PAGE_BYTES < bytes && !servers.is_empty() {
                let last = servers.last().map(|last: &Summary| last.name.as_str());
                next = last.map(|name| Position { name: name.into(), version: None });
                break;
            }
            servers.push(summary);
        }
        let next_cursor = next.map(|position| cursor::encode(&query.filter, &position));
        let found = Found { count: servers.len(), servers, next_cursor, incomplete: missing(view) };
        Ok(Said::new(&found, found.text()))
    })
}

/// A version in a few words.
fn summary(view: View<'_>, version: &Version, provenance_key: &str) -> Summary {
    if MAX_READ_BYTES < version.served_length() {
        let registry = view.catalog.registries.get(version.registry).map_or("", |registry| &registry.rules.name);
        return Summary::bare(&name_of(version), version.entry.version(), registry);
    }
    let mut entry = Vec::with_capacity(version.served_length());
    version.write_to(&mut entry);
    Summary::of(&serde_json::from_slice(&entry).unwrap_or_default(), provenance_key)
}

/// Why servers may be missing, or old.
pub(super) fn missing(view: View<'_>) -> Vec<String> {
    let troubled = view.catalog.troubled().map(|registry| {
        let name = &*registry.rules.name;
        let how = if registry.usable { "is served as it was" } else { "is left out" };
        clean(&format!("{name} {how}: {}", (view.reason)(name)))
    });
    let unread = (!view.is_ready).then(|| "Not every registry has been read yet.".to_owned());
    troubled.chain(unread).take(MAX_LIMIT).collect()
}

impl Found {
    fn text(&self) -> String {
        let mut text = match self.count {
            0 => "No server matches.\n".to_owned(),
            count => format!("{}:\n", counted(count, "server", "servers")),
        };
        for summary in &self.servers {
            text.push_str("- ");
            summary.write_to(&mut text);
        }
        if let Some(cursor) = &self.next_cursor {
            let _ = writeln!(text, "There are more: call again with cursor {cursor:?}, or narrow the search.");
        }
        if !self.incomplete.is_empty() {
            let _ = writeln!(text, "Servers may be missing. {}", self.incomplete.join(" "));
        }
        text
    }
}
