//! An entry's served bytes (contract §4, "An entry as we serve it"), put together where they are asked for.
//!
//! Nothing is held twice: `server` is what the registry sent, shared with its listing; the official block and our
//! provenance are short, and written from what they are made of.

use super::entry::Entry;
use super::provenance::Label;

const SERVER: &[u8] = br#"{"server":"#;
/// With [`OFFICIAL_KEY`](super::entry::OFFICIAL_KEY).
const OFFICIAL: &[u8] = br#","_meta":{"io.modelcontextprotocol.registry/official":{"#;
const LATEST: &[u8] = br#","isLatest":true},"#;
const NOT_LATEST: &[u8] = br#","isLatest":false},"#;
const END: &[u8] = b"}}";

/// Appends an entry as it is served.
pub(super) fn write_entry(out: &mut Vec<u8>, entry: &Entry, is_latest: bool, provenance: &Label) {
    let [beginning, rest] = entry.server_in_two().map(str::as_bytes);
    for part in [SERVER, beginning, rest, OFFICIAL] {
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
    let before = [SERVER.len(), entry.server_length(), OFFICIAL.len()];
    let latest = if is_latest { LATEST.len() } else { NOT_LATEST.len() };
    let extra = if entry.extra_meta().is_empty() { 0 } else { entry.extra_meta().len() + 1 };
    let after = provenance.length(entry.fetched_at()) + END.len();
    before.iter().sum::<usize>() + entry.official_length() + latest + extra + after
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::*;
    use crate::catalog::Version;
    use crate::catalog::entry::{Digest, Form, OFFICIAL_KEY, Official, Parts, Status};
    use crate::catalog::facets::Facets;
    use crate::catalog::provenance::{Labels, NamedRegistry, Origin};

    fn version(is_latest: bool, key: &str, divergent: bool) -> Version {
        let at = Timestamp::UNIX_EPOCH;
        let official = Official { status: Status::Active, published_at: at, updated_at: at, rendered: "".into() };
        let parts = Parts {
            server: r#"{"name":"a/b","version":"1"}"#.into(),
            official,
            extra_meta: String::new(),
            upstream: None,
            legacy_ids: None,
            digest: Digest([1; 32]),
            form: Form([2; 16]),
            facets: Facets::new([]),
            fetched_at: at,
        };
        let entry = Arc::new(Entry::new(parts).expect("it has a name and a version"));
        let registries = vec![NamedRegistry { name: "one", url: None }];
        let origin = Origin { registry: 0, also_in: Vec::new(), divergent, upstream: None, ids: None };
        let provenance = Labels::new(key, registries).of(&origin);
        Version { entry, registry: 0, is_latest, effective_at: at, provenance }
    }

    fn identity(versions: &[Version]) -> Vec<u8> {
        let mut identity = Vec::new();
        let before = std::iter::once(None).chain(versions.iter().map(Some));
        versions.iter().zip(before).for_each(|(version, before)| version.push_identity(&mut identity, before));
        identity
    }

    #[test]
    fn what_a_sequence_is_identified_by_depends_on_what_is_written_alone() {
        let (one, other) = (|| version(true, "a/b", false), || version(true, "a/b", true));
        let changed = [[version(false, "a/b", false), one()], [version(true, "a/c", false), one()], [other(), one()]];
        let sequences = [[one(), one()], [one(), other()]].into_iter().chain(changed);
        let all: std::collections::BTreeSet<Vec<u8>> = sequences.map(|versions| identity(&versions)).collect();
        assert_eq!(all.len(), 5);
        let first = one();
        let sharing = Version { provenance: Arc::clone(&first.provenance), ..one() };
        assert_eq!(identity(&[first, sharing]), identity(&[one(), one()]), "whether they share what they hold or not");
    }

    #[test]
    fn the_official_block_has_its_key() {
        assert_eq!(OFFICIAL, format!(",\"_meta\":{{\"{OFFICIAL_KEY}\":{{").as_bytes());
    }
}
