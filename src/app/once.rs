//! All configured registries, fetched once and merged: for commands that answer from a catalog and end. The same tests
//! and walks as in a proxy that runs, with the same limits; nothing is listened to, and nothing is kept.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::members::Surroundings;
use super::{AppError, OwnIds, aside, known_id};
use crate::catalog::Catalog;
use crate::catalog::merge::{Moment, Source, merge};
use crate::config::Config;
use crate::registry::Registry;
use crate::shutdown::Lifecycle;

/// How long after the longest walk that may be, at most: for the tests before it, and their retries.
const GRACE: Duration = Duration::from_mins(2);
/// How often it is looked whether all have ended, should nobody be told.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// What all registries list together.
#[derive(Debug)]
pub struct Snapshot {
    /// What those list that could be fetched whole.
    pub catalog: Arc<Catalog>,
    /// Those of which nothing could be fetched, or not all.
    pub missing: Vec<Missing>,
    /// Those that the snapshot has something of, but not all that they list.
    pub incomplete: Vec<Incomplete>,
}

/// A registry of which the snapshot has nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Its name in the configuration.
    pub name: String,
    /// Why.
    pub reason: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` is left out: {}", self.name, self.reason)
    }
}

/// A registry that lists more than the snapshot has of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incomplete {
    /// Its name in the configuration.
    pub name: String,
    /// How many of its entries are left out, because nothing can be made of them.
    pub refused: usize,
    /// Why the first one of those is.
    pub reason: Option<String>,
    /// Whether a later walk brought so much less that the listing before it counts.
    pub is_held: bool,
}

impl Incomplete {
    fn of(registry: &Registry) -> Option<Self> {
        let status = registry.status();
        let (refused, is_held) = (status.refused.count, status.held.is_some());
        let reason = status.refused.entries.first().map(|first| first.reason.clone());
        (refused > 0 || is_held).then(|| Self { name: registry.name().to_owned(), refused, reason, is_held })
    }
}

impl fmt::Display for Incomplete {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, refused, reason, is_held } = self;
        write!(formatter, "`{name}` ")?;
        if *refused > 0 {
            let (entries, are) = if *refused == 1 { ("entry", "is") } else { ("entries", "are") };
            write!(formatter, "lists {refused} {entries} that {are} left out")?;
            if let Some(reason) = reason {
                write!(formatter, "{}{reason}", if *refused == 1 { ": " } else { "; of the first one: " })?;
            }
        }
        if *is_held {
            let and = if *refused > 0 { ", and " } else { "" };
            write!(formatter, "{and}lists far less than a moment ago; the listing before that is taken")?;
        }
        Ok(())
    }
}

/// How far fetching all registries has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// How many registries there are.
    pub registries: usize,
    /// How many of them have been fetched, or given up.
    pub ended: usize,
    /// How many versions have been read so far.
    pub versions: usize,
}

impl Progress {
    fn of(registries: &[Arc<Registry>]) -> Self {
        let mut progress = Self { registries: registries.len(), ..Self::default() };
        for registry in registries {
            let status = registry.status();
            progress.ended += usize::from(status.attempted);
            progress.versions += status.served_listing().map_or(0, |listing| listing.versions);
        }
        progress
    }
}

/// Fetches all registries of a configuration once, at the same time, and merges what those list that could be fetched
/// whole. A part of a list is none: what is made of it may outlive the moment. Meanwhile `tell` is told how far it has
/// come, every now and then.
///
/// # Errors
/// What is wrong with the configuration. That nothing could be fetched is no error: the snapshot says so.
pub async fn fetch_once(config: &Config, tell: impl Fn(Progress)) -> Result<Snapshot, AppError> {
    let changed = Arc::new(Notify::new());
    let own_ids = OwnIds::of(known_id(config).await);
    let surroundings = Surroundings::new(config, own_ids, Arc::clone(&changed))?;
    let mut members = surroundings.members(config)?;
    let lifecycle = Lifecycle::new();
    for member in &mut members {
        member.start(&lifecycle);
    }
    let registries: Vec<Arc<Registry>> = members.iter().map(|member| Arc::clone(&member.registry)).collect();
    // Elapsing is no error: what has ended by then counts.
    let _ = timeout(config.limits.walk_timeout + GRACE, all_attempted(&registries, &changed, tell)).await;
    let now = Timestamp::now();
    let (sources, missing) = sources(&registries, now);
    let is_missing = |name: &str| missing.iter().any(|missing| missing.name == name);
    let present = registries.iter().filter(|registry| !is_missing(registry.name()));
    let incomplete = present.filter_map(|registry| Incomplete::of(registry)).collect();
    lifecycle.stop();
    let policy = Arc::clone(&surroundings.policy);
    let moment = Moment { now, is_ready: false };
    let catalog = aside(move || merge(&policy, &sources, &Catalog::default(), moment)).await;
    Ok(Snapshot { catalog: Arc::new(catalog), missing, incomplete })
}

async fn all_attempted(registries: &[Arc<Registry>], changed: &Notify, tell: impl Fn(Progress)) {
    loop {
        let progress = Progress::of(registries);
        tell(progress);
        if progress.ended == progress.registries {
            return;
        }
        let _ = timeout(LOOK_INTERVAL, changed.notified()).await;
    }
}

/// Each registry's part, and those that have none.
fn sources(registries: &[Arc<Registry>], now: Timestamp) -> (Vec<Source>, Vec<Missing>) {
    let mut missing = Vec::new();
    let sources = registries.iter().map(|registry| {
        let mut source = registry.merge_source(now);
        let status = registry.status();
        if status.listing.is_none() {
            (source.usable, source.listing) = (false, None);
        }
        if !source.usable {
            let error = status.last_error.as_ref().map(|(_, error)| error.clone());
            let reason = error.unwrap_or_else(|| "its list did not come to its end in time".to_owned());
            missing.push(Missing { name: registry.name().to_owned(), reason });
        }
        source
    });
    (sources.collect(), missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_of_a_registry_is_said_in_one_sentence() {
        let said = |refused, reason: Option<&str>, is_held| {
            Incomplete { name: "a".to_owned(), refused, reason: reason.map(str::to_owned), is_held }.to_string()
        };
        assert_eq!(said(1, Some("no name"), false), "`a` lists 1 entry that is left out: no name");
        assert_eq!(said(2, Some("no name"), false), "`a` lists 2 entries that are left out; of the first one: no name");
        let held = "lists far less than a moment ago; the listing before that is taken";
        assert_eq!(said(0, None, true), format!("`a` {held}"));
        assert_eq!(said(2, None, true), format!("`a` lists 2 entries that are left out, and {held}"));
    }
}
