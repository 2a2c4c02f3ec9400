//! What must hold of whatever clients ask for.

use std::sync::LazyLock;

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::api::View;
use super::cache::CatalogRequest;
use super::cursor;
use super::error::Problem;
use super::escapes;
use super::inspections::Inspections;
use super::query::{self, ListQuery};
use super::route::{allow, route};
use crate::catalog::Catalog;
use crate::catalog::entry::{OFFICIAL_KEY, Status};
use crate::catalog::facets::Kind;
use crate::catalog::page::{Filter, Position, VersionFilter};
use crate::registry::wire;
use crate::registry::wire::fuzzing::{context, listing, merged};

/// The longest cursor that we may give: with a path and a page size, it must fit in a URL.
const MAX_CURSOR_BYTES: usize = 7 << 10;
/// Characters that lower case makes of one, at most.
const LOWERCASE: usize = 3;

/// A cursor is refused, or reads as what it was made of.
///
/// The first byte says what the rest is: `J` a payload, which gets its checksum; `F` fields, separated by lines; all
/// else is a cursor as it is.
///
/// # Panics
/// When that does not hold.
pub fn cursor(bytes: &[u8]) {
    match bytes.split_first() {
        Some((b'J', json)) => check_cursor(&cursor::seal(json)),
        Some((b'F', fields)) => {
            let (filter, position) = walk(&String::from_utf8_lossy(fields));
            let made = cursor::encode(&filter, &position);
            assert!(made.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')), "{made}");
            assert_eq!(cursor::decode(&made), Some((filter, position)), "{made}");
        }
        _ => check_cursor(&String::from_utf8_lossy(bytes)),
    }
}

fn check_cursor(text: &str) {
    if let Some((filter, position)) = cursor::decode(text) {
        let made = cursor::encode(&filter, &position);
        assert_eq!(cursor::decode(&made), Some((filter, position)), "{text}\n{made}");
    }
}

/// A walk out of the fields of an input.
fn walk(fields: &str) -> (Filter, Position) {
    let mut fields = fields.split('\n');
    let mut text = || fields.next().filter(|field| !field.is_empty()).map(Box::<str>::from);
    let position = Position { name: text().unwrap_or_default(), version: text() };
    let version = match text() {
        None => VersionFilter::Any,
        Some(latest) if &*latest == "latest" => VersionFilter::Latest,
        Some(exact) => VersionFilter::Exact(exact),
    };
    let filter = Filter {
        version,
        search: text(),
        updated_since: text().and_then(|nanosecond| Timestamp::from_nanosecond(nanosecond.parse().ok()?).ok()),
        include_deleted: text().is_some(),
        registry: text(),
        kind: text().map(|kind| if &*kind == "remote" { Kind::Remote } else { Kind::Package }),
        package_type: text(),
        transport: text(),
        status: text().map(|status| Status::from_wire(&status)),
    };
    (filter, position)
}

/// A query is refused in the API's own words, or asks for what there are bounds of; the answer keeps to them, and
/// its cursors lead to the end.
///
/// A second line is a path.
///
/// # Panics
/// When that does not hold.
pub fn query(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (query, path) = text.split_once('\n').unwrap_or((&text, ""));
    check_problem(escapes::check_nul(path, Some(query)).err());
    check_problem(route(&Method::GET, path).err());
    assert!(!allow(path).is_empty());
    let plain = escapes::without_needless_escapes(path);
    assert_eq!(escapes::without_needless_escapes(&plain), plain);
    check_problem(query::include_deleted(Some(query)).err());
    match query::list(Some(query)) {
        Err(problem) => check_problem(Some(problem)),
        Ok(asked) => check_list(&asked),
    }
}

fn check_problem(problem: Option<Problem>) {
    let Some(problem) = problem else { return };
    assert!(problem.status().is_client_error() || matches!(problem, Problem::NotImplemented(_)), "{problem:?}");
    let body: Value = serde_json::from_slice(&problem.body()).expect("a problem is JSON");
    assert_eq!(body["status"], problem.status().as_u16());
}

fn check_list(asked: &ListQuery) {
    assert!((1..=100).contains(&asked.limit), "{asked:?}");
    let Filter { search, version, .. } = &asked.filter;
    // What a cursor says instead, somebody who can make cursors may have made longer: as long as a URL.
    if asked.after.is_none() {
        assert!(search.as_ref().is_none_or(|term| (1..=256 * LOWERCASE).contains(&term.chars().count())), "{asked:?}");
        let fits = |version: &str| (1..=512).contains(&version.chars().count());
        assert!(!matches!(version, VersionFilter::Exact(version) if !fits(version)), "{asked:?}");
    }
    // A query as long as it may be costs what the catalog costs, not what the query says.
    let mut asked = asked.clone();
    let mut last: Option<(Box<str>, Box<str>)> = None;
    for _ in 0..=CATALOG.versions() {
        let page = CATALOG.page(&asked.filter, asked.after.as_ref(), asked.limit);
        assert!(page.versions.len() <= asked.limit && (page.next.is_none() || !page.versions.is_empty()));
        let next = check_body(&asked, page.versions.len());
        for version in &page.versions {
            assert!(asked.filter.shows_deleted() || !version.entry.is_deleted(), "{asked:?}");
            let server: Value = serde_json::from_str(&version.entry.server()).expect("JSON");
            let key = (server["name"].as_str().unwrap_or_default().into(), version.entry.version().into());
            assert!(last.as_ref().is_none_or(|last| *last < key), "{key:?} comes again");
            last = Some(key);
        }
        assert_eq!(next.is_some(), page.next.is_some());
        let Some(text) = next else { return };
        assert!(asked.after.is_some() || text.len() <= MAX_CURSOR_BYTES, "{text}");
        let follow = query::list(Some(&format!("limit={}&cursor={text}", asked.limit))).expect("a cursor of ours");
        assert_eq!((&follow.filter, follow.limit, &follow.after), (&asked.filter, asked.limit, &page.next));
        asked = follow;
    }
    panic!("a walk without an end: {asked:?}");
}

/// The body of one page; returns the cursor of the next one.
fn check_body(asked: &ListQuery, length: usize) -> Option<String> {
    let inspections = Inspections::default();
    let view = View { catalog: &CATALOG, is_ready: true, reason: &|_| String::new(), inspections: &inspections };
    let rendered = view.render(&CatalogRequest::List(asked.clone()), Vec::new()).expect("there is a catalog");
    let body: Value = serde_json::from_slice(&rendered.body).expect("a list is JSON");
    assert_eq!(body["servers"].as_array().map(Vec::len), Some(length));
    assert_eq!(body["metadata"]["count"], length);
    body["metadata"]["nextCursor"].as_str().map(str::to_owned)
}

/// A small catalog: names that are hard to tell apart, all statuses, kinds and transports.
pub(super) static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    let names = ["a", "a/b", "a/B", "a/b c", "com.example/git", "É/ß", "\"\\/x"];
    let versions = ["1.0.0", "1.0.0-rc.1", "latest-1", "2", "\"\\"];
    let statuses = ["active", "deprecated", "deleted", "odd"];
    let keys = names.iter().flat_map(|name| versions.iter().map(move |version| (name, version)));
    let entries = keys.enumerate().map(|(index, (name, version))| {
        let transport = ["stdio", "sse", "Streamable-HTTP"][index % 3];
        json!({
            "server": {
                "name": name, "version": version, "title": "İstanbul", "description": "Git and more",
                "packages": [{ "registryType": "npm", "identifier": "x", "transport": { "type": transport } }],
                "remotes": [],
            },
            "_meta": { OFFICIAL_KEY: {
                "status": statuses[index % 4], "publishedAt": format!("2026-01-{:02}T00:00:00Z", 1 + index % 28),
            } },
        })
    });
    let document = json!({ "servers": entries.collect::<Vec<_>>() }).to_string();
    let page = wire::decode(document.as_bytes(), &context(None)).expect("a list");
    assert_eq!(page.refused.count, 0, "{:?}", page.refused);
    merged(listing(&page.entries))
});
