//! What must hold of whatever stands in the place of one of our files.
//!
//! The first byte says what the rest is: `L`, `E` and `C` the content of a listing's, an effects' or a feed's file, `Z` the
//! compressed stream of one, all of which get a head and a sum that is right; `W` what a registry sends. All else is
//! a file as it is.

use std::fmt::Debug;

use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::format::VERSION;
use super::{changes, effects, listing};
use crate::catalog::feed::Feed;
use crate::registry::marks::Marks;
use crate::registry::restore::{ListDigest, Stored};
use crate::registry::wire::fuzzing::{KEY, context, listing as listing_of, merged, now};
use crate::registry::wire::{self};

/// The largest window of what is compressed here.
const LEVEL: i32 = 1;

/// A file gives an error, or what is written and read again as the same; and what a registry can send can be kept.
///
/// # Panics
/// When that does not hold.
pub fn store(bytes: &[u8]) {
    let (kind, rest) = bytes.split_first().map_or((b' ', bytes), |(kind, rest)| (*kind, rest));
    let compressed = || zstd::encode_all(rest, LEVEL).expect("memory");
    match kind {
        b'L' => check_listing(&sealed("listing", &compressed())),
        b'E' => check_effects(&sealed("effects", &compressed())),
        b'C' => check_changes(&sealed("changes", &compressed())),
        b'Z' => {
            check_listing(&sealed("listing", rest));
            check_effects(&sealed("effects", rest));
            check_changes(&sealed("changes", rest));
        }
        b'W' => check_kept(rest),
        _ => {
            check_listing(bytes);
            check_effects(bytes);
            check_changes(bytes);
        }
    }
}

/// A file around a stream.
fn sealed(kind: &str, stream: &[u8]) -> Vec<u8> {
    let mut bytes = format!("mcp-registry-proxy {kind} {VERSION}\n").into_bytes();
    bytes.extend_from_slice(stream);
    let sum = Sha256::digest(&bytes);
    bytes.extend_from_slice(&sum);
    bytes
}

fn check_listing(bytes: &[u8]) {
    let stored = match listing::decode(bytes) {
        Ok(stored) => stored,
        Err(problem) => return assert!(!problem.to_string().is_empty()),
    };
    let versions: usize = stored.listing.servers.iter().map(|listed| listed.entries.len()).sum();
    assert_eq!(stored.listing.versions, versions);
    check_listing_again(&stored);
    let catalog = merged(stored.listing);
    assert_eq!(catalog.versions(), versions);
    let mut served = Vec::new();
    for version in catalog.servers().iter().flat_map(|server| &server.versions) {
        served.clear();
        version.write_to(&mut served);
        let parsed = serde_json::from_slice::<&RawValue>(&served);
        assert!(parsed.is_ok(), "{parsed:?}: {}", String::from_utf8_lossy(&served));
    }
}

/// What can be held can be kept, and comes back.
fn check_listing_again(stored: &Stored) {
    let again = listing::encode(stored).and_then(|bytes| listing::decode(&bytes));
    assert_same(again, stored);
}

fn check_changes(bytes: &[u8]) {
    match changes::decode(bytes) {
        Ok(found) => {
            assert_same(changes::encode(&found).and_then(|bytes| changes::decode(&bytes)), &found);
            let (last, forgotten) = (found.last, found.forgotten);
            let feed = Feed::resumed(found, 0);
            assert_eq!(feed.locate(feed.end()), Some(last));
            assert!(feed.has_all_after(last) && feed.events().iter().all(|event| forgotten < event.sequence));
        }
        Err(problem) => assert!(!problem.to_string().is_empty()),
    }
}

fn check_effects(bytes: &[u8]) {
    match effects::decode(bytes) {
        Ok(found) => assert_same(effects::encode(&found).and_then(|bytes| effects::decode(&bytes)), &found),
        Err(problem) => assert!(!problem.to_string().is_empty()),
    }
}

fn assert_same<T: Debug, E: Debug>(again: Result<T, E>, before: &T) {
    let again = again.expect("what was read can be kept");
    assert_eq!(format!("{again:?}"), format!("{before:?}"));
}

/// What a registry sends is kept as it is.
fn check_kept(document: &[u8]) {
    let Ok(page) = wire::decode(document, &context(None)) else { return };
    check_listing_again(&Stored {
        registry: "r".to_owned(),
        list: ListDigest([9; 32]),
        provenance_key: KEY.to_owned(),
        listing: listing_of(&page.entries),
        listed_at: now(),
        marks: Marks::default(),
        refused: page.refused,
        lineage: None.into_iter().collect(),
    });
}
