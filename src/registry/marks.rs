//! How far the walks of a registry have come: what belongs to its listing and outlives the walk, the process and the
//! settings.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::increments::UpdatedSince;

/// How far the walks of a registry have come: what the next one builds on. It belongs to the listing, and is kept
/// and handed over with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Marks {
    /// No later than the start of the last walk or increment that ended well, by the registry's own clock and never in
    /// the future.
    pub watermark: Option<Timestamp>,
    /// When the last full walk came to its end, whether it was believed or held.
    pub walked_at: Option<Timestamp>,
    /// How long it took.
    pub walk_duration: Option<Duration>,
    /// What the registry makes of `updated_since`.
    pub updated_since: UpdatedSince,
    /// When that was last found out.
    pub judged_at: Option<Timestamp>,
    /// Whether a full walk that asked for deleted versions has come to its end: then the registry knows
    /// `include_deleted`, whatever it answers later.
    pub lists_deleted: bool,
}

impl Marks {
    /// Moves the watermark to the start of an increment that ended well: back, too, where the registry's clock was set
    /// back.
    pub fn end_increment(&mut self, began_at: Timestamp) {
        self.watermark = Some(began_at);
    }

    /// Moves the watermark to the start of a full walk that ended well. Where increments have ended meanwhile, the
    /// earlier one counts: whether the walk's start is later because it was, or because the registry's clock has been
    /// set back since, cannot be told, and to ask for too much costs one increment.
    pub fn end_walk(&mut self, began_at: Timestamp, has_seen_increments: bool) {
        let known = self.watermark.filter(|_| has_seen_increments);
        self.watermark = Some(known.map_or(began_at, |known| known.min(began_at)));
    }

    /// Notes what an increment showed.
    pub fn judge(&mut self, updated_since: UpdatedSince, now: Timestamp) {
        self.updated_since = updated_since;
        self.judged_at = Some(now);
    }
}
