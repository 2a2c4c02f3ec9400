//! Percent-encoding in paths: what is the same URL, what is none, and what a segment reads as. Pure.

use std::borrow::Cow;

use memchr::memchr_iter;
use percent_encoding::percent_decode_str;

use super::error::Problem;

/// Refuses NUL, which the official server refuses on every route.
pub(super) fn check_nul(path: &str, query: Option<&str>) -> Result<(), Problem> {
    if holds_nul(path) {
        return Err(Problem::BadRequest("Invalid request: URL path contains null bytes".into()));
    }
    if query.is_some_and(holds_nul) {
        return Err(Problem::BadRequest("Invalid request: query parameters contain null bytes".into()));
    }
    Ok(())
}

fn holds_nul(text: &str) -> bool {
    let text = text.as_bytes();
    memchr_iter(b'%', text).any(|escape| text[escape..].starts_with(b"%00"))
}

/// The same path with every character as itself that never needs an escape: two spellings of one URL
/// (RFC 3986 §6.2.2.2).
///
/// A path with a broken escape is no spelling of anything, and stays as it is.
pub(super) fn without_needless_escapes(path: &str) -> Cow<'_, str> {
    if !has_only_whole_escapes(path) {
        return path.into();
    }
    let mut parts = path.split('%');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    if plain.len() == path.len() {
        return path.into();
    }
    for part in parts {
        let escaped = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let Some(byte) = escaped.filter(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(byte)) {
            plain.push(char::from(byte));
            plain.push_str(&part[2..]);
        } else {
            plain.push('%');
            plain.push_str(part);
        }
    }
    plain.into()
}

/// Decodes a segment. Escapes that are none are an error, in the official server's words.
pub(super) fn decode(segment: &str, what: &str) -> Result<String, Problem> {
    let invalid = || Problem::BadRequest(format!("Invalid {what} encoding").into());
    if !has_only_whole_escapes(segment) {
        return Err(invalid());
    }
    percent_decode_str(segment).decode_utf8().map(Into::into).map_err(|_| invalid())
}

fn has_only_whole_escapes(text: &str) -> bool {
    text.split('%').skip(1).all(|rest| {
        let digits = rest.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

/// A key as it was decoded once, and as it reads decoded twice where that is something else: the
/// official server decodes twice, so clients may have encoded twice (registry-api.md §1.3).
pub(super) fn readings(key: &str) -> impl Iterator<Item = String> {
    let twice = key.contains('%') && has_only_whole_escapes(key);
    let twice = twice.then(|| percent_decode_str(key).decode_utf8().ok().map(Into::into)).flatten();
    std::iter::once(key.to_owned()).chain(twice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nul_is_refused_wherever_it_stands() {
        assert!(check_nul("/v0/%00", None).is_err());
        assert!(check_nul("/livez", Some("x=%00")).is_err());
        assert!(check_nul("/livez", Some("x=%2500")).is_ok());
    }

    #[test]
    fn a_key_reads_once_and_twice_decoded() {
        assert_eq!(readings("a%2Fb").collect::<Vec<_>>(), ["a%2Fb", "a/b"]);
        assert_eq!(readings("50% off").collect::<Vec<_>>(), ["50% off"]);
    }
}
