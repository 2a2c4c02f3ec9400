//! Query strings, read as the official server reads them (registry-api.md §1.2): unknown parameters are
//! ignored, of repeated ones the first counts, an empty one means its default, all of the wrong kind are
//! reported together.

mod asked;
mod changes;
mod parameters;

use super::cursor;
use super::error::{InvalidParameter, Problem};
use super::pages::ALL_VERSIONS;
use crate::catalog::entry::MAX_KEY_BYTES;
use crate::catalog::page::{Filter, Position, VersionFilter};

use asked::Asked;
pub(super) use asked::{contradiction, differs};
pub(super) use changes::{CHANGES_PARAMETERS, ChangesQuery, changes};
pub(super) use parameters::Parameters;

/// A list request in canonical form: what is asked for, without how it was spelled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ListQuery {
    pub(super) filter: Filter,
    pub(super) after: Option<Position>,
    pub(super) limit: usize,
}

/// The parameters of a list request; all others are ignored. The description names the same.
pub(super) const LIST_PARAMETERS: [&str; 11] = [
    "cursor",
    "limit",
    "search",
    "updated_since",
    "version",
    "include_deleted",
    "registry",
    "type",
    "package_type",
    "transport",
    "status",
];

/// The parameters of the page that shows the list.
#[cfg(test)]
pub(super) const BROWSE_PARAMETERS: [&str; 9] =
    ["cursor", "search", "version", "include_deleted", "registry", "type", "package_type", "transport", "status"];
/// How many entries that page has.
const BROWSE_LIMIT: usize = 30;

impl ListQuery {
    /// Whether it is a page of a walk through everything, behind the first one: what is on it stands side by side, and
    /// need not be looked for.
    pub(super) fn is_of_a_walk(&self) -> bool {
        let Filter { version, include_deleted, .. } = &self.filter;
        let everything = Filter { version: version.clone(), include_deleted: *include_deleted, ..Filter::default() };
        self.after.is_some() && !matches!(version, VersionFilter::Exact(_)) && self.filter == everything
    }

    /// Roughly what it takes of memory besides itself.
    pub(super) fn heap_bytes(&self) -> usize {
        let Filter { search, registry, package_type, transport, .. } = &self.filter;
        let texts = [search, registry, package_type, transport].into_iter().flatten();
        let texts: usize = texts.map(|text| text.len()).sum();
        let version = match &self.filter.version {
            VersionFilter::Exact(version) => version.len(),
            VersionFilter::Any | VersionFilter::Latest => 0,
        };
        let after = self.after.as_ref();
        let after = after.map_or(0, |after| after.name.len() + after.version.as_deref().map_or(0, str::len));
        texts + version + after
    }
}

/// Reads the query of a list request.
pub(super) fn list(query: Option<&str>) -> Result<ListQuery, Problem> {
    let parameters = Parameters::read(query);
    let mut invalid = Vec::new();
    let limit = parameters.limit(&mut invalid);
    walk(&parameters, limit, parameters.get("updated_since"), invalid)
}

/// Reads the query of the page that shows the list: as that of the list, but for the versions. Only the latest ones are
/// shown unless all of them are asked for.
pub(super) fn browse(query: Option<&str>) -> Result<ListQuery, Problem> {
    let parameters = Parameters::read(query);
    let mut query = walk(&parameters, BROWSE_LIMIT, None, Vec::new())?;
    // A cursor knows which versions it goes through.
    if query.after.is_none() {
        query.filter.version = match query.filter.version {
            VersionFilter::Any => VersionFilter::Latest,
            VersionFilter::Exact(version) if *version == *ALL_VERSIONS => VersionFilter::Any,
            other => other,
        };
    }
    Ok(query)
}

/// The parameters of a server's page.
#[cfg(test)]
pub(super) const SERVER_PARAMETERS: [&str; 1] = ["version"];

/// Reads the query of a server's page: which version is wanted, if not the latest.
pub(super) fn shown_version(query: Option<&str>) -> Result<Option<String>, Problem> {
    let mut invalid = Vec::new();
    let parameters = Parameters::read(query);
    let version = parameters.short("version", MAX_KEY_BYTES, &mut invalid).filter(|version| *version != "latest");
    if invalid.is_empty() { Ok(version.map(str::to_owned)) } else { Err(Problem::Validation(invalid)) }
}

/// What a query says of a walk through the list.
fn walk(
    parameters: &Parameters<'_>,
    limit: usize,
    updated_since: Option<&str>,
    mut invalid: Vec<InvalidParameter>,
) -> Result<ListQuery, Problem> {
    let asked = Asked::read(parameters, &mut invalid);
    if !invalid.is_empty() {
        return Err(Problem::Validation(invalid));
    }
    let asked = asked.with_time(updated_since)?;
    let (filter, after) = match parameters.get("cursor") {
        None => (asked.into_filter(), None),
        Some(text) => {
            let (filter, position) =
                cursor::decode(text).ok_or(Problem::BadRequest("Invalid cursor parameter".into()))?;
            asked.check_against(&filter)?;
            (filter, Some(position))
        }
    };
    Ok(ListQuery { filter, after, limit })
}

/// Reads the query of a request for versions: whether deleted ones are included.
pub(super) fn include_deleted(query: Option<&str>) -> Result<bool, Problem> {
    let mut invalid = Vec::new();
    let flag = Parameters::read(query).flag("include_deleted", &mut invalid);
    if invalid.is_empty() { Ok(flag.unwrap_or_default()) } else { Err(Problem::Validation(invalid)) }
}

#[cfg(test)]
mod tests;
