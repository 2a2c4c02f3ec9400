//! The headers that answers have: each kind its own, no more and no less.

use std::collections::BTreeSet;

use super::http::Reply;

/// What every answer has.
const COMMON: &str = "access-control-allow-headers access-control-allow-methods access-control-allow-origin \
     access-control-expose-headers content-security-policy cross-origin-resource-policy date \
     mcp-registry-proxy referrer-policy x-content-type-options";

/// What an answer has besides, by what it is.
fn special(reply: &Reply) -> &'static str {
    match (reply.status, reply.headers.contains_key("etag")) {
        (200, true) if reply.headers.contains_key("content-encoding") => {
            "accept-ranges cache-control cache-status content-encoding content-length content-type etag \
             last-modified vary"
        }
        (200, true) => "accept-ranges cache-control cache-status content-length content-type etag last-modified vary",
        (204, _) => "access-control-max-age allow vary",
        (304, _) => "cache-control cache-status etag last-modified vary",
        (406, _) => "cache-control content-length content-type vary x-request-id",
        (405, _) => "allow cache-control content-length content-type x-request-id",
        (503, _) => "cache-control content-length content-type retry-after x-request-id",
        (400.., _) => "cache-control content-length content-type x-request-id",
        _ => "cache-control content-length content-type",
    }
}

/// Checks that an answer has the headers of its kind, with the values that are the same for all.
#[track_caller]
pub(crate) fn assert_dressed(what: &str, reply: &Reply) {
    let expected: BTreeSet<&str> = COMMON.split_whitespace().chain(special(reply).split_whitespace()).collect();
    let mut found: BTreeSet<&str> = reply.headers.keys().map(http::HeaderName::as_str).collect();
    // Where a registry is not usable, or served stale, answers out of the catalog say which.
    if matches!(reply.status, 200 | 304) && found.remove("proxy-status") {
        assert!(reply.header("proxy-status").starts_with("mcp-registry-proxy; error="), "{what}");
    }
    assert_eq!(found, expected, "{what}: {}", reply.status);
    // Each has a place before it has a value.
    let empty: Vec<_> = reply.headers.iter().filter(|(_, value)| value.is_empty()).collect();
    assert!(empty.is_empty(), "{what}: {empty:?}");
    let values = [
        ("access-control-allow-origin", "*"),
        ("access-control-allow-methods", "GET, OPTIONS"),
        ("x-content-type-options", "nosniff"),
    ];
    for (name, value) in values {
        assert_eq!(reply.header(name), value, "{what}: {name}");
    }
    assert!(reply.header("content-security-policy").starts_with("default-src 'none'"), "{what}");
}
