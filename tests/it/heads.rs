//! How large the head of a request may be, over either HTTP: beyond our bounds there is an answer that looks like
//! ours, beyond hyper's wider ones at least an answer.

use http::{HeaderValue, Method};

use crate::support::http2::{Client, request};
use crate::support::proxy::{Proxy, Setup};
use crate::support::stream::{connect, exchange, header, is_ours, status};

/// For requests after which the server shall not wait for more.
const CLOSE: &str = "Connection: close\r\n\r\n";
/// The longest URL.
const MAX_URI: usize = 8 << 10;

async fn proxy() -> Proxy {
    Setup::new().file("curated", "[]").start_ready().await
}

/// A target of that length, path and query and what is between them.
fn target(length: usize) -> String {
    format!("{:x<length$}", "/v0.1/ping?")
}

#[tokio::test]
async fn over_http1_heads_have_bounds_and_beyond_them_an_answer() {
    let proxy = proxy().await;
    let request = |target: &str, headers: &str| format!("GET {target} HTTP/1.1\r\nHost: a\r\n{headers}{CLOSE}");
    let many = |count: usize| request("/v0.1/ping", &"X-Many: x\r\n".repeat(count));
    let long = |kibibytes: usize| request("/v0.1/ping", &format!("X-Long: {}\r\n", "x".repeat(kibibytes << 10)));
    for (request, expected, has_our_headers) in [
        (many(62), 200, true),
        (many(63), 431, true),
        (many(98), 431, true),
        (many(99), 431, false),
        (long(15), 200, true),
        (long(17), 431, true),
        (long(31), 431, true),
        (long(33), 431, false),
        (long(300), 431, false),
        (request(&target(MAX_URI), ""), 200, true),
        (request(&target(MAX_URI + 1), ""), 414, true),
        (request(&target(30 << 10), ""), 414, true),
    ] {
        let answer = exchange(proxy.address(), &request).await;
        assert_eq!(status(&answer), expected, "{} bytes: {answer}", request.len());
        assert_eq!(is_ours(&answer), has_our_headers, "{} bytes: {answer}", request.len());
    }
    proxy.stop().await;
}

#[tokio::test]
async fn a_head_that_is_too_large_has_a_problem_and_ends_the_connection() {
    let proxy = proxy().await;
    let request = format!("GET /v0.1/ping HTTP/1.1\r\nHost: a\r\n{}\r\n", "X-Many: x\r\n".repeat(64));
    let answer = exchange(proxy.address(), request.repeat(2)).await;
    assert_eq!(answer.matches("HTTP/1.1 431 Request Header Fields Too Large").count(), 1, "{answer}");
    assert_eq!(header(&answer, "content-type"), "application/problem+json");
    assert_eq!(header(&answer, "cache-control"), "no-store");
    assert_eq!(header(&answer, "connection"), "close");
    proxy.stop().await;
}

#[tokio::test]
async fn over_http2_the_same_bounds_hold_and_cost_only_the_request() {
    let proxy = proxy().await;
    let client = Client::new(connect(proxy.address()).await).await;
    let get = |target: &str| request(Method::GET, target, "");
    let with = |count: usize, length: usize| {
        let mut request = get("/v0.1/ping");
        let value = HeaderValue::from_str(&"x".repeat(length)).expect("a value");
        for _ in 0..count {
            request.headers_mut().append("x-many", value.clone());
        }
        request
    };
    for (request, expected) in [
        (with(64, 1), 200),
        (with(65, 1), 431),
        (with(1, 15 << 10), 200),
        (with(1, 17 << 10), 431),
        (get(&target(MAX_URI)), 200),
        (get(&target(MAX_URI + 1)), 414),
    ] {
        let reply = client.send(request).await.expect("an answer");
        assert_eq!(reply.status, expected, "{}", reply.text());
        assert_eq!(reply.header("access-control-allow-origin"), "*");
        assert!(!reply.header("mcp-registry-proxy").is_empty());
        assert_eq!(reply.header("connection"), "");
    }
    proxy.stop().await;
}
