//! The figures of each registry that is configured now. One that is taken out has none from then on.

use std::time::Duration;

use jiff::Timestamp;

use super::figures::{
    CHECK_DURATION, CHECK_FAILURES, CHECK_SUCCESS, CHECKED_AT, CHECKS, HELD, PAGES, RATE_LIMITED, REFUSED_ENTRIES,
    REGISTRY_BYTES, REGISTRY_SERVERS, REGISTRY_VERSIONS, STATE, STATE_SINCE, SYNC_DURATION, SYNC_FAILED, SYNCED_AT,
    SYNCS, USABLE,
};
use super::sheet::Sheet;
use crate::registry::Registry;
use crate::registry::error::Stage;
use crate::registry::health::State;
use crate::registry::status::Status;
use crate::registry::tally::{CHECK_OUTCOMES, PAGE_OUTCOMES, SyncKind};

/// The states, as `/registries` writes them.
const STATES: [(State, &str); 3] =
    [(State::Starting, "starting"), (State::Healthy, "healthy"), (State::Unhealthy, "unhealthy")];

/// Adds the figures of a registry.
pub(super) fn add(sheet: &mut Sheet, registry: &Registry, now: Timestamp) {
    let name = registry.name();
    sheet.gauge(USABLE, &[name], registry.usable(now).0);
    {
        let status = registry.status();
        add_health(sheet, name, &status);
        add_listing(sheet, name, &status);
    }
    let counts = registry.counts();
    for (outcome, count) in CHECK_OUTCOMES.into_iter().zip(counts.checks) {
        sheet.count(CHECKS, &[name, outcome], count);
    }
    for (stage, count) in Stage::ALL.into_iter().zip(counts.failed_stages) {
        sheet.count(CHECK_FAILURES, &[name, stage.as_str()], count);
    }
    // A file is read, and has no pages; what is no file is not read.
    let kinds = SyncKind::ALL.into_iter().zip(counts.syncs);
    for (kind, counts) in kinds.filter(|(kind, _)| (*kind == SyncKind::File) == registry.is_file()) {
        for (outcome, count) in ["success", "failure"].into_iter().zip(counts) {
            sheet.count(SYNCS, &[name, kind.as_str(), outcome], count);
        }
    }
    if !registry.is_file() {
        for (outcome, count) in PAGE_OUTCOMES.into_iter().zip(counts.pages) {
            sheet.count(PAGES, &[name, outcome], count);
        }
        sheet.count(RATE_LIMITED, &[name], counts.rate_limited);
    }
}

fn add_health(sheet: &mut Sheet, name: &str, status: &Status) {
    for (state, label) in STATES {
        sheet.gauge(STATE, &[name, label], status.health.state == state);
    }
    sheet.gauge(STATE_SINCE, &[name], status.health.since.as_second());
    let Some(check) = &status.last_check else { return };
    sheet.gauge(CHECKED_AT, &[name], check.at.as_second());
    for report in &check.stages {
        let stage = report.stage.as_str();
        sheet.gauge(CHECK_SUCCESS, &[name, stage], report.failure.is_none());
        sheet.gauge_of(CHECK_DURATION, &[name, stage], report.duration.as_secs_f64());
    }
}

fn add_listing(sheet: &mut Sheet, name: &str, status: &Status) {
    let listed = status.served_listing();
    sheet.gauge(REGISTRY_SERVERS, &[name], listed.map_or(0, |listing| listing.servers.len()));
    sheet.gauge(REGISTRY_VERSIONS, &[name], listed.map_or(0, |listing| listing.versions));
    sheet.gauge(REGISTRY_BYTES, &[name], listed.map_or(0, |listing| listing.bytes));
    sheet.gauge(REFUSED_ENTRIES, &[name], status.refused.count);
    sheet.gauge(HELD, &[name], status.held_facts().is_some());
    if let Some(listed_at) = status.listed_at {
        sheet.gauge(SYNCED_AT, &[name], listed_at.as_second());
    }
    if let Some(sync) = &status.last_sync {
        sheet.gauge(SYNC_FAILED, &[name], sync.error.is_some());
        let took = Duration::try_from(sync.finished_at.duration_since(sync.started_at)).unwrap_or_default();
        sheet.gauge_of(SYNC_DURATION, &[name], took.as_secs_f64());
    }
}
