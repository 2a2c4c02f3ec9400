//! What is under way and what comes next, as the registry's status shows it. Nothing is decided here.

use super::super::run::Run;
use super::super::schedule::Now;
use super::{Synchroniser, marks};
use crate::registry::syncs::{Progress, Syncs};

impl Synchroniser {
    /// Shows how far walks have come, and when the next ones are due.
    pub(super) fn show(&self, now: Now) {
        // Nothing is due while the registry is not asked for pages.
        let is_due = |run: &Option<Run>| self.is_walkable && run.is_none();
        let not_before = |instant| now.time_of(self.not_before.max(instant));
        let next_full = is_due(&self.walk).then(|| not_before(self.schedule.walk_at()));
        let can_be_changed = is_due(&self.increment) && self.updated_since(now).is_some();
        let next_changes = can_be_changed.then(|| not_before(self.schedule.increment_at(&marks(&self.registry), now)));
        let progress = |run: &Option<Run>| run.as_ref().map(progress);
        let syncs = Syncs {
            full: progress(&self.walk),
            changes: progress(&self.increment),
            next_full: if self.is_asked_for { is_due(&self.walk).then(|| not_before(now.at)) } else { next_full },
            next_changes,
            is_asked_for: self.is_asked_for,
        };
        self.registry.status().syncs = syncs;
    }
}

fn progress(run: &Run) -> Progress {
    Progress {
        began_at: run.began.wall,
        pages: run.walk.pages(),
        versions: run.walk.versions(),
        is_resting: run.is_resting(),
        trouble: run.walk.trouble().map(|(error, _)| error.to_owned()),
    }
}
