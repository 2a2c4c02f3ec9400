//! `GET /registries` and `/registries/{name}`: everything that is known of each registry.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::catalog::rules::Admission;
use crate::catalog::{Catalog, Contribution};
use crate::registry::Registry;
use crate::registry::health::State;
use crate::registry::probe::Check;
use crate::registry::status::{Status, Sync};
use crate::registry::wire::Refused;

/// The most refused entries that are listed; all are counted.
const MAX_REFUSED: usize = 1_000;

#[derive(Serialize)]
struct ListBody<'a> {
    registries: Vec<Summary<'a>>,
    metadata: Metadata,
}

#[derive(Serialize)]
struct Metadata {
    count: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary<'a> {
    name: &'a str,
    /// Without user information and query; `file:` and a name for a file; absent where URLs are hidden.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    kind: &'static str,
    state: State,
    since: Timestamp,
    usable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_check: Option<CheckView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_sync: Option<SyncView>,
    counts: Counts,
    refused: RefusedView,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<ErrorView>,
}

#[derive(Serialize)]
struct CheckView {
    at: Timestamp,
    ok: bool,
    stages: Vec<StageView>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StageView {
    stage: &'static str,
    ok: bool,
    duration_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SyncView {
    started_at: Timestamp,
    finished_at: Timestamp,
    ok: bool,
    pages: u32,
    versions: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What the registry lists, and what of it is served.
#[derive(Default, Serialize)]
struct Counts {
    /// Names in the listing.
    servers: usize,
    /// Versions in the listing.
    versions: usize,
    /// Versions of the catalog whose content comes from this registry.
    won: usize,
    /// Versions that `include` and `exclude` leave out.
    filtered: usize,
}

#[derive(Serialize)]
struct RefusedView {
    count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<Vec<Refused>>,
}

#[derive(Serialize)]
struct ErrorView {
    at: Timestamp,
    message: String,
}

/// Whether refused entries are listed or only counted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    Counts,
    Entries,
}

/// The registries as they are shown: what they say of themselves, and what the catalog made of it.
pub(super) struct Registries<'a> {
    pub(super) known: &'a [Arc<Registry>],
    pub(super) catalog: &'a Catalog,
    pub(super) shows_urls: bool,
}

impl Registries<'_> {
    /// The body of `GET /registries`.
    pub(super) fn list(&self) -> Vec<u8> {
        let registries: Vec<_> = (0..self.known.len()).map(|index| self.summary(index, Detail::Counts)).collect();
        let metadata = Metadata { count: registries.len() };
        to_line(&ListBody { registries, metadata })
    }

    /// The body of `GET /registries/{name}`.
    pub(super) fn one(&self, name: &str) -> Option<Vec<u8>> {
        let index = self.known.iter().position(|registry| registry.name() == name)?;
        Some(to_line(&self.summary(index, Detail::Entries)))
    }

    fn summary(&self, index: usize, detail: Detail) -> Summary<'_> {
        let registry = &self.known[index];
        let (usable, _) = registry.usable(Timestamp::now());
        let status = registry.status().clone();
        let (counts, foreign) = self.count(index, &status, detail);
        Summary {
            name: registry.name(),
            url: self.shows_urls.then(|| registry.url()),
            kind: if registry.is_file() { "file" } else { "http" },
            state: status.health.state,
            since: status.health.since,
            usable,
            last_check: status.last_check.map(CheckView::from),
            last_sync: status.last_sync.map(SyncView::from),
            counts,
            refused: RefusedView {
                count: status.refused.count + foreign.count,
                entries: (detail == Detail::Entries).then(|| {
                    let mut entries = status.refused.entries;
                    entries.extend(foreign.entries);
                    entries.truncate(MAX_REFUSED);
                    entries
                }),
            },
            last_error: status.last_error.map(|(at, message)| ErrorView { at, message }),
        }
    }

    /// Counts what the catalog made of a registry's listing, and collects what it refused because the name
    /// belongs to another registry.
    fn count(&self, index: usize, status: &Status, detail: Detail) -> (Counts, Foreign) {
        let mut counts = Counts::default();
        let mut foreign = Foreign::default();
        if let Some(listing) = status.served_listing() {
            (counts.servers, counts.versions) = (listing.servers.len(), listing.versions);
        }
        for server in self.catalog.servers().iter().chain(self.catalog.unserved()) {
            counts.won += server.versions.iter().filter(|version| version.registry == index).count();
            let Some(ours) = server.contributions.iter().find(|ours| ours.registry == index) else { continue };
            match ours.admission {
                Admission::Admitted => {}
                Admission::Filtered => counts.filtered += ours.listed.entries.len(),
                Admission::OwnedElsewhere => foreign.take(ours, detail),
            }
        }
        (counts, foreign)
    }
}

#[derive(Default)]
struct Foreign {
    count: usize,
    entries: Vec<Refused>,
}

impl Foreign {
    fn take(&mut self, contribution: &Contribution, detail: Detail) {
        self.count += contribution.listed.entries.len();
        if detail == Detail::Counts {
            return;
        }
        for entry in contribution.listed.entries.iter().take(MAX_REFUSED.saturating_sub(self.entries.len())) {
            self.entries.push(Refused {
                name: Some(contribution.listed.name.to_string()),
                version: Some(entry.version.to_string()),
                reason: "belongs to a namespace that other registries claim".to_owned(),
            });
        }
    }
}

/// Why a registry is not usable, in a few words, for error details.
pub(super) fn reason(registry: &Registry) -> String {
    let status = registry.status();
    let failure = status.last_check.as_ref().and_then(Check::failure);
    let failure: Option<Cow<'_, str>> = failure.map(|(stage, reason)| format!("{}: {reason}", stage.as_str()).into());
    match (status.health.state, failure) {
        (State::Starting, _) => "starting, not asked yet".to_owned(),
        (State::Healthy, _) if status.served_listing().is_none() => {
            "healthy, its first page is being fetched".to_owned()
        }
        (State::Healthy, _) if !status.attempted => "healthy, its list is being fetched".to_owned(),
        (State::Healthy, _) => "healthy".to_owned(),
        (State::Unhealthy, Some(failure)) => format!("unhealthy; {failure}"),
        (State::Unhealthy, None) => "unhealthy".to_owned(),
    }
}

fn to_line(body: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(body).expect("a status holds only texts, numbers and times");
    bytes.push(b'\n');
    bytes
}

impl From<Check> for CheckView {
    fn from(check: Check) -> Self {
        let ok = check.failure().is_none();
        let stages = check.stages.into_iter().map(|report| StageView {
            stage: report.stage.as_str(),
            ok: report.failure.is_none(),
            duration_ms: (report.duration.as_secs_f64() * 1e6).round() / 1e3,
            reason: report.failure,
        });
        Self { at: check.at, ok, stages: stages.collect() }
    }
}

impl From<Sync> for SyncView {
    fn from(sync: Sync) -> Self {
        Self {
            started_at: sync.started_at,
            finished_at: sync.finished_at,
            ok: sync.error.is_none(),
            pages: sync.pages,
            versions: sync.versions,
            error: sync.error,
        }
    }
}
