//! Which of several media types a client wants (RFC 9110 §12.5.1). Pure.

use http::HeaderMap;
use http::header::ACCEPT;

use super::coding::weight;

/// The one of these that `Accept` prefers, of equals the first; none where it names none of them. Ranges such as `*/*`
/// name nothing: whoever takes anything gets what everybody gets.
pub(super) fn preferred<T: Copy>(headers: &HeaderMap, offered: &[(&str, T)]) -> Option<T> {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges = values.flat_map(|value| value.split(',')).filter_map(range);
    let named = ranges.filter_map(|(name, weight)| {
        let position = offered.iter().position(|(media_type, _)| name.eq_ignore_ascii_case(media_type))?;
        (0 < weight).then_some((weight, std::cmp::Reverse(position)))
    });
    named.max().and_then(|(_, std::cmp::Reverse(position))| offered.get(position)).map(|(_, wanted)| *wanted)
}

/// A member of the list: a media range and its weight. One that is malformed is as good as absent.
fn range(text: &str) -> Option<(&str, u16)> {
    let mut parts = text.split(';');
    let name = parts.next()?.trim();
    let mut weights = parts.filter_map(|part| {
        let (key, value) = part.split_once('=')?;
        key.trim().eq_ignore_ascii_case("q").then(|| weight(value.trim()))
    });
    match weights.next() {
        None => Some((name, 1000)),
        Some(weight) => Some((name, weight?)),
    }
}
