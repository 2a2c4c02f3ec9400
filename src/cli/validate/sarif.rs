//! Verdicts as SARIF 2.1.0, with what GitHub's code scanning wants of it: relative URIs, lines, rules with help, and
//! fingerprints that stay the same while the finding does.

use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::Checked;
use crate::inspect::validate::Verdict;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// What may stand in the path of a URI (RFC 3986 §3.3), slashes included.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(super) fn render(results: &[Checked]) -> String {
    let rules: Vec<Verdict> = Verdict::ALL.into_iter().filter(|verdict| *verdict != Verdict::Known).collect();
    let here = std::env::current_dir().unwrap_or_default();
    let findings = results.iter().filter_map(|result| {
        let index = rules.iter().position(|rule| *rule == result.judged.verdict)?;
        Some(finding(result, index, &here))
    });
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": env!("CARGO_PKG_NAME"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|verdict| rule(*verdict)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": findings.collect::<Vec<_>>(),
        }],
    });
    format!("{log:#}\n")
}

fn rule(verdict: Verdict) -> Value {
    json!({
        "id": verdict.as_str(),
        "name": verdict.as_str(),
        "shortDescription": { "text": verdict.meaning() },
        "fullDescription": { "text": verdict.meaning() },
        "help": { "text": verdict.advice() },
        "defaultConfiguration": { "level": level(verdict) },
        "properties": { "tags": ["mcp", "supply-chain"] },
    })
}

fn level(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Known => "none",
        Verdict::Outdated | Verdict::Unverified => "note",
        Verdict::Deprecated | Verdict::UnlistedVersion | Verdict::Ambiguous | Verdict::Unknown => "warning",
        Verdict::Deleted | Verdict::WrongSource | Verdict::LookAlike => "error",
    }
}

fn finding(result: &Checked, rule: usize, here: &Path) -> Value {
    let Checked { file, judged } = result;
    let uri = uri(file, here);
    let evidence =
        if judged.evidence.is_empty() { judged.verdict.meaning().to_owned() } else { judged.evidence.join(" ") };
    let fingerprint = blake3::hash(format!("{uri}\n{}\n{}", judged.name, judged.verdict.as_str()).as_bytes());
    json!({
        "ruleId": judged.verdict.as_str(),
        "ruleIndex": rule,
        "level": level(judged.verdict),
        "message": { "text": format!("{}: {}: {evidence}", judged.name, judged.verdict.as_str()) },
        "locations": [{ "physicalLocation": {
            "artifactLocation": { "uri": uri },
            "region": { "startLine": judged.line.max(1) },
        }}],
        "partialFingerprints": { "mcpServer/v1": fingerprint.to_hex()[..32] },
    })
}

/// A file below the working directory relative to it, as code scanning wants it; another one as it is.
fn uri(file: &str, here: &Path) -> String {
    let path = Path::new(file);
    let relative = path.strip_prefix(here).unwrap_or(path);
    let text = relative.to_string_lossy().replace('\\', "/");
    let encoded = utf8_percent_encode(text.strip_prefix("./").unwrap_or(&text), PATH).to_string();
    if relative.is_absolute() { format!("file://{encoded}") } else { encoded }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_as_code_scanning_wants_them() {
        let here = Path::new("/work");
        for (file, expected) in [
            (".mcp.json", ".mcp.json"),
            ("./a b/mcp.json", "a%20b/mcp.json"),
            ("/work/.vscode/mcp.json", ".vscode/mcp.json"),
            ("/home/me/x#1.json", "file:///home/me/x%231.json"),
        ] {
            assert_eq!(uri(file, here), expected);
        }
    }
}
