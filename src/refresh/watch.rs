//! Testing registries, over and over.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::registry::Registry;
use crate::registry::probe::Check;

/// How often a registry file is looked at for a change.
const FILE_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Tests a registry at its interval, whatever the outcome.
pub(super) async fn probe(registry: Arc<Registry>) {
    let spacing = registry.settings().health.interval;
    let mut ticks = interval(spacing);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // One that takes longer than that is followed by the next one at once.
        registry.status().next_check = Timestamp::now().checked_add(spacing).ok();
        let check = registry.check().await;
        registry.observe_check(check);
    }
}

/// Reads a registry file whenever it changes, or an administrator asks for it. Its test is that reading; at the interval of tests the
/// last reading counts again, for as long as the file stays as it was.
pub(super) async fn follow_file(registry: Arc<Registry>) {
    let health_interval = registry.settings().health.interval;
    let mut requests = registry.watch_requests();
    let mut version = None;
    let mut last: Option<(Instant, Check)> = None;
    loop {
        let load = registry.load_file(version).await;
        version = load.version;
        let is_due = last.as_ref().is_none_or(|(at, _)| health_interval <= at.elapsed());
        let is_news = match (&load.check, &last) {
            (Some(check), Some((_, last))) => check.failure() != last.failure(),
            (check, _) => check.is_some(),
        };
        let check =
            load.check.or_else(|| last.as_ref().map(|(_, check)| Check { at: Timestamp::now(), ..check.clone() }));
        if let Some(check) = check.filter(|_| is_due || is_news) {
            registry.observe_check(check.clone());
            last = Some((Instant::now(), check));
        }
        if let Ok(Ok(())) = timeout(FILE_POLL_INTERVAL.min(health_interval), requests.changed()).await {
            version = None;
        }
    }
}
