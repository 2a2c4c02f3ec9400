//! How answers are dressed: codings, entity tags, dates, caching, CORS (engineering.md §2.2).

use std::io::Read as _;
use std::time::Duration;

use http::Method;

use crate::support::entry::{Entry, list, numbered};
use crate::support::eventually;
use crate::support::http::{Reply, send, send_with};
use crate::support::profile::assert_dressed;
use crate::support::proxy::{Proxy, Setup};
use crate::support::registry::{Behaviour, FakeRegistry};

const LIST: &str = "/v0.1/servers?limit=50&version=latest";
const CODINGS: [&str; 4] = ["zstd", "br", "gzip", "identity"];

async fn proxy() -> Proxy {
    Setup::new().file("curated", list(&numbered("com.example", 60), None).to_string()).start_ready().await
}

fn decoded(reply: &Reply) -> Vec<u8> {
    let mut body = Vec::new();
    match reply.header("content-encoding") {
        "zstd" => body = zstd::decode_all(&reply.body[..]).expect("zstd"),
        "br" => drop(brotli::Decompressor::new(&reply.body[..], 4096).read_to_end(&mut body).expect("brotli")),
        "gzip" => drop(flate2::read::GzDecoder::new(&reply.body[..]).read_to_end(&mut body).expect("gzip")),
        "" => body.extend_from_slice(&reply.body),
        other => panic!("nobody asked for {other}"),
    }
    body
}

/// The list, as soon as its `Last-Modified` is the last word: until the second of the change is over it moves along.
async fn settled(proxy: &Proxy) -> Reply {
    let date = |reply: &Reply, name: &str| httpdate::parse_http_date(reply.header(name)).expect("a date");
    eventually("the second of the change was over", async || {
        let reply = proxy.get(LIST).await;
        let age = date(&reply, "date").duration_since(date(&reply, "last-modified")).expect("never in the future");
        if age >= Duration::from_secs(2) { Ok(reply) } else { Err(format!("{age:?}")) }
    })
    .await
}

async fn accepting(proxy: &Proxy, target: &str, coding: &str) -> Reply {
    proxy.get_with(target, &[("accept-encoding", coding)]).await
}

#[tokio::test]
async fn all_codings_decode_to_the_same_bytes_and_each_has_a_tag_that_earns_a_304() {
    let proxy = proxy().await;
    settled(&proxy).await;
    for target in [LIST, "/v0/servers?limit=100", "/servers", "/v0/servers/com.example%2Fserver-0001/versions"] {
        let plain = proxy.get(target).await;
        let mut tags = Vec::new();
        for coding in CODINGS {
            let reply = accepting(&proxy, target, coding).await;
            assert_eq!(decoded(&reply), plain.body, "{target} {coding}");
            assert_eq!(reply.header("content-length"), reply.body.len().to_string());
            assert_dressed(target, &reply);
            let tag = reply.header("etag").to_owned();
            let again = proxy.get_with(target, &[("accept-encoding", coding), ("if-none-match", &tag)]).await;
            assert_eq!((again.status, again.text(), again.header("etag")), (304, "", &*tag), "{target} {coding}");
            assert_dressed(target, &again);
            for name in ["cache-control", "vary", "last-modified"] {
                assert_eq!(again.header(name), reply.header(name), "{target} {coding} {name}");
            }
            tags.push(tag);
        }
        tags.sort();
        tags.dedup();
        // The body of the last one is below a KiB: it stays as it is.
        assert_eq!(tags.len(), if plain.body.len() < 1024 { 1 } else { 4 }, "{target}: {tags:?}");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn a_tag_of_another_coding_or_a_weak_one_or_any_earns_a_304_too() {
    let proxy = proxy().await;
    let gzip = accepting(&proxy, LIST, "gzip").await.header("etag").to_owned();
    let plain = proxy.get(LIST).await.header("etag").to_owned();
    for value in [&*gzip, "*", &format!("W/{plain}"), &format!("\"x\", W/\"y\" ,{gzip}")] {
        let reply = proxy.get_with(LIST, &[("accept-encoding", "br"), ("if-none-match", value)]).await;
        assert_eq!(reply.status, 304, "{value}");
        assert!(reply.header("etag").ends_with("-br\""), "the tag of what would be sent: {}", reply.header("etag"));
    }
    let reply = proxy.get_with(LIST, &[("if-none-match", "\"another\"")]).await;
    assert_eq!((reply.status, reply.header("etag")), (200, &*plain));
    proxy.stop().await;
}

#[tokio::test]
async fn preconditions_that_fail_are_412_and_missing_things_stay_404() {
    let proxy = proxy().await;
    let rows = [
        ("if-match", "\"another\"", 412),
        ("if-match", "*", 200),
        ("if-unmodified-since", "Thu, 01 Jan 2026 00:00:00 GMT", 412),
        ("if-unmodified-since", "nonsense", 200),
        ("if-modified-since", "Thu, 01 Jan 2026 00:00:00 GMT", 200),
        ("if-modified-since", "Fri, 31 Dec 2100 00:00:00 GMT", 304),
        ("if-modified-since", "nonsense", 200),
        ("range", "bytes=0-9", 200),
    ];
    for (name, value, status) in rows {
        let reply = proxy.get_with(LIST, &[(name, value)]).await;
        assert_eq!(reply.status, status, "{name}: {value}");
        if status == 412 {
            assert_eq!(reply.header("content-type"), "application/problem+json");
        }
    }
    let missing = proxy.get_with("/v0/servers/a%2Fb/versions", &[("if-none-match", "*")]).await;
    assert_eq!(missing.status, 404);
    proxy.stop().await;
}

#[tokio::test]
async fn last_modified_is_when_the_page_changed_and_never_in_the_future() {
    let proxy = proxy().await;
    let settled = settled(&proxy).await;
    let modified = settled.header("last-modified");
    let again = proxy.get_with(LIST, &[("if-modified-since", modified)]).await;
    assert_eq!((again.status, again.header("last-modified")), (304, modified));

    // A publication that leaves the page as it was leaves its tag and its date, too.
    let path = proxy.directory().join("curated.json");
    let mut entries = numbered("com.example", 60);
    entries.push(Entry::new("zzz/last", "1.0.0"));
    std::fs::write(&path, list(&entries, None).to_string()).expect("writable");
    proxy.until_answered("/v0/servers/zzz%2Flast/versions/latest", 200).await;
    let after = proxy.get(LIST).await;
    assert_eq!((after.header("etag"), after.header("last-modified")), (settled.header("etag"), modified));

    // One that changes it, changes both.
    entries[0] = Entry::new("com.example/server-0000", "1.0.0").server("title", "Another");
    std::fs::write(&path, list(&entries, None).to_string()).expect("writable");
    eventually("the page had another tag", async || {
        let tag = proxy.get(LIST).await.header("etag").to_owned();
        if tag == settled.header("etag") { Err(tag) } else { Ok(()) }
    })
    .await;
    assert_eq!(proxy.get_with(LIST, &[("if-modified-since", modified)]).await.status, 200);
    proxy.stop().await;
}

#[tokio::test]
async fn a_304_has_what_the_200_has_so_that_a_cache_may_replace_the_one_by_the_other() {
    let proxy = proxy().await;
    settled(&proxy).await;
    for target in
        [LIST, "/docs", "/openapi.yaml", "/openapi.json", "/v0/servers/com.example%2Fserver-0001/versions/latest"]
    {
        let full = proxy.get(target).await;
        let again = proxy.get_with(target, &[("if-none-match", full.header("etag"))]).await;
        assert_eq!(again.status, 304, "{target}");
        for (name, value) in again.headers.iter().filter(|(name, _)| !["date", "cache-status"].contains(&name.as_str()))
        {
            assert_eq!(full.headers.get(name), Some(value), "{target}: {name}");
        }
    }
    proxy.stop().await;
}

#[tokio::test]
async fn what_accepts_nothing_that_there_is_gets_406() {
    let proxy = proxy().await;
    let reply = accepting(&proxy, LIST, "identity;q=0, deflate").await;
    assert_eq!((reply.status, reply.header("content-type")), (406, "application/problem+json"));
    assert_eq!(reply.header("vary"), "Accept-Encoding");
    let small = "/v0/servers/com.example%2Fserver-0001/versions/latest";
    assert_eq!(accepting(&proxy, small, "gzip, br, zstd").await.header("content-encoding"), "");
    assert_eq!(accepting(&proxy, small, "gzip, identity;q=0").await.header("content-encoding"), "gzip");
    assert_eq!(accepting(&proxy, "/v0/servers?limit=0", "identity;q=0").await.status, 422, "errors are never encoded");
    proxy.stop().await;
}

#[tokio::test]
async fn head_has_the_headers_of_get_in_every_coding() {
    let proxy = proxy().await;
    for coding in CODINGS {
        let get = accepting(&proxy, LIST, coding).await;
        let head = send_with(proxy.address(), Method::HEAD, LIST, &[("accept-encoding", coding)]).await;
        assert_eq!((head.status, head.text()), (200, ""));
        for name in ["content-length", "content-encoding", "content-type", "etag", "last-modified", "vary"] {
            assert_eq!(head.header(name), get.header(name), "{coding}: {name}");
        }
        let tag = get.header("etag");
        let headers = [("accept-encoding", coding), ("if-none-match", tag)];
        assert_eq!(send_with(proxy.address(), Method::HEAD, LIST, &headers).await.status, 304);
    }
    proxy.stop().await;
}

#[tokio::test]
async fn caches_are_told_how_long_and_by_what() {
    let proxy = proxy().await;
    let (first, second) = (proxy.get(LIST).await, accepting(&proxy, LIST, "gzip").await);
    let cache_control = "public, max-age=30, stale-while-revalidate=300, stale-if-error=86400";
    for reply in [&first, &second] {
        assert_eq!(reply.header("cache-control"), cache_control);
        assert_eq!(reply.header("vary"), "Accept-Encoding");
        assert_eq!(reply.header("accept-ranges"), "none");
    }
    assert_eq!(first.header("cache-status"), "mcp-registry-proxy; hit; ttl=30; detail=rendered");
    assert_eq!(second.header("cache-status"), "mcp-registry-proxy; hit; ttl=30");
    let rows = [
        ("/v0/servers/a%2Fb/versions/latest", "public, max-age=30"),
        ("/nothing/here", "public, max-age=10"),
        ("/v0/servers?limit=0", "no-store"),
        ("/v0/servers?updated_since=x", "no-store"),
        ("/v0/health", "no-store"),
        ("/registries", "no-store"),
        ("/livez", "no-store"),
    ];
    for (target, expected) in rows {
        assert_eq!(proxy.get(target).await.header("cache-control"), expected, "{target}");
    }
    // What a client says of caching changes nothing: the answer is from memory in any case.
    let reply = proxy.get_with(LIST, &[("cache-control", "no-cache, only-if-cached")]).await;
    assert_eq!((reply.status, reply.header("cache-status")), (200, "mcp-registry-proxy; hit; ttl=30"));
    proxy.stop().await;
}

#[tokio::test]
async fn max_age_is_the_administrators() {
    let settings = "[cache]\nmax_age = \"7s\"";
    let entries = list(&numbered("com.example", 1), None).to_string();
    let proxy = Setup::new().settings(settings).file("curated", entries).start_ready().await;
    assert!(proxy.get(LIST).await.header("cache-control").starts_with("public, max-age=7, "));
    assert_eq!(proxy.get("/v0/servers/a%2Fb/versions").await.header("cache-control"), "public, max-age=7");
    proxy.stop().await;
}

#[tokio::test]
async fn what_is_served_stale_says_so_and_is_kept_only_shortly() {
    let registry = FakeRegistry::start(numbered("com.example", 3)).await;
    let health = "[registries.health]\nwhen_unhealthy = \"serve-stale\"";
    let proxy =
        Setup::new().registry_with("alpha", &format!("url = {:?}\n{health}", registry.url())).start_ready().await;
    assert!(proxy.get(LIST).await.header("cache-control").starts_with("public, max-age=30, "));
    registry.always(Behaviour::status(500));
    proxy.until_state("alpha", "unhealthy").await;
    let stale = eventually("the list said that it is stale", async || {
        let reply = proxy.get(LIST).await;
        let status = reply.header("cache-status").to_owned();
        if status.ends_with("detail=stale") { Ok(reply) } else { Err(status) }
    })
    .await;
    assert!(stale.header("cache-status").starts_with("mcp-registry-proxy; hit; ttl=-"), "{:?}", stale.headers);
    assert!(stale.header("cache-control").starts_with("public, max-age=5, "), "{:?}", stale.headers);
    let culprit = "mcp-registry-proxy; error=destination_unavailable; next-hop=\"alpha\"";
    assert_eq!(stale.header("proxy-status"), culprit);
    assert_dressed("stale", &stale);
    proxy.stop().await;
}

#[tokio::test]
async fn pages_of_other_origins_may_read_answers_unless_that_is_restricted() {
    let entries = || list(&numbered("com.example", 60), None).to_string();
    let settings = "[server]\ncors_origins = [\"https://a.example\", \"https://b.example\"]";
    let proxy = Setup::new().settings(settings).file("curated", entries()).start_ready().await;
    for (target, vary) in
        [(LIST, "Accept-Encoding, Origin"), ("/registries", "Origin"), ("/v0/servers?limit=0", "Origin")]
    {
        let allowed = proxy.get_with(target, &[("origin", "https://b.example")]).await;
        assert_eq!(allowed.header("access-control-allow-origin"), "https://b.example", "{target}");
        assert_eq!(allowed.header("vary"), vary, "{target}");
        let other = proxy.get_with(target, &[("origin", "https://c.example")]).await;
        assert!(!other.headers.contains_key("access-control-allow-origin"), "{target}");
        assert_eq!(other.header("vary"), vary, "{target}");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn a_preflight_is_204_and_allows_whatever_headers_a_page_sends() {
    let proxy = proxy().await;
    let asked = [
        ("origin", "https://a.example"),
        ("access-control-request-method", "GET"),
        ("access-control-request-headers", "if-none-match, x-custom"),
    ];
    for target in [LIST, "/v0/servers/com.example%2Fa/versions", "/registries", "/nothing/here"] {
        let reply = send_with(proxy.address(), Method::OPTIONS, target, &asked).await;
        assert_eq!((reply.status, reply.text()), (204, ""), "{target}");
        assert_eq!(reply.header("access-control-allow-origin"), "*");
        assert_eq!(reply.header("access-control-allow-headers"), "if-none-match, x-custom");
        assert_eq!(reply.header("access-control-max-age"), "86400");
        assert_eq!(reply.header("allow"), "GET, HEAD, OPTIONS");
    }
    let rows = [
        ("/v0/publish", "POST, OPTIONS"),
        ("/v0/servers/com.example%2Fa/versions/latest", "GET, HEAD, PUT, DELETE, OPTIONS"),
        ("*", "GET, HEAD, OPTIONS"),
    ];
    for (target, allow) in rows {
        let plain = send(proxy.address(), Method::OPTIONS, target).await;
        assert_eq!((plain.status, plain.header("allow")), (204, allow), "{target}");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn many_clients_at_once_get_the_same_encoded_bytes() {
    let proxy = proxy().await;
    let target = "/v0/servers?limit=60";
    let mut set = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let address = proxy.address();
        set.spawn(async move { send_with(address, Method::GET, target, &[("accept-encoding", "br")]).await.body });
    }
    let bodies = set.join_all().await;
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]));
    proxy.stop().await;
}
