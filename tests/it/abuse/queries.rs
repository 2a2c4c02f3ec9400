//! Targets and queries that nobody meant: always an answer, never a failure of ours.

use std::fmt::Write as _;

use crate::support::entry::list;
use crate::support::entry::numbered;
use crate::support::proxy::{Proxy, Setup};
use crate::support::stream::exchange;

/// How many requests are written before the answers are read.
const AT_A_TIME: usize = 100;

async fn proxy() -> Proxy {
    Setup::new().file("curated", list(&numbered("com.example", 50), None).to_string()).start_ready().await
}

/// Asks for each target over few connections; returns the statuses.
async fn statuses(proxy: &Proxy, targets: &[String]) -> Vec<u16> {
    let mut statuses = Vec::new();
    for targets in targets.chunks(AT_A_TIME) {
        let mut requests = String::new();
        for (number, target) in targets.iter().enumerate() {
            let last = if number + 1 == targets.len() { "Connection: close\r\n" } else { "" };
            let _ = write!(requests, "GET {target} HTTP/1.1\r\nHost: a\r\n{last}\r\n");
        }
        let answers = exchange(proxy.address(), requests).await;
        let found = answers.split("HTTP/1.1 ").skip(1).filter_map(|rest| rest.get(..3)?.parse::<u16>().ok());
        statuses.extend(found);
    }
    assert_eq!(statuses.len(), targets.len(), "each was answered");
    statuses
}

#[tokio::test]
async fn c08_encodings_that_are_none() {
    let proxy = proxy().await;
    let broken =
        ["%", "%2", "%GG", "%00", "%c0%af", "%e0%80%af", "%252F", "%25", "..%2f..", "%2e%2e/", "%ff%fe", "%u002f"];
    let mut targets = Vec::new();
    for text in broken {
        for root in ["/v0", "/v0.1", ""] {
            targets.push(format!("{root}/servers/{text}"));
            targets.push(format!("{root}/servers/{text}/versions"));
            targets.push(format!("{root}/servers/com.example%2Fserver-0001/versions/{text}"));
            targets.push(format!("{root}/servers?search={text}&cursor={text}&limit={text}&version={text}"));
            targets.push(format!("{root}/servers?{text}={text}&{text}"));
        }
        targets.push(format!("/{text}"));
        targets.push(format!("/registries/{text}"));
    }
    for (target, status) in targets.iter().zip(statuses(&proxy, &targets).await) {
        assert!(matches!(status, 200 | 400 | 404 | 422), "{target}: {status}");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn c09_names_of_any_kind() {
    let proxy = proxy().await;
    let unicode = "%F0%9F%A6%80%2F%C3%A9";
    let (long, segments) = ("x".repeat(1_000), "x/".repeat(500));
    for name in [unicode, "%E2%80%AE%2Fx", &long, &segments, "a%2Fb%2Fc%2Fd", "%2F", "%20", "com.example%2F%2E%2E"] {
        let target = format!("/v0.1/servers/{name}/versions/latest");
        assert_eq!(proxy.get(&target).await.status, 404, "{target}");
    }
    assert_eq!(proxy.get("/v0.1/servers/com.example%2Fserver-0001/versions/latest").await.status, 200);
    proxy.stop().await;
}

#[tokio::test]
async fn c18_every_flipped_bit_of_a_cursor() {
    let proxy = proxy().await;
    let first = proxy.json("/v0.1/servers?limit=3&search=server").await;
    let cursor = first["metadata"]["nextCursor"].as_str().expect("a cursor").to_owned();
    let mut targets = Vec::new();
    for position in 0..cursor.len() {
        for bit in 0..8 {
            let mut flipped = String::from("/v0.1/servers?cursor=");
            for (at, byte) in cursor.bytes().enumerate() {
                let byte = if at == position { byte ^ 1 << bit } else { byte };
                let _ = write!(flipped, "%{byte:02X}");
            }
            targets.push(flipped);
        }
    }
    let wrong: Vec<_> =
        targets.iter().zip(statuses(&proxy, &targets).await).filter(|(_, status)| *status != 400).collect();
    assert!(wrong.is_empty(), "of {}: {wrong:?}", targets.len());
    assert_eq!(proxy.get(&format!("/v0.1/servers?cursor={cursor}")).await.status, 200);
    proxy.stop().await;
}

#[tokio::test]
async fn c18_parameters_in_masses_and_twice() {
    let proxy = proxy().await;
    let many = "a=1&".repeat(2_000);
    for (query, expected) in [
        (many.as_str(), 200),
        (&"&".repeat(8_000), 200),
        (&"limit=1&".repeat(1_000), 200),
        (&"search=x&".repeat(900), 200),
        ("limit=1000000000", 422),
        ("limit=99999999999999999999999999", 422),
        ("limit=%31", 200),
        ("limit=1&limit=0", 200),
        ("limit[]=0&limit%5B%5D=0", 200),
        ("LIMIT=0", 200),
        ("cursor=&cursor=x", 200),
        ("updated_since=9999999-01-01T00:00:00Z", 400),
        ("version=latest&version=1.0.0", 200),
    ] {
        let reply = proxy.get(&format!("/v0.1/servers?{query}")).await;
        assert_eq!(reply.status, expected, "{query:.80}: {}", reply.text());
    }
    proxy.stop().await;
}

#[tokio::test]
async fn c19_searches_of_any_kind() {
    let proxy = proxy().await;
    let most = "%C4%B0".repeat(256);
    for (text, expected) in [
        ("", 200),
        ("s", 200),
        (".*(%5B%5C", 200),
        ("(a%2B)%2B$", 200),
        ("%25_'%22;--", 200),
        ("%C4%B0", 200),
        ("%C3%9F", 200),
        ("%F0%9F%A6%80", 200),
        ("%00", 400),
        (most.as_str(), 200),
        (&"x".repeat(256), 200),
        (&"x".repeat(257), 422),
    ] {
        let reply = proxy.get(&format!("/v0.1/servers?search={text}")).await;
        assert_eq!(reply.status, expected, "{text}: {}", reply.text());
    }
    for text in ["SERVER-0001", "server-0001", "%73erver-0001"] {
        assert_eq!(proxy.json(&format!("/v0.1/servers?search={text}")).await["metadata"]["count"], 1, "{text}");
    }
    proxy.stop().await;
}
