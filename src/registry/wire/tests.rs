use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::element::PULSE_KEY;
use super::*;
use crate::catalog::entry::{Digest, OFFICIAL_KEY};

const KEY: &str = "mcp-registry-proxy/provenance";

fn decode_with(document: &[u8], previous: Option<&Listing>) -> Result<Page, FormatError> {
    let now = Timestamp::from_second(1_800_000_000).expect("in range");
    decode(document, &Context { now, provenance_key: KEY, previous, max_entry_size: 256 << 10 })
}

fn page(document: &Value) -> Page {
    decode_with(document.to_string().as_bytes(), None).unwrap_or_else(|error| panic!("{document}: {error}"))
}

/// The only entry of a document, and its name.
#[track_caller]
fn only(document: &Value) -> (Name, Arc<Entry>) {
    let mut page = page(document);
    assert_eq!((page.entries.len(), &page.refused.entries[..]), (1, &[][..]));
    page.entries.remove(0)
}

#[track_caller]
fn refusal(element: &Value) -> String {
    // A good neighbour: a bad entry never costs the rest of its page.
    let good = json!({"server": {"name": "good/one", "description": "d", "version": "1"}});
    let page = page(&json!({"servers": [element, good]}));
    assert_eq!((page.entries.len(), page.refused.count), (1, 1), "{element}");
    page.refused.entries[0].reason.clone()
}

fn failure(document: &str) -> String {
    let page = decode_with(document.as_bytes(), None);
    page.and_then(|page| page.check_recognised()).expect_err(document).to_string()
}

fn rendered(entry: &Entry) -> String {
    String::from_utf8(entry.official().into_owned()).expect("UTF-8")
}

fn server() -> Value {
    json!({"name": "a/b", "description": "d", "version": "1.0.0"})
}

#[test]
fn the_current_format_is_kept_to_the_byte_except_white_space() {
    let document = r#"{ "servers" : [ {"server": {"version" : "1.0.0", "name":"a\/b","description":"caf\u00e9  \"x\"",
        "novel": {"number": 1.50, "big": 12345678901234567890}, "packages":[ ] }, "_meta": {} } ] }"#;
    let page = decode_with(document.as_bytes(), None).expect("a list");
    let expected = r#"{"version":"1.0.0","name":"a\/b","description":"caf\u00e9  \"x\"","novel":{"number":1.50,"big":12345678901234567890},"packages":[]}"#;
    assert_eq!(page.entries[0].1.server(), expected);
    assert_eq!(page.entries[0].0.as_str(), "a/b");
}

#[test]
fn the_digest_is_of_the_canonical_form_without_meta() {
    let one = only(&json!({"servers": [{"server": server()}]})).1;
    let reordered =
        r#"{"servers":[{"server":{"version":"1.0.0","description":"d","name":"a\u002fb","_meta":{"x":1}}}]}"#;
    let other = decode_with(reordered.as_bytes(), None).expect("a list").entries.remove(0).1;
    assert_eq!(one.digest(), other.digest());
    // echo -n '{"description":"d","name":"a/b","version":"1.0.0"}' | sha256sum
    let expected: [u8; 32] = Sha256::digest(br#"{"description":"d","name":"a/b","version":"1.0.0"}"#).into();
    assert_eq!(one.digest(), Digest(expected));
}

#[test]
fn meta_keeps_what_the_registry_sent_but_our_own_key() {
    let entry = only(&json!({"servers": [{"server": server(), "_meta": {
        "com.pulsemcp/server": {"a": [1, 2]}, KEY: {"registry": "forged"}, "x-ms-icon": "i",
        OFFICIAL_KEY: {"status": "active", "publishedAt": "2025-01-01T00:00:00Z", "serverId": "s", "novel": 5}}}]}))
    .1;
    assert_eq!(entry.extra_meta(), r#""com.pulsemcp/server":{"a":[1,2]},"x-ms-icon":"i""#);
    assert_eq!(entry.legacy_ids(), Some(r#"{"serverId":"s"}"#));
    assert_eq!(
        rendered(&entry),
        concat!(
            r#""status":"active","statusChangedAt":"2025-01-01T00:00:00Z","publishedAt":"2025-01-01T00:00:00Z","#,
            r#""updatedAt":"2025-01-01T00:00:00Z","novel":5"#
        )
    );
}

#[test]
fn a_missing_official_block_is_filled_in_from_the_time_of_the_fetch() {
    let at = "2027-01-15T08:00:00Z";
    for meta in [json!(null), json!({}), json!({OFFICIAL_KEY: null}), json!({OFFICIAL_KEY: {"publishedAt": null}})] {
        let entry = only(&json!({"servers": [{"server": server(), "_meta": meta}]})).1;
        let expected = format!(r#""status":"active","statusChangedAt":"{at}","publishedAt":"{at}","updatedAt":"{at}""#);
        assert_eq!(rendered(&entry), expected, "{meta}");
    }
}

#[test]
fn pulse_says_the_same_under_its_own_key() {
    let entry = only(&json!({"servers": [{"server": server(), "_meta": {PULSE_KEY: {
        "status": "deprecated", "publishedAt": "2025-01-01T00:00:00Z", "isLatest": true, "source": "x"}}}]}))
    .1;
    assert_eq!(entry.status().as_str(), "deprecated");
    assert!(!rendered(&entry).contains("source"));
}

#[test]
fn what_would_break_clients_is_left_out_with_a_reason() {
    let with = |key: &str, value: Value| {
        let mut server = server();
        server[key] = value;
        json!({ "server": server })
    };
    let without = |key: &str| {
        let mut server = server();
        server.as_object_mut().expect("an object").remove(key);
        json!({ "server": server })
    };
    for (element, reason) in [
        (without("name"), "has no `server.name`"),
        (with("name", json!("")), "has a `server.name` that is empty"),
        (with("name", json!("x".repeat(600))), "has a `server.name` that is longer than 512 bytes"),
        (without("description"), "has no `server.description`"),
        (with("description", json!("")), "has a `server.description` that is empty"),
        (without("version"), "has no `server.version`"),
        (with("version", json!(1)), "`server.version` is a number; expected a string"),
        (with("packages", json!(null)), "`server.packages` is null; expected an array"),
        (with("x", json!("y".repeat(300_000))), "has 300068 bytes; an entry may have 262144 (`limits.max_entry_size`)"),
        (json!(5), "is a number; expected an object"),
        (json!({"server": server(), "_meta": []}), "has a `_meta` that is an array; expected an object"),
    ] {
        assert_eq!(refusal(&element), reason);
    }
    for (block, part) in [
        (json!({"updatedAt": "yesterday"}), "not an RFC 3339 timestamp"),
        (json!({"updatedAt": ""}), "not an RFC 3339 timestamp"),
        (json!({"status": 5}), "`status` that is a number; expected a string"),
        (json!({"isLatest": "yes"}), "`isLatest` that is a string; expected a boolean"),
        (json!("x"), "that is a string; expected an object"),
    ] {
        let reason = refusal(&json!({"server": server(), "_meta": {OFFICIAL_KEY: block}}));
        assert!(reason.contains(part), "{reason}");
    }
}

#[test]
fn an_older_format_must_not_grow_beyond_the_limit() {
    let small = json!([{"name": "a/b", "description": "d", "version": "1", "packages": vec![json!({}); 50_000]}]);
    assert!(small.to_string().len() < 256 << 10);
    let refused = page(&small).refused.entries;
    assert!(refused[0].reason.contains("an entry may have 262144"), "{refused:?}");
}

#[test]
fn a_nul_in_a_text_does_not_split_it() {
    let mut server = server();
    server["title"] = "a\0b".into();
    server["description"] = "\0C".into();
    assert_eq!(only(&json!([{ "server": server }])).1.search_text(), "a b\0 c");
}

#[test]
fn duplicate_keys_and_broken_escapes_cost_only_their_entry() {
    let good = r#"{"server":{"name":"good/one","description":"d","version":"1"}}"#;
    for bad in [
        r#"{"server":{"name":"a/b","name":"a/c","description":"d","version":"1"}}"#,
        r#"{"server":{"name":"a/b","description":"d","version":"1","x":{"k":1,"k":2}}}"#,
        r#"{"server":{"name":"a/b","description":"\ud800","version":"1"}}"#,
        r#"{"server":{"name":"a/b","description":"d","version":"1","n":1e999}}"#,
    ] {
        let page = decode_with(format!(r#"{{"servers":[{bad},{good}]}}"#).as_bytes(), None).expect("a list");
        assert_eq!((page.entries.len(), page.refused.count), (1, 1), "{bad}");
    }
}

#[test]
fn what_stands_beside_the_server_must_be_sound_too() {
    let good = r#"{"server":{"name":"good/one","description":"d","version":"1"}}"#;
    let deep = format!("{}{}", "[".repeat(70), "]".repeat(70));
    for value in [deep.as_str(), r#""\ud800""#, "1e999", r#"{"k":1,"k":2}"#] {
        let bad = format!(r#"{{"server":{},"_meta":{{"com.example/x":{value}}}}}"#, server());
        let page = decode_with(format!(r#"{{"servers":[{bad},{good}]}}"#).as_bytes(), None).expect("a list");
        assert_eq!((page.entries.len(), page.refused.count), (1, 1), "{bad}");
    }
}

#[test]
fn reasons_are_short_whatever_a_registry_wrote() {
    let key = "k".repeat(100_000);
    let document = format!(r#"{{"{key}":1,"{key}":2}}"#);
    assert!(failure(&document).len() < 500);
    let bad = format!(r#"{{"server":{},"{key}":1,"{key}":2}}"#, server());
    let page = decode_with(format!(r#"{{"servers":[{bad}]}}"#).as_bytes(), None).expect("a list");
    assert!(page.refused.entries[0].reason.len() < 500);
}

#[test]
fn an_entry_in_the_same_form_is_the_previous_one() {
    let document = json!({"servers": [{"server": server(), "_meta": {OFFICIAL_KEY: {"isLatest": true}}}]});
    let (name, before) = only(&document);
    let mut builder = crate::catalog::listing::ListingBuilder::new("u".into(), None);
    builder.insert(&name, Arc::clone(&before));
    let previous = builder.snapshot();
    let flipped = json!({"servers": [{"server": server(), "_meta": {OFFICIAL_KEY: {"isLatest": false}}}]});
    let again = decode_with(flipped.to_string().as_bytes(), Some(&previous)).expect("a list");
    assert!(Arc::ptr_eq(&again.entries[0].1, &before), "isLatest is ours to compute");
    let other = json!({"servers": [{"server": server(), "_meta": {OFFICIAL_KEY: {"status": "deprecated"}}}]});
    let changed = decode_with(other.to_string().as_bytes(), Some(&previous)).expect("a list");
    assert!(!Arc::ptr_eq(&changed.entries[0].1, &before));
    let published_at = |entry: &Entry| entry.published_at();
    assert_eq!(published_at(&changed.entries[0].1), published_at(&before), "a date of our own making stays");
}

#[test]
fn the_provenance_of_a_proxy_like_ours_is_kept_as_upstream() {
    let inner = json!({"registry": "theirs", "sha256": "x"});
    let entry = only(&json!({"servers": [{"server": server(), "_meta": {KEY: inner}}]})).1;
    assert_eq!(entry.upstream(), Some(r#"{"registry":"theirs","sha256":"x"}"#));
    assert_eq!(entry.extra_meta(), "");
}

#[test]
fn refused_entries_are_all_counted_and_the_first_ones_kept() {
    let junk = "0,".repeat(5_000);
    let document = format!(r#"{{"servers":[{junk}{{"server":{}}}]}}"#, server());
    let page = decode_with(document.as_bytes(), None).expect("a list");
    assert_eq!((page.entries.len(), page.refused.count, page.refused.entries.len()), (1, 5_000, MAX_REFUSED));
    assert_eq!(page.listed(), 5_001);
}

#[test]
fn unknown_values_pass() {
    let mut server = server();
    server["packages"] = json!([{"registryType": "zip", "identifier": "x", "transport": {"type": "telepathy"}}]);
    let entry = only(&json!({"servers": [{"server": server, "_meta": {OFFICIAL_KEY: {"status": "paused"}}}]})).1;
    assert_eq!(entry.status().as_str(), "paused");
}

#[test]
fn older_formats_are_recognised_entry_by_entry() {
    let flat = json!({"name": "f3/x", "description": "d", "status": "deleted", "version": "1.0.2",
        "packages": [{"registry_type": "npm", "identifier": "i", "environment_variables": [{"name": "K", "is_secret": true}]}],
        "_meta": {OFFICIAL_KEY: {"id": "u", "published_at": "2025-09-08T23:47:09.452137971Z",
            "updated_at": "2025-09-09T00:16:49Z", "is_latest": true},
            "io.modelcontextprotocol.registry/publisher-provided": {"tool": "t"}}});
    let first = json!({"id": "u", "name": "f1/x", "description": "d",
        "version_detail": {"version": "0.2.1", "release_date": "2025-06-01T00:00:00Z", "is_latest": true}});
    let wrapper = json!({"server": {"name": "f2/x", "description": "d", "version_detail": {"version": "3"}},
        "x-io.modelcontextprotocol.registry": {"id": "u", "published_at": "2025-08-01T00:00:00Z"}});
    let document = json!({"servers": [flat, first, wrapper, {"server": server()}], "metadata": {"next_cursor": "n"}});
    let page = page(&document);
    assert_eq!(page.refused.entries, []);
    assert_eq!(page.next_cursor.as_deref(), Some("n"));
    let summary: Vec<_> = page
        .entries
        .iter()
        .map(|(name, entry)| (name.as_str(), entry.version(), entry.published_at().to_string()))
        .collect();
    assert_eq!(summary[0], ("f3/x", "1.0.2", "2025-09-08T23:47:09.452137971Z".to_owned()));
    assert_eq!(summary[1], ("f1/x", "0.2.1", "2025-06-01T00:00:00Z".to_owned()));
    assert_eq!(summary[2], ("f2/x", "3", "2025-08-01T00:00:00Z".to_owned()));
    assert!(page.entries[0].1.is_deleted());
    let server: Value = serde_json::from_str(&page.entries[0].1.server()).expect("JSON");
    assert_eq!(server["packages"][0]["environmentVariables"][0]["isSecret"], true);
    assert_eq!(server["_meta"]["io.modelcontextprotocol.registry/publisher-provided"]["tool"], "t");
    assert_eq!(server.get("status"), None);
}

#[test]
fn files_are_lists_too() {
    let entry = json!({"server": server()});
    for document in
        [json!([entry]), json!({"servers": [entry]}), json!({"data": {"servers": [server()]}}), json!([server()])]
    {
        assert_eq!(only(&document).0.as_str(), "a/b", "{document}");
    }
    let with_bom = format!("\u{feff}{}", json!([entry]));
    assert_eq!(decode_with(with_bom.as_bytes(), None).expect("a list").entries.len(), 1);
}

#[test]
fn what_is_no_registry_is_named() {
    for (document, part) in [
        ("<!DOCTYPE html><html>", "an HTML page"),
        ("", "an empty document"),
        ("{\"servers\": [ {,,, ]", "text that is not JSON"),
        ("hello", "text that is not JSON"),
        ("5", "a single JSON value"),
        (r#"{"mcpServers":{}}"#, "client configuration"),
        (r#"{"servers":{"github":{"command":"npx"}}}"#, "client configuration"),
        (r#"{"servers":{"x":{"image":"i"}},"remote_servers":{}}"#, "F9"),
        (r#"{"servers":[],"next":"n","total_count":1}"#, "F0b"),
        (r#"{"servers":null}"#, "`servers` that is null; expected an array"),
        (r#"{"data":[],"ok":true}"#, "without `servers`; it has the members `data`, `ok`"),
        (r#"{"servers":[],"servers":[]}"#, "duplicate key `servers`"),
        (r#"{"servers":[{"id":1},{"id":2}]}"#, "a list of something else"),
        (r#"{"servers":[5]}"#, "a list of something else"),
        (r#"{"servers":[],"metadata":{"nextCursor":5}}"#, "`metadata.nextCursor` that is a number"),
    ] {
        let failure = failure(document);
        assert!(failure.contains(part), "{document}: {failure}");
    }
    let error = decode_with(b"{\"servers\":[\"\xff\"]}", None).expect_err("not UTF-8");
    assert!(error.to_string().contains("not UTF-8, at byte 13"), "{error}");
}

#[test]
fn nesting_has_a_limit() {
    let deep = format!(r#"{{"servers":{}{}}}"#, "[".repeat(200_000), "]".repeat(200_000));
    assert!(failure(&deep).contains("its first element is an array"));
    let deep =
        format!(r#"{{"name":"a/b","description":"d","version":"1","x":{}{}}}"#, "[".repeat(500), "]".repeat(500));
    let page =
        decode_with(format!(r#"{{"servers":[{{"server":{deep}}},{{"server":{}}}]}}"#, server()).as_bytes(), None);
    assert_eq!(page.expect("a list").refused.count, 1);
}

#[test]
fn the_last_page_names_no_cursor_in_any_of_three_ways() {
    for metadata in [json!({}), json!({"nextCursor": null}), json!({"nextCursor": ""}), json!(null)] {
        assert_eq!(page(&json!({"servers": [], "metadata": metadata})).next_cursor, None);
    }
}
