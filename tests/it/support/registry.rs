//! A registry that behaves as the official one does (registry-api.md §2), until its script says otherwise.
//! Every request is recorded. A panic in the script fails the test when the registry is dropped.

mod connection;
mod pages;
mod script;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::HeaderMap;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::entry::Entry;
use super::{check, eventually};
pub(crate) use script::Behaviour;
use script::Rule;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) at: Instant,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
}

impl Seen {
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.query.as_bytes()).find_map(|(key, value)| (key == name).then(|| value.into_owned()))
    }

    /// A page of a walk after the first one.
    pub(crate) fn has_cursor(&self) -> bool {
        self.parameter("cursor").is_some()
    }

    /// A test of the registry, which asks for a few entries.
    pub(crate) fn is_probe(&self) -> bool {
        self.parameter("limit").as_deref() == Some("3")
    }

    /// A request for one name.
    pub(crate) fn is_look_up(&self) -> bool {
        self.path.contains("/versions")
    }

    /// A page of a walk.
    pub(crate) fn is_page(&self) -> bool {
        !self.is_probe() && !self.is_look_up()
    }

    /// The first page of a walk through everything.
    pub(crate) fn begins_full_walk(&self) -> bool {
        self.is_page() && !self.has_cursor() && self.parameter("updated_since").is_none()
    }

    /// A header's value; empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().expect("headers are text")).unwrap_or_default()
    }
}

#[derive(Default)]
struct State {
    roots: Vec<String>,
    entries: Vec<Entry>,
    script: Vec<Rule>,
    requests: Vec<Seen>,
    in_flight: usize,
    most_in_flight: usize,
    held: usize,
    panics: Vec<String>,
}

/// What the registry's tasks share with the test.
struct Shared {
    state: Mutex<State>,
    /// How often requests on hold have been let go.
    releases: watch::Sender<u64>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The registry; it ends when it is dropped.
pub(crate) struct FakeRegistry {
    address: SocketAddr,
    shared: Arc<Shared>,
    _task: JoinSet<()>,
}

impl FakeRegistry {
    /// Starts one that has both API versions.
    pub(crate) async fn start(entries: Vec<Entry>) -> Self {
        Self::start_at(&["/v0/servers", "/v0.1/servers"], entries).await
    }

    /// Starts one whose list is at these paths; every other path is 404.
    pub(crate) async fn start_at(roots: &[&str], entries: Vec<Entry>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let roots = roots.iter().map(ToString::to_string).collect();
        let state = Mutex::new(State { roots, entries: pages::sorted(entries), ..State::default() });
        let shared = Arc::new(Shared { state, releases: watch::Sender::new(0) });
        let served = Arc::clone(&shared);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(connection::serve(stream, Arc::clone(&served)));
            }
        });
        Self { address, shared, _task: task }
    }

    /// Its list endpoint.
    pub(crate) fn url(&self) -> String {
        format!("{}/v0.1/servers", self.base())
    }

    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Lists other entries from now on.
    pub(crate) fn set_entries(&self, entries: Vec<Entry>) {
        self.shared.state().entries = pages::sorted(entries);
    }

    /// Forgets the script.
    pub(crate) fn behave(&self) {
        self.shared.state().script.clear();
    }

    /// Behaves so for every request, until told otherwise.
    pub(crate) fn always(&self, then: Behaviour) {
        self.when(|_| true, then);
    }

    /// Behaves so for every request that matches, until told otherwise. Of several rules that match a
    /// request, the one that was given first counts.
    pub(crate) fn when(&self, matches: impl Fn(&Seen) -> bool + Send + 'static, then: Behaviour) {
        self.shared.state().script.push(Rule { left: None, matches: Box::new(matches), then });
    }

    /// Behaves so for the next `count` requests that match.
    pub(crate) fn next_when(&self, count: usize, matches: impl Fn(&Seen) -> bool + Send + 'static, then: Behaviour) {
        self.shared.state().script.push(Rule { left: Some(count), matches: Box::new(matches), then });
    }

    /// Waits until a request is on hold.
    #[track_caller]
    pub(crate) fn until_held(&self) -> impl Future<Output = ()> {
        eventually("a request was on hold", async || {
            let held = self.shared.state().held;
            check(held > 0, held)
        })
    }

    /// Waits until a request is on hold, and lets it go. Those that come later are held again.
    #[track_caller]
    pub(crate) fn release(&self) -> impl Future<Output = ()> {
        let held = self.until_held();
        async {
            held.await;
            self.shared.releases.send_modify(|releases| *releases += 1);
        }
    }

    pub(crate) fn requests(&self) -> Vec<Seen> {
        self.shared.state().requests.clone()
    }

    /// The recorded requests that match.
    pub(crate) fn requests_where(&self, matches: impl Fn(&Seen) -> bool) -> Vec<Seen> {
        self.shared.state().requests.iter().filter(|seen| matches(seen)).cloned().collect()
    }

    pub(crate) fn forget_requests(&self) {
        self.shared.state().requests.clear();
    }

    /// The most requests that were in flight at the same time.
    pub(crate) fn most_in_flight(&self) -> usize {
        self.shared.state().most_in_flight
    }
}

impl Drop for FakeRegistry {
    fn drop(&mut self) {
        let panics = std::mem::take(&mut self.shared.state().panics);
        if !std::thread::panicking() {
            assert!(panics.is_empty(), "the script of a registry panicked: {}", panics.join("; "));
        }
    }
}
