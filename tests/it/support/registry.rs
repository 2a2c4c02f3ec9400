//! A registry that behaves as the official one does (registry-api.md §2), until its script says otherwise.
//! Every request is recorded. A panic in the script fails the test when the registry is dropped.

mod connection;
mod pages;
mod port;
mod script;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::HeaderMap;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use super::entry::Entry;
use super::tls_registry::Shown;
use super::{check, eventually};
use port::Port;
use script::Rule;
pub(crate) use script::{Behaviour, End};

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
    /// How many connections there have been.
    connections: usize,
    /// What shows the certificate, where there is one.
    acceptor: Option<TlsAcceptor>,
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
    /// None only while it changes.
    port: Mutex<Option<Port>>,
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
        let port = Mutex::new(Some(Port::open(listener, Arc::clone(&shared))));
        Self { address, shared, port }
    }

    /// Starts one that is reached over TLS, as `localhost`.
    pub(crate) async fn start_tls(shown: &Shown, entries: Vec<Entry>) -> Self {
        let registry = Self::start(entries).await;
        registry.show(shown);
        registry
    }

    /// Shows this certificate from now on.
    pub(crate) fn show(&self, shown: &Shown) {
        self.shared.state().acceptor = Some(shown.acceptor());
    }

    /// Speaks no TLS from now on, whatever is said to it.
    pub(crate) fn show_nothing(&self) {
        self.shared.state().acceptor = None;
    }

    fn take_port(&self) -> Port {
        self.port.lock().unwrap_or_else(PoisonError::into_inner).take().expect("nobody else changes it")
    }

    fn set_port(&self, port: Port) {
        *self.port.lock().unwrap_or_else(PoisonError::into_inner) = Some(port);
    }

    /// Ends all connections and refuses new ones.
    pub(crate) async fn close_port(&self) {
        let socket = self.take_port().close(self.address).await;
        self.set_port(Port::Closed(socket));
    }

    /// Ends all connections, and leaves attempts at new ones without an answer.
    pub(crate) async fn hang_port(&self) {
        let socket = self.take_port().close(self.address).await;
        self.set_port(Port::hang(socket, self.address));
    }

    /// Takes connections again.
    pub(crate) async fn open_port(&self) {
        let socket = self.take_port().close(self.address).await;
        let listener = socket.listen(1024).expect("a port");
        self.set_port(Port::open(listener, Arc::clone(&self.shared)));
    }

    /// How many connections there have been.
    pub(crate) fn connections(&self) -> usize {
        self.shared.state().connections
    }

    /// Its list endpoint.
    pub(crate) fn url(&self) -> String {
        if self.shared.state().acceptor.is_some() {
            return format!("https://localhost:{}/v0.1/servers", self.address.port());
        }
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

    /// Waits until a request is on hold, forgets the script, and lets it go.
    #[track_caller]
    pub(crate) fn let_go(&self) -> impl Future<Output = ()> {
        let held = self.until_held();
        async {
            held.await;
            self.behave();
            self.release().await;
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
