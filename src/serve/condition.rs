//! Conditional requests (RFC 9110 §13): what the client has already, against what there is.

use std::time::{Duration, SystemTime};

use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};
use http::{HeaderMap, HeaderName};

use super::representation::Tag;

/// What to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The representation.
    Send,
    /// That the client has it already.
    NotModified,
    /// That it is not the one that the client insists on.
    Failed,
}

/// Judges a request in the order of RFC 9110 §13.2.2. `modified` is the second from which on the
/// representation has not changed.
pub(super) fn judge(headers: &HeaderMap, tag: &Tag, modified: SystemTime) -> Verdict {
    let is_condition = |name: &HeaderName| {
        [IF_MATCH, IF_UNMODIFIED_SINCE, IF_NONE_MATCH, IF_MODIFIED_SINCE].iter().any(|condition| condition == name)
    };
    // As most requests are: that is seen sooner than four names are looked up.
    if !headers.keys().any(is_condition) {
        return Verdict::Send;
    }
    if headers.contains_key(IF_MATCH) {
        if !matches(headers, &IF_MATCH, |is_weak, text| !is_weak && tag.is_of(text)) {
            return Verdict::Failed;
        }
    } else if date(headers, &IF_UNMODIFIED_SINCE).is_some_and(|date| date < modified) {
        return Verdict::Failed;
    }
    let has_it = if headers.contains_key(IF_NONE_MATCH) {
        matches(headers, &IF_NONE_MATCH, |_, text| tag.is_of(text))
    } else {
        date(headers, &IF_MODIFIED_SINCE).is_some_and(|date| modified <= date)
    };
    if has_it { Verdict::NotModified } else { Verdict::Send }
}

/// Whether the header is `*`, or one of its entity tags, without quotes, is the one looked for.
fn matches(headers: &HeaderMap, name: &HeaderName, is_it: impl Fn(bool, &str) -> bool) -> bool {
    let texts = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    texts.into_iter().any(|text| text.trim() == "*" || entity_tags(text).any(|(is_weak, tag)| is_it(is_weak, tag)))
}

/// The entity tags of a list: whether each is weak, and what stands between its quotes. What is malformed
/// ends the list.
fn entity_tags(list: &str) -> impl Iterator<Item = (bool, &str)> {
    let mut rest = list;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (is_weak, quoted) = rest.strip_prefix("W/").map_or((false, rest), |rest| (true, rest));
        let (tag, after) = quoted.strip_prefix('"')?.split_once('"')?;
        rest = after;
        Some((is_weak, tag))
    })
}

/// A date, if it is one; a list of them is none.
fn date(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    let mut values = headers.get_all(name).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let date = httpdate::parse_http_date(value.to_str().ok()?).ok()?;
    // Nothing that can be compared lies before the beginning of time.
    (SystemTime::UNIX_EPOCH + Duration::from_secs(1) <= date).then_some(date)
}

#[cfg(test)]
mod tests {
    use super::Verdict::{Failed, NotModified, Send};
    use super::*;

    fn judged(pairs: &[(&HeaderName, &str)]) -> Verdict {
        let tag = Tag::of(b"body");
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let value = value.replace("TAG", tag.as_str());
            headers.append(*name, value.parse().expect("a header"));
        }
        judge(&headers, &tag, SystemTime::UNIX_EPOCH + Duration::from_hours(24))
    }

    const BEFORE: &str = "Thu, 01 Jan 1970 23:59:59 GMT";
    const AT: &str = "Fri, 02 Jan 1970 00:00:00 GMT";

    #[test]
    fn a_tag_of_any_coding_earns_a_304() {
        for value in [
            "\"TAG\"",
            "\"TAG-gzip\"",
            "\"TAG-br\"",
            "\"TAG-zstd\"",
            "W/\"TAG\"",
            "\"other\", \"TAG\"",
            "\"a,b\" , W/\"c\",\t\"TAG-br\"",
            "*",
        ] {
            assert_eq!(judged(&[(&IF_NONE_MATCH, value)]), NotModified, "{value}");
        }
        for value in ["\"other\"", "TAG", "\"TAG", "\"TAG-deflate\"", "\"xTAG\"", "", "\"a\" \"b"] {
            assert_eq!(judged(&[(&IF_NONE_MATCH, value)]), Send, "{value}");
        }
        assert_eq!(judged(&[(&IF_NONE_MATCH, "\"a\""), (&IF_NONE_MATCH, "\"TAG\"")]), NotModified);
    }

    #[test]
    fn a_date_counts_only_without_a_tag_and_only_if_it_is_one() {
        assert_eq!(judged(&[(&IF_MODIFIED_SINCE, AT)]), NotModified);
        assert_eq!(judged(&[(&IF_MODIFIED_SINCE, BEFORE)]), Send);
        assert_eq!(judged(&[(&IF_MODIFIED_SINCE, "yesterday")]), Send);
        assert_eq!(judged(&[(&IF_MODIFIED_SINCE, AT), (&IF_MODIFIED_SINCE, AT)]), Send);
        assert_eq!(judged(&[(&IF_MODIFIED_SINCE, AT), (&IF_NONE_MATCH, "\"other\"")]), Send);
        assert_eq!(judged(&[(&IF_MODIFIED_SINCE, BEFORE), (&IF_NONE_MATCH, "\"TAG\"")]), NotModified);
    }

    #[test]
    fn what_the_client_insists_on_must_be_there() {
        assert_eq!(judged(&[(&IF_MATCH, "\"TAG-gzip\"")]), Send);
        assert_eq!(judged(&[(&IF_MATCH, "*")]), Send);
        assert_eq!(judged(&[(&IF_MATCH, "W/\"TAG\"")]), Failed);
        assert_eq!(judged(&[(&IF_MATCH, "\"other\"")]), Failed);
        assert_eq!(judged(&[(&IF_UNMODIFIED_SINCE, BEFORE)]), Failed);
        assert_eq!(judged(&[(&IF_UNMODIFIED_SINCE, AT)]), Send);
        assert_eq!(judged(&[(&IF_UNMODIFIED_SINCE, BEFORE), (&IF_MATCH, "\"TAG\"")]), Send);
        assert_eq!(judged(&[(&IF_MATCH, "\"TAG\""), (&IF_NONE_MATCH, "\"TAG\"")]), NotModified);
    }
}
