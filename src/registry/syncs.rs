//! What is under way at a registry, and what comes next: how far the walks in progress have come, and when the next
//! ones are due. `refresh` notes it, `serve` shows it; nothing is decided by it.

use jiff::Timestamp;

/// The walks in progress of one registry, and the next ones. A file has none.
#[derive(Clone, Debug, Default)]
pub struct Syncs {
    /// The walk through the whole list that is in progress.
    pub full: Option<Progress>,
    /// The one through what changed.
    pub changes: Option<Progress>,
    /// When the next walk through the whole list is due; none while one is in progress, and while the registry is not
    /// asked for pages.
    pub next_full: Option<Timestamp>,
    /// When the next one through what changed is due; none also where there is nothing to bring up to date.
    pub next_changes: Option<Timestamp>,
    /// Whether an administrator has asked for a full walk that has not begun.
    pub is_asked_for: bool,
}

/// How far a walk in progress has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// When it began.
    pub began_at: Timestamp,
    /// How many pages have arrived.
    pub pages: u32,
    /// How many versions they had, about: what an increment brings meanwhile counts too.
    pub versions: usize,
    /// Whether it rests, because the registry is not asked for pages now.
    pub is_resting: bool,
    /// Why the last attempt at the next page failed, if it did.
    pub trouble: Option<String>,
}
