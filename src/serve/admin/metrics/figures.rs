//! The table of all figures: `docs/metrics.md` is made of it.

use super::sheet::{Figure, Kind};

/// Figures with a name each, and all of them.
macro_rules! figures {
    ($($constant:ident: $kind:ident, $name:literal $([$($label:literal),+])?, $help:literal;)+) => {
        $(pub(super) const $constant: &Figure = &Figure {
            name: $name,
            kind: Kind::$kind,
            labels: &[$($($label),+)?],
            help: $help,
        };)+

        /// All of them, in the order in which they are documented.
        #[cfg(test)]
        pub(super) const ALL: &[&Figure] = &[$($constant),+];
    };
}

figures! {
    BUILD: Gauge, "mcp_registry_proxy_build_info" ["version", "commit", "built"],
        "The build that is running; always 1";
    READY: Gauge, "mcp_registry_proxy_ready",
        "Whether the first attempt to fetch each registry has ended";
    RELOAD_SUCCESSFUL: Gauge, "mcp_registry_proxy_config_last_reload_successful",
        "Whether the last change of the configuration was taken";
    RELOADED_AT: Gauge, "mcp_registry_proxy_config_last_reload_success_timestamp_seconds",
        "When the configuration in effect was read, in seconds since 1970";
    PENDING_KEYS: Gauge, "mcp_registry_proxy_config_pending_keys",
        "Changed keys that wait for a restart";

    REQUESTS: Counter, "mcp_registry_proxy_http_requests_total" ["listener", "route", "method", "code"],
        "Requests that were answered, refusals included; what the API has under several versions counts under the newest, and a stream when it begins";
    DURATIONS: Histogram, "mcp_registry_proxy_http_request_duration_seconds" ["listener", "route"],
        "Time from a request's head to the end of its answer, streams aside";
    ABANDONED: Counter, "mcp_registry_proxy_http_requests_abandoned_total" ["listener"],
        "Requests whose clients went away before there was an answer";
    IN_FLIGHT: Gauge, "mcp_registry_proxy_requests_in_flight",
        "Requests in public whose answers are being made";
    REFUSED_REQUESTS: Counter, "mcp_registry_proxy_requests_refused_total",
        "Requests, answers and bodies in public for which there was no room";
    SENDING: Gauge, "mcp_registry_proxy_responses_sending_bytes",
        "Bytes of answers in public that clients have not taken yet";
    POSTED: Counter, "mcp_registry_proxy_http_request_bodies_total" ["outcome"],
        "Bodies of requests in public that a route wanted: read, or unread (too long, late, broken or without room)";
    POSTED_BYTES: Counter, "mcp_registry_proxy_http_request_body_bytes_total",
        "Bytes of the bodies in public that were read";
    CONNECTIONS: Gauge, "mcp_registry_proxy_connections" ["listener"],
        "Open connections of clients";
    ACCEPTED: Counter, "mcp_registry_proxy_connections_accepted_total" ["listener"],
        "Connections that were accepted";
    REJECTED: Counter, "mcp_registry_proxy_connections_rejected_total" ["listener"],
        "Connections that were closed at once, because their address had enough of them";
    ACCEPT_FAILURES: Counter, "mcp_registry_proxy_connections_accept_failures_total" ["listener"],
        "Attempts to accept a connection that failed, most often for want of file descriptors";
    FOLLOWERS: Gauge, "mcp_registry_proxy_change_followers",
        "Clients that follow the feed of changes as a stream";

    CACHE_REQUESTS: Counter, "mcp_registry_proxy_cache_requests_total" ["outcome"],
        "Answers in public that the cache could have had: hit, rendered out of the catalog, or read_through from registries";
    CACHE_BODIES: Gauge, "mcp_registry_proxy_cache_entries",
        "Rendered answers in the cache";
    CACHE_BYTES: Gauge, "mcp_registry_proxy_cache_bytes",
        "Bytes that rendered answers take in the cache";
    CACHE_MAX_BYTES: Gauge, "mcp_registry_proxy_cache_max_bytes",
        "Bytes that they may take (cache.max_size)";
    CACHE_EVICTIONS: Counter, "mcp_registry_proxy_cache_evictions_total",
        "Rendered answers that had to leave the cache for others";

    REVISION: Gauge, "mcp_registry_proxy_catalog_revision",
        "How often a catalog has been published";
    PUBLISHED_AT: Gauge, "mcp_registry_proxy_catalog_published_timestamp_seconds",
        "When the catalog was published, in seconds since 1970";
    SERVERS: Gauge, "mcp_registry_proxy_catalog_servers",
        "Names in the catalog";
    VERSIONS: Gauge, "mcp_registry_proxy_catalog_versions",
        "Versions in the catalog, deleted ones included";
    CONFLICTS: Gauge, "mcp_registry_proxy_catalog_conflicts" ["kind"],
        "Conflicts in the catalog, by kind: content, latest, refused";

    STATE: Gauge, "mcp_registry_proxy_registry_state" ["registry", "state"],
        "The state that a registry is in, as 1";
    STATE_SINCE: Gauge, "mcp_registry_proxy_registry_state_since_timestamp_seconds" ["registry"],
        "Since when a registry is in its state, in seconds since 1970";
    USABLE: Gauge, "mcp_registry_proxy_registry_usable" ["registry"],
        "Whether a registry's servers may be served";
    REGISTRY_SERVERS: Gauge, "mcp_registry_proxy_registry_servers" ["registry"],
        "Names that a registry lists";
    REGISTRY_VERSIONS: Gauge, "mcp_registry_proxy_registry_versions" ["registry"],
        "Versions that a registry lists";
    REGISTRY_BYTES: Gauge, "mcp_registry_proxy_registry_listing_bytes" ["registry"],
        "Bytes of JSON that a registry's list has";
    REFUSED_ENTRIES: Gauge, "mcp_registry_proxy_registry_refused_entries" ["registry"],
        "Entries of a registry that would break clients";
    HELD: Gauge, "mcp_registry_proxy_registry_listing_held" ["registry"],
        "Whether the collapse guard holds a listing back";
    CHECKS: Counter, "mcp_registry_proxy_registry_checks_total" ["registry", "outcome"],
        "Tests of a registry: success, failure, neither (it asked for fewer requests, or was not asked), loop";
    CHECK_FAILURES: Counter, "mcp_registry_proxy_registry_check_failures_total" ["registry", "stage"],
        "Tests of a registry that failed, by the stage that did";
    CHECKED_AT: Gauge, "mcp_registry_proxy_registry_last_check_timestamp_seconds" ["registry"],
        "When a registry was last tested, in seconds since 1970";
    CHECK_SUCCESS: Gauge, "mcp_registry_proxy_registry_check_success" ["registry", "stage"],
        "Whether a stage of the last test passed; absent where it was not reached";
    CHECK_DURATION: Gauge, "mcp_registry_proxy_registry_check_duration_seconds" ["registry", "stage"],
        "How long a stage of the last test took; absent where it was not reached";
    SYNCED_AT: Gauge, "mcp_registry_proxy_registry_last_sync_timestamp_seconds" ["registry"],
        "When a registry last confirmed its listing, in seconds since 1970";
    SYNC_FAILED: Gauge, "mcp_registry_proxy_registry_last_sync_failed" ["registry"],
        "Whether the last walk through a registry failed";
    SYNC_DURATION: Gauge, "mcp_registry_proxy_registry_last_sync_duration_seconds" ["registry"],
        "How long the last walk through a registry took";
    SYNCS: Counter, "mcp_registry_proxy_registry_syncs_total" ["registry", "kind", "outcome"],
        "Full walks, increments and readings of files that ended: success or failure";
    PAGES: Counter, "mcp_registry_proxy_registry_pages_total" ["registry", "outcome"],
        "Pages that a registry was asked for: fetched, unchanged (304), failed (and asked for again, or given up)";
    RATE_LIMITED: Counter, "mcp_registry_proxy_registry_rate_limited_total" ["registry"],
        "Pages that a registry answered with 429";

    LOOK_UPS: Counter, "mcp_registry_proxy_read_through_look_ups_total" ["outcome"],
        "Look-ups at registries, by what came of them";
    COLLAPSED: Counter, "mcp_registry_proxy_read_through_collapsed_total",
        "Requests that waited for another one's look-up";
    CROWDED: Counter, "mcp_registry_proxy_read_through_crowded_total",
        "Requests that did not wait for a look-up, because too many did";

    STORE_FAILING: Gauge, "mcp_registry_proxy_store_failing",
        "Whether something cannot be written to the store";
    STORED_AT: Gauge, "mcp_registry_proxy_store_last_write_timestamp_seconds",
        "When something was last written to the store, in seconds since 1970";
    STORE_WRITES: Counter, "mcp_registry_proxy_store_writes_total",
        "Files of the store that were written or removed";
    STORE_FAILURES: Counter, "mcp_registry_proxy_store_failures_total",
        "Attempts to write to the store that failed";
    STORE_BYTES: Counter, "mcp_registry_proxy_store_written_bytes_total",
        "Bytes that were written to the store";

    REPLICA_ROLE: Gauge, "mcp_registry_proxy_replica_role" ["role"],
        "Where Redis is shared: 1 for what this replica does: leading, following, or alone";
    REPLICA_EPOCH: Gauge, "mcp_registry_proxy_replica_generation_epoch",
        "The epoch of the last generation that this replica has taken";
    REPLICA_SEQUENCE: Gauge, "mcp_registry_proxy_replica_generation_sequence",
        "The sequence of the last generation that this replica has taken";
    REPLICA_SHARED: Gauge, "mcp_registry_proxy_replica_shared",
        "Whether what this replica serves is that generation, and not of its own making";
    REPLICA_FAILING: Gauge, "mcp_registry_proxy_replica_redis_failing",
        "Whether something is wrong with Redis";
    REPLICA_HEARD_AT: Gauge, "mcp_registry_proxy_replica_redis_last_answer_timestamp_seconds",
        "When Redis last answered, in seconds since 1970";
    REPLICA_SENT: Counter, "mcp_registry_proxy_replica_redis_sent_bytes_total",
        "Bytes of manifests and chunks that were written to Redis";
    REPLICA_RECEIVED: Counter, "mcp_registry_proxy_replica_redis_received_bytes_total",
        "Bytes of manifests and chunks that were read from Redis";

    LOST_LINES: Counter, "mcp_registry_proxy_log_lines_lost_total",
        "Log lines that were lost, because nobody read them";
    TRACE_EXPORTS: Counter, "mcp_registry_proxy_trace_exports_total" ["outcome"],
        "Requests to the collector of traces: success or failure";

    CPU: Counter, "process_cpu_seconds_total",
        "Processor time that the process has taken, in user and system mode";
    RESIDENT: Gauge, "process_resident_memory_bytes",
        "Memory of the process that is in RAM";
    VIRTUAL: Gauge, "process_virtual_memory_bytes",
        "Address space of the process";
    OPEN_FILES: Gauge, "process_open_fds",
        "Open file descriptors";
    MAX_FILES: Gauge, "process_max_fds",
        "File descriptors that may be open";
    THREADS: Gauge, "process_threads",
        "Threads of the process";
    STARTED_AT: Gauge, "process_start_time_seconds",
        "When the process was started, in seconds since 1970";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fmt::Write as _;

    use super::*;

    const DOCUMENT: &str = include_str!("../../../../docs/metrics.md");
    const HEAD: &str = "# Metrics\n\n\
        `GET /metrics` on the admin listener, in the text format of Prometheus, or as OpenMetrics where `Accept` asks \
        for that. Nothing is pushed. A registry that is no longer configured has no figures any more; those that begin \
        with `mcp_registry_proxy_replica_` are there where [replicas](replicas.md) share a Redis.\n\n\
        `deploy/prometheus/prometheus.yaml` scrapes it, `deploy/prometheus/alerts.yaml` has alerts on it, and \
        `deploy/grafana/dashboard.json` shows it. This page is made of the table in \
        `src/serve/admin/metrics/figures.rs`, and a test holds it against that.\n\n\
        | metric | type | labels | what it is |\n|---|---|---|---|\n";

    #[test]
    fn names_follow_the_conventions_of_prometheus() {
        let names: BTreeSet<&str> = ALL.iter().map(|figure| figure.name).collect();
        assert_eq!(names.len(), ALL.len(), "no two are the same");
        for figure in ALL {
            let Figure { name, kind, labels, help } = figure;
            assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
            assert!(name.starts_with("mcp_registry_proxy_") || name.starts_with("process_"), "{name}");
            let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            assert!(is_plain(name) && labels.iter().all(|label| is_plain(label)), "{name}");
            assert!(!help.ends_with('.') && !help.contains('|'), "{name}: {help}");
        }
    }

    #[test]
    fn every_figure_is_documented() {
        let mut expected = HEAD.to_owned();
        for Figure { name, kind, labels, help } in ALL {
            let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
            let _ = writeln!(expected, "| `{name}` | {} | {} | {help} |", kind.as_str(), labels.join(", "));
        }
        if DOCUMENT != expected {
            let path = std::env::temp_dir().join("metrics.md");
            std::fs::write(&path, expected).expect("a writable directory");
            panic!("docs/metrics.md is not what the table says; copy {} over it", path.display());
        }
    }
}
