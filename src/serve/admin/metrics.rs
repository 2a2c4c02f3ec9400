//! Figures for Prometheus, in the text format of `OpenMetrics`. They are read off what is known when somebody asks; no
//! figure is kept for its own sake.

use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry as Exposition;

use super::super::{ReplicaFigures, Service, StoreFigures};
use crate::registry::Registry;
use crate::registry::health::State;

/// A figure of one registry.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRegistry {
    registry: String,
}

/// One state of one registry: 1 for the one that it is in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InState {
    registry: String,
    state: StateLabel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "the label's values are as `/registries` writes them")]
enum StateLabel {
    starting,
    healthy,
    unhealthy,
}

/// Look-ups that came to the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfOutcome {
    outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "the label's values are lower case")]
enum Outcome {
    found,
    not_listed,
    failed,
    refused,
}

type PerRegistry = Family<OfRegistry, Gauge>;

impl Service {
    /// All figures as they are now.
    pub(super) fn metrics(&self) -> String {
        let mut figures = Exposition::with_prefix("mcp_registry_proxy");
        let version = env!("CARGO_PKG_VERSION").to_owned();
        figures.register("build", "The build that is running", Info::new(vec![("version", version)]));
        self.add_configuration(&mut figures);
        self.add_catalog(&mut figures);
        self.add_registries(&mut figures);
        self.add_load(&mut figures);
        self.add_store(&mut figures);
        self.add_replica(&mut figures);
        self.add_read_through(&mut figures);
        let mut text = String::new();
        // Writing to a text cannot fail.
        let _ = encode(&mut text, &figures);
        text
    }

    fn add_configuration(&self, figures: &mut Exposition) {
        let state = self.core.configuration.load();
        let is_good = i64::from(state.refused.is_none());
        add(
            figures,
            "config_last_reload_successful",
            "Whether the last change of the configuration was taken",
            is_good,
        );
        let loaded_at = state.loaded_at.as_second();
        let help = "When the configuration in effect was read, in seconds since 1970";
        add(figures, "config_last_reload_success_timestamp_seconds", help, loaded_at);
        add(figures, "config_pending_keys", "Changed keys that wait for a restart", length(state.pending.len()));
    }

    fn add_catalog(&self, figures: &mut Exposition) {
        let catalog = self.core.current.load();
        let is_ready = i64::from(self.core.current.is_ready());
        add(figures, "ready", "Whether the first attempt to fetch each registry has ended", is_ready);
        let revision = i64::try_from(catalog.revision).unwrap_or(i64::MAX);
        add(figures, "catalog_revision", "How often a catalog has been published", revision);
        add(figures, "catalog_servers", "Names in the catalog", length(catalog.servers().len()));
        add(figures, "catalog_versions", "Versions in the catalog, deleted ones included", length(catalog.versions()));
    }

    fn add_registries(&self, figures: &mut Exposition) {
        let now = Timestamp::now();
        let by_state: Family<InState, Gauge> = Family::default();
        let usable = PerRegistry::default();
        let versions = PerRegistry::default();
        let refused = PerRegistry::default();
        let synced = PerRegistry::default();
        let failing = PerRegistry::default();
        let by_guard = PerRegistry::default();
        for registry in &self.registries {
            let of = OfRegistry { registry: registry.name().to_owned() };
            add_states(&by_state, registry);
            usable.get_or_create(&of).set(i64::from(registry.usable(now).0));
            let status = registry.status();
            let listed = status.served_listing().map_or(0, |listing| listing.versions);
            versions.get_or_create(&of).set(length(listed));
            refused.get_or_create(&of).set(length(status.refused.count));
            by_guard.get_or_create(&of).set(i64::from(status.held.is_some()));
            if let Some(listed_at) = status.listed_at {
                synced.get_or_create(&of).set(listed_at.as_second());
            }
            if let Some(sync) = &status.last_sync {
                failing.get_or_create(&of).set(i64::from(sync.error.is_some()));
            }
        }
        figures.register("registry_state", "The state that a registry is in, as 1", by_state);
        figures.register("registry_usable", "Whether a registry's servers may be served", usable);
        figures.register("registry_versions", "Versions that a registry lists", versions);
        figures.register("registry_refused_entries", "Entries of a registry that would break clients", refused);
        figures.register("registry_listing_held", "Whether the collapse guard holds a listing back", by_guard);
        let help = "When a registry last confirmed its listing, in seconds since 1970";
        figures.register("registry_last_sync_timestamp_seconds", help, synced);
        figures.register("registry_last_sync_failed", "Whether the last walk through a registry failed", failing);
    }
}

impl Service {
    fn add_load(&self, figures: &mut Exposition) {
        let Some(load) = &self.core.figures.load else { return };
        add(figures, "requests_in_flight", "Requests in public whose answers are being made", length(load.in_flight()));
        count(figures, "requests_refused", "Requests in public for which there was no room", load.refused());
    }

    fn add_store(&self, figures: &mut Exposition) {
        let Some(store) = &self.core.figures.store else { return };
        let StoreFigures { last_write, is_failing } = store();
        add(figures, "store_failing", "Whether something cannot be written to the store", i64::from(is_failing));
        if let Some(last_write) = last_write {
            let help = "When something was last written to the store, in seconds since 1970";
            add(figures, "store_last_write_timestamp_seconds", help, last_write.as_second());
        }
    }

    fn add_replica(&self, figures: &mut Exposition) {
        let Some(replica) = &self.core.figures.replica else { return };
        let ReplicaFigures { role, generation, is_own, heard_at, fault, sent, received, .. } = replica();
        for (name, is_role) in
            [("leading", "leading" == role), ("following", "following" == role), ("alone", "alone" == role)]
        {
            let help = format!("Whether this replica is {name}");
            add(figures, &format!("replica_{name}"), &help, i64::from(is_role));
        }
        let help = "The epoch of the last generation that this replica has taken";
        add(figures, "replica_generation_epoch", help, i64::try_from(generation.0).unwrap_or(i64::MAX));
        let help = "The sequence of the last generation that this replica has taken";
        add(figures, "replica_generation_sequence", help, i64::try_from(generation.1).unwrap_or(i64::MAX));
        let help = "Whether what this replica serves is that generation, and not of its own making";
        add(figures, "replica_shared", help, i64::from(!is_own));
        add(figures, "replica_redis_failing", "Whether something is wrong with Redis", i64::from(fault.is_some()));
        if let Some(heard_at) = heard_at {
            let help = "When Redis last answered, in seconds since 1970";
            add(figures, "replica_redis_answer_timestamp_seconds", help, heard_at.as_second());
        }
        count(figures, "replica_redis_sent_bytes", "Bytes of manifests and chunks written to Redis", sent);
        count(figures, "replica_redis_received_bytes", "Bytes of manifests and chunks read from Redis", received);
    }

    fn add_read_through(&self, figures: &mut Exposition) {
        let counts = self.core.read_through.counts();
        let outcomes = [
            (Outcome::found, counts.found),
            (Outcome::not_listed, counts.not_listed),
            (Outcome::failed, counts.failed),
            (Outcome::refused, counts.refused),
        ];
        let look_ups: Family<OfOutcome, Counter> = Family::default();
        for (outcome, of) in outcomes {
            look_ups.get_or_create(&OfOutcome { outcome }).inc_by(of);
        }
        figures.register("read_through_look_ups", "Look-ups at registries, by what came of them", look_ups);
        let help = "Requests that waited for another one's look-up";
        count(figures, "read_through_collapsed", help, counts.collapsed);
        let help = "Requests that did not wait for a look-up, because too many did";
        count(figures, "read_through_crowded", help, counts.crowded);
    }
}

fn count(figures: &mut Exposition, name: &str, help: &str, value: u64) {
    let counter: Counter = Counter::default();
    counter.inc_by(value);
    figures.register(name, help, counter);
}

fn add_states(states: &Family<InState, Gauge>, registry: &Registry) {
    let present = registry.status().health.state;
    let labels = [
        (State::Starting, StateLabel::starting),
        (State::Healthy, StateLabel::healthy),
        (State::Unhealthy, StateLabel::unhealthy),
    ];
    for (state, label) in labels {
        let of = InState { registry: registry.name().to_owned(), state: label };
        states.get_or_create(&of).set(i64::from(state == present));
    }
}

fn add(figures: &mut Exposition, name: &str, help: &str, value: i64) {
    let gauge: Gauge = Gauge::default();
    gauge.set(value);
    figures.register(name, help, gauge);
}

fn length(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
