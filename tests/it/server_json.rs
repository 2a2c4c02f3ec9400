//! `POST /v0/validate`: what is said of a `server.json`, as the official registry says it.

use http::Method;
use serde_json::{Value, json};

use crate::support::http::{post, send};
use crate::support::proxy::{Proxy, Setup};

async fn validate(proxy: &Proxy, document: &Value) -> Value {
    let reply =
        post(proxy.address(), "/v0/validate", &[("content-type", "application/json")], document.to_string()).await;
    assert_eq!((reply.status, reply.header("cache-control")), (200, "no-store"), "{}", reply.text());
    reply.json()
}

#[tokio::test]
async fn everything_that_is_wrong_is_said_at_once_with_its_place() {
    let proxy = Setup::new().file("curated", "[]").start_ready().await;
    let schema = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json";
    let good = json!({ "$schema": schema, "name": "com.example/a-server", "description": "x", "version": "1.0.0" });
    assert_eq!(validate(&proxy, &good).await, json!({ "valid": true, "issues": [] }));

    let bad = json!({
        "$schema": schema, "name": "com.example/a-server", "version": "^1.0.0",
        "packages": [{ "registryType": "npm", "identifier": "a b", "transport": { "type": "sse", "url": "https://a/{x}" } }],
        "remotes": [{ "type": "sse", "url": "http://a.example/" }],
    });
    let report = validate(&proxy, &bad).await;
    let issue = |kind: &str, path: &str, message: &str, reference: &str| json!({ "type": kind, "path": path, "message": message, "severity": "error", "reference": reference });
    let expected = [
        issue("schema", "", "`description` is missing", "required"),
        issue("semantic", "version", "must be one version, not a range of them: `^1.0.0`", "version-looks-like-range"),
        issue("semantic", "packages[0].identifier", "must have no spaces", "package-name-has-spaces"),
        issue(
            "semantic",
            "packages[0].transport.url",
            "uses the variable `x`, which is not defined",
            "invalid-templated-url",
        ),
        issue(
            "semantic",
            "remotes[0].url",
            "must be an https URL that others can reach, not `http://a.example/`",
            "invalid-remote-url",
        ),
    ];
    assert_eq!(report, json!({ "valid": false, "issues": expected }));
    proxy.stop().await;
}

#[tokio::test]
async fn what_is_no_json_is_400_and_both_versions_of_the_api_answer_alike() {
    let proxy = Setup::new().file("curated", "[]").start_ready().await;
    for target in ["/v0/validate", "/v0.1/validate", "/v0.1/validate/"] {
        assert_eq!(post(proxy.address(), target, &[], "[]").await.json()["valid"], false);
        for (body, word) in [("", "needs a body"), ("{\"a\":", "not JSON"), ("{} {}", "not JSON")] {
            let reply = post(proxy.address(), target, &[], body).await;
            assert!(reply.status == 400 && reply.detail().contains(word), "{body}: {}", reply.text());
        }
        let reply = send(proxy.address(), Method::GET, target).await;
        assert_eq!((reply.status, reply.header("allow")), (405, "POST, OPTIONS"));
        let reply = post(proxy.address(), target, &[("content-type", "text/plain")], "{}").await;
        assert_eq!((reply.status, reply.header("accept")), (415, "application/json"));
        let reply = post(proxy.address(), target, &[("content-encoding", "br")], "{}").await;
        assert_eq!((reply.status, reply.header("accept-encoding")), (415, "identity"));
    }
    proxy.stop().await;
}

#[tokio::test]
async fn the_admin_listener_validates_too_for_whom_it_lets_in() {
    let proxy = Setup::new().settings("[admin]\nlisten = \"127.0.0.1:0\"").file("curated", "[]").start_ready().await;
    let reply = post(proxy.admin(), "/v0/validate", &[], "{}").await;
    assert_eq!((reply.status, &reply.json()["valid"]), (200, &json!(false)));
    let reply = post(proxy.admin(), "/v0/validate", &[("origin", "https://evil.example")], "{}").await;
    assert_eq!(reply.status, 403);
    // What takes no body takes it no harm.
    let reply = post(proxy.admin(), "/registries/curated/test", &[], "x".repeat(100_000)).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    proxy.stop().await;
}
