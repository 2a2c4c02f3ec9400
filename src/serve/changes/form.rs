//! The forms of the feed, and which one a client wants.

use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue};

use super::super::coding::weight;
use super::super::respond::JSON;

/// A form of the feed, in the order in which we choose among equals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Form {
    /// A page, in the envelope that all lists of ours have.
    Json,
    /// A line of JSON for each event, up to the newest one.
    Lines,
    /// Server-sent events, for as long as the client stays.
    Events,
    /// A feed for feed readers (RFC 4287).
    Atom,
}

impl Form {
    const ALL: [Self; 4] = [Self::Json, Self::Lines, Self::Events, Self::Atom];

    /// The name in the query.
    fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Lines => "ndjson",
            Self::Events => "event-stream",
            Self::Atom => "atom",
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Lines => "application/x-ndjson",
            Self::Events => "text/event-stream",
            Self::Atom => "application/atom+xml",
        }
    }

    /// What `Content-Type` says.
    pub(super) fn content_type(self) -> HeaderValue {
        if self == Self::Json { JSON } else { HeaderValue::from_static(self.media_type()) }
    }

    /// Reads the name in the query.
    pub(in super::super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.name() == name)
    }

    /// The form that `Accept` prefers (RFC 9110 §12.5.1). Whoever takes none of them gets JSON, as everywhere.
    pub(super) fn accepted(headers: &HeaderMap) -> Self {
        let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let ranges = values.flat_map(|value| value.split(',')).filter_map(range);
        let named = ranges.filter_map(|(name, weight)| {
            let form = Self::ALL.into_iter().find(|form| name.eq_ignore_ascii_case(form.media_type()))?;
            (0 < weight).then_some((weight, form))
        });
        // Among equals, the first in our order.
        let preferred = named.max_by_key(|(weight, form)| (*weight, std::cmp::Reverse(*form as usize)));
        preferred.map_or(Self::Json, |(_, form)| form)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weights_decide_and_who_takes_none_gets_json() {
        for (accept, expected) in [
            ("", "json"),
            ("*/*", "json"),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "json"),
            ("application/x-ndjson", "ndjson"),
            ("Application/X-NDJSON; charset=utf-8", "ndjson"),
            ("text/event-stream", "event-stream"),
            ("text/event-stream, */*", "event-stream"),
            ("application/atom+xml, application/rss+xml;q=0.9, */*;q=0.1", "atom"),
            ("application/atom+xml, application/json", "json"),
            ("application/atom+xml;q=0.9, application/json;q=0.8", "atom"),
            ("application/atom+xml;q=0", "json"),
            ("application/atom+xml;q=2", "json"),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_str(accept).expect("a header"))]);
            assert_eq!(Form::accepted(&headers).name(), expected, "{accept:?}");
        }
        assert_eq!(Form::accepted(&HeaderMap::new()), Form::Json);
        assert!(Form::ALL.iter().all(|form| Form::from_name(form.name()) == Some(*form)));
        assert_eq!(Form::from_name("rss"), None);
    }
}
