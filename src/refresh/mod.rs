//! WRITE WING: schedule, collect, merge, publish.
//!
//! Per registry two tasks: one tests it (`watch`), one walks it (`sync`). Both only change what is known of
//! the registry; a single `publish` task turns that into catalogs. So walks never wait for one another, and
//! a catalog never depends on who answered first.

mod publish;
mod sync;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::Notify;

use crate::catalog::current::Current;
use crate::catalog::merge::Policy;
use crate::registry::config::{RATE_ADVICE, RefreshOverrides, is_rate};
use crate::registry::{Registry, duration};

/// `[refresh]` of the configuration.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Time from a failed walk to the next one. (Scheduled increments, which it is named for, do not exist yet.)
    #[serde(deserialize_with = "duration::required")]
    pub interval: Duration,
    /// Time from one full walk to the next.
    #[serde(deserialize_with = "duration::required")]
    pub full_interval: Duration,
    /// Requests a second to one registry.
    pub max_rate: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { interval: Duration::from_mins(5), full_interval: Duration::from_hours(6), max_rate: 10.0 }
    }
}

impl Config {
    /// The settings of a registry that overrides some.
    #[must_use]
    pub fn overridden_by(&self, overrides: &RefreshOverrides) -> Self {
        Self {
            interval: overrides.interval.unwrap_or(self.interval),
            full_interval: overrides.full_interval.unwrap_or(self.full_interval),
            max_rate: overrides.max_rate.unwrap_or(self.max_rate),
        }
    }

    /// The keys whose values make no sense, and why.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        for (key, duration) in [("interval", self.interval), ("full_interval", self.full_interval)] {
            if duration < Duration::from_millis(100) {
                problems.push((key, "must be at least 100ms".to_owned()));
            }
        }
        if self.full_interval < self.interval {
            problems.push(("full_interval", "must not be shorter than `interval`".to_owned()));
        }
        if !is_rate(self.max_rate) {
            problems.push(("max_rate", RATE_ADVICE.to_owned()));
        }
        problems
    }
}

/// The write wing's tasks, to be run side by side until they are dropped.
#[derive(Debug)]
pub struct Refresh {
    /// All registries in configuration order, each with its schedule.
    pub registries: Vec<(Arc<Registry>, Config)>,
    /// How they are merged.
    pub policy: Policy,
    /// Where catalogs are published.
    pub current: Arc<Current>,
    /// Told by the registries whenever the catalog may have to change.
    pub changed: Arc<Notify>,
}

/// A task of the wing; boxed, because each is another future.
pub type Task = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

impl Refresh {
    /// Hands every task of the wing to `spawn`: the name it goes by in logs, and how to start it (again,
    /// should it panic). They end only by being dropped.
    pub fn start(self, mut spawn: impl FnMut(String, Box<dyn Fn() -> Task + Send>)) {
        let Self { registries, policy, current, changed } = self;
        for (registry, schedule) in registries.clone() {
            let name = registry.name().to_owned();
            if registry.is_file() {
                spawn(format!("file {name}"), Box::new(move || Box::pin(watch::follow_file(Arc::clone(&registry)))));
                continue;
            }
            let probed = Arc::clone(&registry);
            spawn(format!("probe {name}"), Box::new(move || Box::pin(watch::probe(Arc::clone(&probed)))));
            spawn(
                format!("sync {name}"),
                Box::new(move || Box::pin(sync::keep_in_sync(Arc::clone(&registry), schedule.clone()))),
            );
        }
        let registries: Vec<_> = registries.into_iter().map(|(registry, _)| registry).collect();
        let publish = move || -> Task {
            let (current, changed) = (Arc::clone(&current), Arc::clone(&changed));
            Box::pin(publish::publish(registries.clone(), policy.clone(), current, changed))
        };
        spawn("publish".to_owned(), Box::new(publish));
    }
}
