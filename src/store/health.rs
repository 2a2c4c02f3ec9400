//! How the store is doing: what others show of it, and what the log says when that changes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::problem::Problem;

/// How the store is doing.
#[derive(Debug, Default)]
pub struct Health(Mutex<Known>);

/// What is known of the store's writing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreStatus {
    /// When something was last written, if ever.
    pub last_write: Option<Timestamp>,
    /// Whether something cannot be written now.
    pub is_failing: bool,
    /// What that is, and why.
    pub failing: Vec<String>,
    /// How many files were written or removed.
    pub writes: u64,
    /// How often that failed.
    pub failures: u64,
    /// How many bytes the written ones had.
    pub written_bytes: u64,
}

#[derive(Debug, Default)]
struct Known {
    last_write: Option<Timestamp>,
    writes: u64,
    failures: u64,
    written_bytes: u64,
    /// What cannot be written, by the name of its file, and why. As many as there are files.
    failing: BTreeMap<String, String>,
}

impl Health {
    /// How the store is doing now.
    #[must_use]
    pub fn status(&self) -> StoreStatus {
        let known = self.known();
        let failing: Vec<String> = known.failing.iter().map(|(file, reason)| format!("{file}: {reason}")).collect();
        let Known { last_write, writes, failures, written_bytes, .. } = *known;
        StoreStatus { last_write, is_failing: !failing.is_empty(), failing, writes, failures, written_bytes }
    }

    /// Notes that a file was written or removed.
    pub(super) fn note_success(&self, path: &Path) {
        // One that was removed has none.
        let bytes = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        {
            let mut known = self.known();
            known.last_write = Some(Timestamp::now());
            known.writes += 1;
            known.written_bytes += bytes;
        }
        self.note_recovery(path);
    }

    /// Notes that a file does not fail, or not any more. When none does, the log says so.
    pub(super) fn note_recovery(&self, path: &Path) {
        let mut known = self.known();
        if known.failing.remove(&name(path)).is_some() && known.failing.is_empty() {
            tracing::info!(path = %path.display(), "the store can be written again");
        }
    }

    /// Forgets what is wrong with other files than these: nobody tries to write them any more.
    pub(super) fn forget_all_but(&self, paths: impl Iterator<Item = PathBuf>) {
        let mut known = self.known();
        if !known.failing.is_empty() {
            let names: Vec<String> = paths.map(|path| name(&path)).collect();
            known.failing.retain(|failing, _| names.contains(failing));
        }
    }

    /// Notes that a file could not be written. The log says so once, however many files fail for the same reason.
    pub(super) fn note_failure(&self, path: &Path, problem: &Problem) {
        let reason = problem.to_string();
        let mut known = self.known();
        known.failures += 1;
        if !known.failing.values().any(|known| *known == reason) {
            tracing::warn!(
                path = %path.display(),
                reason,
                "the store cannot be written: the proxy runs on, and a restart would begin with what was written \
                 before; it is tried again every 30 seconds"
            );
        }
        known.failing.insert(name(path), reason);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
