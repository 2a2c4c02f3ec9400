//! A listing comes back as it was, and nothing else ever does: no damaged file, and none that somebody made.

use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::super::line::{MAX_LINE_BYTES, check_depth};
use super::*;
use crate::catalog::entry::{Entry, OFFICIAL_KEY, Official, Parts};
use crate::catalog::listing::{Listed, ListingBuilder};
use crate::registry::wire::{self, Refused};

const KEY: &str = "mcp-registry-proxy/provenance";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("in range")
}

/// What a registry that sends these entries is kept as.
fn stored(entries: &[Value]) -> Stored {
    let document = json!({ "servers": entries }).to_string();
    let context =
        wire::Context { now: at(1_790_000_000), provenance_key: KEY, previous: None, max_entry_size: 256 << 10 };
    let page = wire::decode(document.as_bytes(), &context).expect("a list");
    assert_eq!(page.refused.count, 0, "{:?}", page.refused);
    let mut builder = ListingBuilder::new("https://x.example/v0/servers".into(), None);
    for (name, entry) in page.entries {
        builder.insert(&name, entry);
    }
    let refused = Refused { name: Some("a".to_owned()), version: None, reason: "has no `server`".to_owned() };
    Stored {
        registry: "alpha".to_owned(),
        list: ListDigest([9; 32]),
        provenance_key: KEY.to_owned(),
        listing: Arc::new(builder.snapshot()),
        listed_at: at(1_790_000_100),
        marks: Marks { watermark: Some(at(1_790_000_050)), ..Marks::default() },
        refused: RefusedEntries { count: 7, entries: vec![refused] },
        lineage: ProxyId::new("other").into_iter().collect(),
    }
}

fn entry(name: &str, version: &str, text: &str) -> Value {
    json!({
        "server": {
            "name": name, "version": version, "title": text, "description": "Does ".to_owned() + text,
            "packages": [{ "registryType": "npm", "identifier": "x", "transport": { "type": "stdio" } }],
        },
        "_meta": {
            OFFICIAL_KEY: {
                "status": "deprecated", "statusMessage": text, "publishedAt": "2026-01-01T00:00:00.123456Z",
                "id": "5b1c", "odd": [1, 2.50, text],
            },
            KEY: { "registry": "inner", "upstream": { "registry": "innermost" } },
            "com.example/more": { "text": text },
        },
    })
}

fn sample() -> Stored {
    let bare = json!({ "server": { "name": "b/plain", "version": "1", "description": "d" } });
    stored(&[entry("a/one", "1.0.0", "É\n\"\\"), entry("a/one", "1.1.0", "É\n\"\\"), bare, entry("c/two", "2", "x")])
}

fn shown(stored: &Stored) -> String {
    format!("{stored:?}")
}

#[test]
fn a_listing_comes_back_as_it_was() {
    for stored in [stored(&[]), sample()] {
        let read = decode(&encode(&stored).expect("it fits")).expect("it is whole");
        assert_eq!(shown(&read), shown(&stored));
    }
}

proptest! {
    #[test]
    fn any_listing_comes_back_as_it_was(
        entries in prop::collection::vec(("[a-c]/[a-zA-Zé\"]{1,3}", "[0-9.v]{1,4}", any::<String>()), 0..20)
    ) {
        let entries: Vec<Value> = entries.iter().map(|(name, version, text)| entry(name, version, text)).collect();
        let stored = stored(&entries);
        let read = decode(&encode(&stored).expect("it fits")).expect("it is whole");
        prop_assert_eq!(shown(&read), shown(&stored));
    }

    #[test]
    fn arbitrary_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), is_begun in any::<bool>()) {
        let head: &[u8] = if is_begun { b"mcp-registry-proxy listing 2\n" } else { b"" };
        prop_assert!(decode(&[head, &bytes].concat()).is_err());
    }
}

#[test]
fn what_is_damaged_is_refused_wherever_the_damage_is() {
    let bytes = encode(&sample()).expect("it fits");
    for at in 0..bytes.len() {
        assert!(decode(&bytes[..at]).is_err(), "cut at {at}");
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            assert!(decode(&flipped).is_err(), "bit {bit} flipped at {at}");
        }
    }
    assert!(decode(&[&bytes[..], b"\n"].concat()).is_err(), "something follows");
}

#[test]
fn what_is_wrong_with_a_file_is_said() {
    let bytes = encode(&sample()).expect("it fits");
    let with_head = |head: &str| {
        let end = bytes.iter().position(|byte| *byte == b'\n').expect("a head");
        [head.as_bytes(), &bytes[end..]].concat()
    };
    let problem = |bytes: &[u8]| decode(bytes).expect_err("it is refused");
    for version in ["0", "1", "3", "18446744073709551616"] {
        let newer = with_head(&format!("mcp-registry-proxy listing {version}"));
        assert!(matches!(problem(&newer), Problem::OtherVersion(found) if found == version));
        assert!(format::is_of_another_release(&newer));
    }
    for head in ["mcp-registry-proxy effects 2", "mcp-registry-proxy listing", "mcp-registry-proxy listing x", "PK"] {
        assert!(matches!(problem(&with_head(head)), Problem::Foreign), "{head}");
    }
    assert!(matches!(problem(b""), Problem::Foreign));
    assert!(matches!(problem(&bytes[..bytes.len() - 1]), Problem::Damaged(_)));
}

/// A file whose sum is right, around this stream.
fn sealed(stream: &[u8]) -> Vec<u8> {
    let mut bytes = [b"mcp-registry-proxy listing 2\n", stream].concat();
    let sum = Sha256::digest(&bytes);
    bytes.extend_from_slice(&sum);
    bytes
}

/// The lines of a file.
fn lines(stored: &Stored) -> Vec<Value> {
    let bytes = encode(stored).expect("it fits");
    let mut content = format::open(std::io::Cursor::new(bytes), Kind::Listing).expect("it is whole");
    let mut lines = Vec::new();
    while let Some(line) = content.line(MAX_LINE_BYTES).expect("it is whole") {
        lines.push(serde_json::from_str(line).expect("JSON"));
    }
    lines
}

/// What is wrong with a file of these lines; nothing, if nothing is.
fn problem_of(lines: &[Value]) -> Option<String> {
    let text = lines.iter().fold(String::new(), |text, line| text + &line.to_string() + "\n");
    let stream = zstd::encode_all(text.as_bytes(), 1).expect("memory");
    let read = read(std::io::Cursor::new(sealed(&stream)), 2);
    read.err().map(|problem| problem.to_string())
}

/// Whether a file in which this was changed is refused.
fn is_refused(change: impl FnOnce(&mut Vec<Value>)) -> bool {
    let mut lines = lines(&sample());
    assert_eq!(problem_of(&lines), None);
    change(&mut lines);
    problem_of(&lines).is_some()
}

#[test]
fn what_somebody_made_is_held_to_what_the_wire_is_held_to() {
    assert!(is_refused(|lines| lines[1]["server"]["name"] = "".into()), "no name");
    assert!(is_refused(|lines| lines[1]["server"]["name"] = "x".repeat(600).into()), "a long name");
    assert!(is_refused(|lines| lines[1]["server"]["version"] = "a\0b".into()), "NUL in a version");
    assert!(is_refused(|lines| lines[1]["server"] = json!([])), "no object");
    assert!(is_refused(|lines| lines[1]["official"] = json!({})), "no official block");
    assert!(is_refused(|lines| lines[1]["digest"] = "AAAA".into()), "a short digest");
    assert!(is_refused(|lines| lines[1]["updated_at"] = "yesterday".into()), "no time");
    assert!(is_refused(|lines| drop(lines[1].as_object_mut().expect("a line").remove("facets"))), "no facets");
    for forged in ["registry=acme\n", "status=active\n", "type=remote\ntype=package\n", "type=remote"] {
        assert!(is_refused(|lines| lines[1]["facets"] = forged.into()), "{forged:?}");
    }
    for ours in [KEY, OFFICIAL_KEY] {
        assert!(is_refused(|lines| lines[1]["extra_meta"][ours] = json!({})), "{ours}");
    }
    assert!(is_refused(|lines| lines.swap(1, 2)), "not sorted");
    assert!(is_refused(|lines| lines.swap(2, 3)), "a name that comes again");
    assert!(is_refused(|lines| lines[2] = lines[1].clone()), "twice the same");
    assert!(is_refused(|lines| drop(lines.pop())), "too few");
    assert!(is_refused(|lines| lines[0]["versions"] = 3.into()), "too many");
    assert!(is_refused(|lines| lines[0]["versions"] = u64::MAX.into()), "more than there can be");
    assert!(is_refused(|lines| lines[0]["refused"]["count"] = 0.into()), "more refused than there are");
    assert!(is_refused(|lines| lines[0]["refused"]["count"] = u64::MAX.into()), "more than anybody counts");
    assert!(is_refused(|lines| lines[1]["status"] = "x".repeat(10_000).into()), "out of nothing");
    let many = vec![json!({ "reason": "" }); MAX_REFUSED + 1];
    assert!(is_refused(|lines| lines[0]["refused"] = json!({ "count": 5000, "entries": many })), "too many refused");
    // What another release knows otherwise does no harm.
    assert!(!is_refused(|lines| lines[0]["marks"] = json!({ "watermark": 5 })));
    assert!(!is_refused(|lines| lines[0]["marks"]["more"] = "?".into()));
    assert!(!is_refused(|lines| lines[0]["more"] = "?".into()));
}

#[test]
fn however_many_threads_read_it_a_listing_is_the_same() {
    let version = |number: usize| entry("a/many", &format!("1.{number:04}.0"), &"x".repeat(500));
    let other = |number: usize| entry(&format!("b/{number:04}"), "1", &"y".repeat(500));
    let stored = stored(&(0..400).map(version).chain((0..400).map(other)).collect::<Vec<_>>());
    let read = |bytes: &[u8], threads| read(std::io::Cursor::new(bytes), threads);
    let bytes = encode(&stored).expect("it fits");
    for threads in [1, 2, 5] {
        let read = read(&bytes, threads).expect("it is whole");
        assert_eq!((read.listing.versions, shown(&read)), (800, shown(&stored)));
    }
    // Of two that are wrong, the first one is told.
    let mut lines = lines(&stored);
    lines[600]["digest"] = "AAAA".into();
    lines[750]["server"]["version"] = 5.into();
    for _ in 0..5 {
        assert_eq!(problem_of(&lines).as_deref(), Some("it is damaged: a digest in it is none"));
    }
}

#[test]
fn depth_is_limited_wherever_it_is() {
    let nested = |levels: usize| {
        let text = "[".repeat(levels) + &"]".repeat(levels);
        let server = format!(r#"{{"name":"a/one","version":"1.0.0","deep":{text}}}"#);
        let mut line = lines(&sample())[1].clone();
        line["server"] = "SERVER".into();
        let line = line.to_string().replace("\"SERVER\"", &server);
        let mut header = lines(&sample())[0].clone();
        header["versions"] = 1.into();
        let stream = zstd::encode_all(format!("{header}\n{line}\n").as_bytes(), 1).expect("memory");
        decode(&sealed(&stream)).err().map(|problem| problem.to_string())
    };
    assert_eq!(nested(60), None);
    for levels in [70, 500_000] {
        assert!(nested(levels).expect("it is refused").contains("nested too deep"), "{levels}");
    }
    let texts = format!(r#"{{"a":"{}","b":"\"{}"}}"#, "[".repeat(100), "{".repeat(100));
    assert!(check_depth(&texts).is_ok(), "brackets in texts are none");
}

#[test]
fn a_stream_that_would_fill_the_memory_is_refused_early() {
    // A line without an end, of as much as one likes.
    let bomb = zstd::encode_all(Read::take(std::io::repeat(b' '), 256 << 20), 1).expect("memory");
    assert!(matches!(decode(&sealed(&bomb)), Err(Problem::Damaged(_))));
    let mut with_header = format!("{}\n", lines(&sample())[0]).into_bytes();
    with_header.resize(64 << 20, b' ');
    let stream = zstd::encode_all(&with_header[..], 1).expect("memory");
    assert!(matches!(decode(&sealed(&stream)), Err(Problem::Damaged(_))));
    // A window that the reader would have to keep.
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("memory");
    encoder.window_log(27).expect("a window");
    std::io::copy(&mut Read::take(std::io::repeat(b' '), 1 << 20), &mut encoder).expect("memory");
    let wide = decode(&sealed(&encoder.finish().expect("memory"))).expect_err("it is refused").to_string();
    assert!(wide.contains("cannot be decompressed"), "{wide}");
}

#[test]
fn what_could_not_be_read_is_not_written() {
    let mut bad = sample();
    let listed = bad.listing.servers[0].as_ref();
    let known = listed.entries[0].as_ref();
    let with = |server: String| Parts {
        server: server.into(),
        official: Official {
            status: known.status().clone(),
            published_at: known.published_at(),
            updated_at: known.updated_at(),
            rendered: String::from_utf8_lossy(&known.official()).into_owned().into(),
        },
        extra_meta: known.extra_meta().to_owned(),
        upstream: None,
        legacy_ids: None,
        digest: known.digest(),
        form: known.form(),
        facets: known.facets().clone(),
        fetched_at: known.fetched_at(),
    };
    let server = |name: &str| format!(r#"{{"name":{name},"version":"1"}}"#);
    let long = format!(r#""{}""#, "x".repeat(MAX_LINE_BYTES));
    for server in [server("\n\"a\""), server(&long)] {
        let entry = Entry::new(with(server)).expect("it has a name and a version");
        let listed = Listed { name: listed.name.clone(), entries: vec![Arc::new(entry)] };
        let url = "https://x.example".into();
        let listing = Listing::new(url, vec![Arc::new(listed)]);
        let stored = Stored { listing: Arc::new(listing), ..bad.clone() };
        assert!(matches!(encode(&stored), Err(Problem::Unfit(_))));
    }
    bad.refused.entries[0].reason = "x".repeat(MAX_HEADER_BYTES);
    assert!(matches!(encode(&bad), Err(Problem::Unfit(_))));
}

#[test]
#[ignore = "measures; run it with --release"]
fn a_hundred_thousand_versions_are_read_in_well_under_a_second() {
    let entries: Vec<Value> = (0..20_000)
        .flat_map(|name| (0..5).map(move |version| (format!("com.example/server-{name:05}"), format!("1.{version}.0"))))
        .map(|(name, version)| entry(&name, &version, &name.repeat(4)))
        .collect();
    let stored = stored(&entries);
    let started = std::time::Instant::now();
    let bytes = encode(&stored).expect("it fits");
    let written = started.elapsed();
    let started = std::time::Instant::now();
    let read = decode(&bytes).expect("it is whole");
    let elapsed = started.elapsed();
    assert_eq!(read.listing.versions, 100_000);
    assert!(elapsed < std::time::Duration::from_millis(800), "read in {elapsed:?}, written in {written:?}");
}
