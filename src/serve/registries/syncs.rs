//! A registry's tests and walks over time: the last tests, the walks in progress, and what comes next.

use jiff::Timestamp;
use serde::Serialize;

use crate::registry::error::Stage;
use crate::registry::history::PastCheck;
use crate::registry::status::Status;
use crate::registry::syncs::{Progress, Syncs};

/// One of the last tests.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::serve) struct PastCheckView {
    pub(in crate::serve) at: Timestamp,
    pub(in crate::serve) ok: bool,
    pub(in crate::serve) duration_ms: f64,
    /// The stage that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::serve) failed: Option<Stage>,
}

/// The walks in progress, and the next ones.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::serve) struct SyncsView {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::serve) full: Option<ProgressView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::serve) changes: Option<ProgressView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::serve) next_full_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::serve) next_changes_at: Option<Timestamp>,
    /// When the last full walk ended well, also before this start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::serve) last_full_at: Option<Timestamp>,
    /// Whether an administrator has asked for a full walk that has not begun.
    pub(in crate::serve) requested: bool,
}

/// How far a walk has come.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::serve) struct ProgressView {
    pub(in crate::serve) started_at: Timestamp,
    pub(in crate::serve) pages: u32,
    pub(in crate::serve) versions: usize,
    /// How many versions the last listing has; absent where there is none, and of a walk through what changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::serve) expected_versions: Option<usize>,
    /// Whether it rests until the registry is healthy again.
    pub(in crate::serve) resting: bool,
    /// Why the last attempt at the next page failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::serve) error: Option<String>,
}

impl From<&PastCheck> for PastCheckView {
    fn from(check: &PastCheck) -> Self {
        let duration_ms = (check.duration.as_secs_f64() * 1e6).round() / 1e3;
        Self { at: check.at, ok: check.failed.is_none(), duration_ms, failed: check.failed }
    }
}

impl From<&Status> for SyncsView {
    fn from(status: &Status) -> Self {
        let Syncs { full, changes, next_full, next_changes, is_asked_for } = &status.syncs;
        let known = status.listing.as_ref().map(|listing| listing.versions);
        Self {
            full: full.as_ref().map(|progress| ProgressView::new(progress, known)),
            changes: changes.as_ref().map(|progress| ProgressView::new(progress, None)),
            next_full_at: *next_full,
            next_changes_at: *next_changes,
            last_full_at: status.marks.walked_at,
            requested: *is_asked_for,
        }
    }
}

impl ProgressView {
    fn new(progress: &Progress, expected_versions: Option<usize>) -> Self {
        Self {
            started_at: progress.began_at,
            pages: progress.pages,
            versions: progress.versions,
            expected_versions,
            resting: progress.is_resting,
            error: progress.trouble.clone(),
        }
    }
}
