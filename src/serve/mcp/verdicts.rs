//! `validate_servers`: a verdict on each server that somebody has configured, as `POST /validate` gives it.

use std::fmt::Write as _;

use bytes::Bytes;
use rmcp::schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::Service;
use super::super::error::Problem;
use super::tools::Said;
use super::words::{clean, counted};
use crate::inspect::validate::{Judged, Report, Syntax, Verdict};

/// The most servers at a time: what is said of each shall have room.
const MAX_SERVERS: usize = 100;
/// The most sentences, and the most names, of one verdict.
const MAX_EVIDENCE: usize = 8;

/// What is judged.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "rmcp::schemars")]
pub(super) struct Asked {
    /// The configuration of an MCP client: `{"mcpServers": {…}}`, VS Code's `{"servers": {…}}`, or a `server.json`. Leave
    /// out the values of secrets; nothing of them is needed.
    #[schemars(with = "Option<Map<String, Value>>")]
    configuration: Option<Given>,
    /// The same as text instead, where it is TOML (Codex) or JSON with comments.
    #[schemars(length(max = 1_000_000))]
    text: Option<String>,
}

/// A configuration. Models often write an object as the text of one.
#[derive(Deserialize)]
#[serde(untagged, expecting = "wrong `configuration`, expected an object")]
enum Given {
    Object(Map<String, Value>),
    Text(String),
}

/// The verdicts.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
pub(super) struct Verdicts {
    /// One for each server, in the order of the configuration.
    results: Vec<Told>,
    /// How many there are.
    count: usize,
    /// How many of them are anything else than `known`.
    findings: usize,
}

/// The verdict on one server.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(crate = "rmcp::schemars")]
struct Told {
    /// What the configuration calls it.
    name: String,
    /// The verdict.
    #[schemars(extend("enum" = ["known", "outdated", "deprecated", "deleted", "unlisted-version", "wrong-source",
        "look-alike", "ambiguous", "unknown", "unverified"]))]
    verdict: &'static str,
    /// What the verdict means.
    meaning: &'static str,
    /// What to do about it.
    advice: &'static str,
    /// What it stands on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    evidence: Vec<String>,
    /// The server that it is, or comes closest to.
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<String>,
    /// The version of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    /// The latest version of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    latest: Option<String>,
    /// The names of the secrets that it needs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    required_secrets: Vec<String>,
    /// Servers that it may be, or may be taken for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    candidates: Vec<String>,
}

/// Judges.
pub(super) async fn validate(service: &Service, asked: Asked) -> Result<Said, Problem> {
    let (body, syntax) = match asked {
        Asked { configuration: Some(Given::Object(configuration)), text: None } => {
            (Bytes::from(Value::Object(configuration).to_string()), Syntax::Json)
        }
        Asked { configuration: Some(Given::Text(text)), text: None }
        | Asked { configuration: None, text: Some(text) } => (Bytes::from(text), Syntax::Any),
        _ => return Err(Problem::BadRequest("Give either `configuration` or `text`.".into())),
    };
    let report = service.judged(body, syntax).await?;
    if MAX_SERVERS < report.results.len() {
        let count = report.results.len();
        return Ok(Said::failed(format!("These are {count} servers; ask for {MAX_SERVERS} at a time, at most.")));
    }
    let verdicts = Verdicts::of(report);
    let text = verdicts.text();
    Ok(Said::new(&verdicts, text))
}

impl Verdicts {
    fn of(report: Report) -> Self {
        let findings = report.results.iter().filter(|judged| judged.verdict != Verdict::Known).count();
        let results: Vec<Told> = report.results.into_iter().map(Told::of).collect();
        Self { count: results.len(), findings, results }
    }

    fn text(&self) -> String {
        let (servers, findings) =
            (counted(self.count, "server", "servers"), counted(self.findings, "finding", "findings"));
        let mut text = format!("{servers}, {findings}:\n");
        for Told { name, verdict, advice, evidence, .. } in &self.results {
            let _ = write!(text, "- {name}: {verdict}. {}", evidence.join(" "));
            if *verdict != Verdict::Known.as_str() {
                let _ = write!(text, " {advice}");
            }
            text.push('\n');
        }
        text
    }
}

impl Told {
    fn of(judged: Judged) -> Self {
        let few = |texts: Vec<String>| texts.iter().take(MAX_EVIDENCE).map(|text| clean(text)).collect();
        let (server, version, secrets) = match judged.server {
            Some(found) => (Some(clean(&found.name)), Some(clean(&found.version)), found.required_secrets),
            None => (None, None, Vec::new()),
        };
        Self {
            name: clean(&judged.name),
            verdict: judged.verdict.as_str(),
            meaning: judged.verdict.meaning(),
            advice: judged.verdict.advice(),
            evidence: few(judged.evidence),
            server,
            version,
            latest: judged.latest.map(|latest| clean(&latest)),
            required_secrets: few(secrets),
            candidates: few(judged.candidates),
        }
    }
}
