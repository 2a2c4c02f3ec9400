//! `GET /conflicts` and `/duplicates`: what is asked of the whole catalog (`inspect`). It takes longer than a page of
//! the list, so it is done on a thread for what blocks, by few at a time, and kept as every other body is.
//!
//! What servers have in common is looked for once for each catalog, when somebody first asks. `query` reads what is
//! asked for.

mod query;

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

use super::Service;
use super::api::View;
use super::cache::CatalogRequest;
use super::error::Problem;
use super::handling::{Answered, Found};
use super::registries::to_line;
use crate::catalog::Catalog;
use crate::inspect::{conflicts, duplicates};
pub(super) use query::{CONFLICT_PARAMETERS, DUPLICATE_PARAMETERS, Inspection};

/// How many requests for conflicts are worked on at a time. There is no more than that to be gained: others need the
/// processors too.
const MAX_CONFLICTS: usize = 2;
/// The most requests that wait for their turn. They are a part of those that may be answered at a time, which these
/// shall not take up.
const MAX_WAITING: usize = 32;

/// What inspections share.
#[derive(Debug)]
pub(super) struct Inspections {
    seats: Arc<Semaphore>,
    conflicts: Arc<Semaphore>,
    /// One at a time: what the first one finds is there for all.
    duplicates: Arc<Semaphore>,
    /// What servers of the catalog of this revision have in common.
    report: Mutex<Option<(u64, Arc<duplicates::Report>)>>,
    /// How many conflicts the catalog of this revision has, by kind.
    counts: Mutex<Option<(u64, [u64; 3])>>,
}

impl Default for Inspections {
    fn default() -> Self {
        let room = |most| Arc::new(Semaphore::new(most));
        let (seats, conflicts, duplicates) = (room(MAX_WAITING), room(MAX_CONFLICTS), room(1));
        Self { seats, conflicts, duplicates, report: Mutex::default(), counts: Mutex::default() }
    }
}

/// The right to work on something, and to have waited for it.
struct Turn {
    _room: OwnedSemaphorePermit,
    _seat: OwnedSemaphorePermit,
}

impl Inspections {
    /// Waits for a turn, unless too many do.
    async fn turn(&self, inspection: &Inspection) -> Result<Turn, Problem> {
        let seat = Arc::clone(&self.seats).try_acquire_owned().map_err(|_| Problem::Overloaded)?;
        let room = match inspection {
            Inspection::Conflicts(_) => &self.conflicts,
            Inspection::Duplicates(_) => &self.duplicates,
        };
        // The semaphore is never closed.
        let room = Arc::clone(room).acquire_owned().await.map_err(|_| Problem::Internal)?;
        Ok(Turn { _room: room, _seat: seat })
    }

    /// What servers of a catalog have in common. Whoever comes second waits for the first.
    fn report(&self, catalog: &Catalog) -> Arc<duplicates::Report> {
        let mut known = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, report)) = known.as_ref().filter(|(revision, _)| *revision == catalog.revision) {
            return Arc::clone(report);
        }
        let started = std::time::Instant::now();
        let report = Arc::new(duplicates::Report::of(catalog));
        let elapsed_ms = started.elapsed().as_millis();
        tracing::debug!(revision = catalog.revision, elapsed_ms, "looked for duplicates");
        *known = Some((catalog.revision, Arc::clone(&report)));
        report
    }

    /// How many conflicts a catalog has, by kind. Looked for once for each catalog, by whoever asks first: it takes one
    /// pass over the names.
    pub(super) fn conflicts(&self, catalog: &Catalog) -> [u64; 3] {
        let mut known = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, counts)) = known.filter(|(revision, _)| *revision == catalog.revision) {
            return counts;
        }
        let counts = conflicts::counts(catalog);
        *known = Some((catalog.revision, counts));
        counts
    }

    /// The body of an answer.
    pub(super) fn render(&self, catalog: &Catalog, inspection: &Inspection) -> Vec<u8> {
        self.find(catalog, inspection, |findings, next| match findings {
            Findings::Conflicts(conflicts) => {
                to_line(&ConflictsBody { metadata: metadata(&conflicts, next), conflicts })
            }
            Findings::Duplicates(groups) => {
                to_line(&DuplicatesBody { metadata: metadata(&groups, next), duplicates: groups })
            }
        })
    }

    /// What there is, shown by somebody, with the cursor of the next page.
    pub(super) fn find<T>(
        &self,
        catalog: &Catalog,
        inspection: &Inspection,
        show: impl FnOnce(Findings<'_>, Option<String>) -> T,
    ) -> T {
        match inspection {
            Inspection::Conflicts(asked) => {
                let page = conflicts::page(catalog, &asked.filter, asked.after.as_ref(), asked.limit);
                let next = page.next.map(|position| query::after_conflict(&asked.filter, position));
                show(Findings::Conflicts(page.conflicts), next)
            }
            Inspection::Duplicates(asked) => {
                let report = self.report(catalog);
                let page = report.page(catalog, &asked.filter, asked.after.as_ref(), asked.limit);
                let next = page.next.map(|position| query::after_group(&asked.filter, position));
                show(Findings::Duplicates(page.groups), next)
            }
        }
    }
}

/// What an inspection finds.
pub(super) enum Findings<'a> {
    Conflicts(Vec<conflicts::Conflict<'a>>),
    Duplicates(Vec<duplicates::Told<'a>>),
}

#[derive(Serialize)]
struct ConflictsBody<'a> {
    conflicts: Vec<conflicts::Conflict<'a>>,
    metadata: Metadata,
}

#[derive(Serialize)]
struct DuplicatesBody<'a> {
    duplicates: Vec<duplicates::Told<'a>>,
    metadata: Metadata,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

fn metadata<T>(items: &[T], next_cursor: Option<String>) -> Metadata {
    Metadata { count: items.len(), next_cursor }
}

impl Service {
    /// Finds an answer in the cache, or else has it made.
    pub(super) fn inspect(&self, inspection: Inspection) -> Result<Answered, Problem> {
        let request = Arc::new(CatalogRequest::Inspection(inspection));
        self.with_view(|view| {
            view.check_available()?;
            Ok(match self.core.cache.ready(view.catalog, &request) {
                Some((representation, origin)) => {
                    Answered::Found(Found { representation, origin, freshness: self.freshness(view) })
                }
                None => Answered::Inspected(request),
            })
        })
    }

    /// Makes an answer, off the runtime's threads.
    pub(super) async fn inspected(&self, request: Arc<CatalogRequest>) -> Result<Found, Problem> {
        let CatalogRequest::Inspection(inspection) = &*request else { return Err(Problem::Internal) };
        let (catalog, cache) = (Arc::clone(&self.core.current.load()), self.core.cache.clone());
        // Of the catalog that is looked at: a later one may be fresher than what is found.
        let freshness = self.with_view(|view| self.freshness(View { catalog: &catalog, ..view }));
        let asked = Arc::clone(&request);
        let made = self.look_aside(inspection, move |inspections| {
            // It was there when the request came; what makes it so does not go before the answer does.
            let view = View { catalog: &catalog, is_ready: true, reason: &|_| String::new(), inspections };
            cache.get_or_render(&catalog, &asked, |asked, room| view.render(asked, room))
        });
        let (representation, origin) = made.await??;
        Ok(Found { representation, origin, freshness })
    }

    /// Works on an inspection when its turn has come, off the runtime's threads.
    pub(super) async fn look_aside<T: Send + 'static>(
        &self,
        inspection: &Inspection,
        look: impl FnOnce(&Inspections) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let turn = self.core.inspections.turn(inspection).await?;
        let inspections = Arc::clone(&self.core.inspections);
        let looked = spawn_blocking(move || {
            // Held to the end, also when the request has gone away: whoever comes next finds the result.
            let _turn = turn;
            look(&inspections)
        });
        looked.await.map_err(|panicked| {
            tracing::error!(error = %panicked, "an inspection of the catalog panicked");
            Problem::Internal
        })
    }
}
