//! What people write, and what is to be thought of it: every client, every runner, every verdict.

mod clients;
mod doubts;
mod runners;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::catalog::Catalog;
use crate::catalog::entry::{Digest, Entry, Form, Name, Official, Parts, Status};
use crate::catalog::facets::Facets;
use crate::catalog::listing::ListingBuilder;
use crate::catalog::merge::{Moment, Policy, Source, merge};
use crate::catalog::rules::RegistryRules;
use Verdict::{Ambiguous, Known, LookAlike, Outdated, Unknown, UnlistedVersion, Unverified, WrongSource};

fn entry(server: &Value, status: &str) -> Arc<Entry> {
    let at = Timestamp::UNIX_EPOCH;
    let rendered = format!(r#""status":"{status}""#);
    let parts = Parts {
        server: server.to_string().into(),
        official: Official {
            status: Status::from_wire(status),
            published_at: at,
            updated_at: at,
            rendered: rendered.into(),
        },
        extra_meta: String::new(),
        upstream: None,
        legacy_ids: None,
        digest: Digest([0; 32]),
        form: Form([0; 16]),
        facets: Facets::new([]),
        fetched_at: at,
    };
    Arc::new(Entry::new(parts).expect("it has a name and a version"))
}

/// A version: its name, its version, what else it has, its status.
type Row = (&'static str, &'static str, Value, &'static str);

fn source(name: &str, is_usable: bool, claims: &[&str], rows: Option<Vec<Row>>) -> Source {
    let claims: Vec<String> = claims.iter().map(|&claim| claim.to_owned()).collect();
    let listing = rows.map(|rows| {
        let mut builder = ListingBuilder::new("https://registry.example".into(), None);
        for (name, version, mut server, status) in rows {
            server["name"] = json!(name);
            server["version"] = json!(version);
            builder.insert(&Name::new(name).expect("a name"), entry(&server, status));
        }
        Arc::new(builder.snapshot())
    });
    let rules = RegistryRules::new(name, &claims, &[], &[]).expect("valid patterns");
    Source { rules: Arc::new(rules), usable: is_usable, stale_since: None, is_partial: false, listing }
}

fn package(kind: &str, identifier: &str, version: &str) -> Value {
    let mut package = json!({"registryType": kind, "identifier": identifier, "transport": {"type": "stdio"}});
    if !version.is_empty() {
        package["version"] = json!(version);
    }
    json!({ "packages": [package] })
}

fn remote(transport: &str, url: &str) -> Value {
    json!({ "remotes": [{"type": transport, "url": url}] })
}

const FILES: &str = "io.github.modelcontextprotocol/server-filesystem";

fn official() -> Vec<Row> {
    let files = |version| package("npm", "@modelcontextprotocol/server-filesystem", version);
    let github = |version: &str| {
        json!({
            "packages": [{
                "registryType": "oci", "identifier": format!("ghcr.io/github/github-mcp-server:{version}"),
                "transport": {"type": "stdio"},
                "environmentVariables": [{"name": "GITHUB_TOKEN", "isRequired": true, "isSecret": true}, {"name": "TOOLS"}]
            }],
            "remotes": [{"type": "streamable-http", "url": "https://api.githubcopilot.com/mcp/"}]
        })
    };
    let keyed = json!({"remotes": [{
        "type": "streamable-http", "url": "https://keyed.example.com/mcp",
        "headers": [{"name": "X-Api-Key", "isRequired": true, "isSecret": true}]
    }]});
    let served = json!({"packages": [{
        "registryType": "npm", "identifier": "http-server-mcp", "version": "1.0.0",
        "transport": {"type": "streamable-http", "url": "http://localhost:3000/mcp"}
    }]});
    let mirrored = json!({"packages": [{
        "registryType": "npm", "identifier": "mirrored-tool", "version": "1.0.0", "transport": {"type": "stdio"},
        "registryBaseUrl": "https://npm.acme.example"
    }]});
    vec![
        (FILES, "1.0.0", files("1.0.0"), "active"),
        (FILES, "1.1.0", files("1.1.0"), "active"),
        (FILES, "2.0.0", files("2.0.0"), "active"),
        ("io.example/fetch", "0.6.2", package("pypi", "mcp-server-fetch", "0.6.2"), "active"),
        ("io.example/fetch", "0.6.3", package("pypi", "mcp-server-fetch", "0.6.3"), "active"),
        ("io.github.github/github-mcp-server", "0.19.0", github("0.19.0"), "active"),
        ("io.github.github/github-mcp-server", "0.20.0", github("0.20.0"), "active"),
        ("com.docker/redis", "1.0.0", package("oci", "mcp/redis", ""), "active"),
        ("com.example/cache", "7.0.0", package("oci", "redis:7", ""), "active"),
        ("com.example/pinned", "1.0.0", package("oci", "ghcr.io/pinned/image@sha256:abcd", ""), "active"),
        ("com.example/team", "1.0.0", package("oci", "registry.acme.example:5000/team/mcp:1.0", ""), "active"),
        ("com.example/weather", "1.0.0", remote("sse", "https://weather.example.com/sse"), "active"),
        (
            "com.example/tenant",
            "1.0.0",
            remote("streamable-http", "https://{tenant}.tenants.example.com/mcp"),
            "active",
        ),
        ("com.example/keyed", "1.0.0", keyed, "active"),
        ("com.example/moved", "1.0.0", remote("sse", "https://old.moved.example.com/sse"), "active"),
        ("com.example/moved", "1.1.0", remote("sse", "https://new.moved.example.com/sse"), "active"),
        ("com.example/tool", "1.2.0", package("nuget", "Acme.Mcp.Tool", "1.2.0"), "active"),
        ("com.example/old", "1.0.0", package("npm", "old-server", "1.0.0"), "deprecated"),
        ("com.example/gone", "1.0.0", package("npm", "gone-server", "1.0.0"), "deleted"),
        ("com.example/one", "1.0.0", package("pypi", "clio-kit", "2.0.0"), "active"),
        ("com.example/two", "1.0.0", package("pypi", "clio-kit", "2.0.0"), "active"),
        ("com.example/http", "1.0.0", served, "active"),
        ("com.example/mirrored", "1.0.0", mirrored, "active"),
        ("com.example/deno", "1.0.0", package("npm", "@example/deno-server", "1.0.0"), "active"),
        ("com.acme/secret", "1.0.0", package("npm", "refused-tool", "1.0.0"), "active"),
    ]
}

/// What `official` lists, an `internal` one that is down, and `acme`, which alone may supply `com.acme/*`.
fn catalog() -> Arc<Catalog> {
    let internal = vec![("com.internal/tool", "1.0.0", package("npm", "@internal/tool", "1.0.0"), "active")];
    let acme = vec![("com.acme/search", "1.4.0", package("npm", "@acme/search", "1.4.0"), "active")];
    let sources = [
        source("official", true, &[], Some(official())),
        source("internal", false, &[], Some(internal)),
        source("acme", true, &["com.acme/*"], Some(acme)),
    ];
    Arc::new(merged(&sources))
}

fn merged(sources: &[Source]) -> Catalog {
    let moment = Moment { now: Timestamp::UNIX_EPOCH, is_ready: true };
    merge(&Policy::default(), sources, &Catalog::default(), moment)
}

/// The same without the one that is down.
fn whole() -> Arc<Catalog> {
    let acme = vec![("com.acme/search", "1.4.0", package("npm", "@acme/search", "1.4.0"), "active")];
    Arc::new(merged(&[
        source("official", true, &[], Some(official())),
        source("acme", true, &["com.acme/*"], Some(acme)),
    ]))
}

#[expect(clippy::needless_pass_by_value, reason = "so that calls are short")]
fn judged(catalog: Arc<Catalog>, text: &str) -> Vec<Judged> {
    let configured = read(text, Syntax::Any).expect("an input");
    Lookup::new(&catalog).validate(&catalog, &configured).results
}

fn of_line(line: &str) -> Value {
    let words = shlex::split(line).expect("a command line");
    json!({"mcpServers": {"x": {"command": words[0], "args": words[1..], "env": {"GITHUB_TOKEN": "s3cret"}}}})
}

const GITHUB: &str = "io.github.github/github-mcp-server";
const SELF: &str = "@modelcontextprotocol/server-filesystem";

#[test]
fn every_runner_is_understood_and_judged() {
    let catalog = whole();
    let lookup = Lookup::new(&catalog);
    assert!(runners::CASES.len() >= 40);
    for (line, verdict, name) in runners::CASES {
        let (line, verdict) = (line.replace("SELF", SELF), *verdict);
        let configured = read(&of_line(&line).to_string(), Syntax::Any).expect("an input");
        let [judged] = &lookup.validate(&catalog, &configured).results[..] else { panic!("{line}: one server") };
        let found = judged.server.as_ref().map_or("", |found| &found.name);
        assert_eq!((judged.verdict, found), (verdict, *name), "{line}: {judged:?}");
        assert!(verdict == Known || !judged.evidence.is_empty(), "{line}: {judged:?}");
        let text = serde_json::to_string(judged).expect("JSON");
        for secret in ["s3cret", "/home/me", "evil.example", "3334", ":\\\\"] {
            assert!(!text.contains(secret), "{line}: {text} tells {secret}");
        }
    }
}

#[test]
fn every_client_is_understood() {
    let whole = whole();
    for (input, expected) in clients::CASES {
        let judged = judged(Arc::clone(&whole), input);
        let found: Vec<_> = judged.iter().map(|judged| (&*judged.name, judged.line, judged.verdict)).collect();
        assert_eq!(found, *expected, "{input} {judged:#?}");
        assert!(!serde_json::to_string(&judged).expect("JSON").contains("s3cret"), "{input}");
    }
}

#[test]
fn urls_are_judged_by_where_they_lead() {
    for (url, verdict, name) in [
        ("https://acme.tenants.example.com/mcp", Known, "com.example/tenant"),
        ("https://old.moved.example.com/sse", Outdated, "com.example/moved"),
        ("https://weather.example.com/mcp", WrongSource, "com.example/weather"),
        ("https://weather.exarnple.com/sse", LookAlike, ""),
        ("http://localhost:3000/mcp", Unknown, ""),
        ("https://user:s3cret@unheard-of.example/mcp?key=s3cret", Unknown, ""),
        ("not a URL", Unknown, ""),
    ] {
        let input = json!({"mcpServers": {"x": {"url": url}}}).to_string();
        let judged = judged(whole(), &input);
        let found = judged[0].server.as_ref().map_or("", |found| &found.name);
        assert_eq!((judged[0].verdict, found), (verdict, name), "{url}: {judged:?}");
        assert!(!format!("{judged:?}").contains("s3cret"), "{judged:?}");
    }
}

#[test]
fn what_a_registry_that_is_down_may_list_is_unverified() {
    let verdicts = |catalog: &Arc<Catalog>, line: &str| {
        let judged = judged(Arc::clone(catalog), &of_line(line).to_string());
        (judged[0].verdict, judged[0].evidence.join(" "))
    };
    let catalog = catalog();
    for line in ["npx -y @internal/tool", "npx -y unheard-of", "uvx unheard-of"] {
        let (verdict, evidence) = verdicts(&catalog, line);
        assert_eq!(verdict, Unverified, "{line}");
        assert!(evidence.contains("internal") && !evidence.contains("official"), "{evidence}");
    }
    assert_eq!(verdicts(&catalog, "npx -y @acme/search@1.4.0").0, Known, "the others answer");
    assert_eq!(judged(Arc::clone(&catalog), "com.internal/tool")[0].verdict, Unverified);
    let waiting = Arc::new(merged(&[source("acme", true, &[], None)]));
    assert_eq!(verdicts(&waiting, "npx -y @acme/search").0, Unverified, "nobody has said yet what it lists");
}

#[test]
fn secrets_that_a_server_needs_have_to_be_configured() {
    let verdict = |server: Value| judged(whole(), &json!({"mcpServers": {"x": server}}).to_string())[0].clone();
    let run = |more: Value| {
        let mut server = json!({"command": "docker", "args": ["run", "-i", "ghcr.io/github/github-mcp-server"]});
        server.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        verdict(server)
    };
    let without = run(json!({}));
    assert_eq!(without.verdict, WrongSource);
    assert!(without.evidence.iter().any(|evidence| evidence.contains("GITHUB_TOKEN")), "{without:?}");
    assert_eq!(run(json!({"env": {"GITHUB_TOKEN": "x"}})).verdict, Known);
    assert_eq!(run(json!({"envFile": ".env"})).verdict, Known, "it may stand there");
}

#[test]
fn a_verdict_says_where_the_server_comes_from_and_what_it_may_be() {
    let files = &judged(whole(), &of_line(&format!("npx -y {SELF}@1.0.0")).to_string())[0];
    assert_eq!(files.latest.as_deref(), Some("2.0.0"));
    assert_eq!(files.provenance.as_ref().expect("provenance")["registry"], "official");
    assert_eq!(files.configured.packages[0].version.as_deref(), Some("1.0.0"));
    let kit = &judged(whole(), &of_line("uvx clio-kit").to_string())[0];
    assert_eq!(kit.candidates, ["com.example/one", "com.example/two"]);
    let alike = &judged(whole(), &of_line("uvx mcp-server-fecth").to_string())[0];
    assert_eq!(alike.candidates, ["io.example/fetch"]);
    let refused = &judged(whole(), &of_line("npx -y refused-tool").to_string())[0];
    assert!(refused.evidence.iter().any(|evidence| evidence.contains("com.acme/secret")), "{refused:?}");
}

#[test]
fn what_a_command_line_sends_is_judged_as_the_file_but_for_what_it_keeps() {
    let catalog = whole();
    let lookup = Lookup::new(&catalog);
    let text = r#"{"mcpServers":{"mine":{"command":"docker","args":["run","-e","A=s3cret","ghcr.io/github/github-mcp-server:0.19.0"]},
        "w":{"url":"https://weather.example.com/sse?key=s3cret"}}}"#;
    let configured = read(text, Syntax::Any).expect("an input");
    let sent = json!({"configured": configured.iter().map(|server| &server.reduced).collect::<Vec<_>>()}).to_string();
    assert!(!sent.contains("s3cret") && !sent.contains("mine"), "{sent}");
    let report = lookup.validate(&catalog, &read(&sent, Syntax::Json).expect("an input"));
    let verdicts: Vec<_> = report.results.iter().map(|judged| judged.verdict).collect();
    assert_eq!(verdicts, [Outdated, Known]);
    let completed = report.results[0].clone().completed(&configured[0]);
    assert_eq!((completed.verdict, completed.name.as_str()), (WrongSource, "mine"), "the token is missing");
}

#[test]
fn a_package_in_many_names_costs_no_more_than_some() {
    let rows = (0..1000).map(|number| {
        let name: &'static str = Box::leak(format!("com.example/n{number:04}").into_boxed_str());
        (name, "1.0.0", package("npm", "shared", "1.0.0"), "active")
    });
    let catalog = Arc::new(merged(&[source("hostile", true, &[], Some(rows.collect()))]));
    let judged = judged(catalog, &of_line("npx shared").to_string());
    assert_eq!((judged[0].verdict, judged[0].candidates.len()), (Ambiguous, 16));
}
