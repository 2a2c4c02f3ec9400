//! Answers with status 200 that are no list, or a list with something wrong in it (U17, U18, U20 to U25, U57).

use std::fmt::Write as _;

use http::Method;
use serde_json::{Value, json};

use super::{AT_ONCE, Trial, few};
use crate::support::binary::Workplace;
use crate::support::entry::{Entry, OFFICIAL, keys_of, list, numbered};
use crate::support::http::send;
use crate::support::raw::RawServer;
use crate::support::registry::{Behaviour, FakeRegistry};

/// What is listed throughout, as keys.
const ALL: [&str; 3] = ["com.faulty/server-0000@1.0.0", "com.faulty/server-0001@1.0.0", "com.faulty/server-0002@1.0.0"];

/// A list of what is there throughout, and these elements in its middle.
fn with(elements: &[String]) -> String {
    let good: Vec<String> = few().into_iter().map(|entry| entry.into_value().to_string()).collect();
    let all: Vec<&str> = good[..1].iter().chain(elements).chain(&good[1..]).map(String::as_str).collect();
    format!("{{\"servers\":[{}],\"metadata\":{{\"count\":{}}}}}", all.join(","), all.len())
}

/// An element that is whole but for one more member of `server`.
fn element(member: &str) -> String {
    format!(r#"{{"server":{{"name":"com.faulty/odd","version":"1.0.0","description":"d",{member}}}}}"#)
}

/// Each of these in place of every answer fails the test in its third stage.
async fn drops_each(documents: &[(&str, &str)]) {
    let trial = Trial::start(few(), AT_ONCE).await;
    for (document, reason) in documents {
        trial.drops(Behaviour::text(document), "format", reason).await;
    }
    trial.end().await;
}

/// Each of these elements is left out, and costs nothing else.
async fn refuses_each(elements: &[(String, &str)]) {
    let trial = Trial::start(few(), "").await;
    let documents: Vec<String> = elements.iter().map(|(element, _)| element.clone()).collect();
    let status = trial.takes(&with(&documents), &ALL, elements.len()).await;
    for ((_, expected), refused) in elements.iter().zip(status["refused"]["entries"].as_array().expect("entries")) {
        assert!(refused["reason"].as_str().is_some_and(|reason| reason.contains(expected)), "{expected}: {refused}");
    }
    trial.end().await;
}

#[tokio::test]
async fn u17_a_page_of_html() {
    let trial = Trial::start(few(), AT_ONCE).await;
    for page in ["<!DOCTYPE html><html><body>Please log in</body></html>", "\n <html></html>"] {
        trial.drops(Behaviour::Body("text/html", page.into()), "format", "an HTML page").await;
    }
    trial.end().await;
}

#[tokio::test]
async fn u18_servers_missing_or_of_another_type() {
    drops_each(&[
        ("{}", "without `servers`"),
        ("null", "a single JSON value"),
        ("5", "a single JSON value"),
        (r#"{"servers":null}"#, "`servers` that is null"),
        (r#"{"servers":{}}"#, "`servers` that is an object"),
        (r#"{"servers":"none"}"#, "`servers` that is a string"),
        (r#"{"servers":[5]}"#, "a list of something else"),
        (r#"{"servers":[],"metadata":5}"#, "`metadata` that is a number"),
        ("", "an empty document"),
    ])
    .await;
}

#[tokio::test]
async fn u20_text_that_is_not_json() {
    let list = list(&few(), None).to_string();
    let (start, end) = list.split_at(list.len() / 2);
    let documents = [format!("x{list}"), format!("{start}@{end}"), format!("{list}]"), start.to_owned()];
    drops_each(&documents.each_ref().map(|document| (document.as_str(), "not JSON"))).await;
}

#[tokio::test]
async fn u21_deep_nesting() {
    let deep = |depth: usize| element(&format!("\"x\":{}{}", "[".repeat(depth), "]".repeat(depth)));
    let reasons = [(100, "deeper than 64 levels"), (127, "recursion"), (129, "recursion"), (100_000, "recursion")];
    refuses_each(&reasons.map(|(depth, reason)| (deep(depth), reason))).await;
    let trial = Trial::start(few(), "").await;
    trial.takes(&with(&[deep(50)]), &[&["com.faulty/odd@1.0.0"], &ALL[..]].concat(), 0).await;
    let document = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    trial.drops(Behaviour::text(&document), "format", "a list of something else").await;
    trial.end().await;
}

#[tokio::test]
async fn u22_bytes_that_are_not_utf_8() {
    let trial = Trial::start(few(), AT_ONCE).await;
    let document = with(&[element("\"title\":\"@\"")]).replace('@', "\u{0}").into_bytes();
    let broken: Vec<u8> = document.iter().map(|byte| if *byte == 0 { 0xff } else { *byte }).collect();
    trial.drops(Behaviour::Body("application/json", broken.into()), "format", "not UTF-8").await;
    trial.drops(Behaviour::Body("application/json", document.into()), "format", "not JSON").await;
    trial.end().await;
}

#[tokio::test]
async fn u22_lone_surrogates() {
    refuses_each(&[(element(r#""title":"\ud800""#), "hex escape"), (element(r#""title":"\udc00x""#), "hex escape")])
        .await;
}

#[tokio::test]
async fn u22_byte_order_mark_and_escaped_nul() {
    let trial = Trial::start(few(), "").await;
    let document = format!("\u{feff}{}", with(&[element(r#""title":"a\u0000b""#)]));
    trial.takes(&document, &[&["com.faulty/odd@1.0.0"], &ALL[..]].concat(), 0).await;
    trial.end().await;
}

#[tokio::test]
async fn u23_duplicate_keys() {
    drops_each(&[(r#"{"servers":[],"servers":[{}]}"#, "duplicate key `servers`")]).await;
    let server = r#"{"name":"com.faulty/odd","version":"1","description":"d"}"#;
    refuses_each(&[
        (element(r#""name":"com.faulty/twice""#), "duplicate key `name`"),
        (format!(r#"{{"server":{server},"server":{server}}}"#), "duplicate key `server`"),
        (format!(r#"{{"server":{server},"_meta":{{"x":1,"x":2}}}}"#), "duplicate key `x`"),
    ])
    .await;
}

#[tokio::test]
async fn u24_numbers_at_the_edge() {
    refuses_each(&[(element(r#""x":1e400"#), "number")]).await;
    let trial = Trial::start(few(), "").await;
    let odd = element(r#""x":[-0,18446744073709551616,1.0,1E-400,-9223372036854775809]"#);
    trial.takes(&with(&[odd]), &[&["com.faulty/odd@1.0.0"], &ALL[..]].concat(), 0).await;
    trial.end().await;
}

#[tokio::test]
async fn u25_one_bad_entry_among_a_hundred() {
    let entries = numbered("com.faulty", 99);
    let trial = Trial::start(entries.clone(), "").await;
    let mut elements: Vec<Value> = entries.iter().cloned().map(Entry::into_value).collect();
    elements.insert(50, json!({ "server": { "name": "com.faulty/odd" } }));
    let keys = keys_of(&entries);
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    trial.takes(&json!({ "servers": elements }).to_string(), &keys, 1).await;
    trial.end().await;
}

/// Names that would do something in a terminal, a page or a header.
fn hostile() -> [&'static str; 3] {
    ["com.faulty/\u{1b}[31mred", "com.faulty/<script>alert(1)</script>", "com.faulty/a\r\nSet-Cookie: x=1"]
}

#[tokio::test]
async fn u57_hostile_texts() {
    let trial = Trial::start(few(), "").await;
    let entries: Vec<Entry> = hostile().iter().map(|name| Entry::new(name, "1.0.0")).chain(few()).collect();
    trial.list(entries);
    trial.until_healthy().await;
    for name in ["%1B%5B31mred", "%3Cscript%3Ealert(1)%3C%2Fscript%3E", "a%0D%0ASet-Cookie%3A%20x%3D1"] {
        let reply = trial.proxy.get(&format!("/v0.1/servers/com.faulty%2F{name}/versions/latest")).await;
        assert_eq!(reply.status, 200, "{name}: {}", reply.text());
        assert!(!reply.text().contains('\u{1b}') && !reply.text().contains('\r'), "{}", reply.text());
        assert_eq!(reply.header("content-type"), "application/json");
        assert!(reply.headers.get("set-cookie").is_none(), "{:?}", reply.headers);
    }
    trial.list(few());
    trial.end().await;
}

/// What a registry sends in place of an answer gets into the log, if at all, as text.
#[tokio::test]
async fn u57_hostile_texts_in_the_log() {
    let nasty = "\u{1b}[2J\u{7}\r\n{\"level\":\"ERROR\",\"forged\":true}";
    let member = json!({ nasty: 1, "error": nasty }).to_string();
    let refused = json!({ "servers": [
        Entry::new("com.faulty/a", "1.0.0").into_value(),
        { "server": { "name": nasty, "version": nasty } },
        { "server": { "name": "a/b", "version": "1", "description": "d" }, "_meta": { OFFICIAL: { "status": 5, nasty: 5 } } },
    ] });
    let registries = [FakeRegistry::start(few()).await, FakeRegistry::start(few()).await];
    registries[0].always(Behaviour::text(&member));
    registries[1].always(Behaviour::text(&refused.to_string()));
    let raw = RawServer::start(format!("HTTP/1.1 500 {nasty}\r\n\r\n")).await;
    let workplace = Workplace::new();
    let mut configuration =
        "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"off\"\n[network]\nproxy = \"off\"\n\
         [log]\nformat = \"json\"\n[store]\npath = \"off\"\n[health]\ninterval = \"50ms\"\n"
            .to_owned();
    for (name, url) in [("a", registries[0].url()), ("b", registries[1].url()), ("c", raw.url())] {
        let _ = write!(configuration, "[[registries]]\nname = {name:?}\nurl = {url:?}\n");
    }
    workplace.write("proxy.toml", configuration);
    let serving = workplace.serve(&["--config", "proxy.toml"]).await;
    crate::support::eventually("all were asked", async || {
        let reply = send(serving.address, Method::GET, "/readyz").await;
        crate::support::check(reply.status == 200, reply.status)
    })
    .await;
    serving.until_logged("\"registry\":\"a\"").await;
    for line in serving.log().lines() {
        assert!(!line.contains(['\u{1b}', '\u{7}', '\r']), "{line}");
        let line: Value = serde_json::from_str(line).expect("every line is one of ours");
        assert!(line.get("forged").is_none(), "{line}");
    }
    for target in ["/registries", "/registries/a", "/registries/b", "/registries/c", "/v0.1/servers"] {
        let reply = send(serving.address, Method::GET, target).await;
        assert!(!reply.text().contains(['\u{1b}', '\u{7}', '\r']), "{target}: {}", reply.text());
    }
}
