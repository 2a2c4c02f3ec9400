//! Cursors: base64url without padding, safe in a URL as they are, and self-contained. A cursor carries the
//! position and the filters of the walk that it belongs to, because clients drop parameters on later pages
//! (clients.md §0.1); it knows nothing of revisions, so it outlives every refresh.
//!
//! Layout before base64: one byte of format version, four bytes of checksum, compact JSON. The checksum
//! turns a mangled cursor into an error instead of another position.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::catalog::page::{Filter, Position, VersionFilter};

const FORMAT: u8 = 1;
const CHECKSUM_BYTES: usize = 4;

/// What a cursor carries. Keys are short because the whole is part of every follow-up URL.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    #[serde(rename = "n")]
    name: Box<str>,
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    version: Option<Box<str>>,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    search: Option<Box<str>>,
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    updated_since: Option<Timestamp>,
    #[serde(rename = "l", default, skip_serializing_if = "std::ops::Not::not")]
    latest: bool,
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    exact_version: Option<Box<str>>,
    #[serde(rename = "d", default, skip_serializing_if = "std::ops::Not::not")]
    include_deleted: bool,
}

/// The cursor of the page that begins at a position of a filtered walk.
pub(super) fn encode(filter: &Filter, position: &Position) -> String {
    let payload = Payload {
        name: position.name.clone(),
        version: position.version.clone(),
        search: filter.search.clone(),
        updated_since: filter.updated_since,
        latest: filter.version == VersionFilter::Latest,
        exact_version: match &filter.version {
            VersionFilter::Exact(version) => Some(version.clone()),
            VersionFilter::Any | VersionFilter::Latest => None,
        },
        include_deleted: filter.include_deleted,
    };
    let json = serde_json::to_vec(&payload).expect("a cursor holds only texts and booleans");
    let mut bytes = vec![FORMAT];
    bytes.extend_from_slice(&checksum(&json));
    bytes.extend_from_slice(&json);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads a cursor that [`encode`] made.
pub(super) fn decode(cursor: &str) -> Option<(Filter, Position)> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (header, json) = bytes.split_at_checked(1 + CHECKSUM_BYTES)?;
    if header.first() != Some(&FORMAT) || header.get(1..) != Some(&checksum(json)[..]) {
        return None;
    }
    let payload: Payload = serde_json::from_slice(json).ok()?;
    let version = match (payload.latest, payload.exact_version) {
        (true, None) => VersionFilter::Latest,
        (false, Some(version)) => VersionFilter::Exact(version),
        (false, None) => VersionFilter::Any,
        (true, Some(_)) => return None,
    };
    let filter = Filter {
        search: payload.search,
        updated_since: payload.updated_since,
        version,
        include_deleted: payload.include_deleted,
    };
    Some((filter, Position { name: payload.name, version: payload.version }))
}

fn checksum(json: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let digest: [u8; 32] = Sha256::digest(json).into();
    let mut checksum = [0; CHECKSUM_BYTES];
    checksum.copy_from_slice(&digest[..CHECKSUM_BYTES]);
    checksum
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_walk() -> impl Strategy<Value = (Filter, Position)> {
        let version = prop_oneof![
            Just(VersionFilter::Any),
            Just(VersionFilter::Latest),
            ".{1,20}".prop_map(|text| VersionFilter::Exact(text.into())),
        ];
        let since = prop::option::of((0_i64..4_000_000_000, 0_i32..1_000_000_000))
            .prop_map(|since| since.and_then(|(second, nanosecond)| Timestamp::new(second, nanosecond).ok()));
        let texts = (prop::option::of(".{1,40}"), ".{1,60}", prop::option::of(".{1,20}"));
        (texts, version, since, any::<bool>()).prop_map(
            |((search, name, last), version, updated_since, include_deleted)| {
                let filter = Filter { search: search.map(Into::into), updated_since, version, include_deleted };
                (filter, Position { name: name.into(), version: last.map(Into::into) })
            },
        )
    }

    proptest! {
        #[test]
        fn a_cursor_reads_as_what_it_was_made_of((filter, position) in any_walk()) {
            let cursor = encode(&filter, &position);
            prop_assert!(cursor.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')));
            prop_assert_eq!(decode(&cursor), Some((filter, position)));
        }

        #[test]
        fn a_flipped_bit_is_noticed((filter, position) in any_walk(), at in any::<prop::sample::Index>(), bit in 0_u8..8) {
            let mut bytes = encode(&filter, &position).into_bytes();
            let index = at.index(bytes.len());
            bytes[index] ^= 1 << bit;
            if let Ok(cursor) = String::from_utf8(bytes) {
                prop_assert_eq!(decode(&cursor), None);
            }
        }
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for text in ["", "a", "ai.exa/exa:3.0.7", "AAAA", "////", "🦀"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
