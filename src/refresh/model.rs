//! A model of a registry, and a proxy's synchroniser beside it on a clock of their own: no sockets, no waiting.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Config;
use super::schedule::Now;
use super::synchroniser::{Request, Step, Synchroniser};
use crate::catalog::listing::Listing;
use crate::registry::config::NetworkConfig;
use crate::registry::crawl::PageQuery;
use crate::registry::error::FetchError;
use crate::registry::increments::UpdatedSince;
use crate::registry::limits::Limits;
use crate::registry::wire::{Context, decode};
use crate::registry::{Fetched, Network, OwnIds, Registry, Settings, health};

/// A version as the model lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) content: u64,
    pub(super) updated_at: Timestamp,
}

/// A registry that lists names `a/<number>` of one version each.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) rows: BTreeMap<String, Row>,
    pub(super) page_size: usize,
    pub(super) knows: UpdatedSince,
    /// How far its clock is ahead; none: it sends no dates.
    pub(super) skew: Option<SignedDuration>,
    /// Whether its entries have dates.
    pub(super) has_dates: bool,
    /// Since when a name has been listed without a break.
    pub(super) since: BTreeMap<String, Timestamp>,
    /// What the next requests fail with.
    pub(super) faults: Vec<FetchError>,
    /// Everything that was ever listed.
    pub(super) ever: BTreeSet<(String, u64)>,
    pub(super) requests: Vec<(Timestamp, PageQuery)>,
    contents: u64,
}

impl Model {
    pub(super) fn new(count: usize, now: Timestamp) -> Self {
        let mut model = Self {
            rows: BTreeMap::new(),
            page_size: 100,
            knows: UpdatedSince::Honoured,
            skew: Some(SignedDuration::ZERO),
            has_dates: true,
            since: BTreeMap::new(),
            faults: Vec::new(),
            ever: BTreeSet::new(),
            requests: Vec::new(),
            contents: 0,
        };
        for number in 0..count {
            model.since.insert(name(number), now - SignedDuration::from_hours(1_000));
            model.put(number, now - SignedDuration::from_hours(1_000));
        }
        model
    }

    fn clock(&self, now: Timestamp) -> Timestamp {
        now + self.skew.unwrap_or_default()
    }

    /// Publishes a version, or changes it, as a registry does that stamps changes.
    pub(super) fn publish(&mut self, number: usize, now: Timestamp) {
        self.since.entry(name(number)).or_insert(now);
        self.put(number, self.clock(now));
    }

    /// Changes a version, and says nothing of it.
    pub(super) fn rewrite(&mut self, number: usize) {
        if let Some(row) = self.rows.get(&name(number)) {
            self.put(number, row.updated_at);
        }
    }

    /// Removes a version, and says nothing of it.
    pub(super) fn remove(&mut self, number: usize) {
        self.rows.remove(&name(number));
        self.since.remove(&name(number));
    }

    fn put(&mut self, number: usize, updated_at: Timestamp) {
        self.put_row(name(number), updated_at);
    }

    fn put_row(&mut self, name: String, updated_at: Timestamp) {
        self.contents += 1;
        self.ever.insert((name.clone(), self.contents));
        self.rows.insert(name, Row { content: self.contents, updated_at });
    }

    /// What a listing must have when it is in step.
    pub(super) fn contents(&self) -> BTreeSet<(String, u64)> {
        self.rows.iter().map(|(name, row)| (name.clone(), row.content)).collect()
    }

    fn answer(&mut self, request: &Request, now: Timestamp) -> Result<Fetched, FetchError> {
        let query = &request.query;
        self.requests.push((now, query.clone()));
        if let Some(fault) = self.faults.pop() {
            return Err(fault);
        }
        if query.updated_since.is_some() && self.knows == UpdatedSince::Rejected {
            return Err(FetchError::Status { status: 422, retry_after: None });
        }
        let since = query.updated_since.filter(|_| self.knows == UpdatedSince::Honoured);
        let listed = self.rows.iter().filter(|(name, row)| {
            query.cursor.as_ref().is_none_or(|cursor| cursor < *name)
                && since.is_none_or(|since| since < row.updated_at)
        });
        let page: Vec<_> = listed.take(self.page_size).collect();
        let next = (page.len() == self.page_size).then(|| page.last().map(|(name, _)| (*name).clone())).flatten();
        let servers: Vec<Value> = page.into_iter().map(|(name, row)| entry(name, row, self.has_dates)).collect();
        let document = json!({"servers": servers, "metadata": {"nextCursor": next}}).to_string();
        // It arrives after it was listed; the time of a fetch is to the second.
        let arrived = Timestamp::from_second(now.as_second() + 1).expect("in range");
        let previous = request.previous.as_deref();
        let context = Context { now: arrived, provenance_key: "k", previous, max_entry_size: 256 << 10 };
        let page = decode(document.as_bytes(), &context)?;
        Ok(Fetched { page, date: self.skew.map(|skew| now + skew) })
    }
}

pub(super) fn name(number: usize) -> String {
    format!("a/{number:05}")
}

fn entry(name: &str, row: &Row, has_dates: bool) -> Value {
    let time = has_dates.then(|| row.updated_at.to_string());
    json!({
        "server": {"name": name, "description": "d", "version": "1", "title": row.content.to_string()},
        "_meta": {"io.modelcontextprotocol.registry/official": {
            "status": "active", "publishedAt": time, "updatedAt": time, "isLatest": true,
        }},
    })
}

/// What a listing has, in the model's terms.
pub(super) fn contents_of(listing: &Listing) -> BTreeSet<(String, u64)> {
    let content = |server: &str| {
        let server: Value = serde_json::from_str(server).expect("JSON");
        server["title"].as_str().and_then(|title| title.parse().ok()).expect("a number")
    };
    let servers = listing.servers.iter();
    servers
        .flat_map(|listed| listed.entries.iter().map(move |entry| (listed.name.to_string(), content(&entry.server()))))
        .collect()
}

/// A model registry, and a synchroniser that keeps in step with it.
pub(super) struct Bench {
    pub(super) model: Model,
    pub(super) registry: Arc<Registry>,
    pub(super) synchroniser: Synchroniser,
    pub(super) now: Now,
    /// How long a request takes.
    pub(super) request_duration: Duration,
    random: fn() -> f64,
    config: Config,
}

impl Bench {
    /// A registry of so many versions, healthy, of which nothing is known yet.
    pub(super) fn new(count: usize, start: &str, random: fn() -> f64) -> Self {
        Self::with(Config::default(), count, start, random)
    }

    /// So too, with another schedule.
    pub(super) fn with(config: Config, count: usize, start: &str, random: fn() -> f64) -> Self {
        let now = Now { at: Instant::now(), wall: start.parse().expect("a time") };
        let registry = registry();
        let synchroniser = Synchroniser::new(Arc::clone(&registry), config.clone(), now, random);
        let (model, request_duration) = (Model::new(count, now.wall), Duration::from_millis(200));
        let mut bench = Self { model, registry, synchroniser, now, request_duration, random, config };
        bench.synchroniser.set_walkable(true, now);
        bench
    }

    /// Starts the synchroniser again, with what the status says.
    pub(super) fn restart(&mut self) {
        self.synchroniser = Synchroniser::new(Arc::clone(&self.registry), self.config.clone(), self.now, self.random);
        self.synchroniser.set_walkable(true, self.now);
    }

    /// One step of the synchroniser, but not beyond that time.
    pub(super) fn step(&mut self, end: Timestamp) {
        self.synchroniser.set_requests(*self.registry.watch_requests().borrow());
        match self.synchroniser.next(self.now) {
            Step::Fetch(request) => {
                let fetched = self.model.answer(&request, self.now.wall);
                self.advance(self.request_duration);
                self.synchroniser.observe(&request, fetched, self.now);
            }
            Step::Wait(until) => {
                let left = Duration::try_from(end.duration_since(self.now.wall)).unwrap_or_default();
                self.advance((until - self.now.at).min(left).max(Duration::from_millis(1)));
            }
        }
    }

    pub(super) fn advance(&mut self, by: Duration) {
        self.now = Now { at: self.now.at + by, wall: self.now.wall + by };
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, hours: f64) {
        let end = self.now.wall + Duration::from_secs_f64(hours * 3600.0);
        while self.now.wall < end {
            self.step(end);
        }
    }

    pub(super) fn listed(&self) -> BTreeSet<(String, u64)> {
        self.registry.status().listing.as_ref().map(|listing| contents_of(listing)).unwrap_or_default()
    }

    /// The requests since they were last asked for: full walks begun, and the instants of increments begun.
    pub(super) fn begun(&mut self) -> (usize, Vec<(Timestamp, Timestamp)>) {
        let requests = std::mem::take(&mut self.model.requests);
        let first = requests.into_iter().filter(|(_, query)| query.cursor.is_none());
        let (walks, increments): (Vec<_>, Vec<_>) = first.partition(|(_, query)| query.updated_since.is_none());
        let increments = increments.into_iter().filter_map(|(at, query)| Some((at, query.updated_since?))).collect();
        (walks.len(), increments)
    }
}

/// A registry that is never asked over a socket.
pub(super) fn registry() -> Arc<Registry> {
    let figment = figment::Figment::from(("name", "alpha")).merge(("url", "http://127.0.0.1:9/v0.1/servers"));
    let config: crate::registry::config::Config = figment.extract().expect("a registry's configuration");
    let network = Network::new(&NetworkConfig { proxy: Some("off".into()), ca_file: None }).expect("a network");
    let settings = Settings {
        health: health::Config::default(),
        max_rate: 10.0,
        limits: Limits::default(),
        provenance_key: "k".into(),
        read_through: false,
        own_ids: OwnIds::default(),
        common: None,
    };
    let (rules, target) = (config.rules().expect("rules"), config.target().expect("a target"));
    Arc::new(Registry::new(rules, target, settings, &network, Arc::new(Notify::new())).expect("a client"))
}
