//! Answers that are no registry's list: the format stage fails, and its sentence says what was found.

use crate::support::proxy::{Proxy, Setup};
use crate::support::raw::{RawServer, nobody};
use crate::support::registry::{Behaviour, FakeRegistry};

/// The stage that failed in a registry's last check, and why.
async fn failed_stage(proxy: &Proxy, name: &str) -> (String, String) {
    let status = proxy.until_state(name, "unhealthy").await;
    let stages = status["lastCheck"]["stages"].as_array().expect("stages");
    let failed = stages.iter().position(|stage| stage["ok"] == false).expect("a stage that failed");
    assert!(stages[..failed].iter().all(|stage| stage["ok"] == true), "{status}");
    assert!(stages.len() == 3 && stages[failed + 1..].iter().all(|stage| stage["ok"].is_null()), "{status}");
    let text = |field: &str| stages[failed][field].as_str().unwrap_or_default().to_owned();
    (text("stage"), text("reason"))
}

/// A body that a registry answers with, and what the reason must say.
type Case = (&'static str, &'static [u8], &'static str);

const DOCUMENTS: [Case; 17] = [
    ("html", b"<!DOCTYPE html><html><body>Not here</body></html>", "an HTML page"),
    ("xml", b"<?xml version=\"1.0\"?><Error/>", "markup"),
    ("empty", b"", "an empty document"),
    ("garbage", b"Service OK\n", "text that is not JSON"),
    ("cut-short", b"{\"servers\":[{\"server\":{\"name\":\"a/b\"", "text that is not JSON"),
    ("trailing", b"{\"servers\":[]} {\"servers\":[]}", "text that is not JSON"),
    ("not-utf-8", b"{\"servers\":[],\"metadata\":{\"note\":\"\xff\xfe\"}}", "not UTF-8, at byte 34"),
    ("value", b"42", "a single JSON value"),
    ("object", b"{\"status\":\"ok\",\"uptime\":5}", "without `servers`; it has the members `status`, `uptime`"),
    ("claude", b"{\"mcpServers\":{\"x\":{\"command\":\"npx\"}}}", "an MCP client configuration (`mcpServers`)"),
    ("vs-code", b"{\"servers\":{\"x\":{\"command\":\"npx\"}}}", "an MCP client configuration"),
    ("map", b"{\"servers\":{\"x\":1}}", "`servers` that is an object; expected an array"),
    ("duplicates", b"{\"servers\":[],\"servers\":[{\"server\":{}}]}", "duplicate key `servers`"),
    ("bad-metadata", b"{\"servers\":[],\"metadata\":[]}", "`metadata` that is an array"),
    ("products", b"[{\"id\":1,\"price\":2},{\"id\":2,\"price\":3}]", "a list of something else"),
    ("offset-draft", b"{\"servers\":[{\"id\":\"1\",\"name\":\"a/b\",\"description\":\"d\",\"version_detail\":{\"version\":\"1\"}}],\"next\":\"https://x.example?offset=50\",\"total_count\":1}", "F0b"),
    ("toolhive-legacy", b"{\"version\":\"1.0.0\",\"servers\":{\"fetch\":{\"image\":\"x/y\",\"tier\":\"Official\"}},\"remote_servers\":{}}", "F9"),
];

#[tokio::test]
async fn what_is_no_list_fails_the_format_stage_with_what_was_found() {
    let mut registries = Vec::new();
    let mut setup = Setup::new();
    for (name, body, _) in DOCUMENTS {
        let registry = FakeRegistry::start(Vec::new()).await;
        registry.always(Behaviour::Body("application/json", body.into()));
        setup = setup.registry(name, &registry.url());
        registries.push(registry);
    }
    let proxy = setup.start_ready().await;
    for (name, _, expected) in DOCUMENTS {
        let (stage, reason) = failed_stage(&proxy, name).await;
        assert_eq!(stage, "format", "{name}: {reason}");
        assert!(reason.contains(expected), "{name}: {reason}");
    }
    assert_eq!(proxy.get("/v0.1/servers").await.status, 503);
    proxy.stop().await;
}

#[tokio::test]
async fn a_file_that_is_no_list_fails_the_format_stage_too() {
    let mut setup = Setup::new();
    for (name, body, _) in DOCUMENTS {
        setup = setup.file(name, body);
    }
    let proxy = setup.start_ready().await;
    for (name, _, expected) in DOCUMENTS {
        let (stage, reason) = failed_stage(&proxy, name).await;
        assert_eq!(stage, "format", "{name}: {reason}");
        assert!(reason.contains(expected), "{name}: {reason}");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn a_file_that_is_not_there_fails_the_network_stage() {
    let proxy = Setup::new().registry_with("curated", "file = \"missing.json\"").start_ready().await;
    let (stage, reason) = failed_stage(&proxy, "curated").await;
    assert_eq!(stage, "network", "{reason}");
    assert!(reason.contains("missing.json"), "{reason}");
    proxy.stop().await;
}

#[tokio::test]
async fn malformed_http_fails_the_response_stage() {
    let answers: [&[u8]; 4] = [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 banana\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"servers\":[]",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZZZ\r\n{\"servers\":[]}\r\n",
    ];
    for answer in answers {
        let registry = RawServer::start(answer).await;
        let proxy = Setup::new().registry("alpha", &registry.url()).start_ready().await;
        let (stage, reason) = failed_stage(&proxy, "alpha").await;
        assert_eq!(stage, "response", "{}: {reason}", answer.escape_ascii());
        assert!(!reason.is_empty());
        proxy.stop().await;
    }
}

#[tokio::test]
async fn a_port_at_which_nobody_listens_fails_the_network_stage() {
    let proxy = Setup::new().registry("alpha", &nobody().await).start_ready().await;
    let (stage, reason) = failed_stage(&proxy, "alpha").await;
    assert_eq!(stage, "network", "{reason}");
    assert!(reason.contains("refused"), "{reason}");
    proxy.stop().await;
}

#[tokio::test]
async fn a_status_other_than_200_fails_the_response_stage() {
    for status in [204, 206, 401, 404, 500] {
        let registry = FakeRegistry::start(Vec::new()).await;
        registry.always(Behaviour::status(status));
        let proxy = Setup::new().registry("alpha", &registry.url()).start_ready().await;
        let (stage, reason) = failed_stage(&proxy, "alpha").await;
        assert_eq!(stage, "response", "{reason}");
        assert!(reason.contains(&status.to_string()), "{reason}");
        proxy.stop().await;
    }
}
