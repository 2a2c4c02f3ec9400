//! What is under way at a registry: tests as they run, walks in progress, what comes next, and what came before.

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::entry::numbered;
use crate::support::http::{send, send_with};
use crate::support::proxy::{Proxy, Setup};
use crate::support::raw::nobody;
use crate::support::registry::{Behaviour, FakeRegistry, Seen};
use crate::support::stream::connect;
use crate::support::{PATIENCE, check, eventually};

/// No tests and no walks but those that are asked for, once the first ones are over.
const SELDOM: &str = "[admin]\nlisten = \"127.0.0.1:0\"\n[refresh]\ninterval = \"1h\"\n[health]\ninterval = \"1h\"";
/// The same, where a test has not long. It follows [`SELDOM`], whose last section is `[health]`.
const SHORT: &str = "timeout = \"300ms\"";

/// A test of a registry that is told as it runs.
struct Test {
    stream: TcpStream,
    read: String,
}

impl Test {
    async fn begin(proxy: &Proxy, name: &str) -> Self {
        let mut stream = connect(proxy.admin()).await;
        let request = format!(
            "POST /registries/{name}/test HTTP/1.1\r\nHost: localhost\r\nAccept: application/x-ndjson\r\n\
             Connection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("it reads");
        Self { stream, read: String::new() }
    }

    /// Waits for so many lines, and reads them.
    async fn lines(&mut self, count: usize) -> Vec<Value> {
        while self.told().len() < count {
            let mut buffer = vec![0; 4096];
            let read = timeout(PATIENCE, self.stream.read(&mut buffer)).await.expect("more in time");
            let read = read.expect("a good connection");
            assert_ne!(read, 0, "it ended early: {}", self.read);
            self.read.push_str(std::str::from_utf8(&buffer[..read]).expect("text"));
        }
        self.told()
    }

    fn told(&self) -> Vec<Value> {
        let lines = self.read.lines().filter(|line| line.starts_with('{'));
        lines.filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    async fn rest(mut self) -> Vec<Value> {
        let end = timeout(PATIENCE, self.stream.read_to_string(&mut self.read)).await.expect("an end in time");
        end.expect("a good end");
        assert!(self.read.starts_with("HTTP/1.1 200 OK\r\n"), "{}", self.read);
        assert!(self.read.contains("content-type: application/x-ndjson\r\n"), "{}", self.read);
        self.told()
    }
}

/// What a line says of its stage.
fn stage(line: &Value) -> (&str, &str, Option<bool>) {
    let text = |key: &str| line[key].as_str().unwrap_or_default();
    (text("event"), text("stage"), line["ok"].as_bool())
}

#[tokio::test]
async fn a_registry_that_hangs_shows_its_network_before_its_time_is_over() {
    let alpha = FakeRegistry::start(numbered("com.alpha", 1)).await;
    let setup = Setup::new().settings(SELDOM).settings(SHORT);
    let proxy = setup.registry("alpha", &alpha.url()).start_ready().await;
    alpha.when(Seen::is_probe, Behaviour::Hold);
    let mut test = Test::begin(&proxy, "alpha").await;
    let lines = test.lines(2).await;
    assert_eq!((stage(&lines[0]).0, &lines[0]["url"]), ("attempt", &json!(alpha.url())));
    assert_eq!(stage(&lines[1]), ("stage", "network", Some(true)));
    alpha.until_held().await;
    // Nobody lets it go: its time is over some time.
    let lines = test.rest().await;
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert_eq!(stage(&lines[2]), ("stage", "response", Some(false)));
    assert_eq!(lines[2]["reason"], "no complete answer within 0.3 s");
    assert_eq!(stage(&lines[3]), ("result", "", Some(false)));
    assert_eq!(lines[3]["stages"][2], json!({"stage": "format", "ok": null}));
    let last = proxy.registry("alpha").await["lastCheck"].clone();
    assert_eq!((&last["at"], &last["stages"]), (&lines[3]["at"], &lines[3]["stages"]), "it is a test like any other");
    proxy.stop().await;
}

#[tokio::test]
async fn stages_are_told_one_by_one() {
    let alpha = FakeRegistry::start(numbered("com.alpha", 1)).await;
    let gone = nobody().await;
    let setup = Setup::new().settings(SELDOM).registry("alpha", &alpha.base()).registry("gone", &gone);
    let proxy = setup.file("file", r#"{"servers":[]}"#).start_ready().await;
    alpha.when(Seen::is_probe, Behaviour::Hold);
    let mut test = Test::begin(&proxy, "alpha").await;
    test.lines(2).await;
    alpha.let_go().await;
    let lines = test.rest().await;
    let stages: Vec<_> = lines.iter().map(stage).collect();
    let passed = ["network", "response", "format"].map(|name| ("stage", name, Some(true)));
    assert_eq!(stages[1..4], passed, "{lines:?}");
    assert_eq!((stages[4], &lines[4]["name"]), (("result", "", Some(true)), &json!("alpha")));

    // At v0.1 there is nothing, and so the test goes on at v0.
    alpha.when(|seen| seen.path == "/v0.1/servers", Behaviour::status(404));
    let lines = Test::begin(&proxy, "alpha").await.rest().await;
    let stages: Vec<_> = lines.iter().map(stage).collect();
    assert_eq!(stages[2..4], [("stage", "response", Some(false)), ("attempt", "", None)], "{lines:?}");
    assert_eq!(
        (lines[3]["url"].clone(), &lines[7]["ok"]),
        (json!(format!("{}/v0/servers", alpha.base())), &json!(true))
    );

    let lines = Test::begin(&proxy, "gone").await.rest().await;
    assert_eq!(lines.iter().map(stage).nth(1), Some(("stage", "network", Some(false))), "{lines:?}");
    assert_eq!(lines.len(), 3, "{lines:?}");
    let lines = Test::begin(&proxy, "file").await.rest().await;
    assert_eq!(lines.iter().map(stage).collect::<Vec<_>>()[1..4], passed, "{lines:?}");
    assert_eq!(lines[0]["url"], "file:file.json");
    proxy.stop().await;
}

/// Whoever goes away keeps the registry from nobody for longer than a test may take.
#[tokio::test]
async fn a_test_that_nobody_listens_to_ends() {
    let alpha = FakeRegistry::start(numbered("com.alpha", 1)).await;
    let proxy = Setup::new().settings(SELDOM).settings(SHORT).registry("alpha", &alpha.url()).start_ready().await;
    alpha.when(Seen::is_probe, Behaviour::Hold);
    let mut test = Test::begin(&proxy, "alpha").await;
    test.lines(2).await;
    alpha.until_held().await;
    drop(test);
    alpha.behave();
    eventually("another test passes", async || {
        let again = send(proxy.admin(), Method::POST, "/registries/alpha/test").await.json();
        check(again["ok"] == true, again)
    })
    .await;
    proxy.stop().await;
}

#[tokio::test]
async fn a_form_that_was_sent_leads_to_the_page_of_the_registry() {
    let alpha = FakeRegistry::start(numbered("com.alpha", 1)).await;
    let proxy = Setup::new().settings(SELDOM).registry("alpha", &alpha.url()).start_ready().await;
    let origin = format!("http://{}", proxy.admin());
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for action in ["test", "refresh", "refresh?accept=true"] {
        let target = format!("/registries/alpha/{action}");
        let with = [("accept", browser), ("origin", &*origin), ("content-type", "application/x-www-form-urlencoded")];
        let reply = send_with(proxy.admin(), Method::POST, &target, &with).await;
        assert_eq!((reply.status, reply.header("location")), (303, "../../dashboard/registries/alpha"), "{target}");
        assert_eq!((reply.header("vary"), reply.header("cache-control")), ("Accept", "no-store"), "{target}");
    }
    let gone = send_with(proxy.admin(), Method::POST, "/registries/gone/test", &[("accept", browser)]).await;
    assert_eq!(gone.status, 404);
    proxy.stop().await;
}

#[tokio::test]
async fn a_walk_shows_how_far_it_has_come() {
    let alpha = FakeRegistry::start(numbered("com.alpha", 250)).await;
    let proxy = Setup::new().settings(SELDOM).registry("alpha", &alpha.url()).start_ready().await;
    let idle = proxy.until("alpha", "the list is there", |status| status["counts"]["versions"] == 250).await;
    let syncs = &idle["syncs"];
    assert_eq!((&syncs["full"], &syncs["changes"], &syncs["requested"]), (&Value::Null, &Value::Null, &json!(false)));

    alpha.when(Seen::has_cursor, Behaviour::Hold);
    let asked = send(proxy.admin(), Method::POST, "/registries/alpha/refresh").await;
    assert_eq!(asked.status, 202);
    alpha.until_held().await;
    let walking = |pages: u64| move |status: &Value| status["syncs"]["full"]["pages"] == pages;
    let status = proxy.until("alpha", "it has its first page", walking(1)).await;
    let full = &status["syncs"]["full"];
    assert_eq!((&full["versions"], &full["expectedVersions"]), (&json!(100), &json!(250)), "{status}");
    assert_eq!((&full["resting"], &status["syncs"]["nextFullAt"]), (&json!(false), &Value::Null), "{status}");
    // One that comes while another one is on its way waits for it.
    send(proxy.admin(), Method::POST, "/registries/alpha/refresh").await;
    alpha.release().await;
    let status = proxy.until("alpha", "it has its second page", walking(2)).await;
    assert_eq!(status["syncs"]["full"]["versions"], 200, "{status}");
    proxy.until("alpha", "the next one waits", |status| status["syncs"]["requested"] == true).await;
    alpha.let_go().await;
    let over = |status: &Value| status["syncs"]["full"].is_null() && status["syncs"]["requested"] == false;
    let status = proxy.until("alpha", "both are over", over).await;
    assert!(idle["lastSync"]["finishedAt"].as_str() < status["lastSync"]["finishedAt"].as_str(), "{status}");
    proxy.stop().await;
}

#[tokio::test]
async fn what_came_before_and_what_comes_next_is_shown() {
    let alpha = FakeRegistry::start(numbered("com.alpha", 3)).await;
    let setup = Setup::new().settings(SELDOM).registry("alpha", &alpha.url()).file("file", r#"{"servers":[]}"#);
    let proxy = setup.start_ready().await;
    let in_seconds = |status: &Value, at: &Value| {
        let at: Timestamp = at.as_str().unwrap_or_default().parse().unwrap_or_else(|_| panic!("no time: {status}"));
        at.duration_since(Timestamp::now()).as_secs()
    };
    let status =
        proxy.until("alpha", "the next walks are planned", |status| status["syncs"]["nextChangesAt"].is_string()).await;
    assert!((3_000..=3_960).contains(&in_seconds(&status, &status["syncs"]["nextChangesAt"])), "{status}");
    assert!((19_000..=28_000).contains(&in_seconds(&status, &status["syncs"]["nextFullAt"])), "{status}");
    assert!((3_500..=3_600).contains(&in_seconds(&status, &status["nextCheckAt"])), "{status}");
    assert_eq!(status["checks"].as_array().map(Vec::len), Some(1), "{status}");

    alpha.always(Behaviour::status(500));
    let test = Test::begin(&proxy, "alpha").await;
    test.rest().await;
    let status = proxy.registry("alpha").await;
    let checks = status["checks"].as_array().expect("the last tests");
    let told: Vec<_> = checks.iter().map(|check| (&check["ok"], &check["failed"])).collect();
    assert_eq!(told, [(&json!(true), &Value::Null), (&json!(false), &json!("response"))]);
    assert!(checks.iter().all(|check| check["durationMs"].as_f64().is_some_and(|duration| 0.0 < duration)), "{status}");
    let listed = &proxy.json("/registries").await["registries"];
    assert_eq!(listed[0]["checks"], Value::Null, "only where one registry was asked for");
    assert_eq!((&listed[1]["syncs"], &listed[1]["nextCheckAt"]), (&Value::Null, &Value::Null), "a file has no walks");
    proxy.stop().await;
}

/// While a registry is not asked for pages, nothing is due.
#[tokio::test]
async fn a_walk_that_waits_for_its_registry_says_so() {
    let alpha = FakeRegistry::start(numbered("com.alpha", 250)).await;
    let settings = "[admin]\nlisten = \"127.0.0.1:0\"\n[health]\nunhealthy_after = 1\nhealthy_after = 1";
    let proxy = Setup::new().settings(settings).registry("alpha", &alpha.url()).start_ready().await;
    alpha.when(Seen::has_cursor, Behaviour::status(503));
    send(proxy.admin(), Method::POST, "/registries/alpha/refresh").await;
    let in_trouble = |status: &Value| status["syncs"]["full"]["error"].is_string();
    proxy.until("alpha", "a page failed", in_trouble).await;
    alpha.always(Behaviour::status(500));
    let rests = |status: &Value| status["syncs"]["full"]["resting"] == true;
    let status = proxy.until("alpha", "the walk rests", rests).await;
    assert_eq!((&status["state"], &status["syncs"]["nextChangesAt"]), (&json!("unhealthy"), &Value::Null), "{status}");
    proxy.stop().await;
}

/// The one that was asked for it is gone by the end of it.
#[tokio::test]
async fn a_test_counts_for_the_registry_that_has_taken_the_place_of_the_tested_one() {
    let alpha = FakeRegistry::start(numbered("com.alpha", 1)).await;
    let with =
        |keys: &str| Setup::new().settings(SELDOM).registry_with("alpha", &format!("url = {:?}\n{keys}", alpha.url()));
    let proxy = with("").start_ready().await;
    alpha.next_when(1, Seen::is_probe, Behaviour::Hold);
    let mut test = Test::begin(&proxy, "alpha").await;
    test.lines(2).await;
    alpha.until_held().await;
    let before = proxy.registry("alpha").await["lastCheck"]["at"].clone();
    // With other settings it is another registry, which takes over from the one before, and is tested by itself first.
    proxy.reconfigure(with("exclude = [\"com.alpha/*\"]"));
    let is_tested = |status: &Value| status["counts"]["filtered"] == 1 && status["lastCheck"]["at"] != before;
    proxy.until("alpha", "its names are left out, and it is tested", is_tested).await;
    alpha.let_go().await;
    let lines = test.rest().await;
    let result = lines.last().expect("a result");
    assert_eq!(stage(result), ("result", "", Some(true)), "{lines:?}");
    let last = proxy.registry("alpha").await["lastCheck"].clone();
    assert_eq!(last["at"], result["at"], "it counts");
    proxy.stop().await;
}
