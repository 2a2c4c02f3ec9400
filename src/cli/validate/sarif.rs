//! Verdicts as SARIF 2.1.0, with what GitHub's code scanning wants of it: relative URIs, lines, rules with help, and
//! fingerprints that stay the same while the finding does.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::Checked;
use crate::inspect::validate::{Judged, Verdict};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// What may stand in the path of a URI (RFC 3986 §3.3), slashes included.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(super) fn render(results: &[Checked]) -> String {
    let rules: Vec<Verdict> = Verdict::ALL.into_iter().filter(|verdict| *verdict != Verdict::Known).collect();
    let here = std::env::current_dir().unwrap_or_default();
    let mut seen = HashMap::new();
    let findings = results.iter().filter_map(|result| {
        let index = rules.iter().position(|rule| *rule == result.judged.verdict)?;
        let uri = uri(&result.file, &here);
        let hash = hash(&result.judged);
        let times = seen.entry((uri.clone(), hash.clone())).and_modify(|times| *times += 1).or_insert(1);
        Some(finding(&result.judged, index, &uri, &format!("{hash}:{times}")))
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
        "properties": { "tags": ["mcp", "security", "supply-chain"], "security-severity": severity(verdict) },
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

/// From 0.0 to 10.0, as code scanning ranks what concerns security: from 9.0 critical, from 7.0 high, from 4.0 medium.
fn severity(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Known => "0.0",
        Verdict::Unverified => "2.0",
        Verdict::Outdated => "3.0",
        Verdict::Deprecated | Verdict::Ambiguous => "4.0",
        Verdict::UnlistedVersion => "5.0",
        Verdict::Unknown => "6.0",
        Verdict::Deleted | Verdict::WrongSource => "8.0",
        Verdict::LookAlike => "9.0",
    }
}

/// By what a finding is recognised: the server, the verdict and what is configured, wherever the file and the line are.
fn hash(judged: &Judged) -> String {
    let configured = serde_json::to_string(&judged.configured).unwrap_or_default();
    let hash = blake3::hash(format!("{}\n{}\n{configured}", judged.name, judged.verdict.as_str()).as_bytes());
    hash.to_hex()[..32].to_owned()
}

fn finding(judged: &Judged, rule: usize, uri: &str, fingerprint: &str) -> Value {
    let evidence =
        if judged.evidence.is_empty() { judged.verdict.meaning().to_owned() } else { judged.evidence.join(" ") };
    let message = escaped(&format!("{}: {}: {evidence}", judged.name, judged.verdict.as_str()));
    json!({
        "ruleId": judged.verdict.as_str(),
        "ruleIndex": rule,
        "level": level(judged.verdict),
        "message": { "text": message },
        "locations": [{ "physicalLocation": {
            "artifactLocation": { "uri": uri },
            "region": { "startLine": judged.line.max(1) },
        }}],
        "partialFingerprints": { "primaryLocationLineHash": fingerprint },
    })
}

/// A text in which nothing is a link: brackets make one in messages (SARIF 2.1.0 §3.11.6).
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        if matches!(char, '\\' | '[' | ']') {
            escaped.push('\\');
        }
        escaped.push(char);
    }
    escaped
}

/// A file relative to the working directory, as code scanning wants it: it takes no others.
fn uri(file: &str, here: &Path) -> String {
    let named = PathBuf::from(file.replace('\\', "/"));
    let absolute = parts(&here.join(named));
    let here = parts(here);
    let shared = here.iter().zip(&absolute).take_while(|(one, other)| one == other).count();
    let up = here[shared..].iter().map(|_| "..".to_owned());
    let path: Vec<String> = up.chain(absolute[shared..].iter().cloned()).collect();
    utf8_percent_encode(&path.join("/"), PATH).to_string()
}

/// The folders of an absolute path, without `.` and `..`.
fn parts(path: &Path) -> Vec<String> {
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => parts.push(part.to_string_lossy().into_owned()),
            Component::ParentDir => drop(parts.pop()),
            Component::Prefix(_) | Component::RootDir | Component::CurDir => {}
        }
    }
    parts
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
            ("a/../b/./mcp.json", "b/mcp.json"),
            (r".vscode\mcp.json", ".vscode/mcp.json"),
            ("/home/me/x#1.json", "../home/me/x%231.json"),
        ] {
            assert_eq!(uri(file, here), expected);
        }
    }

    #[test]
    fn what_others_wrote_makes_no_link() {
        assert_eq!(escaped(r"[a](https://evil.example) \ b"), r"\[a\](https://evil.example) \\ b");
    }

    #[test]
    fn a_finding_is_recognised_wherever_the_file_is() {
        let judged = |name: &str| -> Judged {
            let value = json!({ "name": name, "line": 1, "verdict": "unknown", "configured": {}, "evidence": [] });
            serde_json::from_value(value).expect("a verdict")
        };
        let fingerprints = |file: &str| {
            let checked = |name: &str| Checked { file: file.to_owned(), judged: judged(name) };
            let log: Value = serde_json::from_str(&render(&[checked("a"), checked("a"), checked("b")])).expect("JSON");
            let results = log["runs"][0]["results"].as_array().expect("results").clone();
            let each = |result: &Value| result["partialFingerprints"]["primaryLocationLineHash"].to_string();
            results.iter().map(each).collect::<Vec<_>>()
        };
        let [first, second, third] = &fingerprints("mcp.json")[..] else { panic!("three") };
        assert!(first != second && first != third && second != third);
        assert_eq!(fingerprints("/elsewhere/mcp.json"), fingerprints("mcp.json"));
    }
}
