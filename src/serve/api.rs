//! The MCP Registry API over a catalog: bodies out of entries that are rendered already. Synchronous and
//! without I/O: one function per kind of answer.

use std::fmt::Write as _;

use super::cache::CatalogRequest;
use super::cursor;
use super::error::Problem;
use super::escapes::readings;
use super::inspections::Inspections;
use super::query::ListQuery;
use super::representation::Tag;
use crate::catalog::{Catalog, Server, Version};

/// What a page has around its entries, besides a cursor; and what an entry has beside `server`, mostly.
const AROUND_BYTES: usize = 80;
const BESIDE_BYTES: usize = 600;
/// What identifies an entry of a page takes so much, mostly; and the cursor, with what names the registry.
const IDENTITY_BYTES: usize = 128;
/// How lists are written. It is another number whenever the same versions are written in another way: a tag that was
/// given before must not be that of other bytes.
const LIST_FORMAT: u8 = 1;

/// An answer as it was rendered.
#[derive(Debug)]
pub(super) struct Rendered {
    pub(super) body: Vec<u8>,
    /// What identifies the body, where that is known without reading it again.
    pub(super) tag: Option<Tag>,
}

/// What a request sees: one catalog, and whether all registries have been tried.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) is_ready: bool,
    /// Says why a registry is not usable, by its name.
    pub(super) reason: &'a dyn Fn(&str) -> String,
    /// What is known of the whole catalog.
    pub(super) inspections: &'a Inspections,
}

impl<'a> View<'a> {
    /// Whether there is anything to answer from.
    pub(super) fn check_available(&self) -> Result<(), Problem> {
        if self.catalog.is_available() { Ok(()) } else { Err(self.nothing_available()) }
    }

    /// Renders the answer to a request, a list into the room that is given for it.
    pub(super) fn render(&self, request: &CatalogRequest, room: Vec<u8>) -> Result<Rendered, Problem> {
        self.check_available()?;
        let body = match request {
            CatalogRequest::List(query) => return Ok(self.list(query, room)),
            CatalogRequest::Versions { name, include_deleted } => self.versions(name, *include_deleted)?,
            CatalogRequest::Version { name, version, include_deleted } => {
                self.version(name, version, *include_deleted)?
            }
            CatalogRequest::Inspection(inspection) => self.inspections.render(self.catalog, inspection),
            CatalogRequest::Page(page) => page.render(self)?,
        };
        Ok(Rendered { body, tag: None })
    }

    /// The answer to `GET /readyz`.
    pub(super) fn readiness(&self) -> Result<&'static str, Problem> {
        if self.is_ready {
            return Ok("{\"status\":\"ready\"}\n");
        }
        Err(Problem::Unavailable(format!("Not every registry has been asked yet: {}", self.reasons(|_| true))))
    }

    fn list(&self, query: &ListQuery, room: Vec<u8>) -> Rendered {
        let page = self.catalog.page(&query.filter, query.after.as_ref(), query.limit);
        let next = page.next.map(|position| cursor::encode(&query.filter, &position));
        let tag = Some(list_tag(&page.versions, next.as_deref()));
        Rendered { body: list_body(&page.versions, next.as_deref(), room), tag }
    }

    fn versions(&self, name: &str, include_deleted: bool) -> Result<Vec<u8>, Problem> {
        let visible = |server: &'a Server| {
            let mut versions = server.versions_newest_first();
            versions.retain(|version| include_deleted || !version.entry.is_deleted());
            (!versions.is_empty()).then_some(versions)
        };
        let versions = self.find(name, None, include_deleted, visible)?;
        Ok(list_body(&versions, None, Vec::new()))
    }

    fn version(&self, name: &str, version: &str, include_deleted: bool) -> Result<Vec<u8>, Problem> {
        let asked = (version != "latest").then_some(version);
        let visible = |server: &'a Server| {
            let found = match asked {
                None => server.latest(),
                Some(version) => readings(version).find_map(|version| server.version(&version)),
            };
            found.filter(|found| include_deleted || !found.entry.is_deleted())
        };
        let found = self.find(name, asked, include_deleted, visible)?;
        let mut body = Vec::with_capacity(found.served_length() + 1);
        found.write_to(&mut body);
        body.push(b'\n');
        Ok(body)
    }

    /// A server, and one of its versions, or its latest; also where that is deleted.
    pub(super) fn server(&self, name: &str, version: Option<&str>) -> Result<(&'a Server, &'a Version), Problem> {
        let visible = |server: &'a Server| {
            let found = match version {
                None => server.latest(),
                Some(version) => server.version(version),
            };
            Some((server, found?))
        };
        self.find(name, version, true, visible)
    }

    /// What `visible` picks from the server of that name. "Not listed" is an answer that clients enforce, so
    /// it is given only when it is certain (contract §4).
    fn find<T>(
        &self,
        name: &str,
        version: Option<&str>,
        include_deleted: bool,
        visible: impl Fn(&'a Server) -> Option<T>,
    ) -> Result<T, Problem> {
        let mut withheld = Vec::new();
        for server in readings(name).filter_map(|name| self.catalog.server(&name)) {
            if let Some(found) = visible(server) {
                return Ok(found);
            }
            match version {
                None => withheld.extend(server.withheld_by(None, include_deleted)),
                Some(version) => {
                    withheld.extend(readings(version).flat_map(|v| server.withheld_by(Some(&v), include_deleted)));
                }
            }
        }
        if !withheld.is_empty() {
            let reasons = self.reasons(|registry| withheld.contains(&registry));
            let detail = "Only registries that are not usable at the moment list this";
            return Err(Problem::Unavailable(format!("{detail}: {reasons}")));
        }
        if self.is_ready {
            return Err(Problem::NotListed);
        }
        let detail = "Not every registry has been asked yet, so nobody can say that this is not listed";
        Err(Problem::Unavailable(format!("{detail}: {}", self.reasons(|_| true))))
    }

    fn nothing_available(&self) -> Problem {
        let any_usable = self.catalog.registries.iter().any(|registry| registry.usable);
        let what = if any_usable { "Nothing has been fetched yet" } else { "No registry is usable" };
        Problem::Unavailable(format!("{what}: {}", self.reasons(|_| true)))
    }

    fn reasons(&self, mut concerns: impl FnMut(usize) -> bool) -> String {
        let mut text = String::new();
        for (_, registry) in self.catalog.registries.iter().enumerate().filter(|(index, _)| concerns(*index)) {
            let separator = if text.is_empty() { "" } else { "; " };
            let name = &*registry.rules.name;
            let _ = write!(text, "{separator}{name} ({})", (self.reason)(name));
        }
        if text.is_empty() { "the registries have not been looked at yet".to_owned() } else { text }
    }
}

/// The tag of what [`list_body`] writes, from what it writes it of: the digest of a whole page would take half as long
/// as the page. Pages that differ have different ones, and the same page has the same one in every process.
fn list_tag(versions: &[&Version], next_cursor: Option<&str>) -> Tag {
    let mut identity = Vec::with_capacity((versions.len() + 1) * IDENTITY_BYTES);
    identity.push(LIST_FORMAT);
    for length in [versions.len(), next_cursor.map_or(0, |cursor| 1 + cursor.len())] {
        identity.extend_from_slice(&(length as u64).to_le_bytes());
    }
    identity.extend_from_slice(next_cursor.unwrap_or_default().as_bytes());
    let mut previous = None;
    for version in versions {
        version.push_identity(&mut identity, previous);
        previous = Some(version);
    }
    Tag::of(&identity)
}

/// `{"servers":[…],"metadata":{…}}` and a line end, as the official server writes it. A body that has no room yet gets
/// what it needs, and not more: it may be kept for long.
fn list_body(versions: &[&Version], next_cursor: Option<&str>, mut body: Vec<u8>) -> Vec<u8> {
    let around = next_cursor.map_or(0, str::len) + AROUND_BYTES;
    if body.capacity() == 0 {
        body.reserve_exact(versions.iter().map(|version| version.served_length() + 1).sum::<usize>() + around);
    } else {
        let likely = versions.iter().map(|version| version.entry.server_length() + BESIDE_BYTES).sum::<usize>();
        body.reserve(likely + around);
    }
    body.extend_from_slice(br#"{"servers":["#);
    for (index, version) in versions.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        version.write_to(&mut body);
    }
    body.extend_from_slice(br#"],"metadata":{"#);
    if let Some(cursor) = next_cursor {
        body.extend_from_slice(format!(r#""nextCursor":"{cursor}","#).as_bytes());
    }
    body.extend_from_slice(format!("\"count\":{}}}}}\n", versions.len()).as_bytes());
    body
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::fuzzing::CATALOG;
    use super::super::inspections::Inspections;
    use super::super::query;
    use super::*;

    fn render(query: &str) -> Rendered {
        let inspections = Inspections::default();
        let view = View { catalog: &CATALOG, is_ready: true, reason: &|_| String::new(), inspections: &inspections };
        let list = query::list(Some(query)).expect("a query");
        view.render(&CatalogRequest::List(list), Vec::new()).expect("there is a catalog")
    }

    #[test]
    fn lists_have_the_same_tag_if_and_only_if_they_are_the_same() {
        let (mut bodies, mut pages) = (BTreeMap::new(), 0);
        for filter in ["", "&include_deleted=true", "&version=latest", "&search=a", "&status=deleted", "&type=remote"] {
            for limit in 1..=5 {
                let mut next = Some(format!("limit={limit}{filter}"));
                while let Some(asked) = next {
                    let Rendered { body, tag } = render(&asked);
                    let tag = tag.expect("lists have one").as_str().to_owned();
                    let text = String::from_utf8(body).expect("text");
                    let cursor = text.split_once("\"nextCursor\":\"").and_then(|(_, rest)| rest.split_once('"'));
                    next = cursor.map(|(cursor, _)| format!("limit={limit}&cursor={cursor}"));
                    assert_eq!(bodies.entry(tag).or_insert_with(|| text.clone()), &text, "{asked}");
                    pages += 1;
                }
            }
        }
        let different: std::collections::BTreeSet<&String> = bodies.values().collect();
        assert!(different.len() == bodies.len() && 100 < pages, "{} of {} in {pages}", different.len(), bodies.len());
    }

    #[test]
    fn what_is_written_in_another_way_has_another_format() {
        let list = render("limit=100&include_deleted=true");
        let written = Tag::of(&list.body);
        let tag = list.tag.expect("lists have one");
        let advice = "lists are written in another way, or identified: raise LIST_FORMAT, and put these here";
        assert_eq!(
            (LIST_FORMAT, written.as_str(), tag.as_str()),
            (1, "dt1j43TcObz9W5f7YVUbVg", "svG2k7ICtHMm4oB7zNQdqA"),
            "{advice}"
        );
    }

    #[test]
    fn a_list_is_the_same_in_whatever_room_it_is_written() {
        let (exact, roomy) = (render("limit=7").body, Vec::with_capacity(100));
        let page = CATALOG.page(&query::list(Some("limit=7")).expect("a query").filter, None, 7);
        assert!(exact.capacity() < exact.len() + AROUND_BYTES, "no more is held than it takes");
        let next = String::from_utf8_lossy(&exact).into_owned();
        let next =
            next.split_once("\"nextCursor\":\"").and_then(|(_, rest)| rest.split_once('"')).map(|(next, _)| next);
        assert_eq!(list_body(&page.versions, next, roomy), exact);
    }
}
