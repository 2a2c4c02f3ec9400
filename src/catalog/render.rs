//! An entry's served bytes (contract §4, "An entry as we serve it"), put together where they are asked for.
//!
//! Nothing is held twice: `server` is what the registry sent, shared with its listing; the official block and our
//! provenance are short, and written from what they are made of.

use super::entry::{Entry, OFFICIAL_KEY};
use super::provenance::Label;

const SERVER: &[u8] = br#"{"server":"#;
const META: &[u8] = br#","_meta":{""#;
const OFFICIAL: &[u8] = br#"":{"#;
const LATEST: &[u8] = br#","isLatest":true},"#;
const NOT_LATEST: &[u8] = br#","isLatest":false},"#;
const END: &[u8] = b"}}";

/// Appends an entry as it is served.
pub(super) fn write_entry(out: &mut Vec<u8>, entry: &Entry, is_latest: bool, provenance: &Label) {
    let [beginning, rest] = entry.server_in_two().map(str::as_bytes);
    for part in [SERVER, beginning, rest, META, OFFICIAL_KEY.as_bytes(), OFFICIAL] {
        out.extend_from_slice(part);
    }
    entry.write_official(out);
    out.extend_from_slice(if is_latest { LATEST } else { NOT_LATEST });
    if !entry.extra_meta().is_empty() {
        out.extend_from_slice(entry.extra_meta().as_bytes());
        out.push(b',');
    }
    provenance.write(out, entry.fetched_at(), entry.digest());
    out.extend_from_slice(END);
}

/// The length of what [`write_entry`] appends.
pub(super) fn length(entry: &Entry, is_latest: bool, provenance: &Label) -> usize {
    let before = [SERVER.len(), entry.server_length(), META.len(), OFFICIAL_KEY.len(), OFFICIAL.len()];
    let latest = if is_latest { LATEST.len() } else { NOT_LATEST.len() };
    let extra = if entry.extra_meta().is_empty() { 0 } else { entry.extra_meta().len() + 1 };
    let after = provenance.length(entry.fetched_at()) + END.len();
    before.iter().sum::<usize>() + entry.official_length() + latest + extra + after
}
