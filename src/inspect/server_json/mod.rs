//! Whether a `server.json` is as it should be, as the API's `POST /validate` says it (registry-api.md §5): everything
//! that is wrong with it at once, each with its place. It does not ask package registries who owns what.

use serde::Serialize;
use serde_json::Value;

/// What is said of a document.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether nothing is wrong with it that counts as an error.
    pub valid: bool,
    /// What is wrong, in the order of the rules.
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
}

/// How bad an issue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The official registry refuses such a document.
    Error,
}

/// Says what is wrong with a document.
///
/// # Errors
/// When it is not JSON.
pub fn validate(body: &[u8]) -> Result<Report, serde_json::Error> {
    let document: Value = serde_json::from_slice(body)?;
    let missing = ["name", "description", "version"].into_iter().filter(|name| document.get(name).is_none());
    let issues: Vec<Issue> = missing
        .map(|name| Issue {
            kind: Kind::Schema,
            path: String::new(),
            message: format!("`{name}` is missing"),
            severity: Severity::Error,
            reference: "required",
        })
        .collect();
    Ok(Report { valid: issues.is_empty(), issues })
}
