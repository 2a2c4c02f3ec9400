//! `GET /registries` and `/registries/{name}`: everything that is known of each registry. `syncs` is what its tests and
//! walks come to over time.

mod syncs;

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::ReplicaFigures;
use super::configuration::State;
use crate::catalog::rules::Omission;
use crate::catalog::{Catalog, Contribution, Standing};
use crate::registry::Registry;
use crate::registry::guard::HeldFacts;
use crate::registry::health;
use crate::registry::increments::UpdatedSince;
use crate::registry::probe::{Check, StageView};
use crate::registry::status::{Status, SyncReport};
use crate::registry::wire::{MAX_REFUSED, Refused};
pub(super) use syncs::{PastCheckView, ProgressView, SyncsView};

#[derive(Serialize)]
struct ListBody<'a> {
    registries: Vec<Summary<'a>>,
    metadata: Metadata<'a>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    count: usize,
    /// What became of the configuration since the start.
    configuration: &'a State,
    /// How this replica stands, where it is one of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    replica: Option<ReplicaView>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReplicaView {
    role: &'static str,
    since: Timestamp,
    /// `EPOCH-SEQUENCE`, of the generation that was last taken.
    generation: String,
    /// Whether what is served is that generation.
    shared: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    heard_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// A registry as it is shown.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary<'a> {
    pub(super) name: &'a str,
    /// Without user information and query; `file:` and a name for a file; absent where URLs are hidden.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) url: Option<String>,
    pub(super) kind: &'static str,
    pub(super) state: health::State,
    pub(super) since: Timestamp,
    pub(super) usable: bool,
    /// Whether there is a complete listing, one that was stored, a part of one, or none.
    pub(super) listing: &'static str,
    /// When the registry last confirmed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) listed_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_check: Option<CheckView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_check_at: Option<Timestamp>,
    /// The last tests, the oldest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) checks: Option<Vec<PastCheckView>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_sync: Option<SyncView>,
    /// What is under way, and what comes next; a file has no walks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) syncs: Option<SyncsView>,
    pub(super) counts: Counts,
    pub(super) refused: RefusedView,
    /// What the registry makes of `updated_since`, where it does not honour it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) updated_since: Option<&'static str>,
    /// A list that has collapsed, and is not believed yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) held: Option<HeldView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_error: Option<ErrorView>,
}

/// A test as it is shown.
#[derive(Serialize)]
pub(super) struct CheckView {
    pub(super) at: Timestamp,
    pub(super) ok: bool,
    pub(super) stages: [StageView; 3],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SyncView {
    pub(super) started_at: Timestamp,
    pub(super) finished_at: Timestamp,
    pub(super) ok: bool,
    pub(super) pages: u32,
    pub(super) versions: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
}

/// What the registry lists, and what of it is served.
#[derive(Default, Serialize)]
pub(super) struct Counts {
    /// Names in the listing.
    pub(super) servers: usize,
    /// Versions in the listing.
    pub(super) versions: usize,
    /// Versions of the catalog whose content comes from this registry.
    pub(super) won: usize,
    /// Versions that `include` and `exclude` leave out.
    pub(super) filtered: usize,
    /// Versions that are refused because other registries claim the name.
    pub(super) foreign: usize,
}

#[derive(Serialize)]
pub(super) struct RefusedView {
    pub(super) count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) entries: Option<Vec<Refused>>,
}

#[derive(Serialize)]
pub(super) struct HeldView {
    pub(super) since: Timestamp,
    pub(super) versions: usize,
    pub(super) removed: usize,
}

#[derive(Serialize)]
pub(super) struct ErrorView {
    pub(super) at: Timestamp,
    pub(super) message: String,
}

/// How much is told of a registry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Detail {
    /// Refused entries are counted.
    Counts,
    /// And the last tests are listed.
    Checks,
    /// And so are refused entries, for which the whole catalog is looked through.
    Entries,
}

/// The registries as they are shown: what they say of themselves, and what the catalog made of it.
pub(super) struct Registries<'a> {
    pub(super) known: &'a [Arc<Registry>],
    pub(super) catalog: &'a Catalog,
    pub(super) configuration: &'a State,
    pub(super) shows_urls: bool,
    pub(super) replica: Option<ReplicaFigures>,
}

impl Registries<'_> {
    /// All of them, in configuration order; of what was refused, how much.
    pub(super) fn summaries(&self) -> Vec<Summary<'_>> {
        self.known.iter().map(|registry| self.summary(registry, Detail::Counts)).collect()
    }

    /// The body of `GET /registries`.
    pub(super) fn list(&self) -> Vec<u8> {
        let registries = self.summaries();
        let replica = self.replica.as_ref().map(ReplicaView::from);
        let metadata = Metadata { count: registries.len(), configuration: self.configuration, replica };
        to_line(&ListBody { registries, metadata })
    }

    /// The body of `GET /registries/{name}`.
    pub(super) fn one(&self, name: &str) -> Option<Vec<u8>> {
        let registry = self.known.iter().find(|registry| registry.name() == name)?;
        Some(to_line(&self.summary(registry, Detail::Entries)))
    }

    /// What is known of one of them.
    pub(super) fn summary<'a>(&self, registry: &'a Registry, detail: Detail) -> Summary<'a> {
        // Where the catalog is from before a change of the configuration, it may be elsewhere there, or nowhere.
        let index = position(self.catalog, registry.name());
        let (usable, _) = registry.usable(Timestamp::now());
        let status = registry.status();
        let counts = self.counts(index, &status);
        let refused = RefusedView { count: status.refused.count + counts.foreign, entries: None };
        let mut summary = Summary {
            name: registry.name(),
            url: self.shows_urls.then(|| registry.url()),
            kind: if registry.is_file() { "file" } else { "http" },
            state: status.health.state,
            since: status.health.since,
            usable,
            listing: match (&status.listing, &status.partial) {
                (Some(_), _) if status.is_restored => "stored",
                (Some(_), _) => "complete",
                (None, Some(_)) => "partial",
                (None, None) => "none",
            },
            listed_at: status.listed_at,
            last_check: status.last_check.as_ref().map(CheckView::from),
            next_check_at: status.next_check,
            checks: (Detail::Checks <= detail).then(|| status.history.checks().map(PastCheckView::from).collect()),
            last_sync: status.last_sync.as_ref().map(SyncView::from),
            syncs: (!registry.is_file()).then(|| SyncsView::from(&*status)),
            counts,
            refused,
            updated_since: Some(status.marks.updated_since)
                .filter(|found| *found != UpdatedSince::Honoured)
                .map(UpdatedSince::as_str),
            held: status.held_facts().map(HeldView::from),
            last_error: status.last_error.clone().map(|(at, message)| ErrorView { at, message }),
        };
        // Whoever tests and walks the registry waits for the status, and shall not wait for this.
        drop(status);
        if detail == Detail::Entries {
            summary.refused.entries = Some(refused_entries(self.catalog, registry));
        }
        summary
    }

    /// What the registry lists, and what the catalog made of it.
    fn counts(&self, index: Option<usize>, status: &Status) -> Counts {
        let made = index.map(|index| self.catalog.registries[index].counts).unwrap_or_default();
        let listing = status.served_listing();
        Counts {
            servers: listing.map_or(0, |listing| listing.servers.len()),
            versions: listing.map_or(0, |listing| listing.versions),
            won: made.won,
            filtered: made.filtered,
            foreign: made.foreign,
        }
    }
}

/// Where a registry is among a catalog's.
fn position(catalog: &Catalog, name: &str) -> Option<usize> {
    catalog.registries.iter().position(|known| *known.rules.name == *name)
}

/// Whether a catalog refuses names of a registry, since they belong to others.
pub(super) fn refuses_names(catalog: &Catalog, registry: &Registry) -> bool {
    position(catalog, registry.name()).is_some_and(|index| 0 < catalog.registries[index].counts.foreign)
}

/// The entries of a registry that are refused: those that clients could not decode, then those whose name belongs to
/// other registries; [`MAX_REFUSED`] at most. For the latter the whole catalog is looked through, if there are any.
pub(super) fn refused_entries(catalog: &Catalog, registry: &Registry) -> Vec<Refused> {
    let mut refused = registry.status().refused.entries.clone();
    if refuses_names(catalog, registry) {
        let index = position(catalog, registry.name());
        let servers = catalog.servers().iter().chain(catalog.unserved());
        let foreign = servers
            .filter_map(|server| server.contributions.iter().find(|contribution| Some(contribution.registry) == index))
            .filter(|contribution| contribution.standing == Standing::LeftOut(Omission::OwnedElsewhere))
            .flat_map(|contribution| foreign(catalog, contribution));
        refused.extend(foreign.take(MAX_REFUSED.saturating_sub(refused.len())));
    }
    refused.truncate(MAX_REFUSED);
    refused
}

fn foreign(catalog: &Catalog, contribution: &Contribution) -> impl Iterator<Item = Refused> {
    let name = contribution.listed.name.as_str();
    let claimants: Vec<&str> = catalog.claimants(name).collect();
    let reason = format!("belongs to a namespace that only other registries claim: {}", claimants.join(", "));
    contribution.listed.entries.iter().map(move |entry| Refused {
        name: Some(name.to_owned()),
        version: Some(entry.version().to_owned()),
        reason: reason.clone(),
    })
}

/// How a registry stands, in a few words, for error details.
pub(super) fn reason(registry: &Registry) -> String {
    let status = registry.status();
    let progress = match (status.health.state, &status.listing, &status.partial) {
        (health::State::Unhealthy, _, _) => "unhealthy",
        (health::State::Starting, _, _) if status.last_check.is_none() => "starting, not tested yet",
        (health::State::Starting, _, _) => "starting, no test has told anything yet",
        (health::State::Healthy, _, _) if status.loops.is_listing_tainted => {
            "healthy, its list is being fetched anew: what there is of it may come from us"
        }
        (health::State::Healthy, Some(_), _) => return "healthy".to_owned(),
        (health::State::Healthy, None, Some(_)) => "healthy, its list is being fetched",
        (health::State::Healthy, None, None) => "healthy, its first page is being fetched",
    };
    match &status.last_error {
        None => progress.to_owned(),
        Some((_, error)) => format!("{progress}; {error}"),
    }
}

/// A body in JSON and a line end.
pub(super) fn to_line(body: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(body).expect("a status holds only texts, numbers and times");
    bytes.push(b'\n');
    bytes
}

impl From<&ReplicaFigures> for ReplicaView {
    fn from(replica: &ReplicaFigures) -> Self {
        let (epoch, sequence) = replica.generation;
        Self {
            role: replica.role,
            since: replica.since,
            generation: format!("{epoch}-{sequence}"),
            shared: !replica.is_own,
            heard_at: replica.heard_at,
            error: replica.fault.clone(),
        }
    }
}

impl From<&Check> for CheckView {
    fn from(check: &Check) -> Self {
        Self { at: check.at, ok: check.failure().is_none(), stages: check.views() }
    }
}

impl From<HeldFacts> for HeldView {
    fn from(held: HeldFacts) -> Self {
        Self { since: held.since, versions: held.versions, removed: held.removed }
    }
}

impl From<&SyncReport> for SyncView {
    fn from(sync: &SyncReport) -> Self {
        Self {
            started_at: sync.started_at,
            finished_at: sync.finished_at,
            ok: sync.error.is_none(),
            pages: sync.pages,
            versions: sync.versions,
            error: sync.error.clone(),
        }
    }
}
