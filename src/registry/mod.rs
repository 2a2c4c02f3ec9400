//! THE PUMP: one registry each. The only module that opens connections to registries (and reads registry
//! files), and the only one that knows foreign formats. It has no tasks of its own: `refresh` says when.
//!
//! In reading order: [`config`], [`endpoint`] and [`limits`] what the administrator says, `network` the way out,
//! [`client`](self) and `connect` one request, `resolve` and `addresses` where it may go, `body` what comes back,
//! [`error`] what goes wrong, [`retry`] and `gate` when to ask again, `http` and `file` the two kinds of registries,
//! `pages` what a list is made of, `revalidate` what need not be sent again, [`wire`] from bytes to entries, [`crawl`] and [`increments`] from pages
//! to a listing, [`guard`] whether it is believed, `check`, [`probe`] and [`health`] from outcomes to a state, [`status`], [`history`],
//! [`syncs`] and [`marks`] what is known, `observe` how that changes, `lineage` who is behind it, [`lookup`] one name asked for out of turn,
//! [`tally`] how often what happened,
//! [`restore`] and `succession` what outlives the process and the settings, [`shared`] what replicas tell one another, [`peer`] a proxy like ours that a command asks,
//! and here [`Registry`].

pub mod config;
pub mod crawl;
pub mod duration;
pub mod endpoint;
pub mod error;
pub mod guard;
pub mod health;
pub mod history;
pub mod increments;
pub mod limits;
pub mod lookup;
pub mod marks;
pub mod peer;
pub mod probe;
pub mod restore;
pub mod retry;
pub mod shared;
pub mod status;
pub mod syncs;
pub mod tally;
pub mod wire;

mod addresses;
mod body;
mod check;
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
mod pages;
mod resolve;
mod revalidate;
mod succession;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::{Notify, watch};

use crate::catalog::merge::Source;
use crate::catalog::rules::RegistryRules;

use config::Target;
use file::File;
pub use file::{FileLoad, FileVersion};
use http::HttpOrigin;
pub use http::ListUrl;
use limits::Limits;
use lineage::LineageWatch;
pub use lineage::{LINEAGE_HEADER, OwnIds};
use lookup::Lane;
use lookup::common::Common;
pub use network::Network;
pub use observe::RefreshRequests;
pub use pages::Fetched;
use status::Status;
use tally::Tally;

/// By which attribute spans name a registry.
pub const REGISTRY_ATTRIBUTE: &str = "mcp_registry_proxy.registry";

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
    /// Where look-ups meet those of other replicas of this proxy, where there are some.
    pub common: Option<Arc<dyn Common>>,
}

/// One configured registry: how to ask it, and what is known of it.
#[derive(Debug)]
pub struct Registry {
    rules: Arc<RegistryRules>,
    settings: Settings,
    source: Origin,
    lineage: Arc<LineageWatch>,
    lane: Lane,
    tally: Tally,
    status: Mutex<Status>,
    /// Whether walking it makes sense now.
    walkable: watch::Sender<bool>,
    /// What administrators ask for.
    requests: watch::Sender<RefreshRequests>,
    /// The shift in which it is for this process to ask it; none while another replica does so for all.
    duty: watch::Sender<Option<u64>>,
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
            tally: Tally::default(),
            status: Mutex::new(Status::starting(Timestamp::now())),
            walkable: watch::Sender::new(false),
            requests: watch::Sender::new(RefreshRequests::default()),
            duty: watch::Sender::new(Some(0)),
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
        let (is_partial, listing) = (status.listing.is_none(), status.served_listing().cloned());
        Source { rules: Arc::clone(&self.rules), usable, stale_since, is_partial, listing }
    }

    /// Where a walk begins now; it stays there to its end. A file has no such place.
    #[must_use]
    pub fn list_url(&self) -> Option<ListUrl> {
        match &self.source {
            Origin::Http(http) => Some(http.list_url()),
            Origin::File(_) => None,
        }
    }
}
