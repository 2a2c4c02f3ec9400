//! THE PUMP: one registry each. The only module that opens outgoing connections (and reads registry
//! files), and the only one that knows foreign formats. It has no tasks of its own: `refresh` says when.
//!
//! In reading order: [`config`] what the administrator says, [`client`](self) one request, [`wire`] from
//! bytes to entries, [`crawl`] from pages to a listing, [`probe`] and [`health`] from outcomes to a state,
//! [`status`] what is known of a registry, and here [`Registry`], which holds them together.

pub mod config;
pub mod crawl;
pub mod duration;
pub mod endpoint;
pub mod error;
pub mod health;
pub mod probe;
pub mod retry;
pub mod status;
pub mod wire;

mod client;
mod connect;
mod file;
mod gate;
mod network;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};
use url::Url;

use crate::catalog::listing::{Listing, ListingBuilder};
use crate::catalog::merge::Source;
use crate::catalog::rules::RegistryRules;

use client::{Answer, Client};
use config::{HttpTarget, Target};
use crawl::{PageQuery, RefusedEntries};
use endpoint::{Endpoint, public_url};
use error::FetchError;
use file::{File, Signature};
use gate::Gate;
use health::{Outcome, State};
pub use network::Network;
use probe::{Check, Timing};
use status::{Status, Sync};
use wire::Page;

/// How long one page may take. The official registry needs 20 s on bad days; its gateway gives up at 60.
const PAGE_TIMEOUT: Duration = Duration::from_secs(75);

/// The settings that apply to one registry, overrides included.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Probes and what follows from them.
    pub health: health::Config,
    /// Requests a second.
    pub max_rate: f64,
    /// The `_meta` key of our provenance.
    pub provenance_key: Arc<str>,
}

/// One configured registry: how to ask it, and what is known of it.
#[derive(Debug)]
pub struct Registry {
    rules: Arc<RegistryRules>,
    settings: Settings,
    source: Origin,
    gate: Gate,
    status: Mutex<Status>,
    health: watch::Sender<State>,
    /// Told whenever the catalog may have to change.
    changed: Arc<Notify>,
}

#[derive(Debug)]
enum Origin {
    Http(Box<HttpOrigin>),
    File(File),
}

#[derive(Debug)]
struct HttpOrigin {
    client: Client,
    /// The list endpoint, once it is known.
    endpoint: Mutex<Option<Url>>,
}

impl Registry {
    /// A registry of which nothing is known yet. `changed` is told whenever something that the catalog
    /// depends on has changed.
    ///
    /// # Errors
    /// When its HTTP client cannot be built.
    pub fn new(
        rules: Arc<RegistryRules>,
        target: Target,
        settings: Settings,
        network: &Network,
        changed: Arc<Notify>,
    ) -> Result<Self, reqwest::Error> {
        let source = match target {
            Target::File(path) => Origin::File(File::new(path)),
            Target::Http(target) => {
                let endpoint = match &target.endpoint {
                    Endpoint::List(url) => Some(url.clone()),
                    Endpoint::Candidates(_) => None,
                };
                Origin::Http(Box::new(HttpOrigin {
                    client: Client::new(target, network)?,
                    endpoint: Mutex::new(endpoint),
                }))
            }
        };
        Ok(Self {
            rules,
            gate: Gate::new(settings.max_rate),
            settings,
            source,
            status: Mutex::new(Status::starting(Timestamp::now())),
            health: watch::Sender::new(State::Starting),
            changed,
        })
    }

    /// The name in the configuration.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.rules.name
    }

    /// The settings that apply.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether the registry is a file.
    #[must_use]
    pub fn is_file(&self) -> bool {
        matches!(self.source, Origin::File(_))
    }

    /// The URL as the public may see it: of the list endpoint, or of the first one that is possible while
    /// it is not known; `file:` and the file's name.
    #[must_use]
    pub fn url(&self) -> String {
        match &self.source {
            Origin::File(file) => file.public_url(),
            Origin::Http(http) => {
                let first = match &http.target().endpoint {
                    Endpoint::List(url) | Endpoint::Candidates([url, _]) => url,
                };
                public_url(http.known_endpoint().as_ref().unwrap_or(first))
            }
        }
    }

    /// What is known of the registry.
    pub fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows the state of health.
    #[must_use]
    pub fn watch_health(&self) -> watch::Receiver<State> {
        self.health.subscribe()
    }

    /// Whether the registry's servers may be served (contract §1, "usable"), and until when that holds
    /// if nothing happens.
    #[must_use]
    pub fn usable(&self, now: Timestamp) -> (bool, Option<Timestamp>) {
        self.status().usable(&self.settings.health, now)
    }

    /// The registry's part in a merge.
    #[must_use]
    pub fn merge_source(&self, now: Timestamp) -> Source {
        let status = self.status();
        let (usable, _) = status.usable(&self.settings.health, now);
        Source { rules: Arc::clone(&self.rules), usable, listing: status.served_listing().cloned() }
    }

    /// Test Connection: one small request, judged in three stages. `None` when the registry's rate left
    /// no room for it in time, which tells nothing.
    pub async fn check(&self) -> Option<Check> {
        match &self.source {
            Origin::Http(http) => self.check_http(http).await,
            Origin::File(file) => {
                let started = Instant::now();
                let read = file.read().await;
                let timing = Timing { exchange: started.elapsed(), ..Timing::default() };
                Some(self.judge(timing, read, None).await.0)
            }
        }
    }

    async fn check_http(&self, http: &HttpOrigin) -> Option<Check> {
        let limit = self.settings.health.timeout;
        let Ok(_pass) = timeout(limit, self.gate.enter()).await else {
            // One request at a time: the page that is in the way has had as long as a probe may take.
            self.gate.busy_for().filter(|busy| limit <= *busy)?;
            let timing = Timing { exchange: limit, ..Timing::default() };
            return Some(Check::new(Timestamp::now(), timing, Err(&FetchError::Timeout(limit))));
        };
        let (check, endpoint) = self.check_candidates(http, limit).await;
        if endpoint.is_some() {
            *http.endpoint.lock().unwrap_or_else(PoisonError::into_inner) = endpoint;
        }
        Some(check)
    }

    /// Checks the known endpoint, or one candidate after the other until one is a registry. A candidate
    /// that cannot be reached decides: the next one is on the same host.
    async fn check_candidates(&self, http: &HttpOrigin, limit: Duration) -> (Check, Option<Url>) {
        let deadline = Instant::now() + limit;
        let candidates = http.candidates();
        let mut last = None;
        for url in candidates {
            let left = deadline.saturating_duration_since(Instant::now());
            let started = Instant::now();
            let (connect, answer) = http.client.probe(&with_query(&url, &[("limit", "1")]), left).await;
            let timing = Timing { connect, exchange: started.elapsed(), decode: Duration::ZERO };
            let body = answer.map(|Answer { body, .. }| body);
            let (check, error) = self.judge(timing, body, Some(limit)).await;
            match error {
                None => return (check, Some(url)),
                Some(error) if error.is_rejection() || matches!(error, FetchError::Format(_)) => last = Some(check),
                Some(_) => return (check, None),
            }
        }
        let check = last.unwrap_or_else(|| Check::new(Timestamp::now(), Timing::default(), Ok(())));
        (check, None)
    }

    /// Decodes what a check brought and makes its report. A timeout is reported as the limit that was
    /// configured, not as what was left of it.
    async fn judge(
        &self,
        mut timing: Timing,
        body: Result<Vec<u8>, FetchError>,
        limit: Option<Duration>,
    ) -> (Check, Option<FetchError>) {
        let started = Instant::now();
        let result = match (body, limit) {
            (Err(FetchError::Timeout(_)), Some(limit)) => Err(FetchError::Timeout(limit)),
            (Err(error), _) => Err(error),
            (Ok(body), _) => self.decode(body, None).await.and_then(|page| self.refuse_emptiness(&page)),
        };
        timing.decode = started.elapsed();
        (Check::new(Timestamp::now(), timing, result.as_ref().copied()), result.err())
    }

    /// An empty list where there were entries is not believed: a mirror of a real registry once answered
    /// so for a day (corpora.md, "What an aggregator must survive").
    fn refuse_emptiness(&self, page: &Page) -> Result<(), FetchError> {
        let before = self.status().listing.as_ref().map_or(0, |listing| listing.versions);
        if self.is_file() || page.listed() > 0 || before == 0 {
            return Ok(());
        }
        let reason = format!("found an empty list, where there were {before} versions before");
        Err(wire::FormatError(reason).into())
    }

    /// Fetches and decodes one page of the list.
    ///
    /// # Errors
    /// When the request brought no page; the kind of error says whether to ask again.
    pub async fn page(&self, query: &PageQuery, previous: Option<Arc<Listing>>) -> Result<Fetched, FetchError> {
        let Origin::Http(http) = &self.source else {
            return Err(FetchError::File("a file has no pages".to_owned()));
        };
        let endpoint =
            http.known_endpoint().ok_or_else(|| FetchError::Connect("no endpoint is known yet".to_owned()))?;
        let pass = self.gate.enter().await;
        let answer = http.client.fetch(&page_url(&endpoint, query), PAGE_TIMEOUT).await;
        drop(pass);
        let Answer { body, date } = answer?;
        Ok(Fetched { page: self.decode(body, previous).await?, date })
    }

    /// Decodes off the runtime's threads: a page may have megabytes.
    async fn decode(&self, body: Vec<u8>, previous: Option<Arc<Listing>>) -> Result<Page, FetchError> {
        let provenance_key = Arc::clone(&self.settings.provenance_key);
        let decoding = tokio::task::spawn_blocking(move || {
            let now = whole_seconds(Timestamp::now());
            let context = wire::Context { now, provenance_key: &provenance_key, previous: previous.as_deref() };
            wire::decode(&body, &context)
        });
        match decoding.await {
            Ok(result) => Ok(result?),
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }

    /// Reads a file registry if it has changed since `last`, and takes over what it lists. Returns what
    /// to pass as `last` next time.
    pub async fn load_file(&self, last: Option<FileVersion>) -> FileLoad {
        let Origin::File(file) = &self.source else { return FileLoad { check: None, version: last } };
        let signature = file.signature().await;
        let version = FileVersion(signature.as_ref().ok().copied());
        if last == Some(version) && signature.is_ok() {
            return FileLoad { check: None, version: last };
        }
        let started = Instant::now();
        let previous = self.status().listing.clone();
        let body = match signature {
            Ok(_) => file.read().await,
            Err(error) => Err(error),
        };
        let mut timing = Timing { exchange: started.elapsed(), ..Timing::default() };
        let decoding = Instant::now();
        let page = match body {
            Ok(body) => self.decode(body, previous.clone()).await,
            Err(error) => Err(error),
        };
        timing.decode = decoding.elapsed();
        let check = Check::new(Timestamp::now(), timing, page.as_ref().map(|_| ()));
        if let Ok(page) = page {
            tracing::debug!(registry = self.name(), path = %file.path().display(), "read the registry file");
            self.take_file(page, previous);
        }
        FileLoad { check: Some(check), version: Some(version) }
    }

    fn take_file(&self, page: Page, previous: Option<Arc<Listing>>) {
        let started_at = Timestamp::now();
        let mut builder = ListingBuilder::new(self.url().into(), previous);
        let refused = RefusedEntries::of(page.refused);
        for (name, entry) in page.entries {
            builder.insert(&name, entry);
        }
        let sync = Sync::finished(started_at, Timestamp::now(), 1, builder.versions());
        self.accept(builder.snapshot(), refused, sync);
    }

    /// Takes over a complete listing.
    pub fn accept(&self, listing: Listing, refused: RefusedEntries, sync: Sync) {
        self.status().accept(Arc::new(listing), refused, sync);
        self.changed.notify_one();
    }

    /// Shows what a first walk has brought so far. Never replaces a complete listing.
    pub fn accept_partial(&self, listing: Listing, refused: RefusedEntries) {
        self.status().accept_partial(Arc::new(listing), refused);
        self.changed.notify_one();
    }

    /// Notes that a walk failed.
    pub fn note_failed_sync(&self, sync: Sync) {
        self.status().note_failed_sync(sync);
        self.changed.notify_one();
    }

    /// Takes a check into account.
    pub fn observe_check(&self, check: Check) {
        let outcome = check.outcome;
        let failure = check.failure().map(|(stage, reason)| format!("{}: {reason}", stage.as_str()));
        self.status().note_check(check);
        self.observe(outcome, failure.as_deref());
    }

    /// Takes a finished page or walk into account.
    pub fn observe_success(&self) {
        self.observe(Outcome::Success, None);
    }

    fn observe(&self, outcome: Outcome, failure: Option<&str>) {
        let flipped = self.status().observe(outcome, &self.settings.health, Timestamp::now());
        let Some(state) = flipped else { return };
        match state {
            State::Unhealthy => {
                let reason = failure.unwrap_or_default();
                tracing::warn!(registry = self.name(), reason, "registry is unhealthy");
            }
            State::Healthy | State::Starting => tracing::info!(registry = self.name(), "registry is healthy"),
        }
        self.health.send_replace(state);
        self.changed.notify_one();
    }
}

/// A page and what came with it.
#[derive(Debug)]
pub struct Fetched {
    /// The page.
    pub page: Page,
    /// When the registry answered, by its own clock.
    pub date: Option<Timestamp>,
}

/// Which version of its file a registry has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileVersion(Option<Signature>);

/// What [`Registry::load_file`] did.
#[derive(Debug)]
pub struct FileLoad {
    /// The check, if the file was read or could not be.
    pub check: Option<Check>,
    /// The file's version now.
    pub version: Option<FileVersion>,
}

impl HttpOrigin {
    fn target(&self) -> &HttpTarget {
        self.client.target()
    }

    fn known_endpoint(&self) -> Option<Url> {
        self.endpoint.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The known endpoint, or else all that are possible. A base URL's known endpoint is tried first and
    /// the others after it: registries move from one API version to the next.
    fn candidates(&self) -> Vec<Url> {
        let known = self.known_endpoint();
        match &self.target().endpoint {
            Endpoint::List(url) => vec![url.clone()],
            Endpoint::Candidates(urls) => {
                let others = urls.iter().filter(|url| known.as_ref() != Some(*url)).cloned();
                known.iter().cloned().chain(others).collect()
            }
        }
    }
}

fn page_url(endpoint: &Url, query: &PageQuery) -> Url {
    let updated_since = query.updated_since.map(|since| since.to_string());
    let mut pairs = vec![("limit", "100")];
    if query.include_deleted {
        pairs.push(("include_deleted", "true"));
    }
    pairs.extend(updated_since.as_deref().map(|since| ("updated_since", since)));
    pairs.extend(query.cursor.as_deref().map(|cursor| ("cursor", cursor)));
    with_query(endpoint, &pairs)
}

/// Adds parameters to whatever query the administrator gave the URL.
fn with_query(url: &Url, pairs: &[(&str, &str)]) -> Url {
    let mut url = url.clone();
    url.query_pairs_mut().extend_pairs(pairs);
    url
}

fn whole_seconds(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}
