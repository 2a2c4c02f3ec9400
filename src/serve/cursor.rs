//! Cursors: base64url without padding, safe in a URL as they are, and self-contained. A cursor carries the
//! position and the filters of the walk that it belongs to, because clients drop parameters on later pages
//! (clients.md §0.1); it knows nothing of revisions, so it outlives every refresh.
//!
//! Layout before base64: one byte of format version, four bytes of checksum, compact JSON. The checksum
//! turns a mangled cursor into an error instead of another position.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::catalog::entry::Status;
use crate::catalog::facets::Kind;
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
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    registry: Option<Box<str>>,
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    kind: Option<Box<str>>,
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    package_type: Option<Box<str>>,
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    transport: Option<Box<str>>,
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    status: Option<Box<str>>,
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
        registry: filter.registry.clone(),
        kind: filter.kind.map(|kind| kind.as_str().into()),
        package_type: filter.package_type.clone(),
        transport: filter.transport.clone(),
        status: filter.status.as_ref().map(|status| status.as_str().into()),
    };
    seal(&serde_json::to_vec(&payload).expect("a cursor holds only texts and booleans"))
}

/// A cursor of this payload.
pub(super) fn seal(payload: &[u8]) -> String {
    let mut bytes = vec![FORMAT];
    bytes.extend_from_slice(&checksum(payload));
    bytes.extend_from_slice(payload);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The payload of a cursor that [`seal`] made.
pub(super) fn open<T: DeserializeOwned>(cursor: &str) -> Option<T> {
    serde_json::from_slice(&unseal(cursor)?).ok()
}

/// The bytes of a cursor that [`seal`] made.
pub(super) fn unseal(cursor: &str) -> Option<Vec<u8>> {
    let mut bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (header, payload) = bytes.split_at_checked(1 + CHECKSUM_BYTES)?;
    if header.first() != Some(&FORMAT) || header.get(1..) != Some(&checksum(payload)[..]) {
        return None;
    }
    bytes.drain(..=CHECKSUM_BYTES);
    Some(bytes)
}

/// Reads a cursor that [`encode`] made.
pub(super) fn decode(cursor: &str) -> Option<(Filter, Position)> {
    let payload: Payload = open(cursor)?;
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
        registry: payload.registry,
        kind: payload.kind.map(|kind| Kind::from_wire(&kind).ok_or(())).transpose().ok()?,
        package_type: payload.package_type,
        transport: payload.transport,
        status: payload.status.map(|status| Status::from_wire(&status)),
    };
    Some((filter, Position { name: payload.name, version: payload.version }))
}

fn checksum(payload: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut checksum = [0; CHECKSUM_BYTES];
    checksum.copy_from_slice(&digest(&SHA256, payload).as_ref()[..CHECKSUM_BYTES]);
    checksum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::entry::MAX_KEY_BYTES;
    use proptest::prelude::*;

    fn any_filter() -> impl Strategy<Value = Filter> {
        let version = prop_oneof![
            Just(VersionFilter::Any),
            Just(VersionFilter::Latest),
            ".{1,20}".prop_map(|text| VersionFilter::Exact(text.into())),
        ];
        let since = prop::option::of((0_i64..4_000_000_000, 0_i32..1_000_000_000))
            .prop_map(|since| since.and_then(|(second, nanosecond)| Timestamp::new(second, nanosecond).ok()));
        let kind = prop::option::of(prop_oneof![Just(Kind::Package), Just(Kind::Remote)]);
        let status = prop::option::of(prop_oneof![Just("active"), Just("deprecated"), Just("deleted")]);
        let text = || prop::option::of(".{1,40}").prop_map(|text| text.map(Into::into));
        let ours = (text(), kind, text(), text(), status);
        (text(), version, since, any::<bool>(), ours).prop_map(
            |(search, version, updated_since, include_deleted, (registry, kind, package_type, transport, status))| {
                let status = status.map(Status::from_wire);
                let asked = Filter { search, updated_since, version, include_deleted, ..Filter::default() };
                Filter { registry, kind, package_type, transport, status, ..asked }
            },
        )
    }

    fn any_walk() -> impl Strategy<Value = (Filter, Position)> {
        (any_filter(), ".{1,60}", prop::option::of(".{1,20}")).prop_map(|(filter, name, version)| {
            (filter, Position { name: name.into(), version: version.map(Into::into) })
        })
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
    fn the_longest_cursor_of_a_list_fits_in_a_url() {
        let text = |length| Box::<str>::from("\"".repeat(length));
        let version = VersionFilter::Exact(text(MAX_KEY_BYTES));
        let search = Some("\u{1}".repeat(256).into());
        let asked = Filter { search, version, updated_since: Some(Timestamp::MAX), ..Filter::default() };
        // No longer than facets are.
        let ours = (Some(text(64)), Some(text(3 * 64)), Some(text(3 * 64)));
        let (registry, package_type, transport) = ours;
        let filter = Filter { registry, package_type, transport, kind: Some(Kind::Package), ..asked };
        let position = Position { name: text(MAX_KEY_BYTES), version: Some(text(MAX_KEY_BYTES)) };
        let query = format!("/v0.1/servers?limit=100&cursor={}", encode(&filter, &position));
        assert!(query.len() < crate::serve::guard::MAX_URI_BYTES, "{}", query.len());
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for text in ["", "a", "ai.exa/exa:3.0.7", "AAAA", "////", "🦀"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
