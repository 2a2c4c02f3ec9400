//! Validation of what people have configured: over HTTP, and on the command line against registries and against a
//! running proxy. What is secret in a file must not get anywhere.

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Value, json};

use crate::support::binary::{Finished, Workplace};
use crate::support::entry::{Entry, list};
use crate::support::http::{post, send};
use crate::support::proxy::{Proxy, Setup};
use crate::support::raw::{Recorder, nobody};

const SECRET: &str = "s3cret";
const TARGET: &str = "/validate";

fn listed() -> Vec<Entry> {
    let package = |name: &str, version: &str| json!([{"registryType": "npm", "identifier": name, "version": version, "transport": {"type": "stdio"}}]);
    vec![
        Entry::new("com.example/files", "1.0.0").server("packages", package("files-server", "1.0.0")),
        Entry::new("com.example/files", "2.0.0").server("packages", package("files-server", "2.0.0")),
        Entry::new("com.example/weather", "1.0.0")
            .server("remotes", json!([{"type": "sse", "url": "https://weather.example.com/sse"}])),
    ]
}

async fn proxy() -> Proxy {
    Setup::new().file("curated", list(&listed(), None).to_string()).start_ready().await
}

/// A file with a server for each of some verdicts.
fn configuration() -> String {
    format!(
        r#"{{
  // As VS Code has it.
  "servers": {{
    "new": {{"command": "npx", "args": ["-y", "files-server", "--token", "{SECRET}"], "env": {{"KEY": "{SECRET}"}}}},
    "old": {{"command": "npx", "args": ["-y", "files-server@1.0.0"]}},
    "weather": {{"url": "https://me:{SECRET}@weather.example.com/sse?key={SECRET}", "headers": {{"X": "{SECRET}"}}}},
    "typo": {{"command": "npx", "args": ["-y", "flies-server"]}},
    "mine": {{"command": "/home/me/{SECRET}", "args": ["{SECRET}"]}},
  }},
}}"#
    )
}

const VERDICTS: [(&str, u64, &str); 5] = [
    ("new", 4, "known"),
    ("old", 5, "outdated"),
    ("weather", 6, "known"),
    ("typo", 7, "look-alike"),
    ("mine", 8, "unknown"),
];

fn verdicts(report: &Value) -> Vec<(&str, u64, &str)> {
    let results = report["results"].as_array().expect("results").iter();
    let text = |result: &'_ Value, key: &str| result[key].as_str().expect("a text").to_owned();
    results
        .map(|result| {
            let line = result["line"].as_u64().expect("a line");
            let names = VERDICTS.iter().find(|(name, ..)| *name == text(result, "name"));
            let name = names.map_or("another", |(name, ..)| name);
            (name, line, result["verdict"].as_str().expect("a verdict"))
        })
        .collect()
}

#[tokio::test]
async fn a_configuration_is_answered_with_a_verdict_for_each_server() {
    let setup = Setup::new().settings("[admin]\nlisten = \"127.0.0.1:0\"");
    let proxy = setup.file("curated", list(&listed(), None).to_string()).start_ready().await;
    let json = [("content-type", "application/json")];
    for address in [proxy.address(), proxy.admin()] {
        let reply = post(address, TARGET, &json, configuration()).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let report = reply.json();
        assert_eq!(verdicts(&report), VERDICTS, "{report:#}");
        assert_eq!(report["metadata"]["count"], 5);
        assert_eq!(report["metadata"]["verdicts"]["known"], 2);
        assert_eq!(report["results"][1]["latest"], "2.0.0");
        assert_eq!(report["results"][1]["provenance"]["registry"], "curated");
        assert_eq!(report["results"][3]["candidates"][0], "com.example/files");
        assert_eq!(reply.header("cache-control"), "no-store");
        assert!(!reply.text().contains(SECRET) && !reply.text().contains("/home/me"), "{}", reply.text());
    }
    let codex = "[mcp_servers.old]\ncommand = \"npx\"\nargs = [\"files-server@1.0.0\"]\n";
    let reply = post(proxy.address(), TARGET, &[("content-type", "application/toml")], codex).await;
    assert_eq!(reply.json()["results"][0]["verdict"], "outdated", "{}", reply.text());
    proxy.stop().await;
}

#[tokio::test]
async fn verdicts_follow_the_catalog() {
    let proxy = proxy().await;
    let body = r#"["com.example/files", "com.example/later"]"#;
    let ask = async || post(proxy.address(), TARGET, &[], body).await.json();
    assert_eq!(ask().await["results"][1]["verdict"], "unknown");
    let mut entries = listed();
    entries.push(Entry::new("com.example/later", "1.0.0"));
    std::fs::write(proxy.directory().join("curated.json"), list(&entries, None).to_string())
        .expect("it can be written");
    proxy.until_answered("/v0.1/servers/com.example%2Flater/versions/latest", 200).await;
    assert_eq!(ask().await["results"][1]["verdict"], "known");
    proxy.stop().await;
}

#[tokio::test]
async fn what_cannot_be_judged_is_refused_without_being_quoted() {
    let proxy = proxy().await;
    let many = vec!["a/b"; 1001];
    for (body, status, detail) in [
        (format!("{{\"mcpServers\": {SECRET}}}"), 400, "line 1"),
        (json!({ "other": SECRET }).to_string(), 422, "holds no servers"),
        (json!(many).to_string(), 422, "more than 1000 servers"),
    ] {
        let reply = post(proxy.address(), TARGET, &[], body).await;
        assert_eq!(reply.status, status, "{}", reply.text());
        assert!(reply.text().contains(detail) && !reply.text().contains(SECRET), "{}", reply.text());
    }
    assert_eq!(send(proxy.address(), Method::GET, TARGET).await.status, 405);
    proxy.stop().await;
}

#[tokio::test]
async fn without_a_usable_registry_there_is_no_verdict() {
    let proxy = Setup::new().file("curated", "nothing").start().await;
    proxy.until_state("curated", "unhealthy").await;
    let reply = post(proxy.address(), TARGET, &[], r#"["a/b"]"#).await;
    assert_eq!(reply.status, 503, "{}", reply.text());
    assert!(reply.detail().contains("curated"), "{}", reply.text());
    proxy.stop().await;
}

fn workplace() -> Workplace {
    let workplace = Workplace::new();
    workplace.write("curated.json", list(&listed(), None).to_string());
    workplace.write("proxy.toml", "[[registries]]\nname = \"curated\"\nfile = \"curated.json\"\n");
    workplace.write("mcp.json", configuration());
    workplace.write("good.json", r#"{"mcpServers":{"new":{"command":"npx","args":["files-server"]}}}"#);
    workplace
}

async fn validate(workplace: &Workplace, arguments: &[&str]) -> Finished {
    let finished = workplace.run(&[&["validate", "--config", "proxy.toml"], arguments].concat()).await;
    let output = finished.stdout() + &finished.stderr();
    assert!(!output.contains(SECRET), "{output}");
    finished
}

fn json(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout()).unwrap_or_else(|error| panic!("{error}: {}", finished.stdout()))
}

#[tokio::test]
async fn the_command_ends_with_what_it_found() {
    let workplace = workplace();
    workplace.write("down.toml", "[[registries]]\nname = \"curated\"\nfile = \"missing.json\"\n");
    workplace.write("broken.json", format!("{{\"mcpServers\": {SECRET}"));
    let good = validate(&workplace, &["good.json"]).await;
    assert_eq!(good.code(), Some(0), "{}{}", good.stdout(), good.stderr());
    let found = validate(&workplace, &["good.json", "mcp.json"]).await;
    let table = found.stdout();
    assert_eq!(found.code(), Some(1), "{table}");
    for part in ["mcp.json:5", "outdated", "com.example/files 2.0.0", "look-alike", "3 of 6 known"] {
        assert!(table.contains(part), "{part}: {table}");
    }
    for (arguments, code, problem) in [
        (&["broken.json"][..], 64, "broken.json is not JSON"),
        (&["missing.json"], 64, "missing.json cannot be read"),
        (&["mcp.json", "--format", "xml"], 64, "sarif"),
        (&["good.json", "--config", "down.toml"], 69, "no registry could be asked"),
        (&["good.json", "--url", "nowhere"], 64, "--url"),
    ] {
        let finished = match arguments {
            [file, "--config", config] => workplace.run(&["validate", file, "--config", config]).await,
            _ => validate(&workplace, arguments).await,
        };
        assert_eq!(finished.code(), Some(code), "{arguments:?} {}", finished.stderr());
        assert!(finished.stderr().contains(problem), "{arguments:?} {}", finished.stderr());
        assert_eq!(finished.stdout(), "", "{arguments:?}");
    }
}

#[tokio::test]
async fn a_registry_that_is_down_is_named_and_leaves_things_unverified() {
    let workplace = workplace();
    let down = format!("[[registries]]\nname = \"down\"\nurl = {:?}\n", nobody().await);
    workplace.write("proxy.toml", workplace.read("proxy.toml") + &down + "[network]\nproxy = \"off\"\n");
    workplace.write("other.json", r#"{"mcpServers":{"x":{"command":"npx","args":["unheard-of"]}}}"#);
    let finished = validate(&workplace, &["good.json", "other.json", "--format", "json"]).await;
    assert_eq!(finished.code(), Some(1), "{}", finished.stderr());
    assert!(finished.stderr().contains("down"), "{}", finished.stderr());
    let report = json(&finished);
    assert_eq!(report["results"][0]["verdict"], "known", "{report:#}");
    assert_eq!(report["results"][1]["verdict"], "unverified", "{report:#}");
}

#[tokio::test]
async fn a_proxy_judges_as_the_registries_do_and_is_sent_nothing_secret() {
    let (proxy, workplace) = (proxy().await, workplace());
    let here = json(&validate(&workplace, &["mcp.json", "--format", "json"]).await);
    let url = format!("http://{}", proxy.address());
    workplace.write("proxy.toml", workplace.read("proxy.toml") + "[network]\nproxy = \"off\"\n");
    let asked = validate(&workplace, &["mcp.json", "--format", "json", "--url", &url]).await;
    assert_eq!(asked.code(), Some(1), "{}", asked.stderr());
    let there = json(&asked);
    assert_eq!(verdicts(&there), VERDICTS, "{there:#}");
    for (here, there) in
        here["results"].as_array().expect("results").iter().zip(there["results"].as_array().expect("results"))
    {
        for key in ["file", "name", "line", "verdict", "configured", "latest", "candidates", "evidence"] {
            assert_eq!(here[key], there[key], "{key}: {here:#} {there:#}");
        }
    }
    let gone = validate(&workplace, &["mcp.json", "--url", &nobody().await]).await;
    assert_eq!(gone.code(), Some(69), "{}", gone.stderr());
    proxy.stop().await;
}

#[tokio::test]
async fn findings_are_written_as_code_scanning_reads_them() {
    let workplace = workplace();
    let finished = validate(&workplace, &["./mcp.json", "--format", "sarif"]).await;
    assert_eq!(finished.code(), Some(1), "{}", finished.stderr());
    let log = json(&finished);
    assert_eq!((&log["version"], log["runs"].as_array().map(Vec::len)), (&json!("2.1.0"), Some(1)), "{log:#}");
    let run = &log["runs"][0];
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "mcp-registry-proxy");
    let rules = driver["rules"].as_array().expect("rules");
    for rule in rules {
        let texts = ["/shortDescription/text", "/fullDescription/text", "/help/text", "/id"];
        assert!(texts.iter().all(|text| rule.pointer(text).is_some_and(Value::is_string)), "{rule:#}");
        let severity = rule["properties"]["security-severity"].as_str().and_then(|text| text.parse::<f64>().ok());
        assert!(severity.is_some_and(|severity| (0.0..=10.0).contains(&severity)), "{rule:#}");
    }
    let results = run["results"].as_array().expect("results");
    let found: Vec<_> = results.iter().map(|result| (result["ruleId"].as_str(), result["level"].as_str())).collect();
    assert_eq!(
        found,
        [(Some("outdated"), Some("note")), (Some("look-alike"), Some("error")), (Some("unknown"), Some("warning"))]
    );
    for result in results {
        let rule = result["ruleIndex"].as_u64().and_then(|index| rules.get(usize::try_from(index).ok()?));
        assert_eq!(rule.map(|rule| &rule["id"]), Some(&result["ruleId"]));
        assert!(result["message"]["text"].is_string());
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "mcp.json");
        assert!(place["region"]["startLine"].as_u64().is_some_and(|line| line > 4), "{result:#}");
        assert_eq!(result["partialFingerprints"]["primaryLocationLineHash"].as_str().map(str::len), Some(34));
    }
    let again = json(&validate(&workplace, &["mcp.json", "--format", "sarif"]).await);
    assert_eq!(log, again, "findings have to be recognised the next time");
}

/// The members of an object, and of all that it holds.
fn members(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            found.extend(object.keys().cloned());
            object.values().for_each(|value| members(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| members(value, found)),
        _ => {}
    }
}

#[tokio::test]
async fn a_proxy_is_sent_the_allowed_members_and_nothing_else() {
    let workplace = workplace();
    workplace.write("proxy.toml", workplace.read("proxy.toml") + "[network]\nproxy = \"off\"\n");
    workplace.write(
        "labels.json",
        json!({"mcpServers": {
            "customer/secret-project": {"command": "npx", "args": ["-y", format!("files-server@1.0.0 --key {SECRET}")]},
            "customer/other-project": {"command": "npx", "args": ["-y", "files-server@1.0.0", SECRET]},
            "customer/remote": {"url": format!("https://me:{SECRET}@weather.example.com/sse?key={SECRET}")},
            "customer/file": {"command": "/home/me/server", "args": [SECRET]},
        }})
        .to_string(),
    );
    workplace.write("names.txt", "com.example/files@1.0.0\n");
    let recorder = Recorder::start().await;
    for file in ["mcp.json", "labels.json", "names.txt"] {
        let finished = validate(&workplace, &[file, "--url", &recorder.url()]).await;
        assert_eq!(finished.code(), Some(69), "it answers nothing: {}", finished.stderr());
    }
    let sent = recorder.bodies();
    assert_eq!(sent.len(), 3, "{sent:?}");
    let allowed = ["configured", "name", "version", "runner", "packages", "type", "identifier", "urls", "transport"];
    for body in &sent {
        for private in [SECRET, "customer", "project", "/home/me", "KEY"] {
            assert!(!body.contains(private), "{private}: {body}");
        }
        let mut found = BTreeSet::new();
        members(&serde_json::from_str(body).expect("JSON"), &mut found);
        assert!(found.iter().all(|member| allowed.contains(&member.as_str())), "{found:?}");
    }
    let named: Vec<bool> = sent.iter().map(|body| body.contains("\"name\"")).collect();
    assert_eq!(named, [false, false, true]);
    assert!(sent[1].contains("files-server") && sent[1].contains("https://weather.example.com/sse"), "{}", sent[1]);
}

#[tokio::test]
async fn a_file_without_servers_is_said_and_is_no_failure() {
    let workplace = workplace();
    workplace.write("empty.json", "{}");
    workplace.write("config.toml", "model = \"x\"\n");
    let finished = validate(&workplace, &["empty.json", "config.toml", "good.json", "--format", "json"]).await;
    assert_eq!(finished.code(), Some(0), "{}", finished.stderr());
    assert_eq!(json(&finished)["metadata"]["count"], 1);
    for file in ["empty.json", "config.toml"] {
        assert!(finished.stderr().contains(&format!("warning: {file} configures no servers")), "{}", finished.stderr());
    }
    let proxy = proxy().await;
    let reply = post(proxy.address(), TARGET, &[], "{}").await;
    assert_eq!((reply.status, &reply.json()["metadata"]["count"]), (200, &json!(0)), "{}", reply.text());
    proxy.stop().await;
}
