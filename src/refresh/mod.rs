//! WRITE WING: schedule, collect, merge, publish.
//!
//! Per registry that is asked two tasks: one tests it (`watch`), one walks it (`sync`; when and what, `schedule` and
//! `synchroniser` decide, `run` is one walk). A file has one task, which reads it (`watch`). They only change what is
//! known of the registry; a single `publish` task turns that into catalogs (`sources` says when one is due). So walks
//! never wait for one another, and a catalog never depends on who answered first. What is known outlives the process
//! through [`keep`], as often as `pace` says; or, where several replicas are one proxy, through [`replicas`], and then a
//! registry is asked by one of them (`duty`).

mod duty;
pub mod keep;
pub mod lasting;

#[cfg(test)]
mod model;
mod pace;
mod publish;
pub mod replicas;
mod run;
mod schedule;
#[cfg(test)]
mod simulation;
mod sources;
mod sync;
mod synchroniser;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use serde::Deserialize;
use tokio::sync::Notify;
use tokio::sync::watch::{Receiver, Sender};

use crate::catalog::current::Current;
use crate::catalog::merge::Policy;
use crate::registry::config::{RATE_ADVICE, RefreshOverrides, is_rate};
use crate::registry::{Registry, duration};

/// The longest sleep when nothing is due.
const IDLE: Duration = Duration::from_hours(1);

/// `[refresh]` of the configuration.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Time from one increment to the next, and from a failed walk to the next one.
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

/// The registries of the moment and how they are merged. Replaced whole when the configuration changes.
#[derive(Debug)]
pub struct Members {
    /// All registries in configuration order.
    pub registries: Vec<Arc<Registry>>,
    /// How they are merged.
    pub policy: Arc<Policy>,
}

/// Makes catalogs of what is known of the registries.
#[derive(Debug)]
pub struct Refresh {
    members: ArcSwap<Members>,
    /// Where catalogs are published.
    current: Arc<Current>,
    /// Told by the registries whenever the catalog may have to change.
    changed: Arc<Notify>,
    /// Counts the catalogs, for those who wait for the next one.
    published: Sender<u64>,
}

/// A task of the wing; boxed, because each is another future.
pub type Task = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
/// How a task is started, and started again should it panic. It ends only by being dropped.
pub type Start = Box<dyn Fn() -> Task + Send>;

impl Refresh {
    /// A wing that publishes to `current` whenever `changed` is told.
    #[must_use]
    pub fn new(members: Members, current: Arc<Current>, changed: Arc<Notify>) -> Self {
        Self { members: ArcSwap::from_pointee(members), current, changed, published: Sender::new(0) }
    }

    /// Changes whenever there is another catalog.
    #[must_use]
    pub fn published(&self) -> Receiver<u64> {
        self.published.subscribe()
    }

    /// Takes other registries, or another policy, into account from the next catalog on.
    pub fn replace(&self, members: Members) {
        self.members.store(Arc::new(members));
        self.changed.notify_one();
    }

    /// The task that publishes catalogs, and the name it goes by in logs.
    #[must_use]
    pub fn publishing(self: &Arc<Self>) -> (String, Start) {
        let refresh = Arc::clone(self);
        let publish = move || -> Task { Box::pin(publish::publish(Arc::clone(&refresh))) };
        ("publish".to_owned(), Box::new(publish))
    }
}

/// The tasks that keep what is known of one registry up to date, each with the name it goes by in logs.
#[must_use]
pub fn tasks(registry: &Arc<Registry>, schedule: &Config) -> Vec<(String, Start)> {
    let name = registry.name();
    let (probed, synced) = (Arc::clone(registry), Arc::clone(registry));
    if registry.is_file() {
        let follow = move || -> Task {
            let registry = Arc::clone(&probed);
            Box::pin(duty::on_duty(Arc::clone(&probed), move || watch::follow_file(Arc::clone(&registry))))
        };
        return vec![(format!("file {name}"), Box::new(follow))];
    }
    let schedule = schedule.clone();
    let probe = move || -> Task {
        let registry = Arc::clone(&probed);
        Box::pin(duty::on_duty(Arc::clone(&probed), move || watch::probe(Arc::clone(&registry))))
    };
    let sync = move || -> Task {
        let (registry, schedule) = (Arc::clone(&synced), schedule.clone());
        let walk = move || sync::keep_in_sync(Arc::clone(&registry), schedule.clone());
        Box::pin(duty::on_duty(Arc::clone(&synced), walk))
    };
    vec![(format!("probe {name}"), Box::new(probe)), (format!("sync {name}"), Box::new(sync))]
}
