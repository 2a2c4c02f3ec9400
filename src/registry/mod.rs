//! THE PUMP: one registry each. The only module that opens outgoing connections (and reads registry
//! files), and the only one that knows foreign formats. It has no tasks of its own: `refresh` says when.
//!
//! In reading order: [`config`], [`endpoint`] and [`limits`] what the administrator says, `network` the way out,
//! [`client`](self) and `connect` one request, `resolve` and `addresses` where it may go, `body` what comes back,
//! [`error`] what goes wrong, [`retry`] and `gate` when to ask again, `http` and `file` the two kinds of registries,
//! `revalidate` what need not be sent again, [`wire`] from bytes to entries, [`crawl`] and [`increments`] from pages
//! to a listing, [`guard`] whether it is believed, [`probe`] and [`health`] from outcomes to a state, [`status`] what
//! is known, `observe` how that changes, `lineage` who is behind it, [`lookup`] one name asked for out of turn,
//! [`restore`] and `succession` what outlives the process and the settings, and here [`Registry`].

pub mod config;
pub mod crawl;
pub mod duration;
pub mod endpoint;
pub mod error;
pub mod guard;
pub mod health;
pub mod increments;
pub mod limits;
pub mod lookup;
pub mod probe;
pub mod restore;
pub mod retry;
pub mod status;
pub mod wire;

mod addresses;
mod body;
mod client;
mod connect;
#[cfg(test)]
mod exchange;
mod file;
mod gate;
mod http;
mod lineage;
mod network;
mod observe;
mod resolve;
mod revalidate;
mod succession;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::catalog::listing::Listing;
use crate::catalog::merge::Source;
use crate::catalog::rules::RegistryRules;

use client::Answer;
use config::Target;
use crawl::PageQuery;
use error::FetchError;
use file::File;
pub use file::{FileLoad, FileVersion};
use http::HttpOrigin;
pub use http::ListUrl;
use limits::Limits;
use lineage::LineageWatch;
pub use lineage::{LINEAGE_HEADER, OwnIds};
use lookup::Lane;
pub use network::Network;
pub use observe::RefreshRequests;
use probe::{Check, Timing};
use status::Status;
use wire::{FormatError, Page};

/// The settings that apply to one registry, overrides included.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Probes and what follows from them.
    pub health: health::Config,
    /// Requests a second.
    pub max_rate: f64,
    /// What it may cost.
    pub limits: Limits,
    /// The `_meta` key of our provenance.
    pub provenance_key: Arc<str>,
    /// Whether it may be asked for what the catalog does not hold.
    pub read_through: bool,
    /// Our own ids, by which loops are found.
    pub own_ids: OwnIds,
}

/// One configured registry: how to ask it, and what is known of it.
#[derive(Debug)]
pub struct Registry {
    rules: Arc<RegistryRules>,
    settings: Settings,
    source: Origin,
    lineage: Arc<LineageWatch>,
    lane: Lane,
    status: Mutex<Status>,
    /// Whether walking it makes sense now.
    walkable: watch::Sender<bool>,
    /// What administrators ask for.
    requests: watch::Sender<RefreshRequests>,
    /// Told whenever the catalog may have to change.
    changed: Arc<Notify>,
}

#[derive(Debug)]
enum Origin {
    Http(Box<HttpOrigin>),
    File(File),
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
        let lineage = Arc::new(LineageWatch::new(settings.own_ids.clone(), Arc::clone(&changed)));
        let source = match target {
            Target::File(path) => Origin::File(File::new(path)),
            Target::Http(target) => {
                let http = HttpOrigin::new(target, settings.max_rate, settings.limits, network, Arc::clone(&lineage))?;
                Origin::Http(Box::new(http))
            }
        };
        Ok(Self {
            rules,
            settings,
            source,
            lineage,
            lane: Lane::default(),
            status: Mutex::new(Status::starting(Timestamp::now())),
            walkable: watch::Sender::new(false),
            requests: watch::Sender::new(RefreshRequests::default()),
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
            Origin::Http(http) => http.list_url().public(),
        }
    }

    /// What is known of the registry.
    pub fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows whether walking the registry makes sense: while it is healthy, and from a first test that told
    /// nothing (the registry limits our rate) until one tells something.
    #[must_use]
    pub fn watch_walkable(&self) -> watch::Receiver<bool> {
        self.walkable.subscribe()
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
        let stale_since = status.listed_at.filter(|_| usable && status.health.state == health::State::Unhealthy);
        Source { rules: Arc::clone(&self.rules), usable, stale_since, listing: status.served_listing().cloned() }
    }

    /// Test Connection: one small request, judged in three stages.
    pub async fn check(&self) -> Check {
        match &self.source {
            Origin::Http(http) => self.check_http(http).await,
            Origin::File(file) => {
                let started = Instant::now();
                let read = file.read().await;
                let timing = Timing { exchange: started.elapsed(), ..Timing::default() };
                self.judge(timing, read, None).await.0
            }
        }
    }

    /// Checks the known endpoint, or one candidate after the other until one is a registry. A candidate
    /// that cannot be reached decides: the next one is on the same host.
    async fn check_http(&self, http: &HttpOrigin) -> Check {
        let limit = self.settings.health.timeout;
        let deadline = Instant::now() + limit;
        let (mut url, mut others) = http.candidates();
        let mut telling: Option<Check> = None;
        loop {
            let (timing, body) = http.probe(&url, deadline).await;
            let (check, error) = self.judge(timing, body, Some(limit)).await;
            match error {
                None => {
                    http.settle_on(url);
                    return check;
                }
                Some(error) if error.is_not_found() => telling = telling.or(Some(check.clone())),
                // "Not allowed" or "something else" tells more than "not there".
                Some(error) if error.is_rejection() || matches!(error, FetchError::Format(_)) => {
                    telling = Some(check.clone());
                }
                Some(_) => return check,
            }
            match others.pop() {
                Some(other) => url = other,
                None => return telling.unwrap_or(check),
            }
        }
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
            (Ok(body), _) => self.decode(body, None).await.and_then(|page| self.check_tested(&page)),
        };
        timing.decode = started.elapsed();
        (Check::new(Timestamp::now(), timing, result.as_ref().copied()), result.err())
    }

    /// Whether what a test brought can be the registry's list.
    pub(crate) fn check_tested(&self, page: &Page) -> Result<(), FetchError> {
        page.check_recognised()?;
        self.refuse_emptiness(page)
    }

    /// An empty list where there were entries is not believed: a mirror of a real registry once answered
    /// so for a day (corpora.md, "What an aggregator must survive").
    fn refuse_emptiness(&self, page: &Page) -> Result<(), FetchError> {
        let listing = self.status().listing.clone();
        if self.is_file() || page.listed() > 0 || !listing.is_some_and(|listing| listing.has_visible_versions()) {
            return Ok(());
        }
        Err(FormatError::new("found an empty list, where there were servers before").into())
    }

    /// Where a walk begins now; it stays there to its end. A file has no such place.
    #[must_use]
    pub fn list_url(&self) -> Option<ListUrl> {
        match &self.source {
            Origin::Http(http) => Some(http.list_url()),
            Origin::File(_) => None,
        }
    }

    /// Notes that a full walk begins: pages are asked for again only where they are not what they were when the last
    /// complete walk, or this one, saw them.
    pub fn begin_walk(&self) {
        if let Origin::Http(http) = &self.source {
            http.remembered().begin_walk();
        }
    }

    /// Notes that a full walk has come to its end: what its pages were is what counts from now on.
    pub fn end_walk(&self) {
        if let Origin::Http(http) = &self.source {
            http.remembered().end_walk();
        }
    }

    /// Fetches and decodes one page of the list.
    ///
    /// # Errors
    /// When the request brought no page; the kind of error says whether to ask again.
    pub async fn page(
        &self,
        list: &ListUrl,
        query: &PageQuery,
        previous: Option<Arc<Listing>>,
    ) -> Result<Fetched, FetchError> {
        let Origin::Http(http) = &self.source else {
            return Err(FetchError::File("a file has no pages".to_owned()));
        };
        let answer = http.page(list, query).await;
        if let Err(FetchError::Loop) = &answer {
            // What was fetched before may hold what we serve.
            http.remembered().clear();
            self.observe_loop();
        }
        let Answer { body, tag, date, is_partial } = answer?;
        if is_partial {
            return Err(FetchError::Partial);
        }
        let Some(body) = body else {
            let page = http.remembered_page(list, query);
            return page
                .map(|page| Fetched { page, date })
                .ok_or(FetchError::Status { status: 304, retry_after: None });
        };
        let page = self.decode(body, previous).await?;
        http.remember(list, query, tag, &page);
        Ok(Fetched { page, date })
    }

    /// Decodes off the runtime's threads: a page may have megabytes.
    async fn decode(&self, body: Vec<u8>, previous: Option<Arc<Listing>>) -> Result<Page, FetchError> {
        let provenance_key = Arc::clone(&self.settings.provenance_key);
        let max_entry_size = self.settings.limits.max_entry_size;
        let decoding = tokio::task::spawn_blocking(move || {
            let now = whole_seconds(Timestamp::now());
            let previous = previous.as_deref();
            let context = wire::Context { now, provenance_key: &provenance_key, previous, max_entry_size };
            wire::decode(&body, &context)
        });
        match decoding.await {
            Ok(result) => Ok(result?),
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
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

fn whole_seconds(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}
