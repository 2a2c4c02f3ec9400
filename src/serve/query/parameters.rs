//! The parameters of a query string, by Go's rules of reading them (registry-api.md §1.2).

use std::borrow::Cow;

use serde_json::Value;

use super::{CHANGES_PARAMETERS, LIST_PARAMETERS};
use crate::serve::error::InvalidParameter;
use crate::serve::inspections::{CONFLICT_PARAMETERS, DUPLICATE_PARAMETERS};

const DEFAULT_LIMIT: usize = 30;
const LIMITS: std::ops::RangeInclusive<i64> = 1..=100;

/// The parameters of a query string.
pub(in crate::serve) struct Parameters<'a>(Vec<(Cow<'a, str>, Option<Cow<'a, str>>)>);

impl<'a> Parameters<'a> {
    pub(in crate::serve) fn read(query: Option<&'a str>) -> Self {
        let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()).flat_map(|pair| {
            let has_value = pair.contains('=');
            form_urlencoded::parse(pair.as_bytes()).map(move |(key, value)| (key, has_value.then_some(value)))
        });
        Self(pairs.collect())
    }

    /// The first value; none where it is empty, or the parameter stands without one.
    pub(in crate::serve) fn get(&self, key: &str) -> Option<&str> {
        self.first(key)?.as_deref().filter(|value| !value.is_empty())
    }

    fn first(&self, key: &str) -> Option<&Option<Cow<'a, str>>> {
        let described = [&LIST_PARAMETERS[..], &CONFLICT_PARAMETERS, &DUPLICATE_PARAMETERS, &CHANGES_PARAMETERS];
        debug_assert!(
            described.iter().any(|known| known.contains(&key)),
            "{key} is read, and not among the parameters"
        );
        self.0.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    /// A value of at most `most` characters.
    pub(in crate::serve) fn short(&self, key: &str, most: usize, invalid: &mut Vec<InvalidParameter>) -> Option<&str> {
        let text = self.get(key)?;
        if text.chars().count() <= most {
            return Some(text);
        }
        invalid.push(wrong(format!("expected length <= {most}"), key, text.into()));
        None
    }

    /// One of a few values, as `read` knows them.
    pub(in crate::serve) fn one_of<T>(
        &self,
        key: &str,
        values: &str,
        read: impl Fn(&str) -> Option<T>,
        invalid: &mut Vec<InvalidParameter>,
    ) -> Option<T> {
        let text = self.get(key)?;
        let value = read(text);
        if value.is_none() {
            invalid.push(wrong(format!("expected value to be one of \"{values}\""), key, text.into()));
        }
        value
    }

    /// A boolean as Go's `strconv.ParseBool` reads it; a parameter without a value is true.
    pub(super) fn flag(&self, key: &str, invalid: &mut Vec<InvalidParameter>) -> Option<bool> {
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

    /// The page size.
    pub(in crate::serve) fn limit(&self, invalid: &mut Vec<InvalidParameter>) -> usize {
        let Some(text) = self.get("limit") else { return DEFAULT_LIMIT };
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        let number: Option<i64> = text.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()));
        let (message, value) = match number {
            None => ("invalid integer", text.into()),
            Some(number) if number < *LIMITS.start() => ("expected number >= 1", number.into()),
            Some(number) if *LIMITS.end() < number => ("expected number <= 100", number.into()),
            Some(number) => return usize::try_from(number).unwrap_or(DEFAULT_LIMIT),
        };
        invalid.push(wrong(message, "limit", value));
        DEFAULT_LIMIT
    }
}

fn wrong(message: impl Into<Cow<'static, str>>, key: &str, value: Value) -> InvalidParameter {
    InvalidParameter { message: message.into(), location: format!("query.{key}").into(), value }
}
