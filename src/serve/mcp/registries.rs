//! `list_registries`: where the catalog comes from, and what of it can be used.

use std::fmt::Write as _;

use jiff::Timestamp;
use rmcp::schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::Service;
use super::super::registries::reason;
use super::tools::Said;
use super::words::{clean, counted};
use crate::registry::Registry;
use crate::registry::health::State;

/// The most registries that are told.
const MAX_REGISTRIES: usize = 100;

/// Nothing can be asked for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "rmcp::schemars")]
pub(super) struct Asked {}

/// The registries, in the order in which they win over one another.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
pub(super) struct Listed {
    /// The registries.
    registries: Vec<Told>,
    /// How many there are.
    count: usize,
}

/// One registry.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Told {
    /// Its name.
    name: String,
    /// Its URL, where it is published.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// `starting`, `healthy` or `unhealthy`.
    #[schemars(extend("enum" = ["starting", "healthy", "unhealthy"]))]
    state: &'static str,
    /// Since when.
    since: String,
    /// Whether its servers are in the catalog.
    usable: bool,
    /// How it stands, in words.
    reason: String,
    /// How many servers it lists.
    servers: usize,
    /// How many versions it lists.
    versions: usize,
    /// How many versions of the catalog have its content.
    served: usize,
}

/// Lists them.
pub(super) fn list(service: &Service) -> Said {
    let catalog = service.core.current.load();
    let now = Timestamp::now();
    let told = |registry: &Registry| {
        let (usable, _) = registry.usable(now);
        let known = catalog.registries.iter().find(|known| *known.rules.name == *registry.name());
        // Takes the status too.
        let reason = clean(&reason(registry));
        let status = registry.status();
        let listing = status.served_listing();
        Told {
            name: registry.name().to_owned(),
            url: service.shows_urls_here().then(|| registry.url()),
            state: match status.health.state {
                State::Starting => "starting",
                State::Healthy => "healthy",
                State::Unhealthy => "unhealthy",
            },
            since: status.health.since.to_string(),
            usable,
            reason,
            servers: listing.map_or(0, |listing| listing.servers.len()),
            versions: listing.map_or(0, |listing| listing.versions),
            served: known.map_or(0, |known| known.counts.won),
        }
    };
    let registries: Vec<Told> = service.registries.iter().take(MAX_REGISTRIES).map(|registry| told(registry)).collect();
    let listed = Listed { count: service.registries.len(), registries };
    Said::new(&listed, listed.text())
}

impl Listed {
    fn text(&self) -> String {
        let mut text = format!("{}, the first one wins:\n", counted(self.count, "registry", "registries"));
        for Told { name, url, usable, reason, servers, versions, .. } in &self.registries {
            let at = url.as_ref().map(|url| format!(" at {url}")).unwrap_or_default();
            let use_of_it = if *usable { "usable" } else { "not usable" };
            let (servers, versions) =
                (counted(*servers, "server", "servers"), counted(*versions, "version", "versions"));
            let _ = writeln!(text, "- {name}{at}: {use_of_it} ({reason}), {servers}, {versions}");
        }
        text
    }
}
