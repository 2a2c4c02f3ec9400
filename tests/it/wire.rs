//! Faults on the wire (U9 to U16): whatever a registry sends in place of HTTP, or as HTTP that is wrong, fails its
//! test with a reason, and nobody else's.

use std::fmt::Write as _;

use serde_json::json;

use crate::support::entry::{Entry, numbered};
use crate::support::proxy::Setup;
use crate::support::raw::RawServer;
use crate::support::registry::FakeRegistry;

fn list() -> String {
    let entries: Vec<_> = numbered("com.example", 20).into_iter().map(Entry::into_value).collect();
    json!({ "servers": entries, "metadata": { "count": 20 } }).to_string()
}

/// An answer with these headers.
fn answer(headers: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{headers}\r\n{body}")
}

fn truncated(percent: usize) -> String {
    let list = list();
    answer(&format!("Content-Length: {}\r\n", list.len()), &list[..list.len() * percent / 100])
}

fn headers(count: usize) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        let _ = write!(text, "X-{number}: y\r\n");
        text
    })
}

/// What comes, and what its failure is said to be.
fn faults() -> Vec<(&'static str, String, &'static str)> {
    let list = list();
    let length = list.len();
    vec![
        ("u9-10", truncated(10), "broke off"),
        ("u9-50", truncated(50), "broke off"),
        ("u9-99", truncated(99), "broke off"),
        ("u10-small", answer(&format!("Content-Length: {}\r\n", length - 9), &list), "not a registry list"),
        ("u10-large", answer(&format!("Content-Length: {}\r\n", length + 9), &list), "broke off"),
        ("u10-negative", answer("Content-Length: -1\r\n", &list), "broke off"),
        ("u10-two", answer(&format!("Content-Length: 5\r\nContent-Length: {length}\r\n"), &list), "broke off"),
        ("u11-size", answer("Transfer-Encoding: chunked\r\n", "xyz\r\n{}\r\n0\r\n\r\n"), "broke off"),
        ("u11-huge", answer("Transfer-Encoding: chunked\r\n", "ffffffffffffffffff\r\n{}"), "broke off"),
        ("u11-open", answer("Transfer-Encoding: chunked\r\n", &format!("{length:x}\r\n{list}\r\n")), "broke off"),
        ("u13-nothing", String::new(), "broke off"),
        ("u14-garbage", "\x00\x01\x02 garbage \u{7f}\r\n\r\n".to_owned(), "broke off"),
        ("u15-http-0-9", list.clone(), "broke off"),
        ("u16-lines", answer(&format!("{}Content-Length: {length}\r\n", headers(500)), &list), "broke off"),
        (
            "u16-bytes",
            answer(&format!("X: {}\r\nContent-Length: {length}\r\n", "y".repeat(1 << 20)), &list),
            "broke off",
        ),
    ]
}

#[tokio::test]
async fn every_fault_on_the_wire_has_its_reason_and_touches_nobody_else() {
    let good = FakeRegistry::start(vec![Entry::new("org.example/good", "1.0.0")]).await;
    let mut setup = Setup::new().settings("[health]\nunhealthy_after = 1").registry("good", &good.url());
    let mut servers = Vec::new();
    for (name, bytes, _) in faults() {
        let server = RawServer::start(bytes).await;
        setup = setup.registry(name, &server.url());
        servers.push(server);
    }
    let proxy = setup.start_ready().await;
    for (name, _, expected) in faults() {
        let status = proxy.until_state(name, "unhealthy").await;
        let stages = status["lastCheck"]["stages"].to_string();
        assert!(stages.contains(expected), "{name}: {stages}");
    }
    proxy.until_listed(&["org.example/good@1.0.0".to_owned()]).await;
    assert_eq!(proxy.registry("good").await["state"], "healthy");
    proxy.stop().await;
}

/// A million chunks of a byte are a slow way to say something, and no fault.
#[tokio::test]
async fn many_small_chunks_are_one_answer() {
    let list = list();
    let mut body = String::new();
    for byte in " ".repeat(200_000).chars().chain(list.chars()) {
        let _ = write!(body, "1\r\n{byte}\r\n");
    }
    let server = RawServer::start(answer("Transfer-Encoding: chunked\r\n", &format!("{body}0\r\n\r\n"))).await;
    let proxy = Setup::new().registry("alpha", &server.url()).start().await;
    proxy.until_state("alpha", "healthy").await;
    proxy.stop().await;
}
