//! What to retry and how long to wait. Pure.

use std::time::Duration;

use super::error::FetchError;

/// The longest wait before the first retry; it doubles from there.
const BASE: Duration = Duration::from_millis(500);
/// The longest wait of our own choosing.
const CAP: Duration = Duration::from_mins(1);
/// The same for a proxy that is about to have the whole of its list.
const PARTIAL_CAP: Duration = Duration::from_secs(5);
/// What a registry's `Retry-After` is clamped to.
const RETRY_AFTER: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(5);

/// Whether the same request may succeed later. A secret that cannot be read and a page that is no
/// list can be mended on the other side at any time, so they are retried like a lost connection.
#[must_use]
pub fn is_retryable(error: &FetchError) -> bool {
    match error {
        FetchError::Secret(_)
        | FetchError::Connect(_)
        | FetchError::File(_)
        | FetchError::Timeout(_)
        | FetchError::Busy(_)
        | FetchError::NoRoom
        | FetchError::Spent
        | FetchError::Elsewhere(_)
        | FetchError::NoDescriptor
        | FetchError::Interrupted(_)
        | FetchError::Partial
        | FetchError::Coding(_)
        | FetchError::Format(_) => true,
        FetchError::Status { status, .. } => match status {
            501 | 505 => false,
            408 | 425 | 429 => true,
            // Gateways have codes of their own beside the standard ones (520 to 529).
            status => (500..600).contains(status),
        },
        FetchError::Loop | FetchError::Redirect(_) | FetchError::TooLarge(_) | FetchError::TooLargeCompressed(_) => {
            false
        }
    }
}

/// How long the registry asks to be left in peace, clamped.
#[must_use]
pub fn asked_for(error: &FetchError) -> Option<Duration> {
    match error {
        FetchError::Status { retry_after: Some(asked), .. } => {
            Some((*asked).clamp(*RETRY_AFTER.start(), *RETRY_AFTER.end()))
        }
        _ => None,
    }
}

/// How long to wait before attempt number `attempt` (1 is the first retry). `random` is in `0.0..1.0`
/// and spreads the wait over its upper half, so that many clients do not return at once.
#[must_use]
pub fn delay(attempt: u32, error: &FetchError, random: f64) -> Duration {
    if let Some(asked) = asked_for(error) {
        return asked;
    }
    let cap = if matches!(error, FetchError::Partial) { PARTIAL_CAP } else { CAP };
    let doublings = attempt.saturating_sub(1).min(16);
    let longest = BASE.saturating_mul(1 << doublings).min(cap);
    longest.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn status(status: u16, retry_after: Option<u64>) -> FetchError {
        FetchError::Status { status, retry_after: retry_after.map(Duration::from_secs) }
    }

    #[test]
    fn only_what_may_pass_is_retried() {
        for retryable in [408, 425, 429, 500, 502, 503, 504, 520, 529] {
            assert!(is_retryable(&status(retryable, None)), "{retryable}");
        }
        for lasting in [400, 401, 403, 404, 410, 422, 501] {
            assert!(!is_retryable(&status(lasting, None)), "{lasting}");
        }
    }

    #[test]
    fn retry_after_is_respected_and_clamped() {
        assert_eq!(delay(1, &status(429, Some(7)), 0.3), Duration::from_secs(7));
        assert_eq!(delay(1, &status(429, Some(0)), 0.3), Duration::from_secs(1));
        assert_eq!(delay(1, &status(503, Some(99_999)), 0.3), Duration::from_mins(5));
    }

    proptest! {
        #[test]
        fn the_wait_stays_within_its_bounds(attempt in 0_u32..10_000, random in 0.0_f64..1.0) {
            let wait = delay(attempt, &status(500, None), random);
            prop_assert!(BASE / 2 <= wait && wait <= CAP);
        }
    }
}
