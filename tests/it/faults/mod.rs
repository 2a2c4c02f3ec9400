//! The catalogue of what registries do wrong (docs/faults.md): healthy, break, the promised answer, restore, healthy.
//!
//! Every row is a [`Trial`]: a proxy with two registries, `faulty` and `steady`. While one of them is broken and mended,
//! a client reads all the time: it must have every answer, soon, with everything that `steady` lists, and what only
//! `faulty` lists is 200 or 503 and never "not listed".

mod bounds;
mod clocks;
mod format;
mod many;
mod network;
mod redirects;
mod status;
mod tls;
mod walks;
mod wire;

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::time::Duration;

use http::Method;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::support::entry::{Entry, OFFICIAL, keys, keys_of, numbered};
use crate::support::http::send;
use crate::support::proxy::{Proxy, Setup, walk};
use crate::support::registry::{Behaviour, FakeRegistry, Seen};
use crate::support::{check, eventually};

/// Full walks as often as increments: whatever is mended shows soon.
pub(super) const WALKS: &str = "[refresh]\ninterval = \"100ms\"\nfull_interval = \"100ms\"";
/// For faults that are a lack of answers.
pub(super) const IMPATIENT: &str = "[registries.health]\ntimeout = \"300ms\"\nunhealthy_after = 2\nhealthy_after = 1";
/// A single failed test counts.
pub(super) const AT_ONCE: &str = "[registries.health]\nunhealthy_after = 1\nhealthy_after = 1";
/// The longest that the client waits for an answer, on a machine that does much else.
const SOON: Duration = Duration::from_secs(5);
/// What the client looks up of each registry.
const STEADY: &str = "/v0.1/servers/com.steady%2Fserver-0003/versions/latest";
const FAULTY: &str = "/v0.1/servers/com.faulty%2Fserver-0000/versions/latest";

/// What is listed of `faulty` from the start.
pub(super) fn few() -> Vec<Entry> {
    numbered("com.faulty", 3)
}

/// Three pages of it.
pub(super) fn three_pages() -> Vec<Entry> {
    numbered("com.faulty", 250)
}

/// One fault from beginning to end.
pub(super) struct Trial {
    pub(super) proxy: Proxy,
    pub(super) faulty: FakeRegistry,
    pub(super) steady: FakeRegistry,
    entries: RefCell<Vec<Entry>>,
    steady_keys: Vec<String>,
    reader: Reader,
    titles: Cell<u32>,
}

impl Trial {
    /// Both registries healthy and listed.
    pub(super) async fn start(entries: Vec<Entry>, keys_of_faulty: &str) -> Self {
        Self::over(FakeRegistry::start(entries.clone()).await, entries, keys_of_faulty, Setup::new().settings(WALKS))
            .await
    }

    /// The same with this `faulty`, which lists these, and these settings.
    pub(super) async fn over(faulty: FakeRegistry, entries: Vec<Entry>, keys_of_faulty: &str, setup: Setup) -> Self {
        let steady_entries = numbered("com.steady", 20);
        let steady = FakeRegistry::start(steady_entries.clone()).await;
        let proxy = setup
            .registry_with("faulty", &format!("url = {:?}\n{keys_of_faulty}", faulty.url()))
            .registry("steady", &steady.url())
            .start_ready()
            .await;
        let steady_keys = keys_of(&steady_entries);
        let limit = (entries.len() / 5).clamp(7, 100);
        let reader = Reader::start(proxy.address(), steady_keys.clone(), limit);
        let (entries, titles) = (RefCell::new(entries), Cell::new(0));
        let trial = Self { proxy, faulty, steady, entries, steady_keys, reader, titles };
        trial.until_healthy().await;
        trial
    }

    /// Waits until `faulty` is unhealthy for that reason: its servers are gone, and said to be unreachable and not
    /// to be unlisted.
    pub(super) async fn until_dropped(&self, stage: &str, reason: &str) {
        let is_so = |status: &Value| {
            let found = failure(status);
            status["state"] == "unhealthy" && found.0 == stage && found.1.contains(reason)
        };
        let what = format!("it was unhealthy, because of {stage}: {reason}");
        let status = self.proxy.until("faulty", &what, is_so).await;
        assert_eq!(status["usable"], false, "{status}");
        self.proxy.until_listed(&self.steady_keys).await;
        let reply = self.proxy.get(FAULTY).await;
        assert!(reply.status == 503 && reply.detail().contains("faulty"), "{}", reply.text());
    }

    /// Waits until everything is as it should be: both are healthy, and all that they list is served.
    pub(super) async fn until_healthy(&self) {
        self.proxy.until_state("faulty", "healthy").await;
        let listed = [keys_of(&self.entries.borrow()), self.steady_keys.clone()].concat();
        self.proxy.until_listed(&listed).await;
        assert_eq!(self.proxy.registry("steady").await["state"], "healthy");
    }

    /// Breaks every answer so, and mends it.
    pub(super) async fn drops(&self, fault: Behaviour, stage: &str, reason: &str) {
        self.faulty.always(fault);
        self.until_dropped(stage, reason).await;
        self.faulty.behave();
        self.until_healthy().await;
    }

    /// Breaks the third page of full walks so, and mends it. Nothing of the failed walk may show, although its first two
    /// pages bring other content.
    pub(super) async fn keeps(&self, third_page: Behaviour, reason: &str) {
        let is_third = |seen: &Seen| {
            let cursor = seen.parameter("cursor").unwrap_or_default();
            // Or whatever comes after it.
            (cursor.contains("0199") || !cursor.is_empty() && !cursor.starts_with("com.faulty/server"))
                && seen.parameter("updated_since").is_none()
        };
        let before = self.proxy.walk("", 100).await;
        self.faulty.when(is_third, third_page);
        let title = self.retitle();
        let is_noted = |status: &Value| {
            let message = status["lastError"]["message"].as_str().unwrap_or_default();
            message.contains("walk: page") && message.contains(reason)
        };
        let status = self.proxy.until("faulty", &format!("its third page failed: {reason}"), is_noted).await;
        assert_eq!((&status["state"], &status["usable"]), (&"healthy".into(), &true.into()), "{status}");
        assert_eq!(self.proxy.walk("", 100).await, before, "the last good listing stays, whole and alone");
        self.faulty.behave();
        self.until_titled(&title).await;
        self.until_healthy().await;
    }

    /// Gives all entries of `faulty` another title.
    fn retitle(&self) -> String {
        self.titles.set(self.titles.get() + 1);
        let title = format!("Title {}", self.titles.get());
        let titled = |entry: Entry| entry.server("title", title.clone());
        let entries: Vec<Entry> = self.entries.take().into_iter().map(titled).collect();
        self.list(entries);
        title
    }

    async fn until_titled(&self, title: &str) {
        eventually("all entries had the new title", async || {
            let entries = self.proxy.walk("", 100).await;
            let titles = entries.iter().filter(|entry| entry["server"]["title"] == title).count();
            check(titles == self.entries.borrow().len(), titles)
        })
        .await;
    }

    /// Lets `faulty` list these from now on.
    pub(super) fn list(&self, entries: Vec<Entry>) {
        self.faulty.set_entries(entries.clone());
        *self.entries.borrow_mut() = entries;
    }

    /// Answers everything with this document, which must count as a list of these with so many entries refused, and
    /// mends it.
    pub(super) async fn takes(&self, document: &str, expected: &[&str], refused: usize) -> Value {
        // Who seems to ignore `updated_since` is walked less often: that is another row.
        self.faulty.when(|seen| seen.parameter("updated_since").is_some(), Behaviour::Behave);
        self.faulty.always(Behaviour::text(document));
        let expected: Vec<String> = expected.iter().map(|key| (*key).to_owned()).collect();
        self.proxy.until_listed(&[expected, self.steady_keys.clone()].concat()).await;
        let is_counted = |status: &Value| status["refused"]["count"] == refused;
        let status = self.proxy.until("faulty", &format!("{refused} entries were refused"), is_counted).await;
        assert_eq!(status["state"], "healthy", "{status}");
        self.faulty.behave();
        self.until_healthy().await;
        status
    }

    /// Ends it: `faulty` must be asked as ever, and the client must have seen nothing wrong.
    pub(super) async fn end(self) {
        let new = Entry::new("com.faulty/zz-new", "1.0.0").published_at(&jiff::Timestamp::now().to_string());
        self.list([self.entries.take(), vec![new]].concat());
        self.until_healthy().await;
        self.reader.finish().await;
        self.proxy.stop().await;
    }

    /// Ends it where that takes too long: after a fault that leaves a long wait behind.
    pub(super) async fn end_at_once(self) {
        self.reader.finish().await;
        self.proxy.stop().await;
    }
}

/// The stage that failed in the last test, and why.
pub(super) fn failure(status: &Value) -> (&str, &str) {
    let stages = status["lastCheck"]["stages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let failed = stages.iter().find(|stage| stage["ok"] == false).unwrap_or(&Value::Null);
    (failed["stage"].as_str().unwrap_or_default(), failed["reason"].as_str().unwrap_or_default())
}

/// The client that reads all the time.
struct Reader {
    stop: oneshot::Sender<()>,
    task: JoinSet<usize>,
}

impl Reader {
    fn start(address: SocketAddr, always_listed: Vec<String>, limit: usize) -> Self {
        let (stop, mut stopped) = oneshot::channel();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut rounds = 0;
            while stopped.try_recv().is_err() {
                read(address, &always_listed, limit).await;
                rounds += 1;
            }
            rounds
        });
        Self { stop, task }
    }

    async fn finish(mut self) {
        self.stop.send(()).expect("the client still reads");
        let rounds = self.task.join_next().await.expect("one task").expect("the client saw nothing wrong");
        assert!(rounds > 0, "the client has read at least once");
    }
}

/// One round: all pages, and a look-up in each registry.
async fn read(address: SocketAddr, always_listed: &[String], limit: usize) {
    let walked = walk(address, "", limit).await;
    let listed = keys(&walked);
    assert!(listed.is_sorted_by(|before, after| before < after), "repeated or out of order: {listed:?}");
    assert!(always_listed.iter().all(|key| listed.contains(key)), "skipped: {listed:?}");
    assert!(walked.iter().all(|entry| entry["_meta"][OFFICIAL]["isLatest"].is_boolean()), "an entry is not complete");
    let started = Instant::now();
    assert_eq!(send(address, Method::GET, "/livez").await.status, 200);
    assert_eq!(send(address, Method::GET, STEADY).await.status, 200);
    let reply = send(address, Method::GET, FAULTY).await;
    assert!(matches!(reply.status, 200 | 503), "{}", reply.text());
    assert!(started.elapsed() < SOON, "answers took {:?}", started.elapsed());
}
