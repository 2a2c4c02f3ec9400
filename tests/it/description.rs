//! `/openapi.*` and `/docs`: what is described is what is answered. The unit tests in `serve::drift` hold the
//! description against the router; these hold it against answers.

use std::collections::BTreeSet;

use http::Method;
use serde_json::Value;

use crate::support::description::Description;
use crate::support::entry::Entry;
use crate::support::http::{Reply, post, send, send_with};
use crate::support::proxy::{Proxy, Setup};
use crate::support::raw::nobody;
use crate::support::registry::{Behaviour, FakeRegistry};

const QUICKSTART: &str = include_str!("../../config/quickstart-servers.json");

/// The paths whose answers come from the catalog.
const CATALOG: [&str; 3] =
    ["/v0.1/servers", "/v0.1/servers/{serverName}/versions", "/v0.1/servers/{serverName}/versions/{version}"];

/// What no request can bring about here: a fault of ours, and a body that does not come.
const NOT_PROVOKED: [u16; 2] = [408, 500];

async fn proxy() -> Proxy {
    let more = [
        Entry::new("com.example/odd", "1.0").server("x-unknown", 5).official("status", "paused"),
        Entry::new("com.example/gone", "1.0.0").deleted(),
        Entry::new("com.example/broken", "1.0.0").server("title", 5),
    ];
    let more: Vec<Value> = more.into_iter().map(Entry::into_value).collect();
    let setup = Setup::new().file("quickstart", QUICKSTART).file("more", Value::from(more).to_string());
    let proxy = setup.registry("down", &nobody().await).start_ready().await;
    proxy.until_state("down", "unhealthy").await;
    proxy
}

/// A request's target for a described path.
fn example(path: &str) -> String {
    let path = path.replace("{serverName}", "com.example.search%2Fcode").replace("{version}", "latest");
    path.replace("{name}", "more")
}

/// Sends requests and holds every answer against the description.
struct Checker<'a> {
    description: &'a Description,
    seen: BTreeSet<u16>,
}

impl Checker<'_> {
    async fn ask(&mut self, proxy: &Proxy, path: &str, method: Method, target: &str, headers: &[(&str, &str)]) -> u16 {
        self.reply(proxy, path, method, target, headers).await.status
    }

    async fn reply(
        &mut self,
        proxy: &Proxy,
        path: &str,
        method: Method,
        target: &str,
        headers: &[(&str, &str)],
    ) -> Reply {
        let reply = send_with(proxy.address(), method.clone(), target, headers).await;
        self.description.check(path, &method, target, &reply);
        self.seen.insert(reply.status);
        reply
    }
}

#[tokio::test]
async fn every_answer_is_as_it_is_described() {
    let proxy = proxy().await;
    let description = Description::of(&proxy).await;
    let mut checker = Checker { description: &description, seen: BTreeSet::new() };
    let long = "x".repeat(9_000);
    let heavy = [("x-heavy", "x"); 90];
    for (path, methods) in description.paths() {
        let target = example(path);
        for method in methods {
            let status = checker.ask(&proxy, path, method.clone(), &target, &[]).await;
            let expected = match method {
                Method::GET | Method::HEAD => 200,
                // Without a body.
                Method::POST if path.ends_with("/validate") || path == "/mcp" => 400,
                _ => 501,
            };
            assert_eq!(status, expected, "{method} {target}");
            for (name, value) in [
                ("if-none-match", "*"),
                ("if-match", "\"another\""),
                ("if-unmodified-since", "Mon, 01 Jan 2024 00:00:00 GMT"),
                ("accept-encoding", "identity;q=0"),
            ] {
                checker.ask(&proxy, path, method.clone(), &target, &[(name, value)]).await;
            }
            checker.ask(&proxy, path, method.clone(), &format!("{target}?{long}"), &[]).await;
            let nul = format!("{target}?x=%00");
            assert_eq!(checker.ask(&proxy, path, method.clone(), &nul, &[]).await, 400, "{method} {nul}");
        }
        assert_eq!(checker.ask(&proxy, path, Method::TRACE, &target, &[]).await, 405, "TRACE {target}");
        let refusal = checker.reply(&proxy, path, Method::GET, &target, &heavy).await;
        let content_type = refusal.header("content-type");
        assert_eq!((refusal.status, content_type), (431, "application/problem+json"), "{target}");
    }
    ask_for_what_cannot_be_had(&proxy, &mut checker).await;
    send_bodies(&proxy, &mut checker).await;
    let missing: Vec<u16> =
        description.statuses().into_iter().filter(|status| !checker.seen.contains(status)).collect();
    assert!(
        missing.iter().all(|status| NOT_PROVOKED.contains(status)),
        "{missing:?} are described, and were never seen"
    );
    proxy.stop().await;
}

async fn send_bodies(proxy: &Proxy, checker: &mut Checker<'_>) {
    let large = "x".repeat((1 << 20) + 1);
    for (path, headers, body, status) in [
        ("/v0.1/validate", &[][..], "{}", 200),
        ("/v0.1/validate", &[], "{", 400),
        ("/v0.1/validate", &[], &*large, 413),
        ("/v0.1/validate", &[("content-type", "text/plain")], "{}", 415),
        ("/v0.1/validate", &[("content-encoding", "gzip")], "{}", 415),
        (
            "/validate",
            &[],
            r#"{"mcpServers":{"x":{"command":"npx","args":["x@1"]},"y":{"url":"https://a.example"}}}"#,
            200,
        ),
        ("/validate", &[], "{", 400),
        ("/validate", &[], "{}", 200),
        ("/validate", &[], "[1]", 422),
        ("/validate", &[], &*large, 413),
        ("/validate", &[("content-type", "text/plain")], "{}", 415),
        ("/mcp", &[], r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#, 200),
        ("/mcp", &[], r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, 202),
        ("/mcp", &[], "{}", 400),
        ("/mcp", &[("mcp-protocol-version", "1999-01-01")], r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#, 400),
        ("/mcp", &[("origin", "https://evil.example")], "{}", 403),
        ("/mcp", &[("accept", "text/html")], "{}", 406),
        ("/mcp", &[], &*large, 413),
        ("/mcp", &[("content-type", "text/plain")], "{}", 415),
    ] {
        let reply = post(proxy.address(), path, headers, body.to_owned()).await;
        assert_eq!(reply.status, status, "{headers:?} {body:.10}");
        checker.description.check(path, &Method::POST, path, &reply);
        checker.seen.insert(reply.status);
    }
}

async fn ask_for_what_cannot_be_had(proxy: &Proxy, checker: &mut Checker<'_>) {
    let (list, versions) = ("/v0.1/servers", "/v0.1/servers/{serverName}/versions");
    let version = "/v0.1/servers/{serverName}/versions/{version}";
    for (path, target, status) in [
        (list, "/v0.1/servers?limit=1&version=latest", 200),
        (list, "/v0.1/servers?include_deleted=true&limit=100", 200),
        (list, "/v0.1/servers?limit=0&include_deleted=maybe", 422),
        (list, "/v0.1/servers?cursor=none", 400),
        (list, "/v0.1/servers?updated_since=yesterday", 400),
        (list, "/v0.1/servers?search=%00", 400),
        (versions, "/v0.1/servers/com.example%2Fmissing/versions", 404),
        (versions, "/v0.1/servers/com.example%ZZ/versions", 400),
        (versions, "/v0.1/servers/com.example%2Fgone/versions?include_deleted=true", 200),
        (versions, "/v0.1/servers/com.example%2Fgone/versions?include_deleted=5", 422),
        (version, "/v0.1/servers/com.example%2Fgone/versions/latest", 404),
        (version, "/v0.1/servers/com.example%2Fodd/versions/1.0", 200),
        (version, "/v0.1/servers/com.example%2Fodd/versions/%00", 400),
        (version, "/v0.1/servers/com.example%2Fodd/versions/1.0?include_deleted=5", 422),
        ("/registries/{name}", "/registries/down", 200),
        ("/registries/{name}", "/registries/nobody", 404),
        ("/registries/{name}", "/registries/%ZZ", 400),
    ] {
        assert_eq!(checker.ask(proxy, path, Method::GET, target, &[]).await, status, "{target}");
    }
    let registry = FakeRegistry::start(Vec::new()).await;
    registry.always(Behaviour::Hold);
    let unready = Setup::new().settings("[health]\ntimeout = \"60s\"").registry("held", &registry.url()).start().await;
    for path in [list, versions, version, "/readyz"] {
        assert_eq!(checker.ask(&unready, path, Method::GET, &example(path), &[]).await, 503, "{path}");
    }
    checker.ask(&unready, "/registries", Method::GET, "/registries", &[]).await;
    registry.release().await;
    registry.behave();
    unready.until_ready().await;
    unready.stop().await;
}

#[tokio::test]
async fn answers_say_what_is_described_of_catalogs_that_lack_something() {
    let proxy = proxy().await;
    let description = Description::of(&proxy).await;
    let mut checker = Checker { description: &description, seen: BTreeSet::new() };
    for path in CATALOG {
        let target = example(path);
        let reply = checker.reply(&proxy, path, Method::GET, &target, &[]).await;
        assert!(reply.header("proxy-status").contains("next-hop=\"down\""), "{target}: {:?}", reply.headers);
        let tag = [("if-none-match", reply.header("etag"))];
        let unchanged = checker.reply(&proxy, path, Method::GET, &target, &tag).await;
        assert_eq!((unchanged.status, unchanged.header("proxy-status")), (304, reply.header("proxy-status")));
        let refusal = checker.reply(&proxy, path, Method::GET, &target, &[("accept-encoding", "identity;q=0")]).await;
        assert_eq!((refusal.status, refusal.header("vary")), (406, "Accept-Encoding"), "{target}");
    }
    proxy.stop().await;

    let registry = FakeRegistry::start(Vec::new()).await;
    registry.always(Behaviour::Hold);
    let unready = Setup::new().settings("[health]\ntimeout = \"60s\"").registry("held", &registry.url());
    let unready = unready.file("quickstart", QUICKSTART).start().await;
    unready.until_answered("/v0.1/servers", 200).await;
    let reply = checker.reply(&unready, CATALOG[0], Method::GET, CATALOG[0], &[]).await;
    let partial = ("no-store", "mcp-registry-proxy; hit; detail=partial");
    assert_eq!((reply.header("cache-control"), reply.header("cache-status")), partial);
    registry.release().await;
    registry.behave();
    unready.until_ready().await;
    unready.stop().await;
}

#[tokio::test]
async fn what_is_not_found_may_be_kept_as_long_as_is_described() {
    let proxy = Setup::new().file("quickstart", QUICKSTART).start_ready().await;
    for (target, seconds) in [
        ("/v0.1/servers/com.example%2Fmissing/versions", 30),
        ("/v0.1/servers/com.example%2Fmissing/versions/latest", 30),
        ("/registries/nobody", 10),
        ("/v0.1/nothing", 10),
    ] {
        let reply = proxy.get(target).await;
        let kept = format!("public, max-age={seconds}");
        assert_eq!((reply.status, reply.header("cache-control")), (404, &*kept), "{target}");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn the_examples_work_with_the_quickstart() {
    let proxy = Setup::new().file("quickstart", QUICKSTART).start_ready().await;
    let description = Description::of(&proxy).await;
    let examples = description.examples();
    assert!(examples.len() > 10, "{examples:?}");
    for target in examples {
        let reply = proxy.get(&target).await;
        assert_eq!(reply.status, 200, "{target}: {}", reply.text());
        let is_empty_list =
            reply.header("content-type") == "application/json" && reply.json()["servers"] == Value::Array(Vec::new());
        assert!(!is_empty_list, "{target} shows nothing");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn the_documents_have_their_types_and_the_page_its_policy() {
    let proxy = Setup::new().file("quickstart", QUICKSTART).start_ready().await;
    for (target, content_type, beginning) in [
        ("/openapi.yaml", "application/yaml", "openapi: 3.1.0\n"),
        ("/openapi.json", "application/json", "{\"openapi\":\"3.1.0\""),
        ("/docs", "text/html; charset=utf-8", "<!DOCTYPE html>"),
        ("/docs/", "text/html; charset=utf-8", "<!DOCTYPE html>"),
    ] {
        let reply = proxy.get(target).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, content_type), "{target}");
        assert!(reply.text().starts_with(beginning), "{target}");
        assert!(reply.header("content-security-policy").starts_with("default-src 'none';"), "{target}");
        let head = send(proxy.address(), Method::HEAD, target).await;
        assert_eq!(head.header("content-length"), reply.body.len().to_string(), "{target}");
    }
    proxy.stop().await;
}
