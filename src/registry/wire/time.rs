//! Timestamps as registries write them, made fit for every client: RFC 3339 in UTC with `Z`.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// An instant and how it is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp<'a> {
    pub(super) at: Timestamp,
    pub(super) text: Cow<'a, str>,
}

impl From<Timestamp> for Stamp<'_> {
    fn from(at: Timestamp) -> Self {
        Self { at, text: at.to_string().into() }
    }
}

/// Reads a timestamp. One that clients can decode is kept to the letter; other clear forms (an offset,
/// a space for the `T`, no zone, typographic hyphens) are rewritten to UTC. `Ok(None)` is Go's zero
/// time, which means that the registry has none.
///
/// # Errors
/// When the text is no timestamp.
pub(super) fn read(text: Cow<'_, str>) -> Result<Option<Stamp<'_>>, ()> {
    let plain: Cow<'_, str> = if text.is_ascii() { text } else { text.replace('\u{2011}', "-").into() };
    let at = parse(&plain).ok_or(())?;
    let text = if is_decodable(&plain) { plain } else { at.to_string().into() };
    if text.starts_with("0001-01-01T00:00:00") {
        return Ok(None);
    }
    // Years before 1 are no dates to most clients.
    if text.starts_with(['-', '+']) || text.starts_with("0000") {
        return Err(());
    }
    Ok(Some(Stamp { at, text }))
}

fn parse(text: &str) -> Option<Timestamp> {
    // A bare date says nothing of the instant; the shortest date and time is `2025-01-01T00:00`.
    if text.len() < 16 {
        return None;
    }
    text.parse().ok().or_else(|| {
        let local: DateTime = text.parse().ok()?;
        local.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    })
}

/// `YYYY-MM-DDThh:mm:ss[.f…]Z` with at most nine digits of fraction and no leap second.
fn is_decodable(text: &str) -> bool {
    let Some((seconds, fraction)) = text.strip_suffix('Z').and_then(|text| text.split_at_checked(19)) else {
        return false;
    };
    let pattern = b"0000-00-00T00:00:00";
    let fits = seconds.bytes().zip(pattern).all(|(byte, wanted)| match wanted {
        b'0' => byte.is_ascii_digit(),
        mark => byte == *mark,
    });
    let digits = fraction.strip_prefix('.').unwrap_or(fraction);
    let fraction_fits = fraction.is_empty()
        || fraction.starts_with('.')
            && (1..=9).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit());
    fits && fraction_fits && !seconds.ends_with("60")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(text: &str) -> Option<String> {
        read(text.into()).ok().flatten().map(|stamp| stamp.text.into_owned())
    }

    #[test]
    fn what_clients_can_decode_is_kept_to_the_letter() {
        for text in ["2025-12-09T00:18:46.752966Z", "2025-12-09T00:18:46Z", "2025-12-09T00:18:46.100Z"] {
            assert_eq!(served(text).as_deref(), Some(text));
        }
    }

    #[test]
    fn clear_forms_become_utc() {
        for (text, expected) in [
            ("2025-12-09T03:18:46+03:00", "2025-12-09T00:18:46Z"),
            ("2025-12-09 00:18:46Z", "2025-12-09T00:18:46Z"),
            ("2025-12-09T00:18:46", "2025-12-09T00:18:46Z"),
            ("2025-12-09t00:18:46z", "2025-12-09T00:18:46Z"),
            ("2025\u{2011}12\u{2011}09T00:18:46.1234567Z", "2025-12-09T00:18:46.1234567Z"),
        ] {
            assert_eq!(served(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_timestamp_is_refused() {
        for text in [
            "",
            "yesterday",
            "2025-12-09",
            "1733703526",
            "2025-13-09T00:18:46Z",
            "2025-12-09T25:18:46Z",
            "-000005-01-01T00:00:00Z",
            "0000-01-01T00:00:00Z",
        ] {
            assert_eq!(read(text.into()), Err(()), "{text}");
        }
    }

    #[test]
    fn the_zero_time_of_go_is_none() {
        assert_eq!(read("0001-01-01T00:00:00Z".into()), Ok(None));
    }
}
