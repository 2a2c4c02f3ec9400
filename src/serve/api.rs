//! The MCP Registry API over a catalog: bodies out of entries that are rendered already. Synchronous and
//! without I/O: one function per kind of answer.

use std::fmt::Write as _;

use super::cache::CatalogRequest;
use super::cursor;
use super::error::Problem;
use super::escapes::readings;
use super::inspections::Inspections;
use super::query::ListQuery;
use crate::catalog::{Catalog, Server, Version};

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

    /// Renders the answer to a request.
    pub(super) fn render(&self, request: &CatalogRequest) -> Result<Vec<u8>, Problem> {
        self.check_available()?;
        match request {
            CatalogRequest::List(query) => Ok(self.list(query)),
            CatalogRequest::Versions { name, include_deleted } => self.versions(name, *include_deleted),
            CatalogRequest::Version { name, version, include_deleted } => self.version(name, version, *include_deleted),
            CatalogRequest::Inspection(inspection) => Ok(self.inspections.render(self.catalog, inspection)),
            CatalogRequest::Page(page) => page.render(self),
        }
    }

    /// The answer to `GET /readyz`.
    pub(super) fn readiness(&self) -> Result<&'static str, Problem> {
        if self.is_ready {
            return Ok("{\"status\":\"ready\"}\n");
        }
        Err(Problem::Unavailable(format!("Not every registry has been asked yet: {}", self.reasons(|_| true))))
    }

    fn list(&self, query: &ListQuery) -> Vec<u8> {
        let page = self.catalog.page(&query.filter, query.after.as_ref(), query.limit);
        let next = page.next.map(|position| cursor::encode(&query.filter, &position));
        list_body(&page.versions, next.as_deref())
    }

    fn versions(&self, name: &str, include_deleted: bool) -> Result<Vec<u8>, Problem> {
        let visible = |server: &'a Server| {
            let mut versions = server.versions_newest_first();
            versions.retain(|version| include_deleted || !version.entry.is_deleted());
            (!versions.is_empty()).then_some(versions)
        };
        let versions = self.find(name, None, include_deleted, visible)?;
        Ok(list_body(&versions, None))
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

/// `{"servers":[…],"metadata":{…}}` and a line end, as the official server writes it.
fn list_body(versions: &[&Version], next_cursor: Option<&str>) -> Vec<u8> {
    let entries: usize = versions.iter().map(|version| version.served_length() + 1).sum();
    let mut body = Vec::with_capacity(entries + next_cursor.map_or(0, str::len) + 80);
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
