//! How walks and increments end: what is taken of them, what is said of it, and what the schedule makes of it.

use std::sync::Arc;

use super::super::run::{Errand, Run};
use super::super::schedule::Now;
use super::{Synchroniser, has_listing, marks};
use crate::registry::crawl::WalkError;
use crate::registry::error::FetchError;
use crate::registry::guard::Verdict;
use crate::registry::increments::{UpdatedSince, is_ignored, is_refused};
use crate::registry::status::{SyncReport, Taken};
use crate::registry::tally::SyncKind;
use crate::registry::wire::Page;
use crate::registry::{Fetched, Registry};

/// Who has answered increments is taken at his word, that he does not know `updated_since`, when he has said so this
/// many times in a row: a gateway in between may say it, too.
const REFUSALS: u32 = 3;

impl Synchroniser {
    /// What the first answer to an increment tells of the registry. A refusal that is not believed yet is a failure
    /// like any other.
    pub(super) fn judged(&mut self, run: &Run, fetched: &Result<Fetched, FetchError>) -> Option<UpdatedSince> {
        let found = judged(run, fetched)?;
        let marks = marks(&self.registry);
        let has_answered = marks.updated_since == UpdatedSince::Honoured && marks.judged_at.is_some();
        if found == UpdatedSince::Rejected && has_answered {
            self.refusals += 1;
            if self.refusals < REFUSALS {
                return None;
            }
        }
        self.refusals = 0;
        Some(found)
    }

    pub(super) fn note_unknown_parameter(&mut self, found: UpdatedSince, now: Now) {
        let name = self.registry.name();
        let was = marks(&self.registry).updated_since;
        if was != found {
            let why = found.as_str();
            tracing::info!(
                registry = name,
                why,
                "the registry does not know `updated_since`; it is walked whole instead"
            );
        }
        self.registry.status().marks.judge(found, now.wall);
        self.schedule.fail_increment(now, (self.random)());
        self.schedule.plan_walk(&marks(&self.registry), now, (self.random)());
    }

    pub(super) fn end_increment(&mut self, run: &mut Run, now: Now) {
        let (changes, refused) = run.walk.snapshot();
        let (brought, report) = (changes.versions, run.report(now));
        run.note_end(&report);
        let (name, pages) = (self.registry.name(), report.pages);
        let taken = match self.registry.check_room_for(&changes) {
            Err(reason) => Err(WalkError::Unbounded { page: pages, reason }),
            Ok(()) => match self.registry.take_changes(&changes, refused, report, run.loops) {
                Taken::Judged(_) => Ok(()),
                Taken::Nothing => Err(moved(run, &self.registry, now)),
            },
        };
        if let Err(error) = taken {
            self.fail(run, &error, now);
            return;
        }
        self.registry.count_sync(SyncKind::Increment, true);
        if let Errand::Changes(since) = run.errand {
            tracing::info!(registry = name, pages, versions = brought, %since, "fetched what changed");
        }
        let listing = {
            let mut status = self.registry.status();
            status.marks.end_increment(run.watermark(now));
            status.marks.judge(UpdatedSince::Honoured, now.wall);
            status.listing.clone()
        };
        self.refusals = 0;
        if let (Some(walk), Some(listing)) = (&mut self.walk, listing) {
            walk.walk.share_with(Arc::clone(&listing));
            walk.previous = Some(listing);
            walk.has_seen_increments = true;
        }
        self.schedule.end_increment(run.began.at, now, (self.random)());
        if run.has_rested() {
            // What changed behind an increment that an outage held up is fetched at once.
            self.schedule.hasten_increment(now);
        }
    }

    pub(super) fn end_walk(&mut self, mut run: Run, now: Now) {
        let (listing, refused) = run.walk.snapshot();
        let (count, report) = (refused.count, run.report(now));
        run.note_end(&report);
        let SyncReport { pages, versions, .. } = report;
        let verdict = match self.registry.take_walk(listing, refused, report, run.loops, self.trust) {
            Taken::Judged(verdict) => verdict,
            Taken::Nothing => {
                let error = moved(&mut run, &self.registry, now);
                self.fail(&run, &error, now);
                return;
            }
        };
        self.registry.end_walk();
        self.registry.count_sync(SyncKind::Full, true);
        let name = self.registry.name();
        tracing::info!(registry = name, pages, versions, refused = count, "walked the whole list");
        self.tell(verdict, versions);
        let marks = {
            let mut status = self.registry.status();
            status.served = self.serving;
            status.marks.walked_at = Some(now.wall);
            status.marks.walk_duration = Some(run.duration(now.at));
            status.marks.lists_deleted |= run.walk.asks_for_deleted();
            if matches!(verdict, Verdict::Believed | Verdict::Confirmed) {
                status.marks.end_walk(run.watermark(now), run.has_seen_increments);
            }
            status.marks
        };
        self.registry.observe_success();
        self.schedule.end_walk(&marks, run.began.at, now, (self.random)());
        // An increment in progress may hold less than the walk's last pages: it begins again.
        if self.increment.take().is_some() || run.has_rested() {
            self.schedule.hasten_increment(now);
        }
    }

    fn tell(&self, verdict: Verdict, versions: usize) {
        let name = self.registry.name();
        match verdict {
            Verdict::Believed => {}
            Verdict::Confirmed => {
                tracing::info!(
                    registry = name,
                    versions,
                    "a second walk lists the same; the listing that was held is believed"
                );
            }
            Verdict::TooEarly => tracing::warn!(
                registry = name,
                versions,
                "the list is still the one that is held; only the next scheduled walk confirms it, or POST \
                 /registries/{name}/refresh?accept=true on the admin listener"
            ),
            Verdict::Held { removed } => tracing::warn!(
                registry = name,
                versions,
                removed,
                "the list has collapsed, and is held: what was listed before stays until the next scheduled walk lists \
                 the same; if it is right, POST /registries/{name}/refresh?accept=true on the admin listener"
            ),
        }
    }

    pub(super) fn fail(&mut self, run: &Run, error: &WalkError, now: Now) {
        let registry = &self.registry;
        let (name, pages, has_listing) = (registry.name(), run.walk.pages(), has_listing(registry));
        let what = if run.errand == Errand::FullWalk { "walk" } else { "increment" };
        if has_listing {
            tracing::warn!(registry = name, %error, pages, "{what} failed; the last good listing stays");
        } else {
            tracing::warn!(registry = name, %error, pages, "{what} failed; there is no complete listing yet");
        }
        run.span.fail(|| error.to_string());
        let kind = if run.errand == Errand::FullWalk { SyncKind::Full } else { SyncKind::Increment };
        registry.count_sync(kind, false);
        registry.note_failed_sync(SyncReport { error: Some(error.to_string()), ..run.report(now) });
        let random = (self.random)();
        match run.errand {
            Errand::FullWalk => {
                self.next_trust = self.trust;
                self.schedule.fail_walk(has_listing, now, random);
            }
            Errand::Changes(_) => self.schedule.fail_increment(now, random),
        }
        // A base URL that turned out to have its list elsewhere.
        if registry.list_url().is_some_and(|list| list.public() != run.list.public()) {
            self.schedule.hasten_walk(now);
        }
    }
}

/// The error of a walk of which nothing was taken.
fn moved(run: &mut Run, registry: &Registry, now: Now) -> WalkError {
    let elsewhere = || WalkError::Unbounded { page: run.walk.pages(), reason: "its list is elsewhere now".to_owned() };
    let elsewhere = elsewhere();
    run.end_at_loop(registry, now).err().unwrap_or(elsewhere)
}

/// What the first answer to an increment says of the registry.
fn judged(run: &Run, fetched: &Result<Fetched, FetchError>) -> Option<UpdatedSince> {
    let Errand::Changes(since) = run.errand else { return None };
    if run.walk.pages() > 0 {
        return None;
    }
    let ignores = |page: &Page| run.previous.as_ref().is_some_and(|listing| is_ignored(page, listing, since));
    match fetched {
        Ok(fetched) => ignores(&fetched.page).then_some(UpdatedSince::Ignored),
        Err(error) => is_refused(error).then_some(UpdatedSince::Rejected),
    }
}
