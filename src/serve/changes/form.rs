//! The forms of the feed, and which one a client wants.

use http::{HeaderMap, HeaderValue};

use super::super::accept::preferred;
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
        let offered = Self::ALL.map(|form| (form.media_type(), form));
        preferred(headers, &offered).unwrap_or(Self::Json)
    }
}

#[cfg(test)]
mod tests {
    use http::header::ACCEPT;

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
