//! What must hold of whatever a registry sends, or a file of it holds.

use serde_json::Value;

use super::document;
use super::json::Json;
use super::*;
use crate::catalog::Catalog;
use crate::catalog::entry::check_key;
use crate::catalog::listing::ListingBuilder;
use crate::catalog::merge::{Moment, Policy, Source, merge};
use crate::catalog::rules::RegistryRules;

/// The `_meta` key of our provenance.
pub(crate) const KEY: &str = "mcp-registry-proxy/provenance";
/// The largest entry: small, so that inputs reach it.
const MAX_ENTRY_SIZE: usize = 2 << 10;
/// What serving adds to an entry at most, what older formats and a proxy behind it said aside.
const SERVED_ROOM: usize = 4 << 10;

/// The time of all fetches.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).expect("in range")
}

pub(crate) fn context(previous: Option<&Listing>) -> Context<'_> {
    Context { now: now(), provenance_key: KEY, previous, max_entry_size: MAX_ENTRY_SIZE }
}

/// A listing of these entries.
pub(crate) fn listing(entries: &[(Name, Arc<Entry>)]) -> Arc<Listing> {
    let mut builder = ListingBuilder::new("https://x.example/v0.1/servers".into(), None);
    for (name, entry) in entries {
        builder.insert(name, Arc::clone(entry));
    }
    Arc::new(builder.snapshot())
}

/// The catalog of one registry.
pub(crate) fn merged(listing: Arc<Listing>) -> Catalog {
    let rules = Arc::new(RegistryRules::new("r", &[], &[], &[]).expect("no pattern"));
    let source = Source { rules, usable: true, stale_since: None, is_partial: false, listing: Some(listing) };
    merge(&Policy::default(), &[source], &Catalog::default(), Moment { now: now(), is_ready: false })
}

/// A document gives an error or entries that every client can decode, that are what the registry sent, and that
/// another proxy reads as we do.
///
/// # Panics
/// When that does not hold.
pub fn wire(bytes: &[u8]) {
    let _ = decode_entry(bytes, &context(None));
    let page = match decode(bytes, &context(None)) {
        Ok(page) => page,
        Err(error) => return check_sentence(&error.to_string()),
    };
    page.refused.entries.iter().for_each(|refused| check_sentence(&refused.reason));
    assert_eq!(page.listed(), document::read(bytes).expect("it was read before").elements.len());
    page.entries.iter().for_each(|(name, entry)| check_entry(name, entry));
    check_fidelity(bytes);
    let listing = listing(&page.entries);
    check_repetition(bytes, &page, &listing);
    check_served(&merged(listing));
}

fn check_sentence(sentence: &str) {
    assert!(!sentence.is_empty() && sentence.chars().count() <= MAX_REASON_CHARS + 30, "{sentence:?}");
}

fn check_entry(name: &Name, entry: &Entry) {
    check_key(name.as_str()).expect("a name that is none");
    check_key(entry.version()).expect("a version that is none");
    assert!(entry.server_length() <= MAX_ENTRY_SIZE, "an entry of {} bytes", entry.server_length());
    assert_eq!(entry.search_text().matches('\0').count(), 1, "{:?}", entry.search_text());
}

/// An entry in the current format is served as it came.
fn check_fidelity(bytes: &[u8]) {
    for element in document::read(bytes).expect("it was read before").elements {
        let Ok((name, entry)) = element::decode(element, &context(None), &mut KnownFacets::default()) else { continue };
        let sent: Value = serde_json::from_str(element.get()).expect("decoded");
        let served: Value = serde_json::from_str(&entry.server()).expect("decoded");
        assert_eq!(served["name"], name.as_str());
        assert_eq!(served["version"], entry.version());
        let is_legacy =
            !sent["server"].is_object() || legacy::WRAPPER_MARKS.iter().any(|mark| sent.get(*mark).is_some());
        assert!(is_legacy || sent["server"] == served, "{}\n{served}", element.get());
    }
}

/// The same once more is the same, and shares what was there.
fn check_repetition(bytes: &[u8], page: &Page, listing: &Listing) {
    let again = decode(bytes, &context(Some(listing))).expect("it was decoded before");
    assert_eq!(again.refused, page.refused);
    assert_eq!(again.next_cursor, page.next_cursor);
    assert_eq!(again.entries.len(), page.entries.len());
    for ((name, before), (again, after)) in page.entries.iter().zip(&again.entries) {
        assert_eq!((name, before.form(), before.digest()), (again, after.form(), after.digest()));
        let known = listing.entry(name.as_str(), before.version()).expect("it is listed");
        assert!(known.form() != after.form() || Arc::ptr_eq(known, after), "{name} is not shared");
    }
}

/// What is served is JSON without a key twice, and another proxy reads the same entries in it.
fn check_served(catalog: &Catalog) {
    let mut body = br#"{"servers":["#.to_vec();
    for server in catalog.servers() {
        assert_eq!(server.versions.iter().filter(|version| version.is_latest).count(), 1, "{}", server.name);
        for version in &server.versions {
            let start = body.len();
            version.write_to(&mut body);
            assert_eq!(body.len() - start, version.served_length());
            check_document(&body[start..]);
            body.push(b',');
        }
    }
    if body.last() == Some(&b',') {
        body.pop();
    }
    body.extend_from_slice(br#"],"metadata":{}}"#);
    let context = Context { max_entry_size: 4 * MAX_ENTRY_SIZE + SERVED_ROOM, ..context(None) };
    let mirrored = decode(&body, &context).expect("we serve lists");
    // What is as deep as it may be lies deeper in what we serve.
    let refused = mirrored.refused.entries.iter().find(|refused| !refused.reason.contains("nested deeper"));
    assert!(refused.is_none(), "{refused:?}");
    assert_eq!(mirrored.listed(), catalog.versions());
    for (name, entry) in mirrored.entries {
        let ours = catalog.server(name.as_str()).and_then(|server| server.version(entry.version())).expect("served");
        assert_eq!((ours.entry.server(), ours.entry.digest()), (entry.server(), entry.digest()), "{name}");
        assert_eq!(ours.entry.official(), entry.official(), "{name}");
        assert_eq!(ours.entry.extra_meta(), entry.extra_meta(), "{name}");
    }
}

/// One entry as it is served.
fn check_document(bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).expect("UTF-8");
    let tree: Json<'_> = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let official = tree.get("_meta").and_then(|meta| meta.get(crate::catalog::entry::OFFICIAL_KEY)).expect("a block");
    for key in ["statusChangedAt", "publishedAt", "updatedAt"] {
        let time = official.get(key).and_then(Json::text).expect("a time");
        let is_time = time.ends_with('Z') && time.parse::<Timestamp>().is_ok();
        assert!(is_time, "{key} is {time}");
    }
    assert!(official.get("status").and_then(Json::text).is_some(), "{text}");
    assert!(matches!(official.get("isLatest"), Some(Json::Bool(_))), "{text}");
    let server = tree.get("server").expect("a server");
    shape::check_server(server).unwrap_or_else(|error| panic!("{error}: {text}"));
}
