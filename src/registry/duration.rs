//! Durations as the configuration writes them: `30s`, `5m`, `6h`. For `#[serde(deserialize_with)]`.

use std::time::Duration;

use jiff::SignedDuration;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// A duration.
///
/// # Errors
/// When the text is none; the message says what would be one.
pub fn required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let duration = text.parse::<SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok());
    duration.ok_or_else(|| D::Error::custom(format_args!("{text:?} is not a duration; write 30s, 5m or 6h")))
}

/// A duration that may be left out.
///
/// # Errors
/// As [`required`].
pub fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    required(deserializer).map(Some)
}
