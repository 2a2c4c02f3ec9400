//! A proxy in the test's own runtime, configured through a file as any other.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Method;
use mcp_registry_proxy::app::{App, AppError};
use mcp_registry_proxy::config::{Flags, Loaded, Origin};
use mcp_registry_proxy::serve::Deadlines;
use mcp_registry_proxy::shutdown::{Ending, Lifecycle};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::entry::keys;
use super::http::{Reply, send, send_with};
use super::{PATIENCE, check, eventually};

/// What every test starts from: nothing leaves this machine, and everything happens soon. Full walks
/// come only where a test shortens `full_interval`, and what is found is the catalog's: whoever waits for a name waits
/// for a walk, and not for a look-up.
const BASE: &str = r#"
[server]
listen = "127.0.0.1:0"
[network]
proxy = "off"
[health]
interval = "50ms"
timeout = "5s"
[admin]
listen = "off"
[refresh]
interval = "100ms"
max_rate = 1000
[read_through]
enabled = false
"#;

/// For tests that count requests or look at the last walk: increments do not come between.
pub(crate) const NO_INCREMENTS: &str = "[refresh]\ninterval = \"1h\"";

/// Deadlines that a test can wait for.
pub(crate) fn short_deadlines() -> Deadlines {
    let short = Duration::from_millis(200);
    Deadlines {
        handshake: short,
        first_bytes: short,
        head: short,
        body: short / 2,
        idle: short,
        stall: short,
        farewell: short,
        linger: short,
        ping_interval: short / 4,
        ping_timeout: short,
        ..Deadlines::default()
    }
}

/// A proxy that is not running yet.
pub(crate) struct Setup {
    directory: TempDir,
    settings: String,
    registries: String,
}

impl Setup {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        Self { directory, settings: String::new(), registries: String::new() }
    }

    /// Adds sections to the configuration; they count more than what tests start from.
    pub(crate) fn settings(mut self, toml: &str) -> Self {
        let _ = writeln!(self.settings, "{toml}");
        self
    }

    /// Adds a registry at a URL.
    pub(crate) fn registry(self, name: &str, url: &str) -> Self {
        self.registry_with(name, &format!("url = {url:?}"))
    }

    /// Adds a registry with these keys.
    pub(crate) fn registry_with(mut self, name: &str, toml: &str) -> Self {
        let _ = writeln!(self.registries, "[[registries]]\nname = {name:?}\n{toml}");
        self
    }

    /// Writes a file beside the configuration, and adds a registry that is that file.
    pub(crate) fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        std::fs::write(self.path(&format!("{name}.json")), content).expect("a writable directory");
        self.registry_with(name, &format!("file = \"{name}.json\""))
    }

    /// The path of a file beside the configuration.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Starts the proxy.
    pub(crate) async fn start(self) -> Proxy {
        self.start_with(Deadlines::default()).await
    }

    /// Starts the proxy with other deadlines for its connections.
    pub(crate) async fn start_with(self, deadlines: Deadlines) -> Proxy {
        let (directory, origin) = self.written();
        let loaded = origin.load().expect("a valid configuration");
        Proxy::start_from(directory, origin, &loaded, deadlines).await
    }

    /// Writes the configuration, without a proxy to read it.
    pub(crate) fn written(self) -> (TempDir, Origin) {
        // Nothing is kept outside of the test's own directory.
        let base = format!("{BASE}[store]\npath = '{}'\n", self.path("store").display());
        let files = [("base.toml", base), ("test.toml", self.settings + &self.registries)];
        let paths = files.map(|(name, text)| {
            let path = self.directory.path().join(name);
            std::fs::write(&path, text).expect("a writable directory");
            path
        });
        (self.directory, Origin::new(paths.to_vec(), Flags::default()))
    }

    /// Starts the proxy and waits until each registry's first attempt has ended.
    pub(crate) async fn start_ready(self) -> Proxy {
        let proxy = self.start().await;
        proxy.until_ready().await;
        proxy
    }
}

/// A running proxy.
pub(crate) struct Proxy {
    address: SocketAddr,
    admin: Option<SocketAddr>,
    lifecycle: Lifecycle,
    running: JoinSet<Result<Ending, AppError>>,
    directory: TempDir,
}

impl Proxy {
    /// Starts one with a configuration that has been read.
    pub(crate) async fn start_from(directory: TempDir, origin: Origin, loaded: &Loaded, deadlines: Deadlines) -> Self {
        let app = App::build(origin, loaded).await.expect("a proxy").with_deadlines(deadlines);
        let (address, admin, lifecycle) = (app.address(), app.admin_address(), app.lifecycle());
        let mut running = JoinSet::new();
        running.spawn(app.run());
        Self { address, admin, lifecycle, running, directory }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its admin listener is; it must have one.
    pub(crate) fn admin(&self) -> SocketAddr {
        self.admin.expect("the configuration has an `admin.listen`")
    }

    /// The directory of its configuration.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) async fn get(&self, target: &str) -> Reply {
        send(self.address, Method::GET, target).await
    }

    /// Asks with these headers.
    pub(crate) async fn get_with(&self, target: &str, headers: &[(&str, &str)]) -> Reply {
        send_with(self.address, Method::GET, target, headers).await
    }

    /// The JSON body of an answer that must be 200.
    pub(crate) async fn json(&self, target: &str) -> Value {
        let reply = self.get(target).await;
        assert_eq!(reply.status, 200, "{target} was answered with {}", reply.text());
        reply.json()
    }

    /// Follows the list's cursors to the end.
    pub(crate) async fn walk(&self, query: &str, limit: usize) -> Vec<Value> {
        walk(self.address, query, limit).await
    }

    /// What `/registries/{name}` says.
    pub(crate) async fn registry(&self, name: &str) -> Value {
        self.json(&format!("/registries/{name}")).await
    }

    /// Waits until each registry's first attempt has ended.
    #[track_caller]
    pub(crate) fn until_ready(&self) -> impl Future<Output = ()> {
        self.until_answered("/readyz", 200)
    }

    /// Waits until a request is answered with that status.
    #[track_caller]
    pub(crate) fn until_answered(&self, target: &str, status: u16) -> impl Future<Output = ()> {
        eventually("the answer had the status that it should have", async move || {
            let reply = self.get(target).await;
            check(reply.status == status, (target, reply.status, reply.text()))
        })
    }

    /// Waits until what `/registries/{name}` says is as described.
    #[track_caller]
    pub(crate) fn until(&self, name: &str, what: &str, holds: impl Fn(&Value) -> bool) -> impl Future<Output = Value> {
        eventually(what, async move || {
            let registry = self.registry(name).await;
            if holds(&registry) { Ok(registry) } else { Err(registry.to_string()) }
        })
    }

    /// Waits until a registry is in that state.
    #[track_caller]
    pub(crate) fn until_state(&self, name: &str, state: &str) -> impl Future<Output = Value> {
        self.until(name, "the registry reached the state", move |registry| registry["state"] == state)
    }

    /// Waits until the list, deleted entries included, has exactly these.
    #[track_caller]
    pub(crate) fn until_listed(&self, expected: &[String]) -> impl Future<Output = ()> {
        eventually("the list had the entries that it should have", async move || {
            let listed = try_walk(self.address, "include_deleted=true", 100).await.map(|entries| keys(&entries));
            check(listed.as_deref().is_ok_and(|listed| listed == expected), listed)
        })
    }

    /// Puts other settings and registries in the place of those that it was started with, in one step.
    pub(crate) fn reconfigure(&self, setup: Setup) {
        self.rewrite(&(setup.settings + &setup.registries));
    }

    /// Puts another text in the place of the configuration file that tests write to.
    pub(crate) fn rewrite(&self, text: &str) {
        let new = self.directory.path().join("new");
        std::fs::write(&new, text).expect("a writable directory");
        std::fs::rename(&new, self.directory.path().join("test.toml")).expect("a writable directory");
    }

    /// Waits until what `/registries` says of the configuration is as described.
    #[track_caller]
    pub(crate) fn until_configuration(
        &self,
        what: &str,
        holds: impl Fn(&Value) -> bool,
    ) -> impl Future<Output = Value> {
        eventually(what, async move || {
            let configuration = self.json("/registries").await["metadata"]["configuration"].take();
            if holds(&configuration) { Ok(configuration) } else { Err(configuration.to_string()) }
        })
    }

    /// Stops it. Everything must come to a clean end.
    pub(crate) async fn stop(mut self) {
        self.lifecycle.stop();
        let ended = timeout(PATIENCE, self.running.join_next()).await.expect("the proxy ends when it is told to");
        let ending = ended.expect("it is running").expect("it does not panic").expect("it can listen for signals");
        assert_eq!(ending, Ending::Clean);
    }
}

/// Follows a list's cursors to the end. Every page must be an answer.
pub(crate) async fn walk(address: SocketAddr, query: &str, limit: usize) -> Vec<Value> {
    try_walk(address, query, limit).await.expect("every page of the list is answered with 200")
}

/// Follows a list's cursors to the end, or to the first page that is not answered with 200.
async fn try_walk(address: SocketAddr, query: &str, limit: usize) -> Result<Vec<Value>, Reply> {
    let mut entries = Vec::new();
    let mut cursor = String::new();
    loop {
        let reply = send(address, Method::GET, &format!("/v0.1/servers?limit={limit}&{query}{cursor}")).await;
        if reply.status != 200 {
            return Err(reply);
        }
        let mut page = reply.json();
        entries.append(page["servers"].as_array_mut().expect("`servers` is an array"));
        match page["metadata"]["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(entries),
        }
    }
}
