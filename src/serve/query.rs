//! Query strings, read as the official server reads them (registry-api.md §1.2): unknown parameters are
//! ignored, of repeated ones the first counts, an empty one means its default, all of the wrong kind are
//! reported together.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::Value;

use super::cursor;
use super::error::{InvalidParameter, Problem};
use crate::catalog::page::{Filter, Position, VersionFilter};
use crate::catalog::search::push_lowercase;

const DEFAULT_LIMIT: usize = 30;
const LIMITS: std::ops::RangeInclusive<i64> = 1..=100;
/// The longest search term, in characters. Names have at most 200; cursors carry the term.
const MAX_SEARCH_CHARS: usize = 256;
/// The longest `version` filter, in bytes: no version is longer.
const MAX_VERSION_BYTES: usize = crate::catalog::entry::MAX_KEY_BYTES;

/// A list request in canonical form: what is asked for, without how it was spelled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ListQuery {
    pub(super) filter: Filter,
    pub(super) after: Option<Position>,
    pub(super) limit: usize,
}

/// The parameters of a query string.
struct Parameters<'a>(Vec<(Cow<'a, str>, Option<Cow<'a, str>>)>);

impl<'a> Parameters<'a> {
    fn read(query: Option<&'a str>) -> Result<Self, Problem> {
        let query = query.unwrap_or_default();
        if query.contains("%00") {
            return Err(Problem::BadRequest("Invalid request: query parameters contain null bytes".into()));
        }
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).flat_map(|pair| {
            let has_value = pair.contains('=');
            form_urlencoded::parse(pair.as_bytes()).map(move |(key, value)| (key, has_value.then_some(value)))
        });
        Ok(Self(pairs.collect()))
    }

    /// The first value; none where it is empty, or the parameter stands without one.
    fn get(&self, key: &str) -> Option<&str> {
        self.first(key)?.as_deref().filter(|value| !value.is_empty())
    }

    fn first(&self, key: &str) -> Option<&Option<Cow<'a, str>>> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    /// A boolean as Go's `strconv.ParseBool` reads it; a parameter without a value is true.
    fn flag(&self, key: &'static str, invalid: &mut Vec<InvalidParameter>) -> Option<bool> {
        match self.first(key)?.as_deref().unwrap_or("true") {
            "" => None,
            "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
            "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
            other => {
                invalid.push(wrong("invalid boolean", key, other.into()));
                None
            }
        }
    }

    fn limit(&self, invalid: &mut Vec<InvalidParameter>) -> usize {
        let Some(text) = self.get("limit") else { return DEFAULT_LIMIT };
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        let number: Option<i64> = text.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()));
        let message = match number {
            None => return reject(invalid, "invalid integer", text.into()),
            Some(number) if number < *LIMITS.start() => "expected number >= 1",
            Some(number) if *LIMITS.end() < number => "expected number <= 100",
            Some(number) => return usize::try_from(number).unwrap_or(DEFAULT_LIMIT),
        };
        reject(invalid, message, number.into())
    }
}

fn reject(invalid: &mut Vec<InvalidParameter>, message: &'static str, value: Value) -> usize {
    invalid.push(wrong(message, "limit", value));
    DEFAULT_LIMIT
}

fn wrong(message: &'static str, key: &str, value: Value) -> InvalidParameter {
    InvalidParameter { message: message.into(), location: format!("query.{key}").into(), value }
}

/// Reads the query of a list request.
pub(super) fn list(query: Option<&str>) -> Result<ListQuery, Problem> {
    let parameters = Parameters::read(query)?;
    let mut invalid = Vec::new();
    let limit = parameters.limit(&mut invalid);
    let search = parameters.get("search").filter(|term| is_short(term, "search", MAX_SEARCH_CHARS, &mut invalid));
    let version = parameters.get("version").filter(|text| is_short(text, "version", MAX_VERSION_BYTES, &mut invalid));
    let include_deleted = parameters.flag("include_deleted", &mut invalid);
    if !invalid.is_empty() {
        return Err(Problem::Validation(invalid));
    }
    let asked = Asked {
        search: search.map(lowercase),
        updated_since: parameters.get("updated_since").map(updated_since).transpose()?,
        version: version.map(version_filter),
        include_deleted,
    };
    if asked.updated_since.is_some() && include_deleted == Some(false) {
        return Err(Problem::BadRequest(
            "Cannot set include_deleted=false when using updated_since (incremental sync requires deleted servers)"
                .into(),
        ));
    }
    let (filter, after) = match parameters.get("cursor") {
        None => (asked.into_filter(), None),
        Some(text) => {
            let (filter, position) =
                cursor::decode(text).ok_or(Problem::BadRequest("Invalid cursor parameter".into()))?;
            asked.check_against(&filter)?;
            (filter, Some(position))
        }
    };
    Ok(ListQuery { filter, after, limit })
}

/// Reads the query of a request for versions: whether deleted ones are included.
pub(super) fn include_deleted(query: Option<&str>) -> Result<bool, Problem> {
    let mut invalid = Vec::new();
    let flag = Parameters::read(query)?.flag("include_deleted", &mut invalid);
    if invalid.is_empty() { Ok(flag.unwrap_or_default()) } else { Err(Problem::Validation(invalid)) }
}

/// The filters that a query names; what it does not name, a cursor decides.
struct Asked {
    search: Option<Box<str>>,
    updated_since: Option<Timestamp>,
    version: Option<VersionFilter>,
    include_deleted: Option<bool>,
}

impl Asked {
    fn into_filter(self) -> Filter {
        Filter {
            search: self.search,
            // In canonical form `updated_since` stands for both.
            include_deleted: self.include_deleted.unwrap_or_default() && self.updated_since.is_none(),
            updated_since: self.updated_since,
            version: self.version.unwrap_or_default(),
        }
    }

    /// The cursor's filters win; a query that contradicts them is an error (contract §4).
    fn check_against(&self, filter: &Filter) -> Result<(), Problem> {
        let includes_deleted = filter.include_deleted || filter.updated_since.is_some();
        let contradicted = [
            ("search", self.search.is_some() && self.search != filter.search),
            ("updated_since", self.updated_since.is_some() && self.updated_since != filter.updated_since),
            ("version", self.version.as_ref().is_some_and(|version| *version != filter.version)),
            ("include_deleted", self.include_deleted.is_some_and(|asked| asked != includes_deleted)),
        ];
        match contradicted.iter().find(|(_, contradicted)| *contradicted) {
            None => Ok(()),
            Some((key, _)) => Err(Problem::BadRequest(
                format!("The cursor belongs to a list with another {key}; leave {key} out, or start without a cursor")
                    .into(),
            )),
        }
    }
}

fn is_short(text: &str, key: &str, most: usize, invalid: &mut Vec<InvalidParameter>) -> bool {
    let fits = text.chars().count() <= most;
    if !fits {
        let message = format!("expected length <= {most}").into();
        invalid.push(InvalidParameter { message, location: format!("query.{key}").into(), value: text.into() });
    }
    fits
}

fn lowercase(term: &str) -> Box<str> {
    let mut lowercase = String::with_capacity(term.len());
    push_lowercase(&mut lowercase, term);
    lowercase.into()
}

fn version_filter(text: &str) -> VersionFilter {
    if text == "latest" { VersionFilter::Latest } else { VersionFilter::Exact(text.into()) }
}

/// RFC 3339 as Go's `time.Parse` reads it: `T`, seconds and a zone are needed.
fn updated_since(text: &str) -> Result<Timestamp, Problem> {
    let bytes = text.as_bytes();
    let is_strict = bytes.get(10) == Some(&b'T')
        && bytes.get(16) == Some(&b':')
        && (text.ends_with('Z') || has_numeric_offset(text))
        && bytes.get(17..19) != Some(b"60");
    let parsed = is_strict.then(|| text.parse().ok()).flatten();
    parsed.ok_or(Problem::BadRequest(
        "Invalid updated_since format: expected RFC3339 timestamp (e.g., 2025-08-07T13:15:04.280Z)".into(),
    ))
}

fn has_numeric_offset(text: &str) -> bool {
    let offset = text.len().checked_sub(6).and_then(|start| text.as_bytes().get(start..));
    matches!(offset, Some([b'+' | b'-', _, _, b':', _, _]))
}

#[cfg(test)]
#[path = "query_tests.rs"]
mod tests;
