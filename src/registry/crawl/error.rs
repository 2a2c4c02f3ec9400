//! Why walks fail, in sentences.

use std::time::Duration;

use super::super::error::FetchError;
use super::GIVE_UP_AFTER;

/// Why a walk failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WalkError {
    /// An answer that asking again cannot mend.
    #[error("page {page}: {error}")]
    Lasting {
        /// The page, from 1.
        page: u32,
        /// The answer.
        error: FetchError,
    },
    /// No progress for too long.
    #[error("page {page}: given up after {} minutes without a new page; last: {error}", GIVE_UP_AFTER.as_secs() / 60)]
    Stalled {
        /// The page, from 1.
        page: u32,
        /// What the last attempt brought.
        error: String,
    },
    /// It goes on and on.
    #[error("page {page}: given up after {} (`limits.walk_timeout`)", spelled(*.limit))]
    TooLong {
        /// The page, from 1.
        page: u32,
        /// How long it may take.
        limit: Duration,
    },
    /// The list leads in circles, or is larger than any list may be.
    #[error("page {page}: {reason}")]
    Unbounded {
        /// The page, from 1.
        page: u32,
        /// How that showed.
        reason: String,
    },
    /// It lists nothing where it listed something.
    #[error("lists nothing, where it listed {before} versions before")]
    Emptied {
        /// How many versions it listed.
        before: usize,
    },
}

/// A duration in the unit in which it is whole, or nearly so.
fn spelled(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 120 || !seconds.is_multiple_of(60) {
        format!("{} s", (duration.as_secs_f64() * 10.0).round() / 10.0)
    } else {
        format!("{} minutes", seconds / 60)
    }
}
