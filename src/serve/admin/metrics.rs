//! Figures for Prometheus. Most are read off what is known when somebody asks; what has to be counted is counted where
//! it happens, and added up here. What each of them is, the table in `figures` says.

mod figures;
mod process;
mod registries;
mod sheet;

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use jiff::Timestamp;
use tokio::task::spawn_blocking;

use super::super::changes::MAX_FOLLOWERS;
use super::super::connection::Load;
use super::super::error::Problem;
use super::super::note::CacheUse;
use super::super::{ReplicaFigures, Service, StoreFigures, TelemetryFigures};
use crate::inspect::conflicts::Kind as Conflict;
use figures::{
    ABANDONED, ACCEPT_FAILURES, ACCEPTED, BUILD, CACHE_BODIES, CACHE_BYTES, CACHE_EVICTIONS, CACHE_MAX_BYTES,
    CACHE_REQUESTS, COLLAPSED, CONFLICTS, CONNECTIONS, CROWDED, DURATIONS, FOLLOWERS, IN_FLIGHT, LOOK_UPS, LOST_LINES,
    PENDING_KEYS, POSTED, POSTED_BYTES, PUBLISHED_AT, READY, REFUSED_REQUESTS, REJECTED, RELOAD_SUCCESSFUL,
    RELOADED_AT, REPLICA_EPOCH, REPLICA_FAILING, REPLICA_HEARD_AT, REPLICA_RECEIVED, REPLICA_ROLE, REPLICA_SENT,
    REPLICA_SEQUENCE, REPLICA_SHARED, REQUESTS, REVISION, SENDING, SERVERS, STARTED_AT, STORE_BYTES, STORE_FAILING,
    STORE_FAILURES, STORE_WRITES, STORED_AT, TRACE_EXPORTS, VERSIONS,
};
pub(super) use sheet::Format;
use sheet::Sheet;

impl Service {
    /// All figures as they are now.
    pub(super) async fn metrics(&self, format: Format) -> Result<String, Problem> {
        // One pass over the names of a catalog that nobody has asked about yet: not on a thread of the runtime.
        let (inspections, catalog) = (Arc::clone(&self.core.inspections), Arc::clone(&self.core.current.load()));
        let conflicts = spawn_blocking(move || inspections.conflicts(&catalog)).await.map_err(|_| Problem::Internal)?;
        Ok(self.sheet(conflicts).write(format))
    }

    fn sheet(&self, conflicts: [u64; 3]) -> Sheet {
        let mut sheet = Sheet::default();
        self.add_process(&mut sheet);
        self.add_traffic(&mut sheet);
        self.add_cache(&mut sheet);
        self.add_catalog(&mut sheet, conflicts);
        let now = Timestamp::now();
        for registry in &self.registries {
            registries::add(&mut sheet, registry, now);
        }
        self.add_read_through(&mut sheet);
        self.add_surroundings(&mut sheet);
        process::add(&mut sheet);
        sheet
    }

    fn add_process(&self, sheet: &mut Sheet) {
        let of_build = [env!("CARGO_PKG_VERSION"), env!("BUILD_COMMIT"), env!("BUILD_DATE")];
        sheet.gauge(BUILD, &of_build, 1);
        sheet.gauge(READY, &[], self.core.current.is_ready());
        let configuration = self.core.configuration.load();
        sheet.gauge(RELOAD_SUCCESSFUL, &[], configuration.refused.is_none());
        sheet.gauge(RELOADED_AT, &[], configuration.loaded_at.as_second());
        sheet.gauge(PENDING_KEYS, &[], configuration.pending.len());
    }

    fn add_traffic(&self, sheet: &mut Sheet) {
        let figures = &self.core.figures;
        for (listener, load) in [("public", &figures.load), ("admin", &figures.admin)] {
            if let Some(load) = load {
                add_listener(sheet, listener, load);
            }
        }
        let followers = MAX_FOLLOWERS.saturating_sub(self.core.followers.available_permits());
        sheet.gauge(FOLLOWERS, &[], followers);
        let Some(load) = &figures.load else { return };
        sheet.gauge(IN_FLIGHT, &[], load.in_flight());
        sheet.count(REFUSED_REQUESTS, &[], load.refused());
        sheet.gauge(SENDING, &[], load.sending_bytes());
        sheet.count(POSTED, &["read"], load.posted.read());
        sheet.count(POSTED, &["unread"], load.posted.unread());
        sheet.count(POSTED_BYTES, &[], load.posted.bytes());
        for uses in CacheUse::ALL.into_iter().filter(|uses| *uses != CacheUse::None) {
            sheet.count(CACHE_REQUESTS, &[uses.as_str()], load.traffic.cache_uses(uses));
        }
    }

    fn add_cache(&self, sheet: &mut Sheet) {
        let cache = self.core.cache.figures();
        sheet.gauge(CACHE_BODIES, &[], cache.bodies);
        sheet.gauge(CACHE_BYTES, &[], cache.bytes);
        sheet.gauge(CACHE_MAX_BYTES, &[], cache.max_bytes);
        sheet.count(CACHE_EVICTIONS, &[], cache.evicted);
    }

    fn add_catalog(&self, sheet: &mut Sheet, conflicts: [u64; 3]) {
        let catalog = self.core.current.load();
        sheet.gauge(REVISION, &[], catalog.revision);
        // Of a catalog that nobody has published yet, there is no such time.
        if catalog.revision > 0 {
            sheet.gauge(PUBLISHED_AT, &[], catalog.published_at.as_second());
        }
        sheet.gauge(SERVERS, &[], catalog.servers().len());
        sheet.gauge(VERSIONS, &[], catalog.versions());
        for (kind, count) in Conflict::ALL.into_iter().zip(conflicts) {
            sheet.gauge(CONFLICTS, &[kind.as_str()], count);
        }
    }

    fn add_read_through(&self, sheet: &mut Sheet) {
        let counts = self.core.read_through.counts();
        let outcomes = [
            ("found", counts.found),
            ("not_listed", counts.not_listed),
            ("failed", counts.failed),
            ("refused", counts.refused),
        ];
        for (outcome, count) in outcomes {
            sheet.count(LOOK_UPS, &[outcome], count);
        }
        sheet.count(COLLAPSED, &[], counts.collapsed);
        sheet.count(CROWDED, &[], counts.crowded);
    }

    /// What others know: the store, the log, the traces.
    fn add_surroundings(&self, sheet: &mut Sheet) {
        if let Some(store) = &self.core.figures.store {
            let StoreFigures { last_write, is_failing, writes, failures, written_bytes, .. } = store();
            sheet.gauge(STORE_FAILING, &[], is_failing);
            if let Some(last_write) = last_write {
                sheet.gauge(STORED_AT, &[], last_write.as_second());
            }
            sheet.count(STORE_WRITES, &[], writes);
            sheet.count(STORE_FAILURES, &[], failures);
            sheet.count(STORE_BYTES, &[], written_bytes);
        }
        self.add_replica(sheet);
        if let Some(telemetry) = self.core.figures.telemetry {
            let TelemetryFigures { lost_log_lines, trace_exports, failed_trace_exports, started_at } = telemetry();
            sheet.count(LOST_LINES, &[], lost_log_lines);
            sheet.count(TRACE_EXPORTS, &["success"], trace_exports);
            sheet.count(TRACE_EXPORTS, &["failure"], failed_trace_exports);
            if let Ok(since_1970) = started_at.duration_since(UNIX_EPOCH) {
                sheet.gauge_of(STARTED_AT, &[], since_1970.as_secs_f64());
            }
        }
    }
}

impl Service {
    fn add_replica(&self, sheet: &mut Sheet) {
        let Some(replica) = &self.core.figures.replica else { return };
        let ReplicaFigures { role, generation, is_own, heard_at, fault, sent, received, .. } = replica();
        for known in ["leading", "following", "alone"] {
            sheet.gauge(REPLICA_ROLE, &[known], role == known);
        }
        sheet.gauge(REPLICA_EPOCH, &[], generation.0);
        sheet.gauge(REPLICA_SEQUENCE, &[], generation.1);
        sheet.gauge(REPLICA_SHARED, &[], !is_own);
        sheet.gauge(REPLICA_FAILING, &[], fault.is_some());
        if let Some(heard_at) = heard_at {
            sheet.gauge(REPLICA_HEARD_AT, &[], heard_at.as_second());
        }
        sheet.count(REPLICA_SENT, &[], sent);
        sheet.count(REPLICA_RECEIVED, &[], received);
    }
}

/// What is counted of a listener.
fn add_listener(sheet: &mut Sheet, listener: &str, load: &Load) {
    for answers in load.traffic.answers() {
        let code = if answers.code == 0 { "other".to_owned() } else { answers.code.to_string() };
        sheet.count(REQUESTS, &[listener, answers.route, answers.method, &code], answers.count);
    }
    for durations in load.traffic.durations() {
        let of = (durations.seconds, durations.count);
        sheet.histogram(DURATIONS, &[listener, durations.route], of, durations.buckets);
    }
    sheet.count(ABANDONED, &[listener], load.traffic.abandoned());
    sheet.gauge(CONNECTIONS, &[listener], load.connections.open());
    sheet.count(ACCEPTED, &[listener], load.connections.accepted());
    sheet.count(REJECTED, &[listener], load.connections.rejected());
    sheet.count(ACCEPT_FAILURES, &[listener], load.connections.failed());
}
