//! `/changes`: who follows it has what the list has, whatever the registries do, over restarts too, and in every form.

use std::collections::BTreeMap;
use std::path::Path;

use http::Method;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Duration, Instant, timeout};

use crate::support::entry::{Entry, key, keys_of, numbered};
use crate::support::http::send;
use crate::support::http2::{Client, request};
use crate::support::proxy::{Proxy, Setup};
use crate::support::registry::{Behaviour, FakeRegistry};
use crate::support::stream::connect;
use crate::support::{PATIENCE, check, eventually};

/// Whatever a registry does shows soon.
const EAGER: &str = "[refresh]\ninterval = \"100ms\"\nfull_interval = \"100ms\"";

/// A client that keeps the list by following the feed.
#[derive(Default)]
struct Follower {
    cursor: Option<String>,
    has: BTreeMap<String, Value>,
    /// What it was told.
    words: Vec<String>,
}

/// What the list has, by name and version.
async fn listed(proxy: &Proxy) -> BTreeMap<String, Value> {
    proxy.walk("include_deleted=true", 100).await.into_iter().map(|entry| (key(&entry), entry)).collect()
}

impl Follower {
    /// One that has the list as it is now.
    async fn new(proxy: &Proxy) -> Self {
        let cursor = next_cursor(&proxy.json("/changes").await);
        Self { cursor: Some(cursor), has: listed(proxy).await, words: Vec::new() }
    }

    /// Takes whatever there is to take.
    async fn follow(&mut self, proxy: &Proxy) {
        loop {
            let since = self.cursor.as_deref().expect("it has begun");
            let page = proxy.json(&format!("/changes?limit=2&since={since}")).await;
            let changes = page["changes"].as_array().expect("an array");
            assert_eq!(page["metadata"]["count"], changes.len());
            for change in changes {
                self.apply(proxy, change).await;
            }
            self.cursor = Some(next_cursor(&page));
            if changes.is_empty() {
                return;
            }
        }
    }

    async fn apply(&mut self, proxy: &Proxy, change: &Value) {
        let text = |field: &str| change[field].as_str().unwrap_or_default();
        let (event, name, version) = (text("event"), text("name"), text("version"));
        self.words.push(format!("{event} {name} {version}").trim().to_owned());
        if event == "reset" {
            self.has = listed(proxy).await;
            return;
        }
        let path = format!("/v0.1/servers/{}/versions/{version}?include_deleted=true", name.replace('/', "%2F"));
        let reply = proxy.get(&path).await;
        let key = format!("{name}@{version}");
        match reply.status {
            200 => drop(self.has.insert(key, reply.json())),
            404 => drop(self.has.remove(&key)),
            status => panic!("{path} was answered with {status}: {}", reply.text()),
        }
    }

    /// Follows until it was told something, and then has what the list has.
    async fn until_told(&mut self, proxy: &Proxy, word: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.words.iter().any(|told| told == word) {
            assert!(Instant::now() < deadline, "it was never told of {word}: {:?}", self.words);
            self.follow(proxy).await;
        }
        self.follow(proxy).await;
        assert_eq!(self.has, listed(proxy).await, "after {:?}", self.words);
    }
}

fn next_cursor(page: &Value) -> String {
    page["metadata"]["nextCursor"].as_str().unwrap_or_else(|| panic!("no cursor: {page}")).to_owned()
}

fn entry(name: &str, version: &str) -> Entry {
    Entry::new(&format!("com.example/{name}"), version)
}

#[tokio::test]
async fn who_follows_has_what_the_list_has() {
    let fake = FakeRegistry::start(vec![entry("a", "1.0.0"), entry("b", "1.0.0")]).await;
    let proxy = Setup::new().settings(EAGER).registry("alpha", &fake.url()).start_ready().await;
    let mut follower = Follower::new(&proxy).await;
    let newest = proxy.json("/changes").await;
    let first = &newest["changes"].as_array().expect("an array").last().expect("the first catalog")["event"];
    assert_eq!(first, "reset");
    for (entries, word) in [
        (vec![entry("a", "1.0.0"), entry("b", "1.0.0"), entry("c", "1.0.0")], "added com.example/c 1.0.0"),
        (vec![entry("a", "1.0.0").server("title", "A"), entry("c", "1.0.0")], "changed com.example/a 1.0.0"),
        (vec![entry("a", "1.0.0"), entry("a", "2.0.0")], "latest-moved com.example/a 2.0.0"),
        (vec![entry("a", "2.0.0").official("status", "deprecated")], "deprecated com.example/a 2.0.0"),
        (vec![entry("a", "2.0.0").deleted(), entry("b", "1.0.0")], "deleted com.example/a 2.0.0"),
        (vec![entry("b", "1.0.0")], "removed com.example/a 2.0.0"),
    ] {
        fake.set_entries(entries);
        follower.until_told(&proxy, word).await;
    }
    let page = proxy.json("/changes?name=com.example%2Fa&limit=100").await;
    let changes = page["changes"].as_array().expect("an array");
    let is_of_a = |change: &Value| change["name"] == "com.example/a" || change["event"] == "reset";
    assert!(changes.len() > 5 && changes.iter().all(is_of_a), "{page}");
    let titled = changes.iter().find(|change| change["event"] == "changed").expect("one");
    assert_eq!((&titled["fields"][0], &titled["registry"]), (&"/server/title".into(), &"alpha".into()), "{titled}");
    let nobody = proxy.json("/changes?registry=nobody").await;
    assert!(nobody["changes"].as_array().is_some_and(|all| all.iter().all(|one| one["event"] == "reset")), "{nobody}");
    // Much at once is one event.
    fake.set_entries(numbered("com.example", 1_001));
    follower.until_told(&proxy, "reset").await;
    proxy.stop().await;
}

fn with_store(store: &TempDir) -> Setup {
    Setup::new().settings(EAGER).settings(&format!("[store]\npath = '{}'", store.path().display()))
}

/// Waits until the feed has nothing to wait for, so that what happens from now on is told.
async fn until_settled(proxy: &Proxy, file: &Path) {
    proxy.until_ready().await;
    let _ = std::fs::remove_file(file);
    eventually("the feed was kept", async || check(file.exists(), file)).await;
}

#[tokio::test]
async fn a_restart_goes_unnoticed_unless_something_was_lost() {
    let store = tempfile::tempdir().expect("a temporary directory");
    let file = store.path().join("listings/changes");
    let fake = FakeRegistry::start(vec![entry("a", "1.0.0")]).await;
    let setup = || with_store(&store).registry("alpha", &fake.url());
    let proxy = setup().start_ready().await;
    let mut follower = Follower::new(&proxy).await;
    fake.set_entries(vec![entry("a", "1.0.0"), entry("b", "1.0.0")]);
    follower.until_told(&proxy, "added com.example/b 1.0.0").await;
    let revision = newest_revision(&proxy).await;
    proxy.stop().await;
    let kept = std::fs::read(&file).expect("the feed was kept");

    // The registry says nothing yet; then it lists one more.
    fake.always(Behaviour::Hold);
    let proxy = setup().start().await;
    until_settled(&proxy, &file).await;
    follower.words.clear();
    follower.follow(&proxy).await;
    assert_eq!((&follower.words, &follower.has), (&Vec::new(), &listed(&proxy).await));
    fake.set_entries(vec![entry("a", "1.0.0"), entry("b", "1.0.0"), entry("c", "1.0.0")]);
    fake.let_go().await;
    follower.until_told(&proxy, "added com.example/c 1.0.0").await;
    assert_eq!(follower.words, ["added com.example/c 1.0.0"]);
    assert!(revision < newest_revision(&proxy).await);
    proxy.stop().await;

    // As after a crash: what the store has of the feed is older than what was said.
    std::fs::write(&file, kept).expect("a writable directory");
    let proxy = setup().start_ready().await;
    follower.words.clear();
    follower.until_told(&proxy, "reset").await;
    fake.set_entries(vec![entry("a", "1.0.0")]);
    follower.until_told(&proxy, "removed com.example/c 1.0.0").await;
    proxy.stop().await;

    // What cannot be read is as good as lost.
    std::fs::write(&file, "broken").expect("a writable directory");
    let proxy = setup().start_ready().await;
    follower.words.clear();
    follower.until_told(&proxy, "reset").await;
    proxy.stop().await;
}

async fn newest_revision(proxy: &Proxy) -> u64 {
    let page = proxy.json("/changes?limit=1").await;
    page["changes"][0]["revision"].as_u64().unwrap_or_else(|| panic!("no revision: {page}"))
}

#[tokio::test]
async fn the_feed_has_a_form_for_everyone() {
    let fake = FakeRegistry::start(vec![entry("a", "1.0.0")]).await;
    let admin = "[admin]\nlisten = \"127.0.0.1:0\"";
    let proxy = Setup::new().settings(EAGER).settings(admin).registry("alpha", &fake.url()).start_ready().await;
    let mut follower = Follower::new(&proxy).await;
    let start = follower.cursor.clone().expect("it has begun");
    fake.set_entries(vec![entry("a", "1.0.0"), entry("b", "1.0.0")]);
    follower.until_told(&proxy, "added com.example/b 1.0.0").await;
    fake.always(Behaviour::Hold);

    let page = proxy.get(&format!("/changes?since={start}")).await;
    assert_eq!(page.header("content-type"), "application/json");
    let vary: Vec<_> = page.headers.get_all("vary").iter().collect();
    assert_eq!(vary, ["Accept-Encoding", "Accept"]);
    let changes = page.json()["changes"].as_array().expect("an array").clone();
    let again = proxy.get_with(&format!("/changes?since={start}"), &[("if-none-match", page.header("etag"))]).await;
    assert_eq!(again.status, 304);

    let lines = |text: &str| -> Vec<Value> {
        text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
    };
    let ndjson = [("accept", "application/x-ndjson")];
    let reply = proxy.get_with(&format!("/changes?since={start}"), &ndjson).await;
    assert_eq!((reply.status, reply.header("content-type")), (200, "application/x-ndjson"));
    assert_eq!(lines(reply.text()), changes);
    let end = next_cursor(&page.json());
    assert_eq!(changes.last().expect("one")["cursor"], end);
    assert_eq!(proxy.get_with(&format!("/changes?since={end}"), &ndjson).await.text(), "");
    let refused = [("accept", "application/x-ndjson"), ("accept-encoding", "gzip, identity;q=0")];
    assert_eq!(proxy.get_with("/changes", &refused).await.status, 406);

    let atom = proxy.get("/changes?format=atom").await;
    assert_eq!(atom.header("content-type"), "application/atom+xml");
    let text = atom.text();
    for expected in [
        "<feed xmlns=\"http://www.w3.org/2005/Atom\">",
        "<title>com.example/b 1.0.0: added</title>",
        "href=\"/v0.1/servers/com.example%2Fb/versions/1.0.0?include_deleted=true\"",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    let newest_first = text.find("com.example/b 1.0.0: added") < text.find("Much has changed at once");
    assert!(newest_first && atom.header("etag").starts_with('"'), "{text}");

    let reply = send(proxy.admin(), Method::GET, &format!("/changes?since={start}")).await;
    assert_eq!((reply.status, reply.json()["changes"].as_array()), (200, Some(&changes)));
    for (query, status) in [("since=nonsense", 400), ("limit=0", 422), ("limit=101", 422), ("format=rss", 422)] {
        assert_eq!(proxy.get(&format!("/changes?{query}")).await.status, status, "{query}");
    }
    fake.behave();
    proxy.stop().await;
}

/// Reads until what came so far is as it should be.
async fn read_until(stream: &mut TcpStream, read: &mut String, holds: impl Fn(&str) -> bool) {
    let mut buffer = [0; 4096];
    while !holds(read) {
        let count = timeout(PATIENCE, stream.read(&mut buffer)).await.expect("more in time").expect("a connection");
        assert!(count > 0, "it ended with {read}");
        read.push_str(std::str::from_utf8(&buffer[..count]).expect("text"));
    }
}

async fn listen(proxy: &Proxy, header: &str) -> (TcpStream, String) {
    let mut stream = connect(proxy.address()).await;
    let request = format!("GET /changes HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n{header}\r\n");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut read = String::new();
    read_until(&mut stream, &mut read, |read| read.contains("retry: ")).await;
    assert!(read.starts_with("HTTP/1.1 200") && read.contains("content-type: text/event-stream\r\n"), "{read}");
    assert!(read.contains("cache-control: no-store\r\n") && read.contains("x-accel-buffering: no\r\n"), "{read}");
    (stream, read)
}

#[tokio::test]
async fn events_come_live_and_go_on_where_they_were_left() {
    let fake = FakeRegistry::start(vec![entry("a", "1.0.0")]).await;
    let proxy = Setup::new().settings(EAGER).registry("alpha", &fake.url()).start_ready().await;
    proxy.until_listed(&keys_of(&[entry("a", "1.0.0")])).await;
    let (mut stream, mut read) = listen(&proxy, "").await;
    read_until(&mut stream, &mut read, |read| read.contains("\"event\":\"reset\"")).await;
    fake.set_entries(vec![entry("a", "1.0.0"), entry("b", "1.0.0")]);
    let is_whole = |read: &str, what: &str| read.split(what).nth(1).is_some_and(|rest| rest.contains("\n\n"));
    read_until(&mut stream, &mut read, |read| is_whole(read, "com.example/b")).await;
    drop(stream);
    let last = read.lines().filter_map(|line| line.strip_prefix("id: ")).next_back().expect("an id").to_owned();

    fake.set_entries(vec![entry("a", "1.0.0"), entry("b", "1.0.0"), entry("c", "1.0.0")]);
    let (mut stream, mut read) = listen(&proxy, &format!("Last-Event-ID: {last}\r\n")).await;
    read_until(&mut stream, &mut read, |read| is_whole(read, "com.example/c")).await;
    assert!(!read.contains("com.example/b") && !read.contains("reset"), "{read}");
    let (mut strange, mut told) = listen(&proxy, "Last-Event-ID: 17\r\n").await;
    read_until(&mut strange, &mut told, |told| told.contains("\"event\":\"reset\"")).await;

    let http2 = Client::new(connect(proxy.address()).await).await;
    let mut live = http2.begin(request(Method::GET, "/changes?format=event-stream", "")).await.expect("an answer");
    let head = http2.send(request(Method::HEAD, "/changes?format=event-stream", "")).await.expect("an answer");
    assert_eq!((live.status().as_u16(), head.status, head.header("content-type")), (200, 200, "text/event-stream"));
    fake.set_entries(vec![entry("b", "1.0.0"), entry("c", "1.0.0")]);
    let removed = "\"event\":\"removed\"";
    let mut came = String::new();
    while !came.contains(removed) {
        came += &part(live.body_mut()).await.expect("it goes on");
    }
    read_until(&mut stream, &mut read, |read| read.contains(removed)).await;

    // Nobody who follows holds up the end, and each is told of it.
    let started = Instant::now();
    let (rest, ()) = tokio::join!(
        async {
            while part(live.body_mut()).await.is_some() {}
            let mut rest = String::new();
            timeout(PATIENCE, stream.read_to_string(&mut rest)).await.expect("an end in time").expect("a good end");
            rest
        },
        proxy.stop()
    );
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert!(rest.ends_with("0\r\n\r\n"), "{rest}");
}

/// The next part of an answer; none at its good end.
async fn part(body: &mut Incoming) -> Option<String> {
    let frame = timeout(PATIENCE, body.frame()).await.expect("a part in time")?;
    let data = frame.expect("it does not break off").into_data().expect("data");
    Some(String::from_utf8(data.to_vec()).expect("text"))
}
