//! An entry's served bytes (contract §4, "An entry as we serve it"), built once when it is merged.
//!
//! The `server` object is not copied: a served entry is `{"server":`, the bytes that the registry sent
//! (shared with its listing), and the tail that is made here.

use std::fmt::Write as _;

use serde_json::value::RawValue;

use super::entry::{Entry, OFFICIAL_KEY};
use super::provenance::Provenance;

const HEAD: &[u8] = br#"{"server":"#;

/// What follows the `server` object: a comma, `_meta`, and the closing brace.
pub(super) fn tail(entry: &Entry, is_latest: bool, provenance_key: &str, provenance: &Provenance<'_>) -> Box<str> {
    let mut tail = String::with_capacity(512 + entry.extra_meta.len());
    let _ = write!(tail, r#","_meta":{{"{OFFICIAL_KEY}":{{{},"isLatest":{is_latest}}}"#, entry.official.rendered);
    if !entry.extra_meta.is_empty() {
        tail.push(',');
        tail.push_str(&entry.extra_meta);
    }
    let block = serde_json::to_string(provenance).expect("provenance holds only texts and booleans");
    let _ = write!(tail, r#","{provenance_key}":{block}}}}}"#);
    tail.into()
}

/// A part that an entry keeps as JSON text, for [`Provenance`].
pub(super) fn raw(part: Option<&str>) -> Option<&RawValue> {
    part.and_then(|text| serde_json::from_str(text).ok())
}

/// Appends an entry as it is served.
pub(super) fn write_entry(out: &mut Vec<u8>, entry: &Entry, tail: &str) {
    out.extend_from_slice(HEAD);
    out.extend_from_slice(entry.server.as_bytes());
    out.extend_from_slice(tail.as_bytes());
}

/// The length of what [`write_entry`] appends.
pub(super) fn length(entry: &Entry, tail: &str) -> usize {
    HEAD.len() + entry.server.len() + tail.len()
}
