//! Whether a `server.json` is as it should be, as the API's `POST /validate` says it (registry-api.md §5): everything
//! that is wrong with it at once, each with its place.
//!
//! Two passes: `shape` holds it against the schema of 2025-12-11, `rules` against what the official registry wants
//! besides. The names of those rules are the official server's. What that one refuses only when a version is published
//! is a warning here. Nothing asks package registries who owns what.

mod findings;
mod rules;
mod shape;
mod template;
mod version;

use serde::Serialize;
use serde_json::Value;

use findings::Findings;

/// What is said of a document.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether nothing is wrong with it that counts as an error.
    pub valid: bool,
    /// What is wrong: what breaks the schema first, and each part in the order of the rules. At most 1,000, and one
    /// more that says so.
    pub issues: Vec<Issue>,
}

/// One thing that is wrong.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Issue {
    /// Which rules it breaks.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Where, as `packages[0].transport.url`; empty for the document.
    pub path: String,
    /// What, in a sentence.
    pub message: String,
    /// How bad that is.
    pub severity: Severity,
    /// The rule's name.
    pub reference: &'static str,
}

/// Which rules there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The schema's: members and their types.
    Schema,
    /// What else a registry wants.
    Semantic,
}

/// How bad an issue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It makes the document invalid.
    Error,
    /// The document is valid, and the official registry might not publish it.
    Warning,
}

/// Says what is wrong with a document.
///
/// # Errors
/// When it is not JSON.
pub fn validate(body: &[u8]) -> Result<Report, serde_json::Error> {
    let document: Value = serde_json::from_slice(body)?;
    let mut findings = Findings::default();
    shape::check(&document, &mut findings);
    rules::check(&document, &mut findings);
    Ok(findings.into_report())
}

#[cfg(test)]
mod tests;
